//! The likelihood of a trained run: its estimates, their error budgets, and the ladder of bounds.

use super::journal::Subject;
use super::together::{self, Alive, unless_interrupted};
use super::{Experiment, data, journal, ladder, measure, others, target};
use crate::config::Evaluation;
use crate::data::Rows;
use crate::error::{Error, Result};
use crate::files::{self, write_atomically};
use crate::ladder::Ladder;
use crate::model::Model;
use crate::need;
use crate::registry::ComputeDevice;
use crate::result::{DataRecord, Outcome, StageRecord};
use crate::run::{Evaluated, Heeded, Observer, Observers, Place, RecordsLog, RunFolder, Shard};
use std::path::{Path, PathBuf};

/// Options of an evaluation beside what the recipe says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EvaluateOptions {
    /// Whether each estimate's error is taken apart: see [`budget`](crate::budget).
    pub budget: bool,
    /// The total error, in an estimate's unit, that images, draws and probes are spent on to reach it.
    pub target: Option<f64>,
}

impl<D: ComputeDevice> Experiment<D> {
    /// Measures the likelihood of the held-out rows of a trained run, or of one that is in training, by its last checkpoint, and writes
    /// `result.json`.
    ///
    /// An evaluation that was ended before goes on from the records in `records.jsonl`, if they are of the same checkpoint, data and settings.
    ///
    /// # Errors
    /// A run without a checkpoint that can be used, or that another process measures.
    pub fn evaluate(&self, run: &RunFolder, observer: &mut dyn Observer) -> Result<Outcome> {
        self.evaluate_with(run, EvaluateOptions::default(), observer)
    }

    /// [`evaluate`](Self::evaluate), with options beside what the recipe says.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate), or if a [rank](Self::ranks) is gone.
    pub fn evaluate_with(
        &self,
        run: &RunFolder,
        options: EvaluateOptions,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        let ready = self.resolved()?;
        let observer = &mut Heeded::new(observer);
        if self.ranks.size() == 1 {
            let _lock = run.place().lock()?;
            return ready.measured(run, &ready.trained(run)?, options, observer);
        }
        together::all_told(&self.ranks, || {
            let folder = run.root().display().to_string();
            let alike = vec![("run folder", folder), ("options", format!("{options:?}"))];
            together::agree(&self.ranks, ready.recipe(), alike)?;
            let observer = &mut Observers::new().and(Alive(&self.ranks)).and(observer);
            ready.measured_together(run, options, observer)
        })
    }

