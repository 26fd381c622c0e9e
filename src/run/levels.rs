//! `levels.jsonl`: the losses of training rows over noise levels, a line for each stretch between two checkpoints.

use super::{Observer, RowLosses, StepLog, Stepped};
use crate::error::Result;
use crate::level::GammaRange;
use crate::time::{BinLosses, Diagnostics, Losses};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The losses of some steps, in equal bins of the range of noise levels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LevelLosses {
    /// The stage, counted from 0.
    pub stage: usize,
    /// The first of the steps.
    pub first: u64,
    /// The last of them.
    pub step: u64,
    /// The least noise.
    pub gamma_min: f64,
    /// The most noise.
    pub gamma_max: f64,
    /// Each bin: its rows, the sum of their losses and that of the squares, in nats per dimension and unit of gamma.
    pub bins: Vec<BinLosses>,
}

impl Stepped for LevelLosses {
    const IS: &'static str = "the losses over noise levels";

    fn step(&self) -> u64 {
        self.step
    }
}

impl LevelLosses {
    /// The width of a bin.
    pub fn width(&self) -> f64 {
        (self.gamma_max - self.gamma_min) / self.bins.len().max(1) as f64
    }

    /// The middle of a bin.
    pub fn middle(&self, bin: usize) -> f64 {
        self.gamma_min + (bin as f64 + 0.5) * self.width()
    }

    /// The density of the levels that were drawn, per unit of gamma.
    pub fn density(&self, bin: usize) -> f64 {
        let all: f64 = self.bins.iter().map(|bin| bin.count).sum();
        self.bins.get(bin).map_or(0.0, |bin| bin.count) / (all * self.width())
    }

    /// What the density of the levels was worth: see [`Diagnostics`]. None if a bin has no row.
    pub fn diagnostics(&self) -> Option<Diagnostics> {
        let range = GammaRange::new(self.gamma_min, self.gamma_max).ok()?;
        let losses = Losses::of(range, self.bins.clone());
        let bin_of = |gamma: f64| ((gamma - self.gamma_min) / self.width()) as usize;
        let found = Diagnostics::new(&losses, |gamma| self.density(bin_of(gamma.0)));
        found.variance_ratio.is_finite().then_some(found)
    }

    /// Both together, of the same range.
    pub fn and(mut self, other: &Self) -> Self {
        for (own, more) in self.bins.iter_mut().zip(&other.bins) {
            own.count += more.count;
            own.sum += more.sum;
            own.squares += more.squares;
        }
        Self { first: self.first.min(other.first), step: self.step.max(other.step), ..self }
    }
}

/// The losses since they were last taken.
#[derive(Clone, Debug)]
pub(crate) struct LevelTally {
    range: GammaRange,
    losses: Losses,
    first: Option<(usize, u64)>,
}

impl LevelTally {
    /// So many bins there are.
    pub(crate) const BINS: usize = 40;

    /// None yet.
    pub(crate) fn new(range: GammaRange) -> Self {
        Self { range, losses: Losses::new(range, Self::BINS, 1.0), first: None }
    }

    /// Adds those of a step.
    pub(crate) fn add(&mut self, losses: &RowLosses<'_>) {
        self.first.get_or_insert((losses.stage, losses.step));
        losses.rows.iter().for_each(|&(gamma, loss)| self.losses.observe(crate::level::Gamma(gamma), loss));
    }

    /// Those since the last time, up to step `step`; nothing if there were none.
    pub(crate) fn take(&mut self, step: u64) -> Option<LevelLosses> {
        let (stage, first) = self.first.take()?;
        let losses = std::mem::replace(&mut self.losses, Losses::new(self.range, Self::BINS, 1.0));
        let (gamma_min, gamma_max) = (self.range.min().0, self.range.max().0);
        Some(LevelLosses { stage, first, step, gamma_min, gamma_max, bins: losses.bins().to_vec() })
    }
}

/// Writes `levels.jsonl`, each line before the checkpoint that ends its steps.
#[derive(Debug)]
pub(crate) struct LevelWriter {
    log: StepLog<LevelLosses>,
    tally: LevelTally,
}

impl LevelWriter {
    /// Opens the file for a run that continues after `step`, as [`StepLog::open`] does.
    ///
    /// # Errors
    /// As [`StepLog::open`].
    pub(crate) fn open(path: &Path, step: u64, range: GammaRange) -> Result<Self> {
        Ok(Self { log: StepLog::open(path, step)?, tally: LevelTally::new(range) })
    }
}

impl Observer for LevelWriter {
    fn losses(&mut self, losses: &RowLosses<'_>) -> Result<()> {
        self.tally.add(losses);
        Ok(())
    }

    fn checkpoint(&mut self, step: u64) -> Result<()> {
        if let Some(found) = self.tally.take(step) {
            self.log.append(&found)?;
        }
        self.log.sync()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_is_of_the_steps_since_the_last_and_says_what_their_density_is_worth() {
        let range = GammaRange::new(0.0, 4.0).unwrap();
        let mut tally = LevelTally::new(range);
        assert!(tally.take(3).is_none());
        // Twice as many rows where the loss is twice as large: the density of least variance.
        let rows: Vec<(f64, f64)> = (0..120)
            .map(|i| {
                let (bin, high) = (i / 3, i % 3 < 2);
                let gamma = if high { 2.0 } else { 0.0 } + (f64::from(bin % 20) + 0.5) / 10.0;
                (gamma, if high { 2.0 } else { 1.0 })
            })
            .collect();
        tally.add(&RowLosses { stage: 1, step: 5, rows: &rows[..60] });
        tally.add(&RowLosses { stage: 1, step: 6, rows: &rows[60..] });
        let found = tally.take(6).unwrap();
        assert_eq!((found.stage, found.first, found.step), (1, 5, 6));
        assert_eq!((found.width(), found.middle(0), found.bins.len()), (0.1, 0.05, 40));
        assert!(
            (found.density(0) - 1.0 / 6.0).abs() < 1e-12 && (found.density(39) - 1.0 / 3.0).abs() < 1e-12
        );
        let Some(worth) = found.diagnostics() else { panic!("every bin has a row") };
        assert!(worth.variance_ratio.abs() < 1e-9, "{worth:?}");
        assert!(tally.take(7).is_none());
        let twice = found.clone().and(&found);
        assert_eq!(
            (twice.bins[3].count, twice.bins[3].sum),
            (2.0 * found.bins[3].count, 2.0 * found.bins[3].sum)
        );
    }
}
