//! The simplest model of images: every pixel by itself.

use super::ImageSet;
use crate::error::{Error, Result};

/// What independent pixels reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IndependentPixels {
    /// The mean over test images, in bits/dim.
    pub bits_per_dim: f64,
    /// Its standard error over images.
    pub standard_error: f64,
}

/// The likelihood of `test` when each pixel has the level frequencies of `train`, one half added to each
/// count (Krichevsky and Trofimov's rule), in bits/dim.
///
/// # Errors
/// If the two sets differ in shape or levels.
pub fn independent_pixels(train: &ImageSet, test: &ImageSet) -> Result<IndependentPixels> {
    if (train.shape(), train.grid()) != (test.shape(), test.grid()) {
        let describe = |set: &ImageSet| format!("{} with {} levels", set.shape(), set.grid().levels());
        return Err(Error::value("test images", describe(test), describe(train)));
    }
    let (dims, levels) = (train.shape().dims(), train.grid().levels() as usize);
    let mut counts = vec![0.5; dims * levels];
    for image in train.as_slice().chunks_exact(dims) {
        for (pixel, &k) in image.iter().enumerate() {
            counts[pixel * levels + usize::from(k)] += 1.0;
        }
    }
    let total = train.len() as f64 + 0.5 * levels as f64;
    let bits: Vec<f64> = test
        .as_slice()
        .chunks_exact(dims)
        .map(|image| {
            let cost = |(pixel, &k): (usize, &u16)| -(counts[pixel * levels + usize::from(k)] / total).log2();
            image.iter().enumerate().map(cost).sum::<f64>() / dims as f64
        })
        .collect();
    let n = bits.len() as f64;
    let mean = bits.iter().sum::<f64>() / n;
    let variance = bits.iter().map(|b| (b - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    Ok(IndependentPixels { bits_per_dim: mean, standard_error: (variance / n).sqrt() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Split, digits};

    #[test]
    fn digits_baseline() {
        let found =
            independent_pixels(&digits(Split::Train).unwrap(), &digits(Split::Test).unwrap()).unwrap();
        assert_eq!(format!("{:.3}", found.bits_per_dim), "2.364");
    }
}
