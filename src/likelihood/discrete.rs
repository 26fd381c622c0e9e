//! The ODE's bound on the likelihood of images.

use super::Evaluator;
use super::flow::RowDensity;
use super::records::{ImageRecord, ImageStatus, OdeEstimate, ProbeNoise, Summary};
use super::seeds::Purpose;
use crate::dequantization::{Dequantizer, k_sample_bound, mean_of_draws, nats_to_bits_per_dim};
use crate::error::Result;
use crate::nn::{Jvp, conditions_of};
use crate::parameterization::Parameterization;
use crate::progress::Progress;
use crate::schedule::NoiseSchedule;
use crate::tensor::{Kernels, Real};

/// One draw of one image, solved.
#[derive(Clone, Copy, Debug)]
struct Solved {
    /// `log P(x | z0) - log q(z0 | x)` in nats; its second part by its expectation where the draw
    /// stands alone and that is known.
    price: f64,
    density: RowDensity,
}

impl<E: Real, D: Kernels<E> + Kernels<f64>, N: Jvp<E, D>, S: NoiseSchedule, P: Parameterization>
    Evaluator<'_, E, D, N, S, P>
{
    /// The bound on `-log2 P(x)` of each image in bits/dim, with `dequantizer`.
    ///
    /// An image's bound is the mean of `draws` K-sample bounds `ln (1/K) sum_k w_k` with
    /// `log w = log p(z0) + log P(x | z0) - log q(z0 | x)`. At `K = 1`, `-log q` is replaced by the
    /// dequantizer's entropy where that is closed: the same expectation, less variance. At `K > 1`
    /// with random probes, each image's first draw is solved once more to measure their noise:
    /// see [`ProbeNoise`].
    ///
    /// # Shapes
    /// `pixels`: `images x dims` grey levels, row-major in the network's order.
    ///
    /// # Errors
    /// Pixels that are not whole images, a start level outside the diffusion's range, or a solver
    /// that cannot take these steps. A draw that fails is no error: its image has no value, and
    /// [`Summary::failures`] counts it.
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
        self.flow.check_conditioning(images, self.conditioning)?;
        let draws = self.draws * self.importance_samples;
        let measure_probes = self.importance_samples > 1 && !self.divergence.is_exact();
        let per_image = draws + usize::from(measure_probes);
        let (rows, batch) = (images * per_image, self.flow.batch());

        let mut records = Vec::with_capacity(images);
        let mut differences = Vec::new();
        let mut solved: Vec<Solved> = Vec::with_capacity((batch + per_image).min(rows));
        for first in (0..rows).step_by(batch) {
            let block = first..rows.min(first + batch);
            self.solve(
                pixels,
                dequantizer,
                block.map(|row| (row / per_image, row % per_image)),
                &mut solved,
            )?;
            let complete = solved.len() / per_image * per_image;
            for image in solved[..complete].chunks_exact(per_image) {
                let (own, again) = image.split_at(draws);
                records.push(self.record(records.len(), own, again));
                if let [again] = again
                    && again.density.finished()
                    && own[0].density.finished()
                {
                    differences.push(again.density.log_density - own[0].density.log_density);
                }
            }
            solved.drain(..complete);
            progress.advance_or_end(records.len() as u64, Some(summary(&records).bits_per_dim))?;
        }
        let summary = summary(&records);
        let probe_noise = measure_probes.then(|| self.probe_noise(&differences, images));
        Ok(OdeEstimate { records, summary, probe_noise })
    }

    /// Draws and solves pairs of an image and a draw. Draw number `draws` is the first one again, with
    /// another probe.
    fn solve(
        &self,
        pixels: &[u16],
        dequantizer: &dyn Dequantizer,
        pairs: impl ExactSizeIterator<Item = (usize, usize)>,
        solved: &mut Vec<Solved>,
    ) -> Result<()> {
        let dims = self.flow.dims();
        let alone = self.importance_samples == 1;
        let entropy = if alone { dequantizer.entropy(dims) } else { None };
        let mut z = Vec::with_capacity(pairs.len() * dims);
        let (mut prices, mut seeds) = (Vec::with_capacity(pairs.len()), Vec::with_capacity(pairs.len()));
        let mut images = Vec::with_capacity(pairs.len());
        for (image, draw) in pairs {
            let (draw, purpose) = if draw == self.draws * self.importance_samples {
                (0, Purpose::SecondProbe)
            } else {
                (draw, Purpose::Probe)
            };
            let key = self.key(image, draw);
            let row = &pixels[image * dims..(image + 1) * dims];
            let drawn = dequantizer.draw(row, &mut key.rng(Purpose::Dequantization));
            images.push(image);
            prices.push(drawn.log_decoder + entropy.unwrap_or(-drawn.log_q));
            seeds.push(self.probe_seed(key, purpose));
            z.extend(drawn.z);
        }
        let from = dequantizer.level().gamma();
        let each = self.flow.network().conditions();
        let conditioning = self.conditioning.map(|all| conditions_of(all, each, &images));
        let densities = self.flow.log_density(z, from, &self.divergence, &seeds, conditioning.as_deref())?;
        solved.extend(prices.into_iter().zip(densities).map(|(price, density)| Solved { price, density }));
        Ok(())
    }

    fn record(&self, index: usize, own: &[Solved], again: &[Solved]) -> ImageRecord {
        let status = ImageStatus::of(own.iter().map(|draw| &draw.density.report));
        let log_weights: Vec<f64> = own.iter().map(|draw| draw.density.log_density + draw.price).collect();
        let bounds: Vec<f64> = log_weights.chunks(self.importance_samples).map(k_sample_bound).collect();
        let nats = if status.finished() { mean_of_draws(&bounds) } else { f64::NAN };
        let evaluations = own.iter().chain(again).map(|draw| u64::from(draw.density.report.evaluations));
        ImageRecord {
            index,
            bits_per_dim: nats_to_bits_per_dim(-nats, self.flow.dims()),
            nats_per_row: None,
            evaluations: evaluations.sum(),
            status,
            seed: self.seed,
            draws: own.len(),
        }
    }

    /// From differences between two log-densities that only their probes tell apart.
    fn probe_noise(&self, differences: &[f64], images: usize) -> ProbeNoise {
        let n = differences.len() as f64;
        let variance = differences.iter().map(|difference| 0.5 * difference.powi(2)).sum::<f64>() / n;
        let dims = self.flow.dims();
        let standard_error = (variance / (images * self.draws) as f64).sqrt();
        ProbeNoise {
            standard_deviation_nats: variance.sqrt(),
            standard_error: nats_to_bits_per_dim(standard_error, dims),
            bias_bound: nats_to_bits_per_dim(0.5 * variance, dims),
            images: differences.len(),
        }
    }
}

pub(super) fn summary(records: &[ImageRecord]) -> Summary {
    Summary::of(
        records
            .iter()
            .map(|record| (record.status.finished().then_some(record.bits_per_dim), record.evaluations)),
    )
}
