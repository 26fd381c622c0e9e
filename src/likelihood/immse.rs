//! The likelihood of images by the information-estimation identity.

use super::Evaluator;
use super::batched_network::{BatchedNetwork, Rows};
use super::records::Summary;
use super::seeds::Purpose;
use crate::dequantization::{Dequantizer, Gaussian, nats_to_bits_per_dim};
use crate::error::{Error, Result};
use crate::level::Gamma;
use crate::nn::{Network, conditions_of};
use crate::parameterization::{Parameterization, ParameterizationExt};
use crate::pixels::PixelGrid;
use crate::progress::Progress;
use crate::schedule::NoiseSchedule;
use crate::tensor::{Kernels, Real};
use rand::Rng;
use rand_distr::StandardNormal;
use serde::Serialize;

/// The variance of a pixel that is anywhere in `[-1, 1]`: of the Gaussian reference.
const VARIANCE: f64 = 1.0 / 3.0;

/// The value of one image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ImmseRecord {
    /// The index of the image.
    pub index: usize,
    /// The sum of the three terms, in bits/dim; NaN where the network's output is not finite.
    pub bits_per_dim: f64,
    /// `-log P(x | z0)` in nats, of one draw of `z0`: what noise below the range leaves.
    pub reconstruction_nats: f64,
    /// The integral over the range, in nats.
    pub integral_nats: f64,
    /// The integral over all noise beyond the range, in nats, of the Gaussian reference.
    pub tail_nats: f64,
    /// Evaluations of the network.
    pub evaluations: u64,
}

/// The value of every image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImmseEstimate {
    /// One record an image, in order.
    pub records: Vec<ImmseRecord>,
    /// Their mean.
    pub summary: Summary,
}

/// `1/2 integral from 0 to snr` of the Gaussian reference's squared error on a row of `d` numbers whose squares add up to `squares`, in
/// nats: with `u = snr v` it is `1/2 (squares / v u / (1 + u) + d (ln(1 + u) - u / (1 + u)))`.
fn reference(snr: f64, squares: f64, dims: f64) -> f64 {
    let u = snr * VARIANCE;
    let shrink = u / (1.0 + u);
    0.5 * (squares / VARIANCE * shrink + dims * (u.ln_1p() - shrink))
}

impl<E: Real, D: Kernels<E>, N: Network<E, D>, S: NoiseSchedule, P: Parameterization>
    Evaluator<'_, E, D, N, S, P>
{
    /// A bound on `-log2 P(x)` of each image in bits/dim, from squared errors of `x` alone:
    /// `E[-log P(x | z0)] + 1/2 integral from 0 to snr_0 of E|x - x^(z)|^2 d snr`, with `snr = alpha^2 / sigma^2`.
    ///
    /// In expectation over the data this is no lower than their entropy, whatever `x^` is: the least error of all gives
    /// `I(x; z0) + H(x | z0)`. Within the range of levels `x^` is the network's, at `levels` of them that are stratified evenly in
    /// `log snr`; beyond its most noise it is that of a Gaussian reference `N(0, 1/3)`. The same reference on the same noise is taken off
    /// within the range and added in closed form, which leaves little variance.
    ///
    /// Neither the likelihood's weight, nor the prior, nor the time sampler comes into it, as they do into [`vlb`](Self::vlb).
    ///
    /// # Shapes
    /// `pixels`: `images x dims` grey levels, row-major in the network's order.
    ///
    /// # Errors
    /// Pixels that are not whole images or not grey levels of `grid`, or no levels.
    ///
    /// # Reference
    /// Kong, Brekelmans, Ver Steeg, "Information-Theoretic Diffusion" (arXiv 2302.03792).
    pub fn immse(
        &self,
        pixels: &[u16],
        grid: PixelGrid,
        levels: usize,
        progress: &mut dyn Progress,
    ) -> Result<ImmseEstimate> {
        let images = self.flow.rows("pixels", pixels.len())?;
        self.flow.check_conditioning(images, self.conditioning)?;
        grid.check(pixels)?;
        if levels == 0 {
            return Err(Error::value("levels", levels, "at least 1"));
        }
        let (dims, diffusion) = (self.flow.dims(), self.flow.diffusion());
        let range = diffusion.range();
        let decoder = Gaussian::new(grid, diffusion.level(range.min()));
        let (high, low) = (range.min().snr(), range.max().snr());
        let each = self.flow.network().conditions();
        let mut network = BatchedNetwork::new(self.flow.network(), self.flow.batch());
        let mut records = Vec::with_capacity(images);
        for (index, own) in pixels.chunks_exact(dims).enumerate() {
            let (x, key) = (grid.centres(own), self.key(index, 0));
            let squares = x.iter().map(|x| x * x).sum::<f64>();
            let mut rng = key.rng(Purpose::Estimation);
            let start: f64 = rng.r#gen();
            let at = |i: usize| range.at(((start + i as f64) / levels as f64).fract());
            let gammas: Vec<Gamma> = (0..levels).map(at).collect();
            let mut z = Vec::with_capacity(levels * dims);
            for gamma in &gammas {
                let level = diffusion.level(*gamma);
                z.extend(
                    x.iter()
                        .map(|x| level.alpha() * x + level.sigma() * rng.sample::<f64, _>(StandardNormal)),
                );
            }
            let coefficients: Vec<_> = gammas.iter().map(|gamma| diffusion.coefficients(*gamma)).collect();
            let conditioning = self.conditioning.map(|all| conditions_of(all, each, &vec![index; levels]));
            let f =
                network.forward(Rows { z: &z, levels: &coefficients, conditioning: conditioning.as_deref() });
            let rows = gammas.iter().zip(z.chunks_exact(dims)).zip(f.chunks_exact(dims));
            let gains = rows.map(|((gamma, z), f)| {
                let level = diffusion.level(*gamma);
                let (snr, data) = (gamma.snr(), diffusion.parameterization().data(&level));
                let shrink = snr * VARIANCE / (1.0 + snr * VARIANCE) / level.alpha();
                let errors = x
                    .iter()
                    .zip(z)
                    .zip(f)
                    .map(|((x, z), f)| (x - data.apply(*f, *z)).powi(2) - (x - shrink * z).powi(2));
                // d snr = snr d log snr.
                0.5 * snr * errors.sum::<f64>()
            });
            let gain = range.width() * gains.sum::<f64>() / levels as f64;
            let tail_nats = reference(low, squares, dims as f64);
            let integral_nats = reference(high, squares, dims as f64) - tail_nats + gain;
            let drawn = decoder.draw(own, &mut key.rng(Purpose::Dequantization));
            let reconstruction_nats = -drawn.log_decoder;
            let nats = reconstruction_nats + integral_nats + tail_nats;
            records.push(ImmseRecord {
                index,
                bits_per_dim: if nats.is_finite() { nats_to_bits_per_dim(nats, dims) } else { f64::NAN },
                reconstruction_nats,
                integral_nats,
                tail_nats,
                evaluations: levels as u64,
            });
            progress.advance_or_end(records.len() as u64, None)?;
        }
        let values = records
            .iter()
            .map(|record| (Some(record.bits_per_dim).filter(|bits| bits.is_finite()), record.evaluations));
        let summary = Summary::of(values);
        Ok(ImmseEstimate { records, summary })
    }
}
