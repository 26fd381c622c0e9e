//! The likelihood of rows that are no images: a density in the user's units, and a bound where columns lie on a grid.

use super::Evaluator;
use super::records::{ImageRecord, ImageStatus, OdeEstimate};
use super::seeds::Purpose;
use crate::dequantization::{k_sample_bound, mean_of_draws, nats_to_bits_per_dim};
use crate::error::Result;
use crate::nn::{Jvp, conditions_of};
use crate::parameterization::Parameterization;
use crate::progress::Progress;
use crate::schedule::NoiseSchedule;
use crate::tensor::{Kernels, Real};
use rand_chacha::ChaCha8Rng;

/// Rows of continuous data as a network sees them.
pub struct DensityRows<'a> {
    /// How many there are.
    pub rows: usize,
    /// The numbers of a row, of which the generator draws whatever is drawn.
    pub row: &'a dyn Fn(usize, &mut ChaCha8Rng) -> Vec<f64>,
    /// What `ln p` of these numbers lacks to be the user's, in nats a row.
    pub log_units: f64,
}

impl std::fmt::Debug for DensityRows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DensityRows").field("rows", &self.rows).field("log_units", &self.log_units).finish()
    }
}

impl<E: Real, D: Kernels<E> + Kernels<f64>, N: Jvp<E, D>, S: NoiseSchedule, P: Parameterization>
    Evaluator<'_, E, D, N, S, P>
{
    /// `-log p(x)` of each row, in nats and over `d ln 2` as bits/dim: `log p(x) = log p(z0) + d ln alpha_0 + log_units` at
    /// `z0 = alpha_0 x`, the least noise of the range. As a density over `x` it integrates to 1.
    ///
    /// Where a row is drawn (its columns on a grid are spread over their cells), this is a bound: the mean of `draws` K-sample bounds, as for
    /// [`bits_per_dim`](Self::bits_per_dim); a row without draws is asked for one only.
    ///
    /// # Errors
    /// Conditions that do not fit, or a solver that cannot take these steps. A row that fails is no error: it has no value.
    ///
    /// # Reference
    /// Song et al. 2021, arXiv 2011.13456, appendix D.2; the bound: arXiv 1511.01844, section 3.1, and arXiv 1509.00519, equation 8.
    pub fn nats_per_row(&self, data: &DensityRows<'_>, progress: &mut dyn Progress) -> Result<OdeEstimate> {
        self.flow.check_conditioning(data.rows, self.conditioning)?;
        let (dims, batch) = (self.flow.dims(), self.flow.batch());
        let draws = self.draws * self.importance_samples;
        let level = self.flow.diffusion().level(self.flow.diffusion().range().min());
        let (alpha, units) = (level.alpha(), dims as f64 * level.log_alpha() + data.log_units);
        let each = self.flow.network().conditions();
        let mut records = Vec::with_capacity(data.rows);
        let mut solved = Vec::with_capacity((batch + draws).min(data.rows * draws));
        for first in (0..data.rows * draws).step_by(batch) {
            let block = first..(data.rows * draws).min(first + batch);
            let pairs: Vec<(usize, usize)> = block.map(|pair| (pair / draws, pair % draws)).collect();
            let (mut z, mut seeds) =
                (Vec::with_capacity(pairs.len() * dims), Vec::with_capacity(pairs.len()));
            for &(row, draw) in &pairs {
                let key = self.key(row, draw);
                let x = (data.row)(row, &mut key.rng(Purpose::Dequantization));
                z.extend(x.into_iter().map(|x| alpha * x));
                seeds.push(self.probe_seed(key, Purpose::Probe));
            }
            let rows: Vec<usize> = pairs.iter().map(|pair| pair.0).collect();
            let conditioning = self.conditioning.map(|all| conditions_of(all, each, &rows));
            let conditioning = conditioning.as_deref();
            solved.extend(self.flow.log_density(z, level.gamma(), &self.divergence, &seeds, conditioning)?);
            let complete = solved.len() / draws * draws;
            for own in solved[..complete].chunks_exact(draws) {
                let status = ImageStatus::of(own.iter().map(|draw| &draw.report));
                let logs: Vec<f64> = own.iter().map(|draw| draw.log_density + units).collect();
                let bounds: Vec<f64> = logs.chunks(self.importance_samples).map(k_sample_bound).collect();
                let nats = if status.finished() { -mean_of_draws(&bounds) } else { f64::NAN };
                records.push(ImageRecord {
                    index: records.len(),
                    bits_per_dim: nats_to_bits_per_dim(nats, dims),
                    nats_per_row: Some(nats),
                    evaluations: own.iter().map(|draw| u64::from(draw.report.evaluations)).sum(),
                    status,
                    seed: self.seed,
                    draws,
                });
            }
            solved.drain(..complete);
            let so_far = super::discrete::summary(&records).bits_per_dim;
            progress.advance_or_end(records.len() as u64, Some(so_far))?;
        }
        let summary = super::discrete::summary(&records);
        Ok(OdeEstimate { records, summary, probe_noise: None })
    }
}
