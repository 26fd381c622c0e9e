//! Measurements of the averaged weights while they are trained.

use crate::config::{Evaluation, Fixed, Stepping, Validation};
use crate::data::{Labels, Rows, Visit};
use crate::error::Result;
use crate::likelihood::Summary;
use crate::model::{Model, Parts, States};
use crate::nn::DynNetwork;
use crate::progress::{StepMetrics, ValidationMetrics};
use crate::registry::ComputeDevice;
use crate::run::{Observer, Watched};
use crate::train::{Best, CheckpointState};

/// What is measured, and when.
#[derive(Debug)]
pub(super) struct Validating<'a> {
    pub(super) how: &'a Validation,
    pub(super) rows: Rows,
    pub(super) parts: &'a Parts,
}

impl Validating<'_> {
    /// Whether so many measurements in a row were no better that training ends.
    pub(super) fn is_enough(&self, state: &CheckpointState) -> bool {
        let patience = self.how.patience.unwrap_or(u64::MAX);
        state.best.is_some_and(|best| best.since >= patience)
    }

    /// Measures the average of a network after the step of `metrics`, which has the numbers then; says them, and gives the best so far and
    /// whether they are it.
    ///
    /// # Errors
    /// Whatever stops an estimate; [`Error::Interrupted`](crate::error::Error::Interrupted) if the end is asked for: nothing has changed then.
    pub(super) fn measure<D: ComputeDevice>(
        &self,
        average: DynNetwork<f32, D>,
        learned: States,
        state: &CheckpointState,
        metrics: &mut StepMetrics,
        observer: &mut dyn Observer,
    ) -> Result<(Option<Best>, bool)> {
        let how = self.how;
        let evaluation = Evaluation {
            seed: how.seed,
            vlb_levels: how.vlb_levels,
            draws: 1,
            importance_samples: 1,
            stepping: Stepping::Fixed(Fixed { steps: how.ode_steps }),
            ..self.parts.recipe.evaluation.clone()
        };
        let model = Model::in_training(average, self.parts.with_evaluation(evaluation), state, learned)?;
        let (vlb, ode) = self.estimates(&model, observer)?;
        let best = Best::after(state.best, whole(&vlb), metrics.step);
        let is_best = best.is_some_and(|best| best.step == metrics.step);
        let ode = ode.as_ref().map(whole);
        let said = ode.map_or_else(String::new, |ode| format!(", ODE {ode:.4}"));
        let step = metrics.step;
        let place = match best {
            _ if is_best => "the best so far".to_owned(),
            Some(Best { bits_per_dim, step, .. }) => format!("best {bits_per_dim:.4} at step {step}"),
            None => "none is finite so far".to_owned(),
        };
        let Summary { bits_per_dim, standard_error, .. } = vlb;
        observer.message(&format!(
            "step {step}: validation VLB {bits_per_dim:.4} +- {standard_error:.4} bits/dim{said}; {place}"
        ));
        metrics.validation = Some(ValidationMetrics {
            vlb: whole(&vlb),
            vlb_standard_error: standard_error,
            ode,
            best_step: best.map_or(0, |best| best.step),
        });
        Ok((best, is_best))
    }

    fn estimates(&self, model: &Model, observer: &mut dyn Observer) -> Result<(Summary, Option<Summary>)> {
        let solved = self.how.ode_images as usize;
        match &self.rows {
            Rows::Images(images) => {
                let visits: Vec<Visit> = (0..self.rows.rows()).map(Visit::from).collect();
                let pixels = images.source().batch(&visits)?;
                let labels = images.labels().map_or(&[][..], Labels::values);
                let vlb = model.vlb(&pixels, labels, &mut Watched::unseen(&mut *observer))?.summary;
                let start = model.dequantizers()?.into_iter().next().filter(|_| solved > 0);
                let Some((_, start)) = start else { return Ok((vlb, None)) };
                let pixels = &pixels[..solved * model.shape().dims()];
                let labels = labels.get(..solved).unwrap_or_default();
                let ode = model.ode(pixels, labels, &*start, &mut Watched::unseen(&mut *observer))?.summary;
                Ok((vlb, Some(ode)))
            }
            Rows::Table(table) => {
                let vlb = model.vlb_of_density(&table.rows, &mut Watched::unseen(&mut *observer))?.summary;
                if solved == 0 {
                    return Ok((vlb, None));
                }
                let rows = table.rows.truncated(solved);
                let ode = model.density(&rows, &mut Watched::unseen(&mut *observer))?.summary;
                Ok((vlb, Some(ode)))
            }
        }
    }
}

/// The mean, where every row has a value: without one of them it is that of other rows.
fn whole(summary: &Summary) -> f64 {
    if summary.failures == 0 { summary.bits_per_dim } else { f64::NAN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_the_least_and_what_is_no_number_is_never_better() {
        let values = [f64::NAN, 3.0, 2.0, 2.0, f64::NAN, 1.5, 1.6];
        let mut best = None;
        let mut found = Vec::new();
        for (step, value) in (1..).zip(values) {
            best = Best::after(best, value, step);
            found.push(best.map(|Best { bits_per_dim, step, since }| (bits_per_dim, step, since)));
        }
        let expected = [
            None,
            Some((3.0, 2, 0)),
            Some((2.0, 3, 0)),
            Some((2.0, 3, 1)),
            Some((2.0, 3, 2)),
            Some((1.5, 6, 0)),
            Some((1.5, 6, 1)),
        ];
        assert_eq!(found, expected);
    }
}
