//! The variational bound: reconstruction, prior and diffusion.

use super::Evaluator;
use super::batched_network::{BatchedNetwork, Rows};
use super::density::DensityRows;
use super::discrete::check_rows;
use super::each::{Each, collected};
use super::records::{VlbEstimate, VlbRecord};
use super::seeds::Purpose;
use crate::dequantization::{Dequantizer, Gaussian, nats_to_bits_per_dim};
use crate::diffusion::Coefficients;
use crate::error::{Error, Result};
use crate::nn::{Network, conditions_of};
use crate::parameterization::Parameterization;
use crate::pixels::PixelGrid;
use crate::progress::Progress;
use crate::schedule::NoiseSchedule;
use crate::tensor::{Kernels, Real};
use crate::time::TimeSampler;
use rand::Rng;
use rand_distr::StandardNormal;
use std::f64::consts::TAU;

impl<E: Real, D: Kernels<E>, N: Network<E, D>, S: NoiseSchedule, P: Parameterization>
    Evaluator<'_, E, D, N, S, P>
{
    /// The variational bound on `-log2 P(x)` of each image in bits/dim:
    /// `E[-log P(x | z0)] + KL(q(z1 | x) || prior) + integral of E|F - F^|^2 / (2 a^2) d gamma`.
    ///
    /// The first term is one draw through the exact decoder at the least noise; the last is the mean of
    /// `levels` levels an image, stratified in the quantiles of `time` (`u_i = frac(u_0 + i/n)`, `u_0`
    /// of its own for each image, so that images are independent), each weighed by `1 / pdf`.
    ///
    /// # Shapes
    /// `pixels`: `images x dims` grey levels, row-major in the network's order.
    ///
    /// # Errors
    /// Pixels that are not whole images or not grey levels of `grid`, no levels, or a time sampler on
    /// another range. An output of the network that is not finite is no error:
    /// [`Summary::failures`](super::Summary::failures) counts the image.
    ///
    /// # Reference
    /// Kingma et al., "Variational Diffusion Models" (arXiv 2107.00630), sections 3.3 and 4.
    pub fn vlb(
        &self,
        pixels: &[u16],
        grid: PixelGrid,
        levels: usize,
        time: &dyn TimeSampler,
        progress: &mut dyn Progress,
    ) -> Result<VlbEstimate> {
        let images = self.flow.rows("pixels", pixels.len())?;
        let mut each = |each: Each<'_, VlbRecord>| self.each_vlb(pixels, grid, (levels, time), each);
        Ok(VlbEstimate::of(collected(images, progress, &mut each)?))
    }

    /// [`vlb`](Self::vlb) of chosen images, one by one: `pixels` are all that may be chosen from.
    ///
    /// # Errors
    /// As [`vlb`](Self::vlb), an index beyond the images, and those of whoever takes the records.
    pub fn each_vlb(
        &self,
        pixels: &[u16],
        grid: PixelGrid,
        times: (usize, &dyn TimeSampler),
        each: Each<'_, VlbRecord>,
    ) -> Result<()> {
        let images = self.flow.rows("pixels", pixels.len())?;
        grid.check(pixels)?;
        let (dims, diffusion) = (self.flow.dims(), self.flow.diffusion());
        let decoder = Gaussian::new(grid, diffusion.level(diffusion.range().min()));
        let own = |image: usize| &pixels[image * dims..(image + 1) * dims];
        let reconstruction = |image: usize| {
            -decoder.draw(own(image), &mut self.key(image, 0).rng(Purpose::Dequantization)).log_decoder
        };
        self.bound(images, times, |image| grid.centres(own(image)), reconstruction, each)
    }

    /// The variational bound on `-log p(x)` of each row of continuous data, with `p(x | z0)` the normal density around `z0 / alpha_0`
    /// whose variance is `(sigma_0 / alpha_0)^2`: the first term of [`vlb`](Self::vlb) is then `d/2 (1 + ln(2 pi) + gamma_0)` nats, less
    /// the units of `x`.
    ///
    /// # Errors
    /// Rows of another shape, no levels, or a time sampler on another range.
    ///
    /// # Reference
    /// Kingma et al., "Variational Diffusion Models" (arXiv 2107.00630), equation 6.
    pub fn vlb_of_density(
        &self,
        data: &DensityRows<'_>,
        levels: usize,
        time: &dyn TimeSampler,
        progress: &mut dyn Progress,
    ) -> Result<VlbEstimate> {
        let mut each = |each: Each<'_, VlbRecord>| self.each_vlb_of_density(data, (levels, time), each);
        Ok(VlbEstimate::of(collected(data.rows, progress, &mut each)?))
    }

    /// [`vlb_of_density`](Self::vlb_of_density) of chosen rows, one by one.
    ///
    /// # Errors
    /// As [`vlb_of_density`](Self::vlb_of_density), an index beyond the rows, and those of whoever takes the records.
    pub fn each_vlb_of_density(
        &self,
        data: &DensityRows<'_>,
        times: (usize, &dyn TimeSampler),
        each: Each<'_, VlbRecord>,
    ) -> Result<()> {
        let dims = self.flow.dims();
        let start = self.flow.diffusion().range().min().0;
        let reconstruction = 0.5 * dims as f64 * (1.0 + TAU.ln() + start) - data.log_units;
        let own = |row: usize| (data.row)(row, &mut self.key(row, 0).rng(Purpose::Dequantization));
        let in_nats = |record: &VlbRecord| {
            let nats = record.reconstruction_nats + record.prior_nats + record.diffusion_nats;
            VlbRecord { nats_per_row: Some(nats), ..*record }
        };
        let Each { rows, take } = each;
        let take: &mut dyn FnMut(&[VlbRecord]) -> Result<()> =
            &mut |found| take(&found.iter().map(in_nats).collect::<Vec<_>>());
        self.bound(data.rows, times, own, |_| reconstruction, Each { rows, take })
    }

    /// The bound of chosen ones of `count` rows, given their data and the first term in nats.
    fn bound(
        &self,
        count: usize,
        (levels, time): (usize, &dyn TimeSampler),
        data: impl Fn(usize) -> Vec<f64>,
        reconstruction: impl Fn(usize) -> f64,
        Each { rows, take }: Each<'_, VlbRecord>,
    ) -> Result<()> {
        let (dims, diffusion) = (self.flow.dims(), self.flow.diffusion());
        self.flow.check_conditioning(count, self.conditioning)?;
        check_rows(rows, count)?;
        if levels == 0 {
            return Err(Error::value("vlb_levels", levels, "at least 1"));
        }
        if time.range() != diffusion.range() {
            let ends = |range: crate::level::GammaRange| format!("[{}, {}]", range.min(), range.max());
            let (found, expected) = (ends(time.range()), ends(diffusion.range()));
            return Err(Error::value("range of the time sampler", found, expected));
        }
        let each = self.flow.network().conditions();
        let mut network = BatchedNetwork::new(self.flow.network(), self.flow.batch());
        for block in rows.chunks((self.flow.batch() / levels).max(1)) {
            let mut noised = Noised::default();
            for &row in block {
                let (x, mut rng) = (data(row), self.key(row, 0).rng(Purpose::Levels));
                let start: f64 = rng.r#gen();
                for level in 0..levels {
                    let u = (start + level as f64 / levels as f64).fract();
                    let gamma = time.quantile(u);
                    noised.add(&x, diffusion.coefficients(gamma), time.pdf(gamma), &mut rng);
                }
            }
            let conditioning = self.conditioning.map(|all| {
                let mut repeated = Vec::with_capacity(block.len() * levels);
                for &row in block {
                    repeated.resize(repeated.len() + levels, row);
                }
                conditions_of(all, each, &repeated)
            });
            let losses = noised.losses(&mut network, dims, conditioning.as_deref());
            let mut records = Vec::with_capacity(block.len());
            for (&index, losses) in block.iter().zip(losses.chunks_exact(levels)) {
                let reconstruction_nats = reconstruction(index);
                let prior_nats = diffusion.prior_kl(&data(index));
                let diffusion_nats = losses.iter().sum::<f64>() / levels as f64;
                let nats = reconstruction_nats + prior_nats + diffusion_nats;
                records.push(VlbRecord {
                    index,
                    bits_per_dim: if nats.is_finite() { nats_to_bits_per_dim(nats, dims) } else { f64::NAN },
                    nats_per_row: None,
                    reconstruction_nats,
                    prior_nats,
                    diffusion_nats,
                    evaluations: levels as u64,
                    seed: self.seed,
                });
            }
            take(&records)?;
        }
        Ok(())
    }
}

