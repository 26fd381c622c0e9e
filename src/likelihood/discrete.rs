//! The ODE's bound on the likelihood of images.

use super::Evaluator;
use super::draw::{Draw, Solved};
use super::each::{Each, collected};
use super::records::{ImageRecord, ImageStatus, OdeEstimate};
use super::seeds::Purpose;
use crate::dequantization::{Dequantizer, k_sample_bound, mean_of_draws, nats_to_bits_per_dim};
use crate::error::{Error, Result};
use crate::math::Moments;
use crate::nn::Jvp;
use crate::parameterization::Parameterization;
use crate::progress::Progress;
use crate::schedule::NoiseSchedule;
use crate::tensor::{Kernels, Real};

impl<E: Real, D: Kernels<E> + Kernels<f64>, N: Jvp<E, D>, S: NoiseSchedule, P: Parameterization>
    Evaluator<'_, E, D, N, S, P>
{
    /// The bound on `-log2 P(x)` of each image in bits/dim, with `dequantizer`.
    ///
    /// An image's bound is the mean of `draws` K-sample bounds `ln (1/K) sum_k w_k` with
    /// `log w = log p(z0) + log P(x | z0) - log q(z0 | x)`. At `K = 1`, `-log q` is replaced by the
    /// dequantizer's entropy where that is closed: the same expectation, less variance. At `K > 1`
    /// with random probes, each image's first draw is solved once more to measure their noise:
    /// see [`ProbeNoise`](super::ProbeNoise).
    ///
    /// # Shapes
    /// `pixels`: `images x dims` grey levels, row-major in the network's order.
    ///
    /// # Errors
    /// Pixels that are not whole images, a start level outside the diffusion's range, or a solver
    /// that cannot take these steps. A draw that fails is no error: its image has no value, and
    /// [`Summary::failures`](super::Summary::failures) counts it.
    ///
    /// # Reference
    /// arXiv 2305.03935, section 4.3; the K-sample bound is arXiv 1509.00519, equation 8.
    pub fn bits_per_dim(
        &self,
        pixels: &[u16],
        dequantizer: &dyn Dequantizer,
        progress: &mut dyn Progress,
    ) -> Result<OdeEstimate> {
        let images = self.flow.rows("pixels", pixels.len())?;
        let records =
            collected(images, progress, &mut |each| self.each_bits_per_dim(pixels, dequantizer, each))?;
        let probed = self.measures_probes().then_some((self.flow.dims(), self.draws));
        Ok(OdeEstimate::of(records, probed))
    }

    /// [`bits_per_dim`](Self::bits_per_dim) of chosen images, one by one: `pixels` are all that may be chosen from.
    ///
    /// # Errors
    /// As [`bits_per_dim`](Self::bits_per_dim), an index beyond the images, and those of whoever takes the records.
    pub fn each_bits_per_dim(
        &self,
        pixels: &[u16],
        dequantizer: &dyn Dequantizer,
        each: Each<'_, ImageRecord>,
    ) -> Result<()> {
        let images = self.flow.rows("pixels", pixels.len())?;
        self.flow.check_conditioning(images, self.conditioning)?;
        check_rows(each.rows, images)?;
        let (dims, draws) = (self.flow.dims(), self.draws * self.importance_samples);
        let alone = self.importance_samples == 1;
        let entropy = if alone { dequantizer.entropy(dims) } else { None };
        // Draw number `draws` is the first one again, with another probe.
        let draw = |image: usize, draw: usize| {
            let (draw, purpose) = match draw == draws {
                true => (0, Purpose::SecondProbe),
                false => (draw, Purpose::Probe),
            };
            let key = self.key(image, draw);
            let row = &pixels[image * dims..(image + 1) * dims];
            let drawn = dequantizer.draw(row, &mut key.rng(Purpose::Dequantization));
            let price = drawn.log_decoder + entropy.unwrap_or(-drawn.log_q);
            Draw { z: drawn.z, price, seed: self.probe_seed(key, purpose) }
        };
        let per_image = draws + usize::from(self.measures_probes());
        let Each { rows, take } = each;
        let chosen = (rows, per_image, self.conditioning);
        self.solve_draws(dequantizer.level().gamma(), chosen, &draw, &mut |found| {
            let record = |(image, solved): &(usize, Vec<Solved>)| {
                let (own, again) = solved.split_at(draws);
                self.record(*image, own, again).0
            };
            take(&found.iter().map(record).collect::<Vec<_>>())
        })
    }

    /// Whether each image's first draw is solved twice.
    fn measures_probes(&self) -> bool {
        self.importance_samples > 1 && !self.divergence.is_exact()
    }

    /// The record of a row in bits/dim, from its draws, and its first again if that was solved; beside it the value in nats.
    pub(super) fn record(&self, index: usize, own: &[Solved], again: &[Solved]) -> (ImageRecord, f64) {
        let status = ImageStatus::of(own.iter().map(|draw| &draw.density.report));
        let log_weights: Vec<f64> = own.iter().map(Solved::log_weight).collect();
        let bounds: Vec<f64> = log_weights.chunks(self.importance_samples).map(k_sample_bound).collect();
        let nats = if status.finished() { -mean_of_draws(&bounds) } else { f64::NAN };
        let evaluations = own.iter().chain(again).map(|draw| u64::from(draw.density.report.evaluations));
        let bits = |nats| nats_to_bits_per_dim(nats, self.flow.dims());
        let spread =
            (bounds.len() > 1 && status.finished()).then(|| bits(Moments::of(&bounds).standard_error()));
        let probe_difference_nats = match again {
            [again] if again.density.finished() && own[0].density.finished() => {
                Some(again.density.log_density - own[0].density.log_density)
            }
            _ => None,
        };
        let record = ImageRecord {
            index,
            bits_per_dim: bits(nats),
            nats_per_row: None,
            standard_error: spread,
            probe_difference_nats,
            evaluations: evaluations.sum(),
            status,
            seed: self.seed,
            draws: own.len(),
        };
        (record, nats)
    }
}

/// Refuses indices beyond the rows.
pub(super) fn check_rows(rows: &[usize], count: usize) -> Result<()> {
    match rows.iter().find(|row| **row >= count) {
        Some(row) => Err(Error::value("row", row, format!("an index below {count}"))),
        None => Ok(()),
    }
}
