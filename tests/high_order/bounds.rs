//! Error bounds: the shift of each target's conditional mean, and the bound that follows, for networks
//! whose first-order error is known.

use crate::case::{Case, case, config};
use crate::oracle::expect;
use idode::analytic::nalgebra::{DMatrix, DVector};
use idode::bounds::{LowerOrders, second_order, second_order_shift, third_order, third_order_shift};
use idode::parameterization::ThirdOrder;
use proptest::prelude::*;

/// Rounding, in units of `a`; as for the laws.
const TOLERANCE: f64 = 1e-10;

/// What a bound that is an equality must hold to.
const TIGHT: f64 = 1e-9;

/// The truth, the network, and the minimisers of the high-order losses.
struct Found {
    delta: DVector<f64>,
    /// `sigma dF*/dz`.
    jacobian: DMatrix<f64>,
    /// `sigma^2 grad tr dF*/dz`.
    trace_gradient: DVector<f64>,
    /// `F - F1` over the posterior.
    residuals: Vec<(f64, DVector<f64>)>,
    /// `sigma dF1/dz`, the network's own.
    network: DMatrix<f64>,
    /// `sigma^2 grad tr dF1/dz`, the network's own.
    network_trace_gradient: DVector<f64>,
}

impl Found {
    fn new(case: &Case) -> Self {
        let sigma = case.level.sigma();
        let marginal = case.data.at(&case.level);
        let exact = marginal.point(case.z.as_slice()).expect("a point").target(case.target);
        let network = case.model.jets(&case.level, case.target, case.z.as_slice()).expect("a row").remove(0);
        let nodes = case.oracle.posterior(&case.level, case.z.as_slice(), case.target);
        Self {
            delta: &exact.value - &network.value,
            jacobian: exact.jacobian * sigma,
            trace_gradient: exact.trace_gradient * sigma.powi(2),
            residuals: nodes.into_iter().map(|(weight, f)| (weight, f - &network.value)).collect(),
            network: network.jacobian * sigma,
            network_trace_gradient: network.trace_gradient * sigma.powi(2),
        }
    }

    /// The minimiser of the second-order loss: the conditional mean of `(a + b sigma) I - r r' / a`.
    fn second_optimum(&self, case: &Case) -> DMatrix<f64> {
        let identity = DMatrix::identity(case.dim(), case.dim()) * case.second.identity;
        expect(&self.residuals, identity.clone() * 0.0, |r| &identity + r * r.transpose() * case.second.outer)
    }

    /// The minimiser of the third-order loss: the conditional mean of `(|r|^2 r - c2 r - 2 C2 r) / a^2`.
    fn third_optimum(&self, case: &Case, estimate: &DMatrix<f64>, trace: f64) -> DVector<f64> {
        let ThirdOrder { cubic, linear, trace: on_trace, jacobian } = case.third;
        let on_residual = linear * (case.dim() as f64 + 2.0) + on_trace * trace;
        expect(&self.residuals, DVector::zeros(case.dim()), |r| {
            r * (cubic * r.norm_squared() + on_residual) + estimate * r * jacobian
        })
    }
}

