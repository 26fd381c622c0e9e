//! Who watches a run: a bar, `metrics.jsonl`, a curve, Ctrl-C, and whatever a program adds.
//!
//! ```
//! use idode::error::Result;
//! use idode::progress::StepMetrics;
//! use idode::run::Observer;
//!
//! /// Ends training once the loss is small.
//! struct Enough(f64, bool);
//!
//! impl Observer for Enough {
//!     fn step(&mut self, step: &StepMetrics) -> Result<()> {
//!         self.1 = step.loss < self.0;
//!         Ok(())
//!     }
//!     fn stop(&self) -> Option<String> {
//!         self.1.then(|| "the loss is small".to_owned())
//!     }
//! }
//! ```

use crate::error::Result;
use crate::progress::{Progress, Silent, StepMetrics};
use crate::result::{Outcome, StageRecord};
use std::path::Path;

/// A part of a run that takes a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase<'a> {
    /// What it is: "training", "VLB", "ODE, uniform", "sampling".
    pub name: &'a str,
    /// What is counted: "steps", "images", "rows".
    pub unit: &'a str,
    /// So many of them are done already.
    pub done: u64,
    /// So many there are.
    pub total: u64,
}

impl Phase<'_> {
    /// The name of training.
    pub const TRAINING: &'static str = "training";
}

/// What an evaluation found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Evaluated<'a> {
    /// Of the model at the end of a stage.
    Stage(&'a StageRecord),
    /// Of the trained model: what is in `result.json`.
    Run(&'a Outcome),
}

/// The losses of the rows of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowLosses<'a> {
    /// The stage, counted from 0.
    pub stage: usize,
    /// The step, counted from 1 over all stages.
    pub step: u64,
    /// The level of each row, and its loss in nats per dimension and unit of gamma.
    pub rows: &'a [(f64, f64)],
}

/// Who watches a run. Every method has a body that does nothing.
pub trait Observer {
    /// A phase begins.
    ///
    /// # Errors
    /// Whatever should end the run.
    fn start(&mut self, phase: &Phase<'_>) -> Result<()> {
        let _ = phase;
        Ok(())
    }

    /// A training step has ended.
    ///
    /// # Errors
    /// Whatever should end the run.
    fn step(&mut self, step: &StepMetrics) -> Result<()> {
        let _ = step;
        Ok(())
    }

    /// The losses of a step's rows, before the step has ended.
    ///
    /// # Errors
    /// Whatever should end the run.
    fn losses(&mut self, losses: &RowLosses<'_>) -> Result<()> {
        let _ = losses;
        Ok(())
    }

    /// `done` rows of an estimate, or samples, have ended, with the mean bits/dim so far.
    fn advance(&mut self, done: u64, bits_per_dim: Option<f64>) {
        let _ = (done, bits_per_dim);
    }

    /// The checkpoint of `step` is written next: what it must not be ahead of is to be on the disk when this returns.
    ///
    /// # Errors
    /// Whatever should end the run; the checkpoint is then not written.
    fn checkpoint(&mut self, step: u64) -> Result<()> {
        let _ = step;
        Ok(())
    }

    /// An evaluation has ended.
    ///
    /// # Errors
    /// Whatever should end the run.
    fn evaluation(&mut self, found: Evaluated<'_>) -> Result<()> {
        let _ = found;
        Ok(())
    }

    /// Samples of the model of `step` have been drawn, into this picture.
    ///
    /// # Errors
    /// Whatever should end the run.
    fn samples(&mut self, step: u64, picture: &Path) -> Result<()> {
        let _ = (step, picture);
        Ok(())
    }

    /// The phase has ended.
    ///
    /// # Errors
    /// Whatever should end the run.
    fn end(&mut self) -> Result<()> {
        Ok(())
    }

    /// Something that the user should read, in one line.
    fn message(&mut self, text: &str) {
        let _ = text;
    }

    /// Why the run should end at the next point from which it can go on, if it should: a step of training, after its checkpoint. Measuring
    /// and sampling end at once, and are done again. Asked after every step and every batch of an estimate.
    fn stop(&self) -> Option<String> {
        None
    }
}

impl Observer for Silent {}

impl<O: Observer + ?Sized> Observer for &mut O {
    fn start(&mut self, phase: &Phase<'_>) -> Result<()> {
        (**self).start(phase)
    }
    fn step(&mut self, step: &StepMetrics) -> Result<()> {
        (**self).step(step)
    }
    fn advance(&mut self, done: u64, bits_per_dim: Option<f64>) {
        (**self).advance(done, bits_per_dim);
    }
    fn checkpoint(&mut self, step: u64) -> Result<()> {
        (**self).checkpoint(step)
    }
    fn evaluation(&mut self, found: Evaluated<'_>) -> Result<()> {
        (**self).evaluation(found)
    }
    fn losses(&mut self, losses: &RowLosses<'_>) -> Result<()> {
        (**self).losses(losses)
    }
    fn samples(&mut self, step: u64, picture: &Path) -> Result<()> {
        (**self).samples(step, picture)
    }
    fn end(&mut self) -> Result<()> {
        (**self).end()
    }
    fn message(&mut self, text: &str) {
        (**self).message(text);
    }
    fn stop(&self) -> Option<String> {
        (**self).stop()
    }
}

/// Several observers, each told in turn; the first that asks to stop is heard.
#[derive(Default)]
pub struct Observers<'a> {
    all: Vec<Box<dyn Observer + 'a>>,
}

impl std::fmt::Debug for Observers<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observers").field("count", &self.all.len()).finish_non_exhaustive()
    }
}

impl<'a> Observers<'a> {
    /// Nobody yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same and one more.
    pub fn and(mut self, observer: impl Observer + 'a) -> Self {
        self.all.push(Box::new(observer));
        self
    }
}

