//! What each objective averages to over its probes: sums over all of them, for few dimensions.

use crate::case::{config, parameterizations, schedules};
use crate::network::{
    difference, diffusion, direction, dot, gradient, losses, mean, moved, numbers, problem,
};
use dfdx::prelude::*;
use idode::analytic::Rademacher;
use idode::analytic::nalgebra::{DMatrix, DVector};
use idode::diffusion::{Coefficients, DynDiffusion};
use idode::nn::{Jvp, MlpConfig, Network, Parameters, Pass, SecondJvp, StaticMlp};
use idode::objective::{
    Matching, Objective, SecondOrderJacobian, SecondOrderTrace, Slices, ThirdOrder, TraceEstimator,
};
use idode::tensor::Dual;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Rounding: sums of up to 4096 products of numbers of order 1 to 100.
const TOLERANCE: f64 = 1e-10;
/// Of a gradient, against a difference.
const DIFFERENCE: f64 = 1e-6;

/// `J` of the first row, column by column.
fn jacobian<N: Jvp<f64, Cpu>>(network: &N, problem: &Matching<N::Batch, f64, Cpu>) -> DMatrix<f64> {
    let d = network.dims();
    let z = numbers(&problem.z)[..d].to_vec();
    let times = &problem.times()[..1];
    let columns: Vec<DVector<f64>> = (0..d)
        .map(|j| {
            let unit: Vec<f64> = (0..d).map(|i| f64::from(u8::from(i == j))).collect();
            let upload =
                |row: &[f64]| idode::tensor::Kernels::upload(network.device(), row, network.batch(1));
            let out = network.jvp(Dual::new(upload(&z), upload(&unit)), &mut Pass::eval(times));
            DVector::from_vec(out.tangent.as_vec())
        })
        .collect();
    DMatrix::from_columns(&columns)
}

/// `r = F - F1` of the first row.
fn residual<N: Network<f64, Cpu>>(network: &N, problem: &Matching<N::Batch, f64, Cpu>) -> DVector<f64> {
    let times = problem.times();
    let output = numbers(&network.forward(problem.z.clone(), &mut Pass::eval(&times)));
    let target = numbers(&problem.target);
    DVector::from_iterator(network.dims(), target.iter().zip(output).map(|(f, f1)| f - f1))
}

/// `M = sigma sym(J) - T`, with `T` (and the residual in it) of `reference`.
fn error_matrix<N: Jvp<f64, Cpu>>(
    network: &N,
    reference: &N,
    problem: &Matching<N::Batch, f64, Cpu>,
) -> DMatrix<f64> {
    let row = problem.rows[0];
    let (j, r) = (jacobian(network, problem), residual(reference, problem));
    (&j + j.transpose()) * (0.5 * row.sigma)
        - DMatrix::identity(r.len(), r.len()) * (row.a + row.b * row.sigma)
        + &r * r.transpose() / row.a
}

/// The sum of the squares off the diagonal.
fn off_diagonal(m: &DMatrix<f64>) -> f64 {
    m.norm_squared() - m.diagonal().norm_squared()
}

/// The loss's coefficient, `1 / (2 a^2 pdf d)`.
fn coefficient(row: &Coefficients, d: usize) -> f64 {
    0.5 / (row.a * row.a * 0.7 * d as f64)
}

/// What is checked: the mean over probes against a formula of the network and the reference, value and gradient.
fn check<N: Jvp<f64, Cpu> + Parameters<f64, Cpu>, O: Objective<f64, Cpu, N>>(
    network: &N,
    problem: &Matching<N::Batch, f64, Cpu>,
    objective: &O,
    probes: &[Vec<f64>],
    formula: impl Fn(&N) -> f64,
) -> Result<(), TestCaseError> {
    let own = losses(network, network, problem, objective, probes);
    let (value, expected) = (mean(&own), formula(network));
    prop_assert!(
        (value - expected).abs() <= TOLERANCE * expected.abs().max(1.0),
        "value {value}, formula {expected}"
    );
    let found = gradient(network, own);
    for seed in 0..2 {
        let expected = difference(network, seed, &formula);
        let found = dot(&found, &direction(network, seed));
        let scale = expected.abs().max(value.abs()).max(1.0);
        prop_assert!(
            (found - expected).abs() <= DIFFERENCE * scale,
            "gradient {found}, of the formula {expected}"
        );
    }
    Ok(())
}

/// All tuples of `count` probes: element `i` holds the `i`-th probe of every tuple, one after the other.
fn tuples(d: usize, count: usize) -> Vec<Vec<f64>> {
    let all: Vec<Vec<f64>> = Rademacher::all(d).expect("few dimensions").collect();
    (0..count)
        .map(|place| {
            (0..all.len().pow(count as u32))
                .flat_map(|tuple| all[tuple / all.len().pow(place as u32) % all.len()].clone())
                .collect()
        })
        .collect()
}

