//! The trapezoidal rule, which is spectrally accurate where the integrand dies out at both ends.

/// Nodes and weights of the trapezoidal rule with `intervals` intervals on `[low, high]`.
pub(crate) fn trapezoid_nodes(low: f64, high: f64, intervals: usize) -> impl Iterator<Item = (f64, f64)> {
    let width = (high - low) / intervals as f64;
    (0..=intervals).map(move |i| {
        let weight = if i == 0 || i == intervals { 0.5 * width } else { width };
        (low + i as f64 * width, weight)
    })
}
