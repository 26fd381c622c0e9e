//! What a model of images must beat.

use crate::data::dataset::ImageSet;
use crate::data::source::ImageSource;
use crate::error::{Error, Result};

/// A baseline's value on a test split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Baseline {
    /// Mean over the test images, in bits/dim.
    pub bits_per_dim: f64,
    /// Standard error of that mean over the test images, in bits/dim; NaN of a single image.
    pub standard_error: f64,
    /// The number of test images.
    pub images: usize,
}

/// Every pixel on its own: the code length of `test` under the level frequencies of `train`.
///
/// `p_j(k) = (n_jk + 1/2) / (n + L/2)` for pixel `j` and level `k`, with `n_jk` counted on the training
/// images; the value is the mean over test images of `-(1/d) sum_j log2 p_j(x_j)`.
///
/// # Errors
/// If the sets differ in shape or in the number of levels.
///
/// # Reference
/// The added 1/2: R. Krichevsky and V. Trofimov, "The performance of universal encoding", 1981.
pub fn independent_pixels(train: &ImageSet, test: &ImageSet) -> Result<Baseline> {
    if train.shape() != test.shape() {
        return Err(Error::value("shape of the test images", test.shape(), train.shape().to_string()));
    }
    let levels = train.grid().levels();
    if levels != test.grid().levels() {
        return Err(Error::value("levels of the test images", test.grid().levels(), levels.to_string()));
    }
    let images = test.images();
    let (d, levels) = (train.shape().dims(), levels as usize);
    let mut counts = vec![0u32; d * levels];
    for row in train.rows() {
        for (j, &k) in row.iter().enumerate() {
            counts[j * levels + usize::from(k)] += 1;
        }
    }
    let total = train.images() as f64 + 0.5 * levels as f64;
    let bits: Vec<f64> = counts.iter().map(|&n| -((f64::from(n) + 0.5) / total).log2()).collect();
    let per_image = test.rows().map(|row| {
        row.iter().enumerate().map(|(j, &k)| bits[j * levels + usize::from(k)]).sum::<f64>() / d as f64
    });
    let values: Vec<f64> = per_image.collect();
    let mean = values.iter().sum::<f64>() / images as f64;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    let n = images as f64;
    let standard_error = if images < 2 { f64::NAN } else { (squares / ((n - 1.0) * n)).sqrt() };
    Ok(Baseline { bits_per_dim: mean, standard_error, images })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::digits;
    use crate::data::source::{ImageShape, Split};
    use crate::pixels::PixelGrid;

    #[test]
    fn digits() {
        let (train, test) = (digits::load(Split::Train).unwrap(), digits::load(Split::Test).unwrap());
        let b = independent_pixels(&train, &test).unwrap();
        // Computed once with another program (NumPy): equal to rounding of sums of 297 x 64 terms.
        assert!((b.bits_per_dim - 2.3642868318393377).abs() < 1e-12, "{b:?}");
        assert!((b.standard_error - 0.011286297816806271).abs() < 1e-12, "{b:?}");
        assert_eq!(b.images, 297);
    }

    #[test]
    fn two_levels_by_hand() {
        let set = |pixels| {
            let (shape, grid) = (ImageShape::new(1, 1, 1), PixelGrid::new(2).unwrap());
            ImageSet::new("coin", Split::Train, shape, grid, pixels).unwrap()
        };
        // Counts 3 and 0: p(0) = 3.5 / 4, p(1) = 0.5 / 4; one image of each.
        let b = independent_pixels(&set(vec![0, 0, 0]), &set(vec![0, 1])).unwrap();
        let (zero, one) = (-(3.5f64 / 4.0).log2(), 3.0);
        assert!((b.bits_per_dim - 0.5 * (zero + one)).abs() < 1e-15);
        assert!((b.standard_error - 0.5 * (one - zero)).abs() < 1e-15);
        let one = independent_pixels(&set(vec![0]), &set(vec![0])).unwrap();
        assert!(one.bits_per_dim.is_finite() && one.standard_error.is_nan());
    }
}