fn network<const N: usize>(seed: u64) -> StaticMlp<N, 4, f64, Cpu> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let config = MlpConfig { blocks: 1, ..MlpConfig::default() };
    let network = StaticMlp::new(&config, &Cpu::default(), &mut rng).expect("a network");
    moved(&network, 0.3, seed + 1)
}

fn second_order<const N: usize>(
    diffusion: &DynDiffusion,
    gamma: f64,
    seed: u64,
) -> Result<(), TestCaseError> {
    let network = network::<N>(seed);
    let pairs = tuples(N, 2);
    let problem_of = |rows| problem(&network, diffusion, gamma, rows, seed);
    let one = problem_of(1);
    let c = coefficient(&one.rows[0], N);
    let sigma = one.rows[0].sigma;
    let m = |moved: &StaticMlp<N, 4, f64, Cpu>| error_matrix(moved, &network, &one);
    let square = |moved: &StaticMlp<N, 4, f64, Cpu>| c * m(moved).trace().powi(2);

    let many = problem_of(1 << (2 * N));
    check(&network, &many, &SecondOrderTrace(TraceEstimator::TwoProbes), &pairs, square)?;
    check(&network, &one, &SecondOrderTrace(TraceEstimator::Exact), &[], square)?;
    let many = problem_of(1 << N);
    let single = tuples(N, 1);
    let projected = |moved: &StaticMlp<N, 4, f64, Cpu>| square(moved) + c * 2.0 * off_diagonal(&m(moved));
    check(&network, &many, &SecondOrderTrace(TraceEstimator::Projected), &single, projected)?;
    let squared = |moved: &StaticMlp<N, 4, f64, Cpu>| {
        let j = jacobian(moved, &one);
        square(moved) + c * 2.0 * sigma.powi(2) * off_diagonal(&((&j + j.transpose()) * 0.5))
    };
    check(&network, &many, &SecondOrderTrace(TraceEstimator::SquaredProbe), &single, squared)?;

    let frobenius = |moved: &StaticMlp<N, 4, f64, Cpu>| {
        let (j, r, row) = (jacobian(moved, &one), residual(&network, &one), one.rows[0]);
        let target = DMatrix::identity(N, N) * (row.a + row.b * sigma) - &r * r.transpose() / row.a;
        c * (j * sigma - target).norm_squared()
    };
    check(&network, &many, &SecondOrderJacobian(Slices::Probe), &single, frobenius)?;
    check(&network, &one, &SecondOrderJacobian(Slices::Exact), &[], frobenius)
}

/// `grad tr J` of the first row: entry `j` is the sum of `e_i . F''[e_i, e_j]`.
fn trace_gradient<N: SecondJvp<f64, Cpu>>(
    network: &N,
    problem: &Matching<N::Batch, f64, Cpu>,
) -> DVector<f64> {
    let d = network.dims();
    let z = numbers(&problem.z)[..d].to_vec();
    let times = &problem.times()[..1];
    let upload = |row: &[f64]| idode::tensor::Kernels::upload(network.device(), row, network.batch(1));
    let unit = |j: usize| -> Vec<f64> { (0..d).map(|i| f64::from(u8::from(i == j))).collect() };
    DVector::from_fn(d, |j, _| {
        let entry = |i: usize| {
            let point = Dual::new(upload(&z), upload(&unit(i)));
            let tangent = Dual::new(upload(&unit(j)), upload(&vec![0.0; d]));
            let f = network.second_jvp(Dual::new(point, tangent), &mut Pass::eval(times));
            f.tangent.tangent.as_vec()[i]
        };
        (0..d).map(entry).sum()
    })
}

/// The same by a fourth-order difference of the exact trace, which leaves 1e-9 of the largest trace.
fn differenced_trace<N: Jvp<f64, Cpu>>(network: &N, problem: &Matching<N::Batch, f64, Cpu>) -> DVector<f64> {
    let d = network.dims();
    let trace = |index: usize, h: f64| {
        let mut moved = problem.clone();
        let mut z = numbers(&problem.z);
        z[index] += h;
        moved.z = idode::tensor::Kernels::upload(network.device(), &z, network.batch(z.len() / d));
        jacobian(network, &moved).trace()
    };
    let h = 1e-3;
    DVector::from_fn(d, |i, _| {
        (8.0 * (trace(i, h) - trace(i, -h)) - trace(i, 2.0 * h) + trace(i, -2.0 * h)) / (12.0 * h)
    })
}

