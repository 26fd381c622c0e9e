//! Two pixels, 256 levels: a data set whose entropy is known exactly.
//!
//! The probability of each of the 65,536 states is a fixed mixture of three correlated normal
//! densities at the two levels, divided by its sum over all states. Nothing is approximated: what is
//! sampled is what the entropy is summed over.

use crate::data::dataset::ImageSet;
use crate::data::shape::ImageShape;
use crate::data::source::Split;
use crate::error::{Error, Result};
use crate::pixels::PixelGrid;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The data set's name in recipes and results.
pub const NAME: &str = "two_pixel";
/// The number of grey levels.
pub const LEVELS: u32 = 256;

const SIDE: usize = LEVELS as usize;

/// A normal component over pairs of levels: weight, means, standard deviations, correlation.
struct Component {
    weight: f64,
    mean: [f64; 2],
    sd: [f64; 2],
    correlation: f64,
}

const COMPONENTS: [Component; 3] = [
    Component { weight: 0.5, mean: [84.0, 96.0], sd: [16.0, 20.0], correlation: 0.6 },
    Component { weight: 0.3, mean: [168.0, 168.0], sd: [22.0, 14.0], correlation: -0.5 },
    Component { weight: 0.2, mean: [150.0, 72.0], sd: [14.0, 18.0], correlation: 0.0 },
];

impl Component {
    fn density(&self, levels: [f64; 2]) -> f64 {
        let u: [f64; 2] = std::array::from_fn(|i| (levels[i] - self.mean[i]) / self.sd[i]);
        let r = self.correlation;
        let q = (u[0] * u[0] - 2.0 * r * u[0] * u[1] + u[1] * u[1]) / (1.0 - r * r);
        let volume = std::f64::consts::TAU * self.sd[0] * self.sd[1] * (1.0 - r * r).sqrt();
        self.weight * (-0.5 * q).exp() / volume
    }
}

/// The exact distribution over all 65,536 pairs of levels.
#[derive(Clone, Debug)]
pub struct TwoPixel {
    pmf: Vec<f64>,
    cumulative: Vec<f64>,
}

impl Default for TwoPixel {
    fn default() -> Self {
        Self::new()
    }
}

impl TwoPixel {
    /// Computes the probability of every state.
    pub fn new() -> Self {
        let states = (0..SIDE * SIDE).map(|s| [(s / SIDE) as f64, (s % SIDE) as f64]);
        let mut pmf: Vec<f64> = states.map(|x| COMPONENTS.iter().map(|c| c.density(x)).sum()).collect();
        let total: f64 = pmf.iter().sum();
        pmf.iter_mut().for_each(|p| *p /= total);
        let mut sum = 0.0;
        let add = |p: &f64| {
            sum += p;
            sum
        };
        let cumulative = pmf.iter().map(add).collect();
        Self { pmf, cumulative }
    }

    /// The shape of every image, 1x2x1.
    pub fn shape() -> ImageShape {
        ImageShape::new(1, 2, 1)
    }

    /// The probability of the pair of levels `(k, l)`: entry `256 k + l`.
    pub fn pmf(&self) -> &[f64] {
        &self.pmf
    }

    /// `log2` of the probability of one image, or nothing for a row that is no image of this set.
    pub fn log2_prob(&self, row: &[u16]) -> Option<f64> {
        match *row {
            [k, l] if u32::from(k.max(l)) < LEVELS => {
                Some(self.pmf[usize::from(k) * SIDE + usize::from(l)].log2())
            }
            _ => None,
        }
    }

    /// The entropy `-(1/2) sum_x p(x) log2 p(x)`, in bits/dim: no model's expected value is lower.
    pub fn entropy_bits_per_dim(&self) -> f64 {
        -0.5 * self.pmf.iter().filter(|&&p| p > 0.0).map(|p| p * p.log2()).sum::<f64>()
    }

    /// The best value any model can have on given images: the mean of `-(1/2) log2 p(x)`, in bits/dim.
    ///
    /// # Errors
    /// If an image is not a pair of levels below 256.
    pub fn exact_bits_per_dim(&self, images: &ImageSet) -> Result<f64> {
        let mut sum = 0.0;
        for row in images.rows() {
            let bits = self.log2_prob(row);
            sum -= bits.ok_or_else(|| Error::value("image", format!("{row:?}"), "two levels below 256"))?;
        }
        Ok(0.5 * sum / images.rows().len() as f64)
    }

    /// Draws `images` independent images; the same seed draws the same images.
    ///
    /// The split only names the set: give each split a seed of its own.
    ///
    /// # Errors
    /// If `images` is 0.
    pub fn sample(&self, images: usize, seed: u64, split: Split) -> Result<ImageSet> {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let mut pixels = Vec::with_capacity(2 * images);
        for _ in 0..images {
            let u: f64 = generator.r#gen();
            // The last sum may round to just below 1, hence the bound.
            let state = self.cumulative.partition_point(|&c| c <= u).min(SIDE * SIDE - 1);
            pixels.extend([(state / SIDE) as u16, (state % SIDE) as u16]);
        }
        ImageSet::new(NAME, split, Self::shape(), PixelGrid::new(LEVELS)?, pixels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::source::ImageSource;

    #[test]
    fn the_pmf_sums_to_one() {
        let t = TwoPixel::new();
        assert_eq!(t.pmf().len(), 65_536);
        // 65,536 sums of rounding errors of at most 2^-53 each stay below 1e-11.
        assert!((t.pmf().iter().sum::<f64>() - 1.0).abs() < 1e-11);
        assert!(t.pmf().iter().all(|p| p.is_finite() && *p >= 0.0));
    }

    #[test]
    fn the_entropy_lies_between_its_bounds() {
        // H(component) <= H(mixture) - averages by concavity, and H <= average + H(weights). A normal on
        // the integers has entropy 1/2 log2((2 pi e)^2 det) to rounding when its sds are well above 1.
        let (mut average, mut weights) = (0.0, 0.0);
        for c in &COMPONENTS {
            let sd = c.sd[0] * c.sd[1] * (1.0 - c.correlation.powi(2)).sqrt();
            average += c.weight * (std::f64::consts::TAU * std::f64::consts::E * sd).log2();
            weights -= c.weight * c.weight.log2();
        }
        let bits = 2.0 * TwoPixel::new().entropy_bits_per_dim();
        assert!(average < bits && bits < average + weights, "{average} {bits} {weights}");
    }

    #[test]
    fn samples_follow_the_pmf() {
        let t = TwoPixel::new();
        let n = 200_000;
        let bits = t.exact_bits_per_dim(&t.sample(n, 1, Split::Test).unwrap()).unwrap();
        let (h, mut square) = (t.entropy_bits_per_dim(), 0.0);
        for p in t.pmf().iter().filter(|p| **p > 0.0) {
            square += p * (0.5 * p.log2()).powi(2);
        }
        let standard_error = ((square - h * h) / n as f64).sqrt();
        assert!((bits - h).abs() < 3.0 * standard_error, "{bits} {h} {standard_error}");
    }

    #[test]
    fn value_stability() {
        let t = TwoPixel::new();
        // Computed once with another program (NumPy); sums of 65,536 terms differ by their rounding.
        assert!((t.entropy_bits_per_dim() - 6.789385360906173).abs() < 1e-12);
        let s = t.sample(4, 42, Split::Train).unwrap();
        assert_eq!((s.images(), s.pixels()), (4, &[152, 102, 190, 35, 101, 104, 146, 170u16][..]));
        assert!(t.sample(0, 42, Split::Train).is_err());
    }
}
