//! The published code's float32, where it is felt.
//!
//! Levels and states are rounded there. A network with Fourier features turns by 804 radians per unit of its input, so
//! the last digit of a state (1e-7) moves an angle by 1e-4, and a derivative along a probe by as much: to compare
//! losses and gradients to 1e-4, ours must be given the same states to the last digit, and, where it computes in `f64`,
//! the same angles.

use super::case::{Config, Result, Schedule};
use idode::diffusion::DynDiffusion;
use idode::level::Gamma;
use idode::time::{Importance, TimeSampler, Uniform};

/// How far float32 levels may be from ours.
const LEVELS: f64 = 1e-5;

/// Each row's level and the density it was drawn from: `u_i = frac(t_0 + i / rows)`.
pub(crate) fn levels(
    config: &Config,
    diffusion: &DynDiffusion,
    t0: &[f64],
    rows: usize,
) -> Result<(Vec<Gamma>, Vec<f64>)> {
    let (true, [t0]) = (config.antithetic_time_sampling, t0) else {
        return Err("known are stratified times from one uniform number only".into());
    };
    let range = diffusion.range();
    let times: Box<dyn TimeSampler> = if config.importance {
        Box::new(Importance::for_weight(range, diffusion.weight_density())?)
    } else {
        Box::new(Uniform::new(range))
    };
    let (min, max) = (range.min().0 as f32, range.max().0 as f32);
    let mut gammas = Vec::new();
    for i in 0..rows {
        let u = (*t0 as f32 + i as f32 / rows as f32).fract();
        let exact = times.quantile(f64::from(u));
        let rounded = match (config.importance, config.schedule) {
            (false, _) => min + (max - min) * u,
            (true, Schedule::VariancePreserving) => exact.0 as f32,
            (true, Schedule::StraightPath) => halving(min, max, u),
        };
        if (f64::from(rounded) - exact.0).abs() > LEVELS {
            return Err(format!("level {rounded} in float32, {exact} in float64").into());
        }
        gammas.push(Gamma(f64::from(rounded)));
    }
    let pdf = gammas.iter().map(|&gamma| times.pdf(gamma)).collect();
    Ok((gammas, pdf))
}

/// The published inverse on the straight path: `c = sigma - ln sigma` falls evenly with `u`, by a hundred halvings.
fn halving(min: f32, max: f32, u: f32) -> f32 {
    let c = |gamma: f32| {
        let one_over_sigma = 1.0 + (-0.5 * gamma).exp();
        1.0 / one_over_sigma + one_over_sigma.ln()
    };
    let wanted = c(min) - (c(min) - c(max)) * u;
    let (mut below, mut above) = (min, max);
    for _ in 0..100 {
        let middle = 0.5 * (below + above);
        if c(middle) >= wanted {
            below = middle;
        } else {
            above = middle;
        }
    }
    above
}

/// `alpha x + sigma eps` in float32.
pub(crate) fn noised(schedule: Schedule, gamma: Gamma, x: &[f64], eps: &[f64]) -> Vec<f64> {
    let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
    let gamma = gamma.0 as f32;
    let (alpha, sigma) = match schedule {
        Schedule::VariancePreserving => {
            let variance = sigmoid(gamma);
            ((1.0 - variance).sqrt(), variance.sqrt())
        }
        Schedule::StraightPath => {
            let sigma = sigmoid(0.5 * gamma);
            (1.0 - sigma, sigma)
        }
    };
    x.iter().zip(eps).map(|(&x, &eps)| f64::from(alpha * x as f32 + sigma * eps as f32)).collect()
}

/// The state whose angles in `f64` are those of the state `z` in float32.
///
/// The published features are `sin(w z)` with `w = 2^k 2 pi` and the product both rounded. Powers of two round nothing, so one
/// state has the angles of every `k`.
pub(crate) fn turned(z: f64) -> f64 {
    let turn = std::f64::consts::TAU;
    f64::from(turn as f32 * z as f32) / turn
}
