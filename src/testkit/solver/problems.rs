//! Initial value problems whose answers are known, one field for a whole batch.

use crate::solver::{Field, HostState};

/// A field from a function of the row's index, time and state, which writes the derivative and returns
/// that of the log-density.
pub fn field(f: impl Fn(usize, f64, &[f64], &mut [f64]) -> f64) -> impl Field<HostState> {
    move |rows: &[usize], t: &[f64], y: &HostState| y.map_rows(|i, y, out| f(rows[i], t[i], y, out))
}

/// `y0' = y0 cos t`, `y1' = -t y1^2`, `y2' = y3`, `y3' = -y2`: not linear, not autonomous, coupled.
pub fn mixed() -> impl Field<HostState> {
    field(|_, t, y, out| {
        out.copy_from_slice(&[y[0] * t.cos(), -t * y[1] * y[1], y[3], -y[2]]);
        0.0
    })
}

/// The solution of [`mixed`] from (1, 1, 1, 0) at 0.
pub fn mixed_solution(t: f64) -> [f64; 4] {
    [t.sin().exp(), 1.0 / (1.0 + t * t / 2.0), t.cos(), -t.sin()]
}

/// `y' = -k y`.
pub fn decay(k: f64) -> impl Field<HostState> {
    field(move |_, _, y, out| {
        out.iter_mut().zip(y).for_each(|(out, y)| *out = -k * y);
        0.0
    })
}

/// `y0' = y1`, `y1' = -y0`.
pub fn oscillator() -> impl Field<HostState> {
    field(|_, _, y, out| {
        out.copy_from_slice(&[y[1], -y[0]]);
        0.0
    })
}

/// `y' = y (1 - y)`.
pub fn logistic() -> impl Field<HostState> {
    field(|_, _, y, out| {
        out[0] = y[0] * (1.0 - y[0]);
        0.0
    })
}

/// Van der Pol's oscillator; each row is as stiff as `mu` of its index says. The log-density gathers the
/// divergence.
pub fn van_der_pol(mu: impl Fn(usize) -> f64) -> impl Field<HostState> {
    field(move |row, _, y, out| {
        let mu = mu(row);
        out.copy_from_slice(&[y[1], mu * (1.0 - y[0] * y[0]) * y[1] - y[0]]);
        mu * (1.0 - y[0] * y[0])
    })
}

/// The diffusion ODE of one-dimensional Gaussian data with this mean and deviation, variance
/// preserving, in gamma: `z' = -sigma^2/2 z + sigma^2/2 (z - alpha mean) / v`, with
/// `v = alpha^2 deviation^2 + sigma^2`. The log-density gathers the divergence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaussianFlow {
    /// The data's mean.
    pub mean: f64,
    /// The data's standard deviation.
    pub deviation: f64,
}

impl GaussianFlow {
    fn alpha_squared(gamma: f64) -> f64 {
        1.0 / (1.0 + gamma.exp())
    }

    fn variance(&self, gamma: f64) -> f64 {
        let alpha2 = Self::alpha_squared(gamma);
        alpha2 * self.deviation * self.deviation + 1.0 / (1.0 + (-gamma).exp())
    }

    /// The ODE.
    pub fn field(self) -> impl Field<HostState> {
        field(move |_, gamma, z, out| {
            let half = 0.5 / (1.0 + (-gamma).exp());
            let v = self.variance(gamma);
            out[0] = half * ((z[0] - Self::alpha_squared(gamma).sqrt() * self.mean) / v - z[0]);
            half * (1.0 / v - 1.0)
        })
    }

    /// Where `z` at `from` is at `to`, and the integral of the divergence on the way.
    pub fn solution(&self, z: f64, from: f64, to: f64) -> (f64, f64) {
        let mean = |gamma| Self::alpha_squared(gamma).sqrt() * self.mean;
        let stretch = (self.variance(to) / self.variance(from)).sqrt();
        (mean(to) + (z - mean(from)) * stretch, stretch.ln())
    }
}
