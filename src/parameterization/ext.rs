//! What follows from the pair `(a, b)`: conversions, drift, divergence, weight, high-order targets.

use super::Parameterization;
use crate::level::Level;

/// A map `(u, z) -> value * u + state * z`, as its two coefficients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conversion {
    /// The coefficient of `u`.
    pub value: f64,
    /// The coefficient of the state `z`.
    pub state: f64,
}

impl Conversion {
    /// `value * u + state * z`.
    pub fn apply(&self, u: f64, z: f64) -> f64 {
        self.value * u + self.state * z
    }
}

/// The regression target in terms of what was drawn, `F = noise * eps + data * x`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regression {
    /// The coefficient of the noise, `a + b sigma`.
    pub noise: f64,
    /// The coefficient of the data, `b alpha`.
    pub data: f64,
}

/// The divergence of the drift, `network * div F + constant`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DivergenceCoefficients {
    /// `c_F`, the coefficient of the network's own divergence.
    pub network: f64,
    /// `d c_z`, per unit of gamma.
    pub constant: f64,
}

/// The second-order law `sigma dF*/dz = identity * I + outer * E[(F - F*)(F - F*)^T | z]`; its
/// trace is `identity * d + outer * E[|F - F*|^2 | z]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SecondOrder {
    /// `a + b sigma`.
    pub identity: f64,
    /// `-1 / a`.
    pub outer: f64,
}

/// The third-order target of `sigma^2 grad tr dF*/dz`, with the residual `r = F - F1` and the
/// current estimates `S` of `sigma dF/dz` and `t` of its trace:
/// `cubic |r|^2 r + (linear (d + 2) + trace t) r + jacobian S r`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThirdOrder {
    /// `1 / a^2`.
    pub cubic: f64,
    /// `-(a + b sigma) / a`.
    pub linear: f64,
    /// `1 / a`.
    pub trace: f64,
    /// `2 / a`.
    pub jacobian: f64,
}

/// What follows from `F = a eps + b z`; nobody can override it.
///
/// Every number here is right to a few roundings of its largest term. Where two terms cancel
/// analytically (the drift's state coefficient of [`Velocity`](super::Velocity), the state
/// coefficient of [`data`](Self::data) of [`Data`](super::Data)) a residue of a few times
/// `1e-16` of that term is left, not an exact 0.
pub trait ParameterizationExt: Parameterization {
    /// `eps = (F - b z) / a`.
    fn noise(&self, level: &Level) -> Conversion {
        let target = self.target(level);
        Conversion { value: 1.0 / target.noise, state: -target.state / target.noise }
    }

    /// `x = (z - sigma eps) / alpha`.
    fn data(&self, level: &Level) -> Conversion {
        let noise = self.noise(level);
        let (alpha, sigma) = (level.alpha(), level.sigma());
        Conversion { value: -sigma * noise.value / alpha, state: (1.0 - sigma * noise.state) / alpha }
    }

    /// The score, `grad log q(z) = -eps / sigma`.
    fn score(&self, level: &Level) -> Conversion {
        let noise = self.noise(level);
        Conversion { value: -noise.value / level.sigma(), state: -noise.state / level.sigma() }
    }

    /// Back from the noise: `F = a eps + b z`.
    fn output_from_noise(&self, level: &Level) -> Conversion {
        let target = self.target(level);
        Conversion { value: target.noise, state: target.state }
    }

    /// Back from the data: `F = -(a alpha / sigma) x + (a / sigma + b) z`.
    fn output_from_data(&self, level: &Level) -> Conversion {
        let target = self.target(level);
        let sigma = level.sigma();
        Conversion {
            value: -target.noise * level.alpha() / sigma,
            state: target.noise / sigma + target.state,
        }
    }

    /// Back from the score: `F = -a sigma score + b z`.
    fn output_from_score(&self, level: &Level) -> Conversion {
        let target = self.target(level);
        Conversion { value: -target.noise * level.sigma(), state: target.state }
    }

    /// The regression target from what was drawn: `F = (a + b sigma) eps + b alpha x`. For the VP
    /// velocity this is `alpha eps - sigma x`.
    fn regression(&self, level: &Level) -> Regression {
        let target = self.target(level);
        Regression { noise: target.noise + target.state * level.sigma(), data: target.state * level.alpha() }
    }

    /// The ODE, `dz/dgamma = c_F F + c_z z` with `c_F = sigma / (2a)` (`value`) and
    /// `c_z = p - sigma b / (2a)` (`state`).
    fn drift(&self, level: &Level) -> Conversion {
        let noise = self.noise(level);
        let half = 0.5 * level.sigma();
        Conversion { value: half * noise.value, state: level.dlog_alpha() + half * noise.state }
    }

    /// The divergence of the drift in `dims` dimensions, `c_F div F + d c_z`.
    fn divergence(&self, level: &Level, dims: usize) -> DivergenceCoefficients {
        let drift = self.drift(level);
        DivergenceCoefficients { network: drift.value, constant: dims as f64 * drift.state }
    }

    /// The likelihood's weight on `|F - F^|^2`, `1 / (2 a^2)`, in nats per unit of gamma.
    fn likelihood_weight(&self, level: &Level) -> f64 {
        0.5 * self.target(level).noise.powi(-2)
    }

    /// The coefficients of the second-order target.
    fn second_order(&self, level: &Level) -> SecondOrder {
        SecondOrder { identity: self.regression(level).noise, outer: -1.0 / self.target(level).noise }
    }

    /// The coefficients of the third-order target.
    fn third_order(&self, level: &Level) -> ThirdOrder {
        let a = self.target(level).noise;
        let linear = -self.regression(level).noise / a;
        ThirdOrder { cubic: a.powi(-2), linear, trace: 1.0 / a, jacobian: 2.0 / a }
    }
}

impl<P: Parameterization + ?Sized> ParameterizationExt for P {}
