//! A run from its beginning, or from where it stands, to its samples.

use super::data::Loaded;
use super::together::{self, Alive};
use super::training::Training;
use super::{Destination, EvaluateOptions, Experiment, SampleOptions, Trained, data};
use crate::data::Rows;
use crate::error::{Error, Result};
use crate::files::Lock;
use crate::need;
use crate::registry::ComputeDevice;
use crate::result::{Outcome, StageRecord};
use crate::run::{Change, ChoicesWriter, Curve, Events, Found, Heeded, Observer, Observers, RunFolder};
use serde_json::Value;

impl<D: ComputeDevice> Experiment<D> {
    /// Trains, evaluates the result and draws samples.
    ///
    /// # Errors
    /// Parts, data or a folder that cannot be used: found before anything is written. A loss,
    /// gradient or parameter that is not finite: the last good checkpoint is kept.
    pub fn train(&self, destination: &Destination, observer: &mut dyn Observer) -> Result<Trained> {
        together::all_told(&self.ranks, || self.train_as_rank(destination, observer))
    }

    fn train_as_rank(&self, destination: &Destination, observer: &mut dyn Observer) -> Result<Trained> {
        let observer = &mut Heeded::new(observer) as &mut dyn Observer;
        let observer = &mut Observers::new().and(Alive(&self.ranks)).and(observer) as &mut dyn Observer;
        let ready = self.resolved()?;
        let ranks = &ready.ranks;
        let recipe = ready.recipe();
        ready.check()?;
        need::check(recipe, &ready.needs()?, need::available())?;
        together::check_dealt(recipe, ranks)?;
        if ranks.is_first() {
            destination.check(recipe)?;
        }
        // What the end of the run needs is looked at before its beginning.
        let Loaded { train: rows, validation, held_out, warnings } = ready.load()?;
        warnings.iter().for_each(|warning| observer.message(warning));
        data::baseline(recipe, held_out.rows())?;
        let network = ready.description()?;
        let fingerprint = rows.fingerprint()?;
        let held_out_data =
            if ranks.size() > 1 { held_out.fingerprint()?.to_string() } else { String::new() };
        let alike = vec![
            ("run folder", destination.path().display().to_string()),
            ("network", network.clone()),
            ("training data", fingerprint.to_string()),
            ("held-out data", held_out_data),
        ];
        together::agree(ranks, recipe, alike)?;
        let (run, _lock, from) = if ranks.is_first() {
            let (run, lock, from) = ready.begin(destination, &network, &fingerprint, &held_out, observer)?;
            (run, Some(lock), from)
        } else {
            (RunFolder::kept_by_another(destination.path(), recipe), None, None)
        };
        let corrupt = from.as_ref().map_or_else(Vec::new, |found| found.corrupt.clone());
        let from = together::checkpoint(ranks, from.map(|found| (found.path, found.bytes)))?;
        let from = from.map(|(path, bytes)| Found { path, bytes, corrupt });
        if from.is_some() {
            run.keep_choices(&ready.device)?;
        }
        let engine = ready.device.gradient_sum(ranks)?;
        drop(held_out);
        let (run, rows) = (&run, &rows);
        let mut all = Observers::new();
        if ranks.is_first() {
            all = all.and(ChoicesWriter::of(run, &ready.device));
        }
        if recipe.log.tensorboard && ranks.is_first() {
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
            engine,
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

    /// The folder of a run that begins, or of one that goes on, and the checkpoint that it goes on from.
    fn begin(
        &self,
        destination: &Destination,
        network: &str,
        fingerprint: &Value,
        held_out: &Rows,
        observer: &mut dyn Observer,
    ) -> Result<(RunFolder, Lock, Option<Found>)> {
        let recipe = self.recipe();
        let Some(change) = destination.change() else {
            if let Destination::Resume(path) = destination {
                let said = format!("{}: nothing had begun there: trains from the start", path.display());
                observer.message(&said);
            }
            let (run, lock) = RunFolder::create(destination.path(), recipe)?;
            return Ok((run, lock, None));
        };
        let lock = RunFolder::open(destination.path())?.lock()?;
        let run = RunFolder::resume(destination.path(), recipe, change)?;
        let from = Found::newest(&run)?;
        from.check(recipe, network, fingerprint)?;
        data::check_same(&run, held_out)?;
        StageRecord::read(&run.stages())?;
        run.write_recipe()?;
        Ok((run, lock, Some(from)))
    }

    /// What follows training.
    fn finish(&self, run: &RunFolder, observer: &mut dyn Observer) -> Result<Outcome> {
        let outcome = self.measured_together(
            run,
            EvaluateOptions::default(),
            &mut Observers::new().and(Curve::of(run)).and(&mut *observer),
        )?;
        let drawn = self.draw_samples(run, &SampleOptions::default(), observer);
        together::unless_interrupted(&self.ranks, drawn)?;
        Ok(outcome)
    }
}
