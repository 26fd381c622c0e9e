//! Variance components of a balanced nested design.

use crate::error::{Error, Result};

/// Values of images, of draws of each image, and of probes of each draw.
///
/// # Shapes
/// `images x draws x probes`, row-major.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Nested {
    draws: usize,
    probes: usize,
    values: Vec<f64>,
}

/// The variances of the three effects: unbiased, so that each may be below 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Components {
    /// Over images; NaN of fewer than two.
    pub data: f64,
    /// Over draws of an image; 0 where each has one.
    pub dequantization: f64,
    /// Over probes of a draw; 0 where each has one.
    pub probe: f64,
    /// The images they are from: those all of whose values are finite.
    pub images: usize,
}

impl Nested {
    /// The values of a design with `draws` an image and `probes` a draw.
    ///
    /// # Errors
    /// Unless they are whole images of at least one value.
    pub(crate) fn new(draws: usize, probes: usize, values: Vec<f64>) -> Result<Self> {
        let each = draws * probes;
        if each == 0 || !values.len().is_multiple_of(each) {
            let expected = format!("images of {draws} draws with {probes} probes each");
            return Err(Error::value("nested design", format!("{} values", values.len()), expected));
        }
        Ok(Self { draws, probes, values })
    }

    /// The components by analysis of variance: see the [module](crate::budget).
    ///
    /// An image with a value that is not finite is left out with all of its values, so that the design stays balanced.
    pub(crate) fn components(&self) -> Components {
        let (draws, probes) = (self.draws as f64, self.probes as f64);
        let (mut within_draws, mut within_images) = (0.0, 0.0);
        let mut by_image = Vec::new();
        for image in self.values.chunks_exact(self.draws * self.probes) {
            if !image.iter().all(|value| value.is_finite()) {
                continue;
            }
            let mut by_draw = Vec::with_capacity(self.draws);
            for draw in image.chunks_exact(self.probes) {
                by_draw.push(mean(draw));
                within_draws += squares(draw);
            }
            by_image.push(mean(&by_draw));
            within_images += squares(&by_draw);
        }
        let count = by_image.len() as f64;
        // A level of one member does not vary: what it would be compared with is the level above.
        let probe = (self.probes > 1).then(|| within_draws / (count * draws * (probes - 1.0)));
        let draw = (self.draws > 1).then(|| probes * within_images / (count * (draws - 1.0)));
        let data = draws * probes * squares(&by_image) / (count - 1.0);
        let below = draw.or(probe).unwrap_or(0.0);
        Components {
            data: if by_image.len() < 2 { f64::NAN } else { (data - below) / (draws * probes) },
            dequantization: draw.map_or(0.0, |draw| (draw - probe.unwrap_or(0.0)) / probes),
            probe: probe.unwrap_or(0.0),
            images: by_image.len(),
        }
    }
}

/// NaN of none.
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The sum of squared differences from the mean.
fn squares(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum()
}
