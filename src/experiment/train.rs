//! A run from its beginning, or from where it stands, to its samples.

use super::data::Loaded;
use super::training::Training;
use super::{Destination, EvaluateOptions, Experiment, SampleOptions, Trained, data, journal};
use crate::error::{Error, Result};
use crate::need;
use crate::registry::ComputeDevice;
use crate::result::{Outcome, StageRecord};
use crate::run::{Change, Curve, Events, Found, Heeded, Observer, Observers, RunFolder};

impl<D: ComputeDevice> Experiment<D> {
    /// Trains, evaluates the result and draws samples.
    ///
    /// # Errors
    /// Parts, data or a folder that cannot be used: found before anything is written. A loss,
    /// gradient or parameter that is not finite: the last good checkpoint is kept.
    pub fn train(&self, destination: &Destination, observer: &mut dyn Observer) -> Result<Trained> {
        let observer = &mut Heeded::new(observer) as &mut dyn Observer;
        let ready = self.resolved()?;
        let recipe = ready.recipe();
        ready.check()?;
        need::check(recipe, &ready.needs()?, need::available())?;
        destination.check(recipe)?;
        // What the end of the run needs is looked at before its beginning.
        let Loaded { train: rows, validation, held_out, warnings } = ready.load()?;
        warnings.iter().for_each(|warning| observer.message(warning));
        data::baseline(recipe, held_out.rows())?;
        let network = ready.description()?;
        let fingerprint = rows.fingerprint()?;
        let (run, _lock, from) = match destination.change() {
            None => {
                if let Destination::Resume(path) = destination {
                    let said = format!("{}: nothing had begun there: trains from the start", path.display());
                    observer.message(&said);
                }
                let (run, lock) = RunFolder::create(destination.path(), recipe)?;
                (run, lock, None)
            }
            Some(change) => {
                let lock = RunFolder::open(destination.path())?.lock()?;
                let run = RunFolder::resume(destination.path(), recipe, change)?;
                let from = Found::newest(&run)?;
                from.check(recipe, &network, &fingerprint)?;
                data::check_same(&run, &held_out)?;
                StageRecord::read(&run.stages())?;
                run.write_recipe()?;
                (run, lock, Some(from))
            }
        };
        drop(held_out);
        let (run, rows) = (&run, &rows);
        let mut all = Observers::new();
        if recipe.log.tensorboard {
            all = all.and(Events::of(run, ready.parts.diffusion.range()));
        }
        let observer = &mut all.and(observer) as &mut dyn Observer;
        let is_longer = destination.change() == Some(Change::Longer);
        let training = Training {
            experiment: &ready,
            run,
            rows,
            validation,
            network,
            fingerprint,
            from,
            is_longer,
            observer,
        };
        let ended = training.run()?;
        if ended.early {
            return Ok(Trained::Interrupted { step: ended.step });
        }
        match ready.finish(run, observer) {
            Ok(outcome) => Ok(Trained::Finished(outcome)),
            Err(Error::Interrupted) => Ok(Trained::Interrupted { step: ended.step }),
            Err(error) => Err(error),
        }
    }

    /// What follows training.
    fn finish(&self, run: &RunFolder, observer: &mut dyn Observer) -> Result<Outcome> {
        let lock = journal::waited_for(run, observer)?;
        let outcome = self.measured(
            run,
            EvaluateOptions::default(),
            &mut Observers::new().and(Curve::of(run)).and(&mut *observer),
        )?;
        drop(lock);
        self.draw_samples(run, &SampleOptions::default(), observer)?;
        Ok(outcome)
    }
}
