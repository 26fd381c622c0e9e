//! Initial value problems whose answers are known, one field for a whole batch.

use idode::solver::controller::Controller;
use idode::solver::{
    Adaptive, BUILT_IN, ExplicitRk, Field, HostState, Solution, Stepping, Tolerances, integrate,
};
use std::sync::Arc;

/// A field from a function of the row's index, time and state.
pub(crate) fn field(f: impl Fn(usize, f64, &[f64], &mut [f64]) -> f64) -> impl Field<HostState> {
    move |rows: &[usize], t: &[f64], y: &HostState| y.map_rows(|i, y, out| f(rows[i], t[i], y, out))
}

/// `y0' = y0 cos t`, `y1' = -t y1^2`, `y2' = y3`, `y3' = -y2`: not linear, not autonomous, coupled.
pub(crate) fn mixed() -> impl Field<HostState> {
    field(|_, t, y, out| {
        out.copy_from_slice(&[y[0] * t.cos(), -t * y[1] * y[1], y[3], -y[2]]);
        0.0
    })
}

/// The solution of [`mixed`] from (1, 1, 1, 0) at 0.
pub(crate) fn mixed_solution(t: f64) -> [f64; 4] {
    [t.sin().exp(), 1.0 / (1.0 + t * t / 2.0), t.cos(), -t.sin()]
}

/// `y' = -k y`.
pub(crate) fn decay(k: f64) -> impl Field<HostState> {
    field(move |_, _, y, out| {
        out.iter_mut().zip(y).for_each(|(out, y)| *out = -k * y);
        0.0
    })
}

/// `y0' = y1`, `y1' = -y0`.
pub(crate) fn oscillator() -> impl Field<HostState> {
    field(|_, _, y, out| {
        out.copy_from_slice(&[y[1], -y[0]]);
        0.0
    })
}

/// `y' = y (1 - y)`.
pub(crate) fn logistic() -> impl Field<HostState> {
    field(|_, _, y, out| {
        out[0] = y[0] * (1.0 - y[0]);
        0.0
    })
}

/// Van der Pol's oscillator; each row is as stiff as `mu` of its index says.
pub(crate) fn van_der_pol(mu: impl Fn(usize) -> f64) -> impl Field<HostState> {
    field(move |row, _, y, out| {
        out.copy_from_slice(&[y[1], mu(row) * (1.0 - y[0] * y[0]) * y[1] - y[0]]);
        0.0
    })
}

/// The Brusselator with parameters 1 and 3.
pub(crate) fn brusselator() -> impl Field<HostState> {
    field(|_, _, y, out| {
        out.copy_from_slice(&[1.0 + y[0] * y[0] * y[1] - 4.0 * y[0], 3.0 * y[0] - y[0] * y[0] * y[1]]);
        0.0
    })
}

/// The diffusion ODE of one-dimensional Gaussian data with this mean and deviation, variance
/// preserving, in gamma: `z' = -sigma^2/2 z + sigma^2/2 (z - alpha mean) / v`, with
/// `v = alpha^2 deviation^2 + sigma^2`. The log-density gathers the divergence.
#[derive(Clone, Copy)]
pub(crate) struct GaussianFlow {
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
}

impl GaussianFlow {
    fn alpha_squared(gamma: f64) -> f64 {
        1.0 / (1.0 + gamma.exp())
    }

    fn variance(&self, gamma: f64) -> f64 {
        let alpha2 = Self::alpha_squared(gamma);
        alpha2 * self.deviation * self.deviation + 1.0 / (1.0 + (-gamma).exp())
    }

    pub(crate) fn field(self) -> impl Field<HostState> {
        field(move |_, gamma, z, out| {
            let half = 0.5 / (1.0 + (-gamma).exp());
            let v = self.variance(gamma);
            out[0] = half * ((z[0] - Self::alpha_squared(gamma).sqrt() * self.mean) / v - z[0]);
            half * (1.0 / v - 1.0)
        })
    }

    /// Where `z` at `from` is at `to`, and the integral of the divergence on the way.
    pub(crate) fn solution(&self, z: f64, from: f64, to: f64) -> (f64, f64) {
        let mean = |gamma| Self::alpha_squared(gamma).sqrt() * self.mean;
        let stretch = (self.variance(to) / self.variance(from)).sqrt();
        (mean(to) + (z - mean(from)) * stretch, stretch.ln())
    }
}

/// Every method that can adapt its steps.
pub(crate) fn adaptive_methods() -> impl Iterator<Item = ExplicitRk> {
    BUILT_IN.iter().filter(|table| table.embedded.is_some()).map(|table| ExplicitRk::new(table))
}

/// The same relative and absolute tolerance, and as much for the log-density.
pub(crate) fn tolerance(size: f64) -> Tolerances {
    Tolerances { relative: size, absolute: size, log_density: size }
}

/// Adaptive steps by this controller.
pub(crate) fn by(controller: impl Controller + 'static, size: f64) -> Stepping {
    let controller = Arc::new(controller);
    Stepping::Adaptive(Adaptive { tolerances: tolerance(size), controller, ..Adaptive::default() })
}

/// A solve that must not be refused.
pub(crate) fn solve(
    solver: &ExplicitRk,
    mut field: impl Field<HostState>,
    start: HostState,
    span: (f64, f64),
    stepping: &Stepping,
) -> Solution<HostState> {
    integrate(solver, &mut field, start, span.0, span.1, stepping).expect("a valid request")
}

/// `n` equal steps.
pub(crate) fn steps(n: u32) -> Stepping {
    Stepping::steps(n).expect("at least one step")
}

/// The Euclidean distance.
pub(crate) fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// Intercept and slope of the line through these points, by least squares.
fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let n = points.len() as f64;
    let (mx, my) = points.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    let (xy, xx) =
        points.iter().fold((0.0, 0.0), |(xy, xx), (x, y)| (xy + (x - mx) * (y - my), xx + (x - mx).powi(2)));
    (my - mx * xy / xx, xy / xx)
}

/// The power `p` in `y = C x^p`, by regression of `ln y` on `ln x`.
pub(crate) fn power(points: &[(f64, f64)]) -> f64 {
    line(&points.iter().map(|(x, y)| (x.ln(), y.ln())).collect::<Vec<_>>()).1
}

/// The power `p` in `y = C x^p (1 + O(x))`: the powers between neighbours, regressed on `x`, at 0.
pub(crate) fn power_at_zero(points: &[(f64, f64)]) -> f64 {
    line(&points.windows(2).map(|pair| (pair[0].0, power(pair))).collect::<Vec<_>>()).0
}