impl Observer for Observers<'_> {
    fn start(&mut self, phase: &Phase<'_>) -> Result<()> {
        self.all.iter_mut().try_for_each(|observer| observer.start(phase))
    }
    fn step(&mut self, step: &StepMetrics) -> Result<()> {
        self.all.iter_mut().try_for_each(|observer| observer.step(step))
    }
    fn advance(&mut self, done: u64, bits_per_dim: Option<f64>) {
        self.all.iter_mut().for_each(|observer| observer.advance(done, bits_per_dim));
    }
    fn checkpoint(&mut self, step: u64) -> Result<()> {
        self.all.iter_mut().try_for_each(|observer| observer.checkpoint(step))
    }
    fn evaluation(&mut self, found: Evaluated<'_>) -> Result<()> {
        self.all.iter_mut().try_for_each(|observer| observer.evaluation(found))
    }
    fn losses(&mut self, losses: &RowLosses<'_>) -> Result<()> {
        self.all.iter_mut().try_for_each(|observer| observer.losses(losses))
    }
    fn samples(&mut self, step: u64, picture: &Path) -> Result<()> {
        self.all.iter_mut().try_for_each(|observer| observer.samples(step, picture))
    }
    fn end(&mut self) -> Result<()> {
        self.all.iter_mut().try_for_each(|observer| observer.end())
    }
    fn message(&mut self, text: &str) {
        self.all.iter_mut().for_each(|observer| observer.message(text));
    }
    fn stop(&self) -> Option<String> {
        self.all.iter().find_map(|observer| observer.stop())
    }
}

/// Tells all why the end is asked for, when it first is: of whole work, once.
pub(crate) struct Heeded<'a> {
    observer: &'a mut dyn Observer,
    said: bool,
}

impl<'a> Heeded<'a> {
    pub(crate) fn new(observer: &'a mut dyn Observer) -> Self {
        Self { observer, said: false }
    }

    fn heed(&mut self) {
        if let Some(reason) = self.stop().filter(|_| !self.said) {
            self.said = true;
            self.message(&reason);
        }
    }
}

impl Observer for Heeded<'_> {
    fn start(&mut self, phase: &Phase<'_>) -> Result<()> {
        self.observer.start(phase)
    }
    fn step(&mut self, step: &StepMetrics) -> Result<()> {
        self.observer.step(step)?;
        self.heed();
        Ok(())
    }
    fn advance(&mut self, done: u64, bits_per_dim: Option<f64>) {
        self.observer.advance(done, bits_per_dim);
        self.heed();
    }
    fn checkpoint(&mut self, step: u64) -> Result<()> {
        self.observer.checkpoint(step)
    }
    fn evaluation(&mut self, found: Evaluated<'_>) -> Result<()> {
        self.observer.evaluation(found)
    }
    fn losses(&mut self, losses: &RowLosses<'_>) -> Result<()> {
        self.observer.losses(losses)
    }
    fn samples(&mut self, step: u64, picture: &Path) -> Result<()> {
        self.observer.samples(step, picture)
    }
    fn end(&mut self) -> Result<()> {
        self.observer.end()
    }
    fn message(&mut self, text: &str) {
        self.observer.message(text);
    }
    fn stop(&self) -> Option<String> {
        self.observer.stop()
    }
}

/// An estimate's [`Progress`] as observers hear it.
pub(crate) struct Watched<'a> {
    observer: &'a mut dyn Observer,
    seen: bool,
}

impl std::fmt::Debug for Watched<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched").field("seen", &self.seen).finish_non_exhaustive()
    }
}

impl<'a> Watched<'a> {
    /// What is done is shown, and the end is heard.
    pub(crate) fn new(observer: &'a mut dyn Observer) -> Self {
        Self { observer, seen: true }
    }

    /// Nothing is shown, and the end is heard.
    pub(crate) fn unseen(observer: &'a mut dyn Observer) -> Self {
        Self { observer, seen: false }
    }
}

impl Progress for Watched<'_> {
    fn advance(&mut self, done: u64, bits_per_dim: Option<f64>) {
        if self.seen {
            self.observer.advance(done, bits_per_dim);
        }
    }

    fn interrupted(&self) -> bool {
        self.observer.stop().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// Writes down what it hears; asks to stop from a step on.
    struct Listener<'a>(&'a RefCell<Vec<String>>, &'static str, u64);

    impl Observer for Listener<'_> {
        fn advance(&mut self, done: u64, _: Option<f64>) {
            self.0.borrow_mut().push(format!("{} {done}", self.1));
            self.2 = self.2.saturating_sub(done);
        }
        fn message(&mut self, text: &str) {
            self.0.borrow_mut().push(format!("{} hears {text}", self.1));
        }
        fn stop(&self) -> Option<String> {
            (self.2 == 0).then(|| format!("{} wants it", self.1))
        }
    }

    #[test]
    fn each_hears_all_and_the_first_reason_is_said_once() {
        let heard = RefCell::new(Vec::new());
        let mut observers =
            Observers::new().and(Listener(&heard, "a", 9)).and(Listener(&heard, "b", 2)).and(Silent);
        let mut heeded = Heeded::new(&mut observers);
        let mut watched = Watched::new(&mut heeded);
        assert!(watched.advance_or_end(1, None).is_ok());
        assert!(watched.advance_or_end(2, None).is_err());
        assert!(watched.advance_or_end(3, None).is_err());
        assert!(Watched::unseen(&mut heeded).advance_or_end(4, None).is_err());
        let expected = ["a 1", "b 1", "a 2", "b 2", "a hears b wants it", "b hears b wants it", "a 3", "b 3"];
        assert_eq!(*heard.borrow(), expected);
    }
}