proptest! {
    #![proptest_config(config())]

    /// A first-order error shifts the second-order target's conditional mean by `-delta delta' / a`.
    #[test]
    fn second_order_target_shifts(case in case()) {
        let found = Found::new(&case);
        let shift = found.second_optimum(&case) - &found.jacobian;
        let stated = second_order_shift(case.target, &found.delta);
        prop_assert!((shift - stated).norm() <= TOLERANCE * case.target.noise.abs());
    }

    /// First- and second-order errors shift the third-order target's by the stated terms.
    #[test]
    fn third_order_target_shifts(case in case()) {
        let found = Found::new(&case);
        let a = case.target.noise;
        // The trace's error is chosen apart from the Jacobian's.
        let error = (&case.matrix + case.matrix.transpose()) * a;
        let trace_error = a * case.v[0];
        let estimate = &found.jacobian + &error;
        let trace = found.jacobian.trace() + trace_error;
        let shift = found.third_optimum(&case, &estimate, trace) - &found.trace_gradient;
        let stated = third_order_shift(case.target, &found.delta, &error, trace_error);
        prop_assert!((shift - stated).norm() <= TOLERANCE * a.abs());
    }

    /// The second-order bound, for an arbitrary estimate and for the network's own Jacobian.
    #[test]
    fn second_order_bound_holds(case in case()) {
        let found = Found::new(&case);
        let a = case.target.noise.abs();
        let optimum = found.second_optimum(&case);
        for estimate in [&optimum + &case.matrix * a, found.network.clone()] {
            let error = (&estimate - &found.jacobian).norm();
            let bound = second_order(case.target, found.delta.norm(), (&estimate - &optimum).norm());
            prop_assert!(error <= bound + TOLERANCE * a, "{error} > {bound}");
            let error = (estimate.trace() - found.jacobian.trace()).abs();
            let bound = second_order(case.target, found.delta.norm(), (estimate.trace() - optimum.trace()).abs());
            prop_assert!(error <= bound + TOLERANCE * a, "trace: {error} > {bound}");
        }
    }

    /// It is an equality at the minimiser, and where the excess points the way of the shift.
    #[test]
    fn second_order_bound_is_tight(case in case(), beyond in 0.0..2.0f64) {
        let found = Found::new(&case);
        let optimum = found.second_optimum(&case);
        let shift = second_order_shift(case.target, &found.delta);
        for excess in [&shift * 0.0, shift * beyond] {
            let estimate = &optimum + &excess;
            let error = (&estimate - &found.jacobian).norm();
            let bound = second_order(case.target, found.delta.norm(), excess.norm());
            prop_assert!((error - bound).abs() <= TIGHT * (bound + found.jacobian.norm()), "{error} != {bound}");
            let error = (estimate.trace() - found.jacobian.trace()).abs();
            let bound = second_order(case.target, found.delta.norm(), excess.trace().abs());
            prop_assert!((error - bound).abs() <= TIGHT * (bound + found.jacobian.norm()), "trace: {error} != {bound}");
        }
    }

    /// The third-order bound, for arbitrary estimates and for the network's own derivatives.
    #[test]
    fn third_order_bound_holds(case in case()) {
        let found = Found::new(&case);
        let a = case.target.noise.abs();
        let arbitrary = (&found.jacobian + &case.matrix * a, &found.trace_gradient + &case.w * a);
        let own = (found.network.clone(), found.network_trace_gradient.clone());
        for (jacobian, estimate) in [arbitrary, own] {
            let optimum = found.third_optimum(&case, &jacobian, jacobian.trace());
            let errors = LowerOrders {
                first: found.delta.norm(),
                jacobian: (&jacobian - &found.jacobian).norm(),
                trace: (jacobian.trace() - found.jacobian.trace()).abs(),
            };
            let error = (&estimate - &found.trace_gradient).norm();
            let bound = third_order(case.target, errors, (&estimate - &optimum).norm());
            prop_assert!(error <= bound + TOLERANCE * a * (1.0 + bound / a), "{error} > {bound}");
        }
    }

    /// It is an equality at the minimiser, where the second order errs along `delta delta' / a`.
    #[test]
    fn third_order_bound_is_tight(case in case(), along in 0.0..2.0f64, trace in 0.0..2.0f64) {
        let found = Found::new(&case);
        let a = case.target.noise;
        let direction = &found.delta / found.delta.norm().max(f64::MIN_POSITIVE);
        let jacobian_error = &direction * direction.transpose() * (along * a);
        let trace_error = trace * a;
        let jacobian = &found.jacobian + &jacobian_error;
        let optimum = found.third_optimum(&case, &jacobian, found.jacobian.trace() + trace_error);
        let errors = LowerOrders { first: found.delta.norm(), jacobian: along * a.abs(), trace: trace_error.abs() };
        let error = (optimum - &found.trace_gradient).norm();
        let bound = third_order(case.target, errors, 0.0);
        prop_assert!((error - bound).abs() <= TIGHT * (bound + a.abs()), "{error} != {bound}");
    }
}
