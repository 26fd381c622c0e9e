//! Bits/dim over training.

use super::{Axis, Plot, Png};
use crate::error::{Error, Result};
use crate::progress::StepMetrics;

/// Room above and below what must be shown, as a fraction of its span.
const ROOM: f64 = 0.06;

/// Values that are seldom as high are left out if with them the range were wider than by this factor.
const MOST_WIDENING: f64 = 1.5;

/// What a diverged run may reach, and no axis can show.
const LARGEST: f64 = 1e100;

/// Whether the value of a step has a place in the curve.
pub(crate) fn is_drawn(value: f64) -> bool {
    value.abs() < LARGEST
}

/// Draws the bits/dim of every logged step, their moving mean, and `references` by name: values in
/// bits/dim such as a baseline's and the final estimates on test images.
///
/// The first twentieth of the steps and the highest hundredth of the rest are shown only where they
/// widen the range by less than half; every reference is.
///
/// # Errors
/// If no step has a finite number of bits/dim.
pub fn curve(metrics: &[StepMetrics], references: &[(String, f64)]) -> Result<Png> {
    let (mut points, mut values) = (Vec::with_capacity(metrics.len()), Vec::with_capacity(metrics.len()));
    let mut shown = Vec::with_capacity(references.len());
    for (_, value) in references {
        shown.push(*value);
    }
    let mut validation = Vec::new();
    for line in metrics {
        let step = line.step as f64;
        points.push((step, line.bits_per_dim));
        values.push(line.bits_per_dim);
        let Some(found) = line.validation.as_ref().filter(|found| is_drawn(found.vlb)) else { continue };
        // All but the first, which may be of a network that has learned little.
        if !validation.is_empty() {
            shown.push(found.vlb);
        }
        validation.push((step, found.vlb));
    }
    let (low, high) = range(&values, &shown)?;
    let mut mean = Vec::with_capacity(points.len());
    for (&(step, _), value) in points.iter().zip(&moving_mean(&values, reach(values.len()))) {
        mean.push((step, *value));
    }
    let mut plot = Plot::new(
        "Likelihood over training",
        Axis::linear("training step"),
        Axis::linear("negative log-likelihood (bits/dim)").between(low, high),
    )
    .dots("training VLB of a step", points)
    .line("moving mean", mean);
    if !validation.is_empty() {
        plot = plot.line("validation VLB", validation);
    }
    for (label, value) in references {
        plot = plot.level(format!("{label}: {value:.3}"), *value);
    }
    plot.draw()
}

/// How far the moving mean reaches to either side: a fortieth of the points.
fn reach(points: usize) -> usize {
    (points / 40).clamp(1, 250)
}

/// The mean of the finite values around each, whose weights fall linearly to zero just beyond
/// `reach`; nothing finite is NaN.
fn moving_mean(values: &[f64], reach: usize) -> Vec<f64> {
    let mut means = Vec::with_capacity(values.len());
    for index in 0..values.len() {
        let (mut sum, mut weights) = (0.0, 0.0);
        let first = index.saturating_sub(reach);
        let around = &values[first..(index + reach + 1).min(values.len())];
        for (other, value) in around.iter().enumerate() {
            if value.is_finite() {
                let weight = (reach + 1 - index.abs_diff(first + other)) as f64;
                sum += weight * value;
                weights += weight;
            }
        }
        means.push(sum / weights);
    }
    means
}

/// From the lowest to the highest value that must be shown, with some room.
fn range(values: &[f64], references: &[f64]) -> Result<(f64, f64)> {
    let skipped = if values.len() < 5 { 0 } else { values.len().div_ceil(20) };
    let finite = |values: &[f64]| {
        let mut finite = values.to_vec();
        finite.retain(|value| is_drawn(*value));
        finite
    };
    let mut sorted = finite(&values[skipped..]);
    if sorted.is_empty() {
        sorted = finite(values);
    }
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return Err(Error::value("metrics", "no step with finite bits/dim", "at least one"));
    };
    let quantile = |q: f64| sorted[(q * last as f64).round() as usize];
    let (low, mut high) = (quantile(0.002), quantile(0.99));
    let mut highest = high;
    for value in finite(values) {
        highest = highest.max(value);
    }
    if highest - low <= MOST_WIDENING * (high - low) {
        high = highest;
    }
    let mut low = low;
    for value in finite(references) {
        (low, high) = (low.min(value), high.max(value));
    }
    let room = (ROOM * (high - low)).max(0.01);
    Ok((low - room, high + room))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(values: impl IntoIterator<Item = f64>) -> Vec<StepMetrics> {
        let of = |(index, bits_per_dim): (u64, f64)| StepMetrics {
            stage: 0,
            step: 10 * (index + 1),
            loss: 1.0,
            bits_per_dim,
            learning_rate: 1e-3,
            gradient_norm: 0.1,
            seconds: 0.5,
            skipped: 0,
            validation: None,
            high_order: None,
        };
        (0_u64..).zip(values).map(of).collect()
    }

    #[test]
    fn mean_is_over_the_window_and_skips_what_is_not_finite() {
        let mean = moving_mean(&[1.0, 2.0, f64::NAN, 6.0, 10.0], 1);
        assert_eq!(mean, [4.0 / 3.0, 5.0 / 3.0, 4.0, 22.0 / 3.0, 26.0 / 3.0]);
        assert!(moving_mean(&[f64::NAN, f64::INFINITY], 1).iter().all(|mean| mean.is_nan()));
        assert_eq!([reach(1), reach(100), reach(3000), reach(1_000_000)], [1, 2, 75, 250]);
    }

    #[test]
    fn first_outliers_do_not_widen_the_range_but_references_do() {
        let mut values: Vec<f64> = (0..200).map(|i| 2.0 + f64::from(i % 2)).collect();
        values[..10].fill(1e6);
        let (low, high) = range(&values, &[]).unwrap();
        assert!((low - 1.94).abs() < 1e-12 && (high - 3.06).abs() < 1e-12, "{low} {high}");
        values[..10].fill(3.5);
        assert!((range(&values, &[]).unwrap().1 - 3.59).abs() < 1e-12);
        let (low, high) = range(&values[10..], &[1.0, f64::NAN, 4.0]).unwrap();
        assert!((low - 0.82).abs() < 1e-12 && (high - 4.18).abs() < 1e-12, "{low} {high}");
    }

    #[test]
    fn image_decodes_whatever_the_values() {
        let nan = f64::NAN;
        for values in [
            vec![2.0],
            vec![nan, 3.0],
            vec![2.0; 50],
            vec![2.0, f64::MAX, f64::MAX],
            vec![1e9, nan, 3.0, 2.0, f64::INFINITY, 2.0],
        ] {
            let png = curve(&metrics(values), &[("baseline".into(), 2.364), ("none".into(), nan)]).unwrap();
            assert_eq!(image::load_from_memory(png.bytes()).unwrap().width(), 1200);
        }
    }

    #[test]
    fn no_finite_step_is_an_error() {
        for values in [vec![], vec![f64::NAN; 9]] {
            let error = curve(&metrics(values), &[("baseline".into(), 2.0)]).unwrap_err().to_string();
            assert_eq!(error, "metrics = no step with finite bits/dim: expected at least one");
        }
    }
}
