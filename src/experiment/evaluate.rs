//! The likelihood of a trained run: its estimates, their error budgets, and the ladder of bounds.

use super::{Experiment, data, ladder, measure, target};
use crate::config::Evaluation;
use crate::data::Rows;
use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::ladder::Ladder;
use crate::model::Model;
use crate::need;
use crate::registry::ComputeDevice;
use crate::result::{DataRecord, Outcome, StageRecord};
use crate::run::{Evaluated, Heeded, Observer, RunFolder};

/// Options of an evaluation beside what the recipe says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EvaluateOptions {
    /// Whether each estimate's error is taken apart: see [`budget`](crate::budget).
    pub budget: bool,
    /// The total error, in an estimate's unit, that images, draws and probes are spent on to reach it.
    pub target: Option<f64>,
}

impl<D: ComputeDevice> Experiment<D> {
    /// Measures the likelihood of the held-out rows of a trained run and writes `result.json`.
    ///
    /// # Errors
    /// A run without a checkpoint that can be used, or whose folder another process writes in.
    pub fn evaluate(&self, run: &RunFolder, observer: &mut dyn Observer) -> Result<Outcome> {
        self.evaluate_with(run, EvaluateOptions::default(), observer)
    }

    /// [`evaluate`](Self::evaluate), with options beside what the recipe says.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    pub fn evaluate_with(
        &self,
        run: &RunFolder,
        options: EvaluateOptions,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        let _lock = run.lock()?;
        self.resolved()?.measured(run, options, &mut Heeded::new(observer))
    }

    /// Measures a trained run by every bound and writes `ladder.json` and `ladder.png`: the VLB, the information-estimation identity, and the
    /// ODE with each dequantizer of the evaluation at every `K` of its [`ladder`](Evaluation::ladder), or 1, 2, 5 and 20.
    ///
    /// # Errors
    /// A run of a table, or without a checkpoint that can be used, or whose folder another process writes in.
    pub fn ladder(&self, run: &RunFolder, observer: &mut dyn Observer) -> Result<Ladder> {
        let _lock = run.lock()?;
        let ready = self.resolved()?;
        let (model, held_out) = (ready.trained(run)?, ready.held_out()?);
        data::check_same(run, &held_out)?;
        ladder::measured(run, &model, &held_out, &mut Heeded::new(observer))
    }

    /// [`evaluate_with`](Self::evaluate_with) in a folder that is locked.
    pub(super) fn measured(
        &self,
        run: &RunFolder,
        options: EvaluateOptions,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        let recipe = self.recipe();
        let budget = recipe.evaluation.budget || options.budget || options.target.is_some();
        let needs = need::of_evaluation(&recipe.evaluation, self.parts.shape()?.dims());
        need::check(recipe, &needs, need::available())?;
        let model = self.trained(run)?.with_evaluation(Evaluation { budget, ..recipe.evaluation.clone() });
        let held_out = self.held_out()?;
        data::check_same(run, &held_out)?;
        let count = recipe.evaluation.images.map_or(held_out.rows(), |n| held_out.rows().min(n as usize));
        data::passed_over(&held_out).iter().for_each(|said| observer.message(said));
        let measure = |model: &Model, count: usize, observer: &mut dyn Observer| match &held_out {
            Rows::Images(images) => measure::images(run, model, images, count, observer),
            Rows::Table(table) => measure::table(run, model, &table.rows.truncated(count), observer),
        };
        let (found, count) = match options.target {
            None => (measure(&model, count, observer)?, count),
            Some(target) => {
                target::reach(target, model.clone(), (count, held_out.rows()), measure, observer)?
            }
        };
        let baseline = data::baseline(recipe, count)?;
        let (name, split) = held_out.name();
        let outcome = Outcome {
            data: DataRecord { name, split: split.to_string(), fingerprint: held_out.fingerprint()? },
            step: model.step(),
            seed: recipe.evaluation.seed,
            baseline,
            estimates: found.estimates,
            stages: StageRecord::read(&run.stages())?,
        };
        let text = serde_json::to_vec(&found.records)
            .map_err(|error| Error::format(run.records(), "content", error, "values that JSON can hold"))?;
        write_atomically(&run.records(), &text)?;
        outcome.write(&run.result())?;
        observer.evaluation(Evaluated::Run(&outcome))?;
        if !recipe.evaluation.ladder.is_empty() {
            ladder::measured(run, &model, &held_out, observer)?;
        }
        Ok(outcome)
    }
}
