//! Pairs of values against each other.

use super::{Axis, Plot, Png};
use crate::error::Result;

/// Draws every series of pairs as points over two axes of one range, with the diagonal on which both are equal.
///
/// # Errors
/// If there is no pair of finite values.
pub fn scatter(
    title: impl Into<String>,
    [x, y]: [&str; 2],
    series: &[(String, Vec<(f64, f64)>)],
) -> Result<Png> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut plot = Plot::new(title, Axis::linear(x), Axis::linear(y));
    for (label, pairs) in series {
        for (x, y) in pairs {
            if x.is_finite() && y.is_finite() {
                (low, high) = (low.min(x.min(*y)), high.max(x.max(*y)));
            }
        }
        plot = plot.points(label, pairs.clone());
    }
    // From end to end, so that it stretches both axes alike.
    plot.dashed("equal", vec![(low, low), (high, high)]).draw()
}

#[cfg(test)]
mod tests {
    use super::super::canvas;
    use super::*;

    #[test]
    fn points_lie_on_the_diagonal_where_both_are_equal() {
        let pairs: Vec<(f64, f64)> = (0..50).map(|i| (f64::from(i), f64::from(i))).collect();
        let png = scatter("", ["a", "b"], &[(String::new(), pairs)]).unwrap();
        let image = image::load_from_memory(png.bytes()).unwrap().to_rgb8();
        let (left, top, right, bottom) = canvas::plot_area(&image);
        // Between the ends of the axes every coloured pixel of the plot is near the line from corner to corner.
        let mut coloured = 0;
        for (x, y, pixel) in image.enumerate_pixels() {
            let [red, _, blue] = pixel.0.map(i32::from);
            if blue - red > 60 && (left + 4..right - 4).contains(&x) && (top + 4..bottom - 4).contains(&y) {
                let across = f64::from(x - left) / f64::from(right - left);
                let up = f64::from(bottom - y) / f64::from(bottom - top);
                assert!((across - up).abs() < 0.02, "{x} {y}");
                coloured += 1;
            }
        }
        assert!(coloured > 200, "{coloured}");
    }

    #[test]
    fn values_that_cannot_be_drawn() {
        let nan = f64::NAN;
        for pairs in [vec![], vec![(nan, 1.0)]] {
            let error = scatter("", ["a", "b"], &[("one".into(), pairs)]).unwrap_err().to_string();
            assert_eq!(error, "axis \"a\" = nothing that can be drawn: expected at least one point");
        }
        for value in [0.0, 2.5, -1e6] {
            scatter("", ["a", "b"], &[("one".into(), vec![(value, value), (nan, 0.0)])]).unwrap();
        }
    }
}