/// Rows at their noise levels, with what the network should say.
#[derive(Debug, Default)]
struct Noised {
    z: Vec<f64>,
    target: Vec<f64>,
    levels: Vec<Coefficients>,
    /// The likelihood's weight over the density of the level.
    weights: Vec<f64>,
}

impl Noised {
    fn add(&mut self, x: &[f64], level: Coefficients, pdf: f64, rng: &mut impl Rng) {
        for x in x {
            let eps: f64 = rng.sample(StandardNormal);
            self.z.push(level.alpha * x + level.sigma * eps);
            self.target.push(level.target_noise * eps + level.target_data * x);
        }
        self.weights.push(level.weight / pdf);
        self.levels.push(level);
    }

    /// The weighted squared error of each row, in nats.
    fn losses<E: Real, D: Kernels<E>, N: Network<E, D>>(
        &self,
        network: &mut BatchedNetwork<'_, E, D, N>,
        dims: usize,
        conditioning: Option<&[f64]>,
    ) -> Vec<f64> {
        let f = network.forward(Rows { z: &self.z, levels: &self.levels, conditioning });
        let rows = f.chunks_exact(dims).zip(self.target.chunks_exact(dims)).zip(&self.weights);
        rows.map(|((f, target), weight)| {
            weight * f.iter().zip(target).map(|(f, target)| (f - target).powi(2)).sum::<f64>()
        })
        .collect()
    }
}
