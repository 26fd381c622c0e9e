//! EDM preconditioning as a parameterization.
//!
//! With `s = sigma / alpha`, `z' = z / alpha = x + s n` and the data's standard deviation `d`:
//! `x^ = c_skip z' + c_out F(c_in z')`, `c_skip = d^2 / (s^2 + d^2)`, `c_out = s d / sqrt(s^2 + d^2)`,
//! `c_in = 1 / sqrt(s^2 + d^2)`. Solved for the target of `F`: `a = -s / c_out` and `b = (1 - c_skip) / (alpha c_out)`.
//!
//! # Reference
//! Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models" (arXiv 2206.00364), table 1.

use idode::level::Level;
use idode::number::Positive;
use idode::parameterization::{Affine, Parameterization};
use idode::registry::{Entry, Registry};
use idode::solver::OdeState;

/// EDM preconditioning.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Edm {
    /// The standard deviation of the data: 0.5.
    pub data_std: Positive,
}

impl Default for Edm {
    fn default() -> Self {
        Self { data_std: idode::positive!(0.5) }
    }
}

impl Edm {
    /// `s = sigma / alpha` and `sqrt(s^2 + d^2)`.
    fn scales(&self, level: &Level) -> (f64, f64) {
        let s = (0.5 * level.gamma().0).exp();
        (s, s.hypot(self.data_std.get()))
    }
}

impl Parameterization for Edm {
    fn target(&self, level: &Level) -> Affine {
        let (s, total) = self.scales(level);
        let c_out = s * self.data_std.get() / total;
        // 1 - c_skip = (s / total)^2
        Affine { noise: -s / c_out, state: (s / total).powi(2) / (level.alpha() * c_out) }
    }

    fn input_scale(&self, level: &Level) -> f64 {
        1.0 / (level.alpha() * self.scales(level).1)
    }
}

/// Adds the name `edm`.
pub fn register<Y: OdeState>(registry: &mut Registry<Y>) {
    let formula = "x = c_skip z/alpha + c_out F(c_in z/alpha)";
    let entry = Entry { formula, reference: "arXiv 2206.00364" };
    registry.add_parameterization("edm", entry, |edm: Edm, _| Ok(edm));
}

#[cfg(test)]
mod tests {
    use super::*;
    use idode::level::Gamma;
    use idode::parameterization::ParameterizationExt;
    use idode::schedule::{NoiseSchedule, VariancePreserving};

    #[test]
    fn data_comes_back_as_edm_preconditions_it() {
        let (edm, x, eps) = (Edm::default(), 0.3, -1.2);
        for gamma in [-13.0, -4.0, 0.0, 5.0] {
            let level = VariancePreserving.level(Gamma(gamma));
            let z = level.alpha() * x + level.sigma() * eps;
            let target = edm.target(&level);
            let f = target.noise * eps + target.state * z;
            let s = level.sigma() / level.alpha();
            let total = s.hypot(0.5);
            let edm_x = 0.25 / total.powi(2) * z / level.alpha() + s * 0.5 / total * f;
            assert!((edm_x - x).abs() < 1e-12, "gamma {gamma}: {edm_x}");
            assert!((edm.data(&level).apply(f, z) - x).abs() < 1e-9, "gamma {gamma}");
            let variance = (edm.input_scale(&level) * level.alpha() * total).powi(2);
            assert!((variance - 1.0).abs() < 1e-12, "gamma {gamma}");
        }
    }
}
