//! The noise of one coordinate inside its bin: a normal cut to the bin, with a learned middle and spread.

use idode::math::{LN_2_PI, normal_cdf, normal_quantile};

/// How far, as a factor `e^2`, the spread may be from the initial one.
const MOST_LOG_SPREAD: f64 = 2.0;
/// How much of the bin draws stay inside: off its edges, where rounding could leave it.
const INSIDE: f64 = 1.0 - 1e-10;

/// The law of `v = m + s xi` in `[-1, 1]`, the bin in units of half a bin: `xi` is a standard normal number cut to
/// `[a, b] = [(-1 - m)/s, (1 - m)/s]`.
///
/// `ln q(v) = -xi^2/2 - 1/2 ln(2 pi) - ln s - ln Z`, `Z = Phi(b) - Phi(a)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BinNoise {
    /// `m`, inside the bin.
    pub middle: f64,
    /// `s`, positive.
    pub spread: f64,
    /// `dm/dr_0` and `d ln s/dr_1` with the network's numbers `r`.
    slopes: [f64; 2],
}

/// One draw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position {
    /// The uniform number that led there.
    uniform: f64,
    /// `v`.
    pub(crate) v: f64,
    /// `ln q(v)`.
    pub(crate) log_density: f64,
}

impl BinNoise {
    /// The law of the network's two numbers: `m = tanh r_0`, `ln s = ln s_0 + 2 tanh(r_1 / 2)`.
    pub(crate) fn new(raw: [f64; 2], initial_spread: f64) -> Self {
        let [middle, log_spread] = [raw[0].tanh(), (raw[1] / MOST_LOG_SPREAD).tanh()];
        Self {
            middle,
            spread: initial_spread * (MOST_LOG_SPREAD * log_spread).exp(),
            slopes: [1.0 - middle * middle, 1.0 - log_spread * log_spread],
        }
    }

    /// `a` and `b`; never of one sign, since the middle is inside the bin.
    fn ends(&self) -> [f64; 2] {
        [-1.0, 1.0].map(|end| (end - self.middle) / self.spread)
    }

    /// `Z`.
    fn mass(&self) -> f64 {
        let [a, b] = self.ends();
        1.0 - normal_cdf(a) - normal_cdf(-b)
    }

    /// Where a uniform number in `(0, 1)` leads.
    pub(crate) fn at(&self, uniform: f64) -> Position {
        let [a, b] = self.ends();
        let mix = |at_a: f64, at_b: f64| (1.0 - uniform) * at_a + uniform * at_b;
        let lower = mix(normal_cdf(a), normal_cdf(b));
        let xi = normal_quantile(lower, mix(normal_cdf(-a), normal_cdf(-b)));
        let v = (self.middle + self.spread * xi).clamp(-INSIDE, INSIDE);
        Position { uniform, v, log_density: self.log_density(v) }
    }

    /// `ln q(v)` in nats; minus infinity outside the bin.
    pub fn log_density(&self, v: f64) -> f64 {
        if v.abs() > 1.0 {
            return f64::NEG_INFINITY;
        }
        let xi = (v - self.middle) / self.spread;
        -0.5 * (LN_2_PI + xi * xi) - self.spread.ln() - self.mass().ln()
    }

    /// The gradient of `ln q(v) - ln p(v)` in the network's two numbers along the draw `v(uniform)`; `slope` is
    /// `d ln p / dv`.
    ///
    /// `Phi(xi) = (1 - u) Phi(a) + u Phi(b)` moves `xi` by `((1 - u) phi(a) da + u phi(b) db) / phi(xi)`.
    pub(crate) fn gradient(&self, at: Position, slope: f64) -> [f64; 2] {
        let ([a, b], s, mass) = (self.ends(), self.spread, self.mass());
        let xi = (at.v - self.middle) / s;
        let phi = |x: f64| (-0.5 * (x * x + LN_2_PI)).exp();
        // phi(x) / phi(xi), without dividing by nothing.
        let over = |x: f64| (0.5 * (xi * xi - x * x)).exp();
        let along = |da: f64, db: f64, dv_direct: f64, d_log_s: f64| {
            let dxi = (1.0 - at.uniform) * over(a) * da + at.uniform * over(b) * db;
            let d_log_q = -xi * dxi - d_log_s - (phi(b) * db - phi(a) * da) / mass;
            d_log_q - slope * (dv_direct + s * dxi)
        };
        let gradient = [along(-1.0 / s, -1.0 / s, 1.0, 0.0), along(-a, -b, s * xi, 1.0)];
        [gradient[0] * self.slopes[0], gradient[1] * self.slopes[1]]
    }
}
