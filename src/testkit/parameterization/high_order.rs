//! The second- and third-order laws, and the error bounds that follow from them, on exact mixtures.
//!
//! theory: with `c = F - F*`, `sigma dF*/dz = (a + b sigma) I - Cov(F | z) / a` and
//! `sigma^2 grad tr dF*/dz = E[|c|^2 c | z] / a^2`.

use super::Subject;
use crate::analytic::nalgebra::{DMatrix, DVector};
use crate::analytic::{GaussianMixture, Jet};
use crate::bounds::{self, LowerOrders};
use crate::level::{GammaRange, Level};
use crate::parameterization::{Affine, ParameterizationExt, SecondOrder, ThirdOrder};
use crate::testkit::strategies::{self, draws};
use crate::testkit::{Law, Verdict, built_in};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::fmt;

/// Mixtures a law is checked on, for every schedule.
const CASES: usize = 24;

/// Rounding in units of the target's coefficients: states and covariances of size 1 to 100 at a condition
/// number of up to 1e3.
const ROUNDING: f64 = 1e-9;

/// Everything that a law needs of one state.
struct Found {
    place: String,
    level: Level,
    target: Affine,
    second: SecondOrder,
    third: ThirdOrder,
    exact: Jet,
    posterior: GaussianMixture,
    /// The network's: the exact regression less an error of known size.
    network: Jet,
}

impl Found {
    fn dims(&self) -> usize {
        self.exact.value.len()
    }

    /// The size of what the target's terms add up from.
    fn scale(&self) -> f64 {
        self.target.noise.abs() + (self.target.state * self.level.sigma()).abs()
    }

    /// `sigma dF*/dz`, and the network's.
    fn jacobians(&self) -> (DMatrix<f64>, DMatrix<f64>) {
        let sigma = self.level.sigma();
        (&self.exact.jacobian * sigma, &self.network.jacobian * sigma)
    }

    /// `sigma^2 grad tr dF*/dz`, and the network's.
    fn trace_gradients(&self) -> (DVector<f64>, DVector<f64>) {
        let square = self.level.sigma().powi(2);
        (&self.exact.trace_gradient * square, &self.network.trace_gradient * square)
    }

