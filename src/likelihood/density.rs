//! The likelihood of rows that are no images: a density in the user's units, and a bound where columns lie on a grid.

use super::Evaluator;
use super::discrete::check_rows;
use super::draw::{Draw, Solved};
use super::each::{Each, collected};
use super::records::{ImageRecord, OdeEstimate};
use super::seeds::Purpose;
use crate::error::Result;
use crate::nn::Jvp;
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
        let records = collected(data.rows, progress, &mut |each| self.each_nats_per_row(data, each))?;
        Ok(OdeEstimate::of(records, None))
    }

    /// [`nats_per_row`](Self::nats_per_row) of chosen rows, one by one.
    ///
    /// # Errors
    /// As [`nats_per_row`](Self::nats_per_row), an index beyond the rows, and those of whoever takes the records.
    pub fn each_nats_per_row(&self, data: &DensityRows<'_>, each: Each<'_, ImageRecord>) -> Result<()> {
        self.flow.check_conditioning(data.rows, self.conditioning)?;
        check_rows(each.rows, data.rows)?;
        let dims = self.flow.dims();
        let level = self.flow.diffusion().level(self.flow.diffusion().range().min());
        let (alpha, units) = (level.alpha(), dims as f64 * level.log_alpha() + data.log_units);
        let draw = |row: usize, draw: usize| {
            let key = self.key(row, draw);
            let x = (data.row)(row, &mut key.rng(Purpose::Dequantization));
            let z = x.into_iter().map(|x| alpha * x).collect();
            Draw { z, price: units, seed: self.probe_seed(key, Purpose::Probe) }
        };
        let draws = self.draws * self.importance_samples;
        let Each { rows, take } = each;
        self.solve_draws(level.gamma(), (rows, draws, self.conditioning), &draw, &mut |found| {
            let record = |(row, solved): &(usize, Vec<Solved>)| {
                let (record, nats) = self.record(*row, solved, &[]);
                ImageRecord { nats_per_row: Some(nats), ..record }
            };
            take(&found.iter().map(record).collect::<Vec<_>>())
        })
    }
}
