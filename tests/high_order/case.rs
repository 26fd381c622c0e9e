//! What the properties are drawn over.

use crate::oracle::Oracle;
use idode::analytic::nalgebra::{DMatrix, DVector};
use idode::analytic::{Gaussian, GaussianMixture, Model, Perturbation};
use idode::level::{Gamma, Level};
use idode::parameterization::{
    Affine, Data, Noise, Parameterization, ParameterizationExt, Score, SecondOrder, ThirdOrder, Velocity,
};
use idode::schedule::{
    NoiseSchedule, StraightPath, SubVariancePreserving, VarianceExploding, VariancePreserving,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

/// 256 cases, or as many as `PROPTEST_CASES` asks for where that is more.
pub(crate) fn config() -> ProptestConfig {
    let asked = ProptestConfig::default().cases;
    ProptestConfig {
        cases: asked.max(256),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    }
}

/// Every schedule.
pub(crate) fn schedules() -> Vec<Box<dyn NoiseSchedule>> {
    vec![
        Box::new(VariancePreserving),
        Box::new(StraightPath),
        Box::new(VarianceExploding),
        Box::new(SubVariancePreserving),
    ]
}

/// Every parameterization.
pub(crate) fn parameterizations() -> Vec<Box<dyn Parameterization>> {
    vec![Box::new(Velocity), Box::new(Noise), Box::new(Data), Box::new(Score)]
}

/// A mixture, a level, a target, a state, and a network with a known error.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) oracle: Oracle,
    pub(crate) data: GaussianMixture,
    pub(crate) level: Level,
    pub(crate) target: Affine,
    /// The coefficients of the second- and third-order targets.
    pub(crate) second: SecondOrder,
    pub(crate) third: ThirdOrder,
    pub(crate) z: DVector<f64>,
    pub(crate) model: Model,
    /// Two directions, and numbers for an arbitrary estimate.
    pub(crate) v: DVector<f64>,
    pub(crate) w: DVector<f64>,
    pub(crate) matrix: DMatrix<f64>,
}

impl Case {
    /// The number of dimensions.
    pub(crate) fn dim(&self) -> usize {
        self.z.len()
    }
}

/// Numbers in [-1, 1].
fn unit(n: usize) -> impl Strategy<Value = Vec<f64>> {
    vec(-1.0..1.0f64, n)
}

fn mixture() -> impl Strategy<Value = Oracle> {
    (1..=4usize, 1..=4usize).prop_flat_map(|(dim, k)| {
        vec((0.1..1.0f64, unit(dim), unit(dim * dim)), k).prop_map(move |raw| {
            let total: f64 = raw.iter().map(|(weight, ..)| weight).sum();
            let component = |(weight, mean, root): (f64, Vec<f64>, Vec<f64>)| {
                let root = DMatrix::from_vec(dim, dim, root);
                let covariance = &root * root.transpose() + DMatrix::identity(dim, dim) * 0.05;
                (weight / total, DVector::from_vec(mean) * 2.0, covariance)
            };
            Oracle { components: raw.into_iter().map(component).collect() }
        })
    })
}

/// Mixtures of 1 to 4 components in 1 to 4 dimensions; every schedule and parameterization; levels in
/// [-8, 4]; a state within 2.5 standard deviations of a component, coordinate by coordinate; a
/// perturbation of up to 1 in units of the noise and of frequency up to 3.
pub(crate) fn case() -> impl Strategy<Value = Case> {
    let numbers = (vec(-2.5..2.5f64, 8), unit(4 + 16), unit(4 + 4 + 16));
    (mixture(), -8.0..4.0f64, 0..4usize, 0..4usize, 0.01..1.0f64, 0.0..3.0f64, numbers).prop_map(
        |(oracle, gamma, schedule, parameterization, size, frequency, (state, delta, rest))| {
            let level = schedules()[schedule].level(Gamma(gamma));
            let parameterization = &parameterizations()[parameterization];
            let target = parameterization.target(&level);
            let (second, third) =
                (parameterization.second_order(&level), parameterization.third_order(&level));
            let (_, mean, covariance) = &oracle.components[0];
            let dim = mean.len();
            let take = |from: &[f64]| DVector::from_column_slice(&from[..dim]);
            let square = |from: &[f64]| DMatrix::from_column_slice(dim, dim, &from[..dim * dim]);

            let root = covariance.clone().cholesky().expect("positive definite").l();
            let x = mean + root * take(&state);
            let z = x * level.alpha() + take(&state[4..]) * level.sigma();

            let data = GaussianMixture::new(oracle.components.iter().map(|(weight, mean, covariance)| {
                (*weight, Gaussian::new(mean.as_slice(), covariance.clone()).expect("a Gaussian"))
            }))
            .expect("a mixture");
            let phases = take(&delta) * std::f64::consts::PI;
            let perturbation = Perturbation::new(
                size * target.noise.abs(),
                square(&delta[4..]) * frequency,
                phases.as_slice(),
            )
            .expect("a perturbation");
            let model = Model::perturbed(data.clone(), perturbation).expect("of one dimension");
            let (v, w, matrix) = (take(&rest), take(&rest[4..]), square(&rest[8..]));
            Case { oracle, data, level, target, second, third, z, model, v, w, matrix }
        },
    )
}