fn third_order<const N: usize>(diffusion: &DynDiffusion, gamma: f64, seed: u64) -> Result<(), TestCaseError> {
    let network = network::<N>(seed);
    let one = problem(&network, diffusion, gamma, 1, seed);
    let row = one.rows[0];
    let c = coefficient(&row, N) / N as f64;
    // G of the network itself, in the theory's own terms.
    let (j, r) = (jacobian(&network, &one), residual(&network, &one));
    let full = DMatrix::identity(N, N) * (row.a + row.b * row.sigma) - &j * row.sigma;
    let (c2_matrix, c2) = (&full * row.a, row.a * full.trace());
    let g = (&r * (r.norm_squared() - c2) - c2_matrix * &r * 2.0) / row.a.powi(2);
    let formula = |moved: &StaticMlp<N, 4, f64, Cpu>| {
        c * (trace_gradient(moved, &one) * row.sigma.powi(2) - &g).norm_squared()
    };
    let (exact, differenced) = (trace_gradient(&network, &one), differenced_trace(&network, &one));
    prop_assert!((&exact - &differenced).norm() <= 1e-7 * exact.norm().max(1.0), "{exact} {differenced}");
    let scale = |value: f64| value.abs().max(1.0);
    for (objective, probes, rows) in
        [(ThirdOrder(Slices::Exact), Vec::new(), 1), (ThirdOrder(Slices::Probe), tuples(N, 3), 1 << (3 * N))]
    {
        let problem = problem(&network, diffusion, gamma, rows, seed);
        let own = losses(&network, &network, &problem, &objective, &probes);
        let (value, expected) = (mean(&own), formula(&network));
        prop_assert!(
            (value - expected).abs() <= 1e-7 * scale(expected),
            "{objective:?}: {value}, formula {expected}"
        );
        let found = dot(&gradient(&network, own), &direction(&network, 0));
        let expected = difference(&network, 0, formula);
        prop_assert!(
            (found - expected).abs() <= DIFFERENCE * scale(expected).max(value.abs()),
            "{objective:?}: gradient {found}, {expected}"
        );
    }
    Ok(())
}

fn by_names(schedule: usize, parameterization: usize) -> DynDiffusion {
    diffusion(schedules().remove(schedule), parameterizations().remove(parameterization))
}

proptest! {
    #![proptest_config(config())]

    /// Trace and Jacobian objectives, in 1 to 3 dimensions.
    #[test]
    fn second_order_means(d in 1..=3usize, s in 0..4usize, p in 0..4usize, gamma in -8.0..4.0f64, seed in 0..1000u64) {
        let diffusion = by_names(s, p);
        match d {
            1 => second_order::<1>(&diffusion, gamma, seed)?,
            2 => second_order::<2>(&diffusion, gamma, seed)?,
            _ => second_order::<3>(&diffusion, gamma, seed)?,
        }
    }

    /// The gradient of the trace, in 1 and 2 dimensions.
    #[test]
    fn third_order_means(d in 1..=2usize, s in 0..4usize, p in 0..4usize, gamma in -8.0..4.0f64, seed in 0..1000u64) {
        let diffusion = by_names(s, p);
        match d {
            1 => third_order::<1>(&diffusion, gamma, seed)?,
            _ => third_order::<2>(&diffusion, gamma, seed)?,
        }
    }
}

/// Eight dimensions with one probe, five with two: the same sums, over 256 and 1024 terms.
#[test]
fn second_order_means_in_more_dimensions() {
    let diffusion = by_names(1, 0);
    let network = network::<8>(3);
    let one = problem(&network, &diffusion, -1.0, 1, 3);
    let c = coefficient(&one.rows[0], 8);
    let m = error_matrix(&network, &network, &one);
    let many = problem(&network, &diffusion, -1.0, 256, 3);
    let probes = tuples(8, 1);
    let value = |estimator| mean(&losses(&network, &network, &many, &SecondOrderTrace(estimator), &probes));
    let expected = c * (m.trace().powi(2) + 2.0 * off_diagonal(&m));
    assert!((value(TraceEstimator::Projected) / expected - 1.0).abs() < TOLERANCE);
    let j = jacobian(&network, &one);
    let j = (&j + j.transpose()) * (0.5 * one.rows[0].sigma);
    let expected = c * (m.trace().powi(2) + 2.0 * off_diagonal(&j));
    assert!((value(TraceEstimator::SquaredProbe) / expected - 1.0).abs() < TOLERANCE);

    let network = self::network::<5>(3);
    let one = problem(&network, &diffusion, -1.0, 1, 3);
    let many = problem(&network, &diffusion, -1.0, 1024, 3);
    let expected = coefficient(&one.rows[0], 5) * error_matrix(&network, &network, &one).trace().powi(2);
    let found = mean(&losses(&network, &network, &many, &SecondOrderTrace::default(), &tuples(5, 2)));
    assert!((found / expected - 1.0).abs() < TOLERANCE, "{found} {expected}");
}
