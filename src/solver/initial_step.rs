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
    let (mut trial, mut forward, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for (d0, d1) in d0.iter().zip(&d1) {
        let h: f64 = if *d0 < 1e-5 || *d1 < 1e-5 { 1e-6 } else { 0.01 * d0 / d1 };
        let h = h.min(interval);
        trial.push(h);
        forward.push(h * direction);
        times.push(from + h * direction);
    }

    let f1 = field.eval(rows, &times, &y.add_scaled(&[(&forward, f0)]));
    let change = size(&f1.add_scaled(&[(&vec![-1.0; rows.len()], f0)]));

    let exponent = 1.0 / f64::from(error_order + 1);
    let length = |h0: f64, d1: f64, change: f64| {
        let d2 = change / h0;
        if !d2.is_finite() {
            // The trial left the field's domain: begin there, and let the error decide.
            return h0;
        }
        let h1 = if d1 <= 1e-15 && d2 <= 1e-15 {
            (h0 * 1e-3).max(1e-6)
        } else {
            (0.01 / d1.max(d2)).powf(exponent)
        };
        (100.0 * h0).min(h1).min(interval)
    };
    let mut lengths = Vec::with_capacity(trial.len());
    for ((h0, d1), change) in trial.iter().zip(&d1).zip(&change) {
        lengths.push(length(*h0, *d1, *change));
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::super::HostState;
    use super::*;

    const TOLERANCES: Tolerances = Tolerances { relative: 1e-6, absolute: 1e-6, log_density: 1.0 };

    /// The first step of the oscillator from (1, 0), whose field beyond t = 0 is scaled.
    fn first(to: f64, beyond: f64) -> f64 {
        let mut field = |_: &[usize], t: &[f64], y: &HostState| {
            let scale = if t[0] == 0.0 { 1.0 } else { beyond };
            y.map_rows(|_, y, out| {
                out.copy_from_slice(&[y[1] * scale, -y[0] * scale]);
                0.0
            })
        };
        let y = HostState::from_rows(&[[1.0, 0.0]]);
        let f0 = field.eval(&[0], &[0.0], &y);
        initial_steps(&mut field, &[0], (0.0, to), (&y, &f0), 4, &TOLERANCES)[0]
    }

    #[test]
    fn the_first_step_that_scipy_takes() {
        // scipy 1.17.1, RK45, rtol = atol = 1e-6, from 0 to 10: t[1]; and the same to -10.
        assert!((first(10.0, 1.0) - 0.026921732181969554).abs() < 1e-15);
        assert_eq!(first(-10.0, 1.0), first(10.0, 1.0));
    }

    /// The first step to 10 of `y' = slope(t)` from `y`.
    fn first_of(y: f64, slope: fn(f64) -> f64) -> f64 {
        let mut field = |_: &[usize], t: &[f64], y: &HostState| {
            y.map_rows(|i, _, out| {
                out[0] = slope(t[i]);
                0.0
            })
        };
        let y = HostState::from_rows(&[[y]]);
        let f0 = field.eval(&[0], &[0.0], &y);
        initial_steps(&mut field, &[0], (0.0, 10.0), (&y, &f0), 4, &TOLERANCES)[0]
    }

    /// A state or a field that is next to nothing says nothing of its scale: the trial is 1e-6, and the step at most a hundred of it.
    #[test]
    fn a_start_that_says_nothing_is_tried_in_short() {
        let close = |found: f64, expected: f64| (found - expected).abs() < 1e-12 * expected;
        // From 0, as the slope is 1e6 tolerances: (0.01 / 1e6)^(1/5) is above 1e-4.
        assert!(close(first_of(0.0, |_| 1.0), 1e-4));
        // Nothing moves.
        assert_eq!(first_of(1.0, |_| 0.0), 1e-6);
        // Nothing moves yet.
        assert!(close(first_of(1.0, |t| t), 1e-4));
    }

    #[test]
    fn never_beyond_the_end() {
        assert_eq!(first(1e-3, 1.0), 1e-3);
    }

    /// The trial step is 0.01 times the size of the state over that of the field, here
    /// (1 / 2e-6) / (1 / 1e-6) = 1/2.
    #[test]
    fn a_trial_that_leaves_the_domain_is_where_to_begin() {
        for beyond in [f64::NAN, f64::INFINITY] {
            assert!((first(10.0, beyond) - 0.005).abs() < 1e-15);
        }
    }
}
