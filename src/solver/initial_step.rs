//! The length of a row's first step.

use super::{Field, OdeState, Tolerances};

/// Chooses the length of each row's first step from the sizes of the state, the field, and the
/// field's change over a short Euler step; one evaluation a row.
///
/// # Reference
/// Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, section II.4, "Starting
/// step size".
pub(super) fn initial_steps<Y: OdeState>(
    field: &mut dyn Field<Y>,
    rows: &[usize],
    (from, to): (f64, f64),
    (y, f0): (&Y, &Y),
    error_order: u32,
    tolerances: &Tolerances,
) -> Vec<f64> {
    let interval = (to - from).abs();
    let direction = (to - from).signum();
    let size = |x: &Y| Y::error_norm(x, y, y, tolerances);
    let (d0, d1) = (size(y), size(f0));
    let trial: Vec<f64> = d0
        .iter()
        .zip(&d1)
        .map(|(d0, d1)| if *d0 < 1e-5 || *d1 < 1e-5 { 1e-6 } else { 0.01 * d0 / d1 })
        .map(|h| h.min(interval))
        .collect();

    let forward: Vec<f64> = trial.iter().map(|h| h * direction).collect();
    let times: Vec<f64> = forward.iter().map(|h| from + h).collect();
    let f1 = field.eval(rows, &times, &y.add_scaled(&[(&forward, f0)]));
    let change = size(&f1.add_scaled(&[(&vec![-1.0; rows.len()], f0)]));

    let exponent = 1.0 / f64::from(error_order + 1);
    let lengths = trial.iter().zip(&d1).zip(&change).map(|((h0, d1), change)| {
        let d2 = change / h0;
        if !d2.is_finite() {
            // The trial left the field's domain: begin there, and let the error decide.
            return *h0;
        }
        let h1 = if *d1 <= 1e-15 && d2 <= 1e-15 {
            (h0 * 1e-3).max(1e-6)
        } else {
            (0.01 / d1.max(d2)).powf(exponent)
        };
        (100.0 * h0).min(h1).min(interval)
    });
    lengths.collect()
}
