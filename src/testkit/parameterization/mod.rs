//! The laws of a [`Parameterization`].

mod high_order;
mod likelihood;

pub use high_order::{second_order, second_order_bound, third_order, third_order_bound};
pub use likelihood::invariance;

use super::{Law, Verdict, built_in};
use crate::level::{Gamma, GammaRange, Level};
use crate::parameterization::{Parameterization, ParameterizationExt};
use crate::schedule::{NoiseSchedule, NoiseScheduleExt};
use std::fmt;
use std::sync::Arc;

crate::__idode_laws! { parameterization __idode_table }

/// A parameterization, what it should be, and the range that it is meant for.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The parameterization.
    pub parameterization: &'a dyn Parameterization,
    /// What the network regresses, as the paper defines it, from the data `x` and the noise `eps` of
    /// one coordinate: `F(level, x, eps)`.
    pub formula: &'a dyn Fn(&Level, f64, f64) -> f64,
    /// The levels that it is checked at.
    pub range: GammaRange,
}

impl fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("parameterization", &self.parameterization)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

/// Levels a range is checked at, less one.
const CELLS: u32 = 60;

/// Data and noise of one coordinate.
const DRAWS: [(f64, f64); 3] = [(0.37, -1.21), (-0.92, 0.45), (0.08, 2.6)];

/// A built-in schedule's level, for messages too.
struct Place<'a> {
    name: &'a str,
    schedule: &'a Arc<dyn NoiseSchedule>,
    level: Level,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gamma {} of {}", self.level.gamma(), self.name)
    }
}

impl Subject<'_> {
    fn law(&self, name: &'static str) -> Law {
        Law::new("parameterization", name, &self.parameterization)
    }

    /// Calls `check` at levels of every built-in schedule, from one end of the range to the other.
    fn each(&self, law: &Law, mut check: impl FnMut(&Place<'_>) -> Verdict) -> Verdict {
        for (name, schedule) in &law.given("built-in schedules", built_in::schedules(self.range))? {
            for i in 0..=CELLS {
                let level = schedule.level(self.range.at(f64::from(i) / f64::from(CELLS)));
                check(&Place { name, schedule, level })?;
            }
        }
        Ok(())
    }

    /// `F = a eps + b z` of `(x, eps)`, and the size of its terms.
    fn exact(&self, level: &Level, x: f64, eps: f64) -> (f64, f64, f64) {
        let z = level.alpha() * x + level.sigma() * eps;
        let target = self.parameterization.target(level);
        let (noise, state) = (target.noise * eps, target.state * z);
        (z, noise + state, noise.abs() + state.abs())
    }
}

/// `F = a eps + b z` is the formula of `(x, eps)`.
///
/// # Errors
/// The first level where they differ by more than 1e-9 of the terms.
pub fn formula(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("formula");
    subject.each(&law, |place| {
        for (x, eps) in DRAWS {
            let (_, found, size) = subject.exact(&place.level, x, eps);
            let expected = (subject.formula)(&place.level, x, eps);
            let what = format_args!("{place}, F of x = {x} and eps = {eps}");
            law.close(what, found, expected, 1e-9 * size.max(expected.abs()))?;
        }
        Ok(())
    })
}

/// The pair can be solved for the noise: `a` is not 0, both are finite, and the input scale is a positive number.
///
/// # Errors
/// The first level where one of it fails.
pub fn solvable(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("solvable");
    subject.each(&law, |place| {
        let target = subject.parameterization.target(&place.level);
        let a = target.noise;
        law.holds(format_args!("{place}, a"), a != 0.0 && a.is_finite(), a, "a finite number that is not 0")?;
        let b = target.state;
        law.holds(format_args!("{place}, b"), b.is_finite(), b, "a finite number")?;
        let scale = subject.parameterization.input_scale(&place.level);
        let holds = scale > 0.0 && scale.is_finite();
        law.holds(format_args!("{place}, the input scale"), holds, scale, "a positive number")
    })
}

/// The noise, the data and the score recovered from the exact `F` are the exact ones, and lead back to `F`.
///
/// # Errors
/// The first level where one is not: 1e-8 in units of the noise, 1e-9 of `F`.
pub fn round_trip(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("round_trip");
    subject.each(&law, |place| {
        let (level, p) = (&place.level, subject.parameterization);
        let (alpha, sigma) = (level.alpha(), level.sigma());
        for (x, eps) in DRAWS {
            let (z, f, size) = subject.exact(level, x, eps);
            let there = |what: &str| format!("{place}, {what} from F of x = {x} and eps = {eps}");
            law.close(there("noise"), p.noise(level).apply(f, z), eps, 1e-8)?;
            law.close(there("data"), p.data(level).apply(f, z), x, 1e-8 * (sigma / alpha).max(1.0))?;
            law.close(there("score"), p.score(level).apply(f, z), -eps / sigma, 1e-8 / sigma)?;

            let back = |what: &str| format!("{place}, F from the {what} of x = {x} and eps = {eps}");
            let allowed = 1e-9 * (size + p.target(level).noise.abs() * alpha / sigma);
            law.close(back("noise"), p.output_from_noise(level).apply(eps, z), f, allowed)?;
            law.close(back("data"), p.output_from_data(level).apply(x, z), f, allowed)?;
            law.close(back("score"), p.output_from_score(level).apply(-eps / sigma, z), f, allowed)?;
            let regression = p.regression(level);
            let drawn = regression.noise * eps + regression.data * x;
            let allowed = 1e-9 * (size + (p.target(level).state * sigma * eps).abs());
            law.close(format_args!("{place}, F of what was drawn"), drawn, f, allowed)?;
        }
        Ok(())
    })
}

/// The ODE's drift of the exact noise is the schedule's own, which is the derivative of the path `alpha x + sigma eps`.
///
/// # Errors
/// The first level where it is not, by more than 1e-8 in units of the noise.
pub fn drift(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("drift");
    subject.each(&law, |place| {
        let level = &place.level;
        let gamma: Gamma = level.gamma();
        for (x, eps) in DRAWS {
            let (z, f, _) = subject.exact(level, x, eps);
            let own = place.schedule.drift(gamma);
            let expected = own.state * z + own.noise * eps;
            let found = subject.parameterization.drift(level).apply(f, z);
            let what = format_args!("{place}, dz/dgamma of x = {x} and eps = {eps}");
            law.close(what, found, expected, 1e-8 * level.sigma())?;
            let path = level.dlog_alpha() * level.alpha() * x + level.dlog_sigma() * level.sigma() * eps;
            law.close(format_args!("{place}, derivative of the path"), expected, path, 1e-8 * level.sigma())?;
        }
        let (drift, divergence) =
            (subject.parameterization.drift(level), subject.parameterization.divergence(level, 7));
        let what = format_args!("{place}, divergence in 7 dimensions");
        law.close(what, divergence.constant, 7.0 * drift.state, 1e-9 * drift.state.abs())?;
        law.close(what, divergence.network, drift.value, 1e-9 * drift.value.abs())
    })
}
