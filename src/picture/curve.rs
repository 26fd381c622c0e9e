//! The curve of a training run.

use crate::error::Result;
use crate::picture::plot::{Axis, LinePlot};
use std::path::Path;

/// Training bits/dim against the step, with held-out values and reference lines if there are any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    training: Vec<(u64, f64)>,
    held_out: Vec<(u64, f64)>,
    references: Vec<(String, f64)>,
}

impl Curve {
    /// A curve of (step, bits/dim of the batch or of the steps since the last entry).
    pub fn new(training: Vec<(u64, f64)>) -> Self {
        Self { training, ..Self::default() }
    }

    /// Adds (step, bits/dim) on held-out images.
    pub fn held_out(self, held_out: Vec<(u64, f64)>) -> Self {
        Self { held_out, ..self }
    }

    /// Adds a horizontal line at `bits_per_dim`, such as a baseline or an exact entropy.
    pub fn reference(mut self, label: impl Into<String>, bits_per_dim: f64) -> Self {
        self.references.push((label.into(), bits_per_dim));
        self
    }

    /// Draws the curve and writes a PNG file.
    ///
    /// The values of single batches are drawn faintly behind their running mean over the last 2 % of
    /// the entries. The y range leaves out the highest tenth of the values, as the first steps are far
    /// above the rest.
    ///
    /// # Errors
    /// If no value is finite, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let points = |p: &[(u64, f64)]| p.iter().map(|&(s, b)| (s as f64, b)).collect::<Vec<_>>();
        let training = points(&self.training);
        let window = training.len() / 50;
        let mut plot =
            LinePlot::new("").x_axis(Axis::linear("step")).y_axis(Axis::linear("bits/dim")).robust(0.9);
        plot = if window > 1 {
            let mean = running_mean(&training, window);
            plot.faint(training).series("training (running mean)", mean)
        } else {
            plot.series("training", training)
        };
        if !self.held_out.is_empty() {
            plot = plot.marked("held out", points(&self.held_out));
        }
        for (label, value) in &self.references {
            plot = plot.reference(label, *value);
        }
        plot.save(path)
    }
}

/// The mean of the finite ones among the last `window` values, at each of them.
fn running_mean(points: &[(f64, f64)], window: usize) -> Vec<(f64, f64)> {
    let finite: Vec<(f64, f64)> = points.iter().copied().filter(|p| p.1.is_finite()).collect();
    let mean = |i: usize| {
        let last = &finite[(i + 1).saturating_sub(window)..=i];
        last.iter().map(|p| p.1).sum::<f64>() / last.len() as f64
    };
    (0..finite.len()).map(|i| (finite[i].0, mean(i))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_trails_and_skips_what_is_not_finite() {
        let points = [(1.0, 4.0), (2.0, 2.0), (3.0, f64::NAN), (4.0, 6.0)];
        assert_eq!(running_mean(&points, 2), [(1.0, 4.0), (2.0, 3.0), (4.0, 4.0)]);
    }

    #[test]
    fn a_curve_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("curve.png");
        let wave = |s: u64| 2.0 + 6.0 * (-(s as f64) / 40.0).exp() + 0.1 * (s as f64 * 1.7).sin();
        let training: Vec<_> = (1..=600).map(|s| (s, wave(s))).collect();
        let held_out = vec![(200, 2.15), (400, 2.08), (600, 2.05)];
        let curve = Curve::new(training).held_out(held_out).reference("independent pixels", 2.364);
        curve.save(&path).unwrap();
        let first = image::open(&path).unwrap().to_rgb8();
        assert_eq!(first.dimensions(), (960, 600));
        curve.save(&path).unwrap();
        assert_eq!(first, image::open(&path).unwrap().to_rgb8(), "the same curve, the same picture");
        if let Some(kept) = std::env::var_os("IDODE_KEEP_PICTURES") {
            std::fs::copy(&path, Path::new(&kept).join("curve.png")).unwrap();
        }
        assert!(Curve::default().save(&path).is_err());
        assert!(Curve::new(vec![(1, f64::NAN)]).save(&path).is_err());
        assert_eq!(first, image::open(&path).unwrap().to_rgb8(), "a refused curve leaves the file");
    }
}