    /// `F - F1` over the posterior, as weighted points that are exact for cubic polynomials.
    fn residuals(&self, law: &Law) -> Result<Vec<(f64, DVector<f64>)>, crate::testkit::Violation> {
        let nodes = law.given(self, self.posterior.cubature())?;
        Ok(nodes.into_iter().map(|(weight, f)| (weight, f - &self.network.value)).collect())
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

/// Calls `check` on states of random mixtures, at levels of every built-in schedule.
fn each(subject: &Subject<'_>, law: &Law, mut check: impl FnMut(&Found) -> Verdict) -> Verdict {
    // Beyond these levels a mixture of unit size is all signal or all noise, and nothing is left to compare.
    let inner = GammaRange::new(subject.range.min().0.max(-8.0), subject.range.max().0.min(4.0));
    let cases = draws(&strategies::case(inner.unwrap_or(subject.range)), CASES);
    for (name, schedule) in &law.given("built-in schedules", built_in::schedules(subject.range))? {
        for case in &cases {
            let level = schedule.level(case.gamma);
            let place = format!("gamma {} of {name}", case.gamma);
            let target = subject.parameterization.target(&level);
            let marginal = case.data.at(&level);
            let (z, _) = marginal.sample(&mut ChaCha8Rng::seed_from_u64(case.seed));
            let point = law.given(&place, marginal.point(z.as_slice()))?;
            let exact = point.target(target);
            let error = law.given(&place, case.error.at(z.as_slice()))?;
            let a = target.noise;
            let error = Jet {
                value: error.value * a,
                jacobian: error.jacobian * a,
                trace_gradient: error.trace_gradient * a,
            };
            check(&Found {
                place,
                level,
                target,
                second: subject.parameterization.second_order(&level),
                third: subject.parameterization.third_order(&level),
                posterior: point.posterior(target),
                network: exact.clone() - error,
                exact,
            })?;
        }
    }
    Ok(())
}

/// `sigma dF*/dz = (a + b sigma) I - Cov(F | z) / a`, and its trace.
///
/// # Errors
/// The first state of a random mixture where it fails.
pub fn second_order(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("second_order");
    each(subject, &law, |found| {
        let (exact, _) = found.jacobians();
        let identity = DMatrix::identity(found.dims(), found.dims()) * found.second.identity;
        let stated = identity + found.posterior.covariance() * found.second.outer;
        let allowed = ROUNDING * found.scale();
        law.close(format_args!("{found}, sigma tr dF*/dz"), exact.trace(), stated.trace(), allowed)?;
        law.close(
            format_args!("{found}, |sigma dF*/dz less the law's|"),
            (exact - stated).norm(),
            0.0,
            allowed,
        )
    })
}

/// `sigma^2 grad tr dF*/dz = E[|c|^2 c | z] / a^2`, with `c = F - F*`.
///
/// # Errors
/// The first state of a random mixture where it fails.
pub fn third_order(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("third_order");
    each(subject, &law, |found| {
        let (exact, _) = found.trace_gradients();
        let stated = found.posterior.third_moment_trace() * found.third.cubic;
        let allowed = ROUNDING * found.scale();
        for (i, (exact, stated)) in exact.iter().zip(stated.iter()).enumerate() {
            law.close(format_args!("{found}, sigma^2 grad tr dF*/dz [{i}]"), *exact, *stated, allowed)?;
        }
        Ok(())
    })
}

/// An estimate of `sigma dF*/dz` that minimises the second-order loss of a network with the error `delta` is off by
/// `|delta|^2 / |a|`, and any other by at most that and its distance to the minimiser.
///
/// # Errors
/// The first state where the bound is passed, or not reached at the minimiser.
pub fn second_order_bound(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("second_order_bound");
    each(subject, &law, |found| {
        let (exact, network) = found.jacobians();
        let delta = (&found.exact.value - &found.network.value).norm();
        let optimum = second_optimum(found, &found.residuals(&law)?);
        let allowed = ROUNDING * found.scale();
        let bound = bounds::second_order(found.target, delta, 0.0);
        law.close(
            format_args!("{found}, error of the minimiser"),
            (&optimum - &exact).norm(),
            bound,
            allowed,
        )?;
        let bound = bounds::second_order(found.target, delta, (&network - &optimum).norm());
        law.at_most(
            format_args!("{found}, error of the network"),
            (&network - &exact).norm(),
            bound,
            allowed,
        )?;
        let bound = bounds::second_order(found.target, delta, (network.trace() - optimum.trace()).abs());
        let error = (network.trace() - exact.trace()).abs();
        law.at_most(format_args!("{found}, error of the network's trace"), error, bound, allowed)
    })
}

/// The error of the third order is at most its distance to the minimiser of its loss, and
/// `|delta|^3 / a^2 + |delta| (2 |E2| + |e2|) / |a|` from the lower orders' errors.
///
/// # Errors
/// The first state where the bound is passed, or where the minimiser is not off by the stated shift.
pub fn third_order_bound(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("third_order_bound");
    each(subject, &law, |found| {
        let (exact, network) = found.trace_gradients();
        let (exact_jacobian, jacobian) = found.jacobians();
        let (delta, error) = (&found.exact.value - &found.network.value, &jacobian - &exact_jacobian);
        let optimum = third_optimum(found, &found.residuals(&law)?, &jacobian);
        let allowed = ROUNDING * found.scale();
        let stated = bounds::third_order_shift(found.target, &delta, &error, error.trace());
        let shift = (&optimum - &exact - &stated).norm();
        law.close(
            format_args!("{found}, |shift of the minimiser less the stated|"),
            shift,
            0.0,
            10.0 * allowed,
        )?;
        let lower = LowerOrders { first: delta.norm(), jacobian: error.norm(), trace: error.trace().abs() };
        let bound = bounds::third_order(found.target, lower, (&network - &optimum).norm());
        law.at_most(format_args!("{found}, error of the network"), (network - exact).norm(), bound, allowed)
    })
}

/// The conditional mean of the second-order target `(a + b sigma) I - r r' / a`.
fn second_optimum(found: &Found, residuals: &[(f64, DVector<f64>)]) -> DMatrix<f64> {
    let identity = DMatrix::identity(found.dims(), found.dims()) * found.second.identity;
    residuals
        .iter()
        .fold(identity, |sum, (weight, r)| sum + r * r.transpose() * (weight * found.second.outer))
}

/// The conditional mean of the third-order target, with the estimate `jacobian` and its trace.
fn third_optimum(found: &Found, residuals: &[(f64, DVector<f64>)], jacobian: &DMatrix<f64>) -> DVector<f64> {
    let ThirdOrder { cubic, linear, trace, jacobian: on_jacobian } = found.third;
    let on_residual = linear * (found.dims() as f64 + 2.0) + trace * jacobian.trace();
    residuals.iter().fold(DVector::zeros(found.dims()), |sum, (weight, r)| {
        sum + (r * (cubic * r.norm_squared() + on_residual) + jacobian * r * on_jacobian) * *weight
    })
}