    /// Measures a part of the held-out rows, into a file of records that [`merge`](Self::merge) joins with the others'; gives its path. It has
    /// no error budget and no result: those are of the whole.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    pub fn evaluate_shard(
        &self,
        run: &RunFolder,
        shard: Shard,
        observer: &mut dyn Observer,
    ) -> Result<PathBuf> {
        let ready = self.resolved()?;
        let (place, model) = (run.place_of_shard(shard), ready.trained(run)?);
        ready.shard((run, &model), place, shard, None, &mut Heeded::new(observer))
    }

    /// [`evaluate_shard`](Self::evaluate_shard) into a place, beside records of the whole that may have some of its rows.
    fn shard(
        &self,
        (run, model): (&RunFolder, &Model),
        place: Place,
        shard: Shard,
        whole: Option<&Place>,
        observer: &mut dyn Observer,
    ) -> Result<PathBuf> {
        let _lock = place.lock()?;
        self.check_memory()?;
        let rows = self.held_out()?;
        data::check_same(run, &rows)?;
        let count = self.count(&rows);
        let subject = Subject { run, place, rows: &rows, shard: Some(shard) };
        if let Some(whole) = whole {
            RecordsLog::deal(&whole.log(), &subject.place.log(), &subject.header(model, count)?)?;
        }
        measure::rows(&subject, model, count, observer)?;
        Ok(subject.place.log())
    }

    /// Joins the records of all shards, by default those in the run's folder, and writes what [`evaluate`](Self::evaluate) of the whole would.
    ///
    /// # Errors
    /// Files that are no shards of an evaluation of the run as it is now, that overlap or leave rows without a record; otherwise as
    /// [`evaluate`](Self::evaluate).
    pub fn merge(&self, run: &RunFolder, parts: &[PathBuf], observer: &mut dyn Observer) -> Result<Outcome> {
        let _lock = run.place().lock()?;
        let parts = if parts.is_empty() { run.shards()? } else { parts.to_vec() };
        let ready = self.resolved()?;
        let (model, options) = (ready.trained(run)?, EvaluateOptions::default());
        ready.merged((run, &model), &parts, options, &mut Heeded::new(observer))
    }

    /// [`merge`](Self::merge) where nobody else measures.
    fn merged(
        &self,
        (run, model): (&RunFolder, &Model),
        parts: &[PathBuf],
        options: EvaluateOptions,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        let rows = self.held_out()?;
        data::check_same(run, &rows)?;
        let count = self.count(&rows);
        let subject = Subject { run, place: run.place(), rows: &rows, shard: None };
        let header = (&subject.header(model, count)?, count);
        RecordsLog::merge(&subject.place.log(), header, &measure::names(model)?, parts)?;
        self.measured(run, model, options, observer)
    }

    /// Measures images that are not the run's own, of its shape and levels, in a file or folder: writes `result.NAME.json` and the like into
    /// the run's folder, with the name of the file, and leaves the run's own result alone. Gives what was found, and where the values of each
    /// image are.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate), a run of a table or of classes, or images that are not like the run's.
    pub fn evaluate_images(
        &self,
        run: &RunFolder,
        images: &Path,
        options: EvaluateOptions,
        observer: &mut dyn Observer,
    ) -> Result<(Outcome, Place)> {
        let ready = self.resolved()?;
        let rows = others::images(ready.recipe(), images)?;
        let place = run.place_of_data(&rows.name().0);
        let _lock = place.lock()?;
        let subject = Subject { run, place, rows: &rows, shard: None };
        let model = ready.trained(run)?;
        let outcome = ready.outcome(&subject, &model, options, &mut Heeded::new(observer))?;
        Ok((outcome, subject.place))
    }

    /// Measures a trained run by every bound and writes `ladder.json` and `ladder.png`: the VLB, the information-estimation identity, and the
    /// ODE with each dequantizer of the evaluation at every `K` of its [`ladder`](Evaluation::ladder), or 1, 2, 5 and 20.
    ///
    /// # Errors
    /// A run of a table, or without a checkpoint that can be used, or that another process measures.
    pub fn ladder(&self, run: &RunFolder, observer: &mut dyn Observer) -> Result<Ladder> {
        let _lock = run.place().lock()?;
        let ready = self.resolved()?;
        let (model, held_out) = (ready.trained(run)?, ready.held_out()?);
        data::check_same(run, &held_out)?;
        ladder::measured(run, &model, &held_out, &mut Heeded::new(observer))
    }

    /// Measures a run whose parts all ranks have. The rows are dealt by their index, and what is written has the bytes of one process.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate), or if a rank is gone.
    pub(super) fn measured_together(
        &self,
        run: &RunFolder,
        options: EvaluateOptions,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        let ranks = &self.ranks;
        let size = ranks.size();
        if size == 1 {
            let _lock = journal::waited_for(run, observer)?;
            return self.measured(run, &self.trained(run)?, options, observer);
        }
        let mut shards = Vec::with_capacity(size);
        for part in 1..=size {
            shards.push(Shard::new(part, size)?);
        }
        let lock = ranks.is_first().then(|| journal::waited_for(run, observer)).transpose();
        let lock = unless_interrupted(ranks, lock)?;
        let model = self.shared_model(run)?;
        if ranks.is_first() {
            self.gather(run, &model)?;
        }
        ranks.barrier()?;
        let shard = shards[ranks.rank()];
        let own = self.shard((run, &model), run.place_of_rank(shard), shard, Some(&run.place()), observer);
        unless_interrupted(ranks, own)?;
        let outcome = together::of_first(ranks, || {
            let paths: Vec<PathBuf> = shards.iter().map(|shard| run.place_of_rank(*shard).log()).collect();
            let outcome = self.merged((run, &model), &paths, options, observer)?;
            run.remove_shards_of_ranks(&paths).map(|()| outcome)
        });
        drop(lock);
        outcome
    }

    /// The trained model, of one checkpoint on every rank, also while training replaces it.
    pub(super) fn shared_model(&self, run: &RunFolder) -> Result<Model> {
        run.keep_choices(&self.device)?;
        let chosen = self.ranks.is_first().then(|| run.read_chosen()).transpose()?;
        match together::checkpoint(&self.ranks, chosen)? {
            Some(chosen) => self.checkpoint(chosen),
            None => Err(Error::value("checkpoint of rank 0", "nothing", "one")),
        }
    }

    /// Puts what ranks had measured before they were ended to the records of the whole.
    fn gather(&self, run: &RunFolder, model: &Model) -> Result<()> {
        let rows = self.held_out()?;
        let count = self.count(&rows);
        let subject = Subject { run, place: run.place(), rows: &rows, shard: None };
        let parts = run.shards_of_ranks()?;
        RecordsLog::gather(&subject.place.log(), &subject.header(model, count)?, &parts)?;
        run.remove_shards_of_ranks(&parts)
    }

    /// [`evaluate_with`](Self::evaluate_with) where nobody else measures.
    fn measured(
        &self,
        run: &RunFolder,
        model: &Model,
        options: EvaluateOptions,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        if !run.shards_of_ranks()?.is_empty() {
            self.gather(run, model)?;
        }
        let held_out = self.held_out()?;
        data::check_same(run, &held_out)?;
        data::passed_over(&held_out).iter().for_each(|said| observer.message(said));
        let subject = Subject { run, place: run.place(), rows: &held_out, shard: None };
        self.outcome(&subject, model, options, observer)
    }

    /// Refuses numbers that ask for more memory than there is.
    fn check_memory(&self) -> Result<()> {
        let recipe = self.recipe();
        let needs = need::of_evaluation(&recipe.evaluation, self.parts.shape()?.dims());
        need::check(recipe, &needs, need::available())
    }

    /// How many of some rows are measured.
    fn count(&self, rows: &Rows) -> usize {
        self.recipe().evaluation.images.map_or(rows.rows(), |n| rows.rows().min(n as usize))
    }

    /// Measures rows and writes what was found.
    fn outcome(
        &self,
        subject: &Subject<'_>,
        model: &Model,
        options: EvaluateOptions,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        let recipe = self.recipe();
        let Subject { run, place, rows, .. } = subject;
        self.check_memory()?;
        let budget = recipe.evaluation.budget || options.budget || options.target.is_some();
        let model = model.clone().with_evaluation(Evaluation { budget, ..recipe.evaluation.clone() });
        let count = self.count(rows);
        let measure = |model: &Model, count: usize, observer: &mut dyn Observer| {
            measure::rows(subject, model, count, observer)
        };
        let (found, count) = match options.target {
            None => (measure(&model, count, observer)?, count),
            Some(target) => target::reach(target, model.clone(), (count, rows.rows()), measure, observer)?,
        };
        let is_own = *place == run.place();
        let (name, split) = rows.name();
        let outcome = Outcome {
            data: DataRecord { name, split: split.to_string(), fingerprint: rows.fingerprint()? },
            step: model.step(),
            seed: recipe.evaluation.seed,
            precision: recipe.evaluation.precision,
            training_precision: recipe.precision,
            baseline: if is_own { data::baseline(recipe, count)? } else { None },
            estimates: found.estimates,
            stages: if is_own { StageRecord::read(&run.stages())? } else { Vec::new() },
        };
        let text = files::json(&place.records(), &found.records)?;
        write_atomically(&place.records(), text.as_bytes())?;
        write_atomically(&place.table(), found.table.as_bytes())?;
        outcome.write(&place.result())?;
        subject.finish()?;
        if is_own {
            observer.evaluation(Evaluated::Run(&outcome))?;
            if !recipe.evaluation.ladder.is_empty() {
                ladder::measured(run, &model, rows, observer)?;
            }
        }
        Ok(outcome)
    }
}
