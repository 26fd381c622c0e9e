//! Exact laws: what the library says of a mixture, and what ties its derivatives to its moments.

use crate::case::{case, config};
use crate::oracle::expect;
use idode::analytic::nalgebra::{DMatrix, DVector};
use num_dual::{DualNum, third_partial_derivative_vec};
use proptest::prelude::*;

/// Rounding. In units of `a` all quantities are of order 1 to 100 (states within 2.5 standard deviations),
/// and the worst covariance drawn has the condition number 1e3: 1e-16 * 1e2 * 1e3, with room.
const TOLERANCE: f64 = 1e-10;

proptest! {
    #![proptest_config(config())]

    /// Density and score, against the oracle's.
    #[test]
    fn density_and_score(case in case()) {
        let marginal = case.data.at(&case.level);
        let point = marginal.point(case.z.as_slice()).expect("a point");
        let exact = case.oracle.derivatives(&case.level, case.z.as_slice());
        prop_assert!((point.log_density() - exact.value).abs() <= TOLERANCE);
        prop_assert!((point.density() / exact.value.exp() - 1.0).abs() <= TOLERANCE);
        prop_assert!((point.score() - &exact.first).norm() * case.level.sigma() <= TOLERANCE);
        prop_assert!((point.responsibilities().iter().sum::<f64>() - 1.0).abs() <= TOLERANCE);
    }

    /// `F*` and its derivatives, against those of `F* = b z - a sigma grad ln q` by dual numbers.
    #[test]
    fn target_derivatives(case in case()) {
        let (a, b, sigma, dim) = (case.target.noise, case.target.state, case.level.sigma(), case.dim());
        let marginal = case.data.at(&case.level);
        let point = marginal.point(case.z.as_slice()).expect("a point");
        let jet = point.target(case.target);
        let exact = case.oracle.derivatives(&case.level, case.z.as_slice());
        let scale = TOLERANCE * a.abs();

        let value = &case.z * b - &exact.first * (a * sigma);
        prop_assert!((&jet.value - value).norm() <= scale + TOLERANCE * (b * case.z.norm()).abs());
        let jacobian = DMatrix::identity(dim, dim) * b - &exact.second * (a * sigma);
        prop_assert!((&jet.jacobian - jacobian).norm() * sigma <= scale);
        let trace_gradient = DVector::from_fn(dim, |i, _| (0..dim).map(|j| exact.third(i, j, j)).sum::<f64>()) * (-a * sigma);
        prop_assert!((&jet.trace_gradient - trace_gradient).norm() * sigma.powi(2) <= scale);

        let second = point.target_second(case.target, case.v.as_slice(), case.w.as_slice()).expect("directions");
        let expected = DVector::from_fn(dim, |i, _| {
            let term = |j: usize, k: usize| exact.third(i, j, k) * case.v[j] * case.w[k];
            -a * sigma * (0..dim).flat_map(|j| (0..dim).map(move |k| (j, k))).map(|(j, k)| term(j, k)).sum::<f64>()
        });
        prop_assert!((second - expected).norm() * sigma.powi(2) <= scale);
    }

    /// The moments of F given z, against sums over the oracle's posterior; and the library's own nodes.
    #[test]
    fn conditional_moments(case in case()) {
        let dim = case.dim();
        let marginal = case.data.at(&case.level);
        let posterior = marginal.point(case.z.as_slice()).expect("a point").posterior(case.target);
        let a = case.target.noise.abs();
        let (zero, square) = (DVector::zeros(dim), DMatrix::zeros(dim, dim));
        // The mean is of the size of b z where that is larger than a.
        let mean_scale = TOLERANCE * (a + (case.target.state * case.z.norm()).abs());
        for nodes in [
            case.oracle.posterior(&case.level, case.z.as_slice(), case.target),
            posterior.cubature().expect("few dimensions"),
        ] {
            let mean = expect(&nodes, zero.clone(), |f| f.clone());
            prop_assert!((posterior.mean() - &mean).norm() <= mean_scale);
            let covariance = expect(&nodes, square.clone(), |f| (f - &mean) * (f - &mean).transpose());
            prop_assert!((posterior.covariance() - covariance).norm() <= TOLERANCE * a.powi(2));
            let contracted = expect(&nodes, zero.clone(), |f| (f - &mean) * (f - &mean).norm_squared());
            prop_assert!((posterior.third_moment_trace() - contracted).norm() <= TOLERANCE * a.powi(3));
            for (i, j, k) in [(0, 0, 0), (0, 0, dim - 1), (dim / 2, dim - 1, 0)] {
                let third = expect(&nodes, 0.0, |f| (f[i] - mean[i]) * (f[j] - mean[j]) * (f[k] - mean[k]));
                let found = posterior.third_moment(i, j, k).expect("indices in range");
                prop_assert!((found - third).abs() <= TOLERANCE * a.powi(3));
            }
        }
        prop_assert!(posterior.third_moment(0, dim, 0).is_none());
    }

    /// `sigma dF*/dz = (a + b sigma) I - Cov(F | z) / a`, and its trace.
    #[test]
    fn second_order_law(case in case()) {
        let dim = case.dim();
        let marginal = case.data.at(&case.level);
        let point = marginal.point(case.z.as_slice()).expect("a point");
        let jet = point.target(case.target);
        let (a, sigma) = (case.target.noise, case.level.sigma());
        let covariance = point.posterior(case.target).covariance();
        let law = DMatrix::identity(dim, dim) * case.second.identity + &covariance * case.second.outer;
        prop_assert!((&jet.jacobian * sigma - &law).norm() <= TOLERANCE * a.abs());
        let nodes = case.oracle.posterior(&case.level, case.z.as_slice(), case.target);
        let mse = expect(&nodes, 0.0, |f| (f - &jet.value).norm_squared());
        let trace = dim as f64 * case.second.identity + mse * case.second.outer;
        prop_assert!((jet.trace() * sigma - trace).abs() <= TOLERANCE * a.abs());
    }

    /// `sigma^2 d^2F*[v, w] = E[c (c'v) (c'w) | z] / a^2`, and `sigma^2 grad tr dF*/dz = E[|c|^2 c | z] / a^2`.
    #[test]
    fn third_order_law(case in case()) {
        let marginal = case.data.at(&case.level);
        let point = marginal.point(case.z.as_slice()).expect("a point");
        let jet = point.target(case.target);
        let (a, sigma) = (case.target.noise, case.level.sigma());
        let nodes = case.oracle.posterior(&case.level, case.z.as_slice(), case.target);
        let zero = DVector::zeros(case.dim());
        let third = expect(&nodes, zero.clone(), |f| {
            let c = f - &jet.value;
            &c * (c.dot(&case.v) * c.dot(&case.w))
        });
        let second = point.target_second(case.target, case.v.as_slice(), case.w.as_slice()).expect("directions");
        prop_assert!((second * sigma.powi(2) - third / a.powi(2)).norm() <= TOLERANCE * a.abs());
        let contracted = expect(&nodes, zero, |f| (f - &jet.value) * (f - &jet.value).norm_squared());
        prop_assert!((&jet.trace_gradient * sigma.powi(2) - contracted / a.powi(2)).norm() <= TOLERANCE * a.abs());
        let own = point.posterior(case.target).third_moment_trace();
        prop_assert!((&jet.trace_gradient * sigma.powi(2) - own / a.powi(2)).norm() <= TOLERANCE * a.abs());
    }

    /// The perturbed network is the exact one less `size sin(w_i . z + phase_i)`, in every derivative.
    #[test]
    fn network_is_the_exact_one_less_its_error(case in case()) {
        let dim = case.dim();
        let z = case.z.as_slice();
        let delta = case.model.perturbation().at(z).expect("a point");
        let (frequencies, phases) = (case.model.perturbation().frequencies(), case.model.perturbation().phases());
        let size = case.model.perturbation().size();
        let field = |i: usize, z: &[num_dual::HyperHyperDual64]| {
            let angle = z.iter().enumerate().fold(num_dual::HyperHyperDual64::from(phases[i]), |sum, (j, z)| sum + *z * frequencies[(i, j)]);
            angle.sin() * size
        };
        let exact = case.data.at(&case.level);
        let exact = exact.point(z).expect("a point").target(case.target);
        let network = case.model.jets(&case.level, case.target, z).expect("a row").remove(0);
        let scale = 1e-13 * size.abs() * 100.0;
        let mut trace_gradient = DVector::zeros(dim);
        for i in 0..dim {
            for j in 0..dim {
                let d = third_partial_derivative_vec(|z: &[num_dual::HyperHyperDual64]| field(i, z), z, i, j, j);
                prop_assert!((delta.value[i] - d.0).abs() <= scale);
                prop_assert!((delta.jacobian[(i, j)] - d.2).abs() <= scale);
                trace_gradient[j] += d.4;
            }
        }
        prop_assert!((&delta.trace_gradient - trace_gradient).norm() <= scale);
        prop_assert_eq!(&network, &(exact - delta));

        let (value, tangent) = case.model.jvp(&case.level, case.target, z, case.v.as_slice()).expect("a row");
        prop_assert_eq!(&value, &network.value);
        prop_assert_eq!(tangent, &network.jacobian * &case.v);
        // sum_j d^2 F1[e_j, w]_j = w . grad tr.
        let mut along = 0.0;
        for j in 0..dim {
            let unit = DVector::from_fn(dim, |i, _| f64::from(u8::from(i == j)));
            let second = case.model.second(&case.level, case.target, z, unit.as_slice(), case.w.as_slice());
            along += second.expect("a row")[j];
        }
        let sigma = case.level.sigma();
        let expected = network.trace_gradient.dot(&case.w);
        prop_assert!((along - expected).abs() * sigma.powi(2) <= TOLERANCE * case.target.noise.abs());
    }
}
