//! Two pixels whose exact distribution is known: 65,536 states, summed.

use super::{ImageSet, ImageShape};
use crate::error::Result;
use crate::pixels::PixelGrid;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Grey levels of a pixel.
const LEVELS: usize = 256;

/// Weight, means, standard deviations (in levels) and correlation of each component.
const COMPONENTS: [(f64, [f64; 2], [f64; 2], f64); 3] = [
    (0.45, [80.0, 96.0], [22.0, 16.0], 0.7),
    (0.35, [170.0, 150.0], [18.0, 26.0], -0.5),
    (0.20, [120.0, 205.0], [30.0, 10.0], 0.2),
];

/// A fixed distribution over pairs of pixels with 256 levels: a mixture of three correlated Gaussians, evaluated at
/// the levels and normalized over all 65,536 states.
#[derive(Clone, Debug)]
pub struct TwoPixel {
    /// `P(first, second)` at `first * 256 + second`.
    pmf: Vec<f64>,
}

impl Default for TwoPixel {
    fn default() -> Self {
        let density = |state: usize| {
            let x = [(state / LEVELS) as f64, (state % LEVELS) as f64];
            COMPONENTS
                .iter()
                .map(|(weight, mean, std, rho)| {
                    let [u, v] = [0, 1].map(|i| (x[i] - mean[i]) / std[i]);
                    let square = (u * u - 2.0 * rho * u * v + v * v) / (1.0 - rho * rho);
                    weight * (-0.5 * square).exp() / (std[0] * std[1] * (1.0 - rho * rho).sqrt())
                })
                .sum::<f64>()
        };
        let mut pmf: Vec<f64> = (0..LEVELS * LEVELS).map(density).collect();
        let total: f64 = pmf.iter().sum();
        pmf.iter_mut().for_each(|p| *p /= total);
        Self { pmf }
    }
}

impl TwoPixel {
    /// `P(first, second)`.
    pub fn probability(&self, first: u8, second: u8) -> f64 {
        self.pmf[usize::from(first) * LEVELS + usize::from(second)]
    }

    /// The exact entropy in bits/dim: `-1/2 sum P log2 P` over all 65,536 states.
    pub fn entropy_bits_per_dim(&self) -> f64 {
        -0.5 * self.pmf.iter().filter(|&&p| p > 0.0).map(|p| p * p.log2()).sum::<f64>()
    }

    /// `count` independent draws.
    ///
    /// # Errors
    /// If `count` is 0.
    pub fn sample(&self, count: usize, seed: u64) -> Result<ImageSet> {
        let mut cumulative = Vec::with_capacity(self.pmf.len());
        let mut total = 0.0;
        for p in &self.pmf {
            total += p;
            cumulative.push(total);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut levels = Vec::with_capacity(2 * count);
        for _ in 0..count {
            let u = rng.r#gen::<f64>() * total;
            let state = cumulative.partition_point(|&c| c <= u).min(self.pmf.len() - 1);
            levels.extend([(state / LEVELS) as u16, (state % LEVELS) as u16]);
        }
        ImageSet::new(ImageShape { height: 1, width: 2, channels: 1 }, PixelGrid::new(LEVELS as u32)?, levels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_that_of_the_draws() {
        let data = TwoPixel::default();
        assert!((data.pmf.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let draws = data.sample(100_000, 1).unwrap();
        let costs: Vec<f64> = draws
            .as_slice()
            .chunks_exact(2)
            .map(|x| -0.5 * data.probability(x[0] as u8, x[1] as u8).log2())
            .collect();
        let mean = costs.iter().sum::<f64>() / costs.len() as f64;
        let variance = costs.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / costs.len() as f64;
        let standard_error = (variance / costs.len() as f64).sqrt();
        assert!((mean - data.entropy_bits_per_dim()).abs() < 4.0 * standard_error);
    }

    #[test]
    fn value_stability() {
        let draws = TwoPixel::default().sample(3, 0).unwrap();
        assert_eq!(draws.as_slice(), [157, 152, 107, 110, 155, 210]);
    }
}
