//! Random Gaussian mixtures, and states of their diffusion.

use crate::analytic::nalgebra::{DMatrix, DVector};
use crate::analytic::{Gaussian, GaussianMixture, Perturbation};
use crate::level::{Gamma, GammaRange};
use proptest::collection::vec;
use proptest::prelude::*;

/// Mixtures of 1 to 3 components with full covariances: means within 2 of 0, standard deviations from
/// about 0.2 up.
pub fn mixture(dims: impl Strategy<Value = usize> + Clone) -> impl Strategy<Value = GaussianMixture> + Clone {
    let unit = |n: usize| vec(-1.0..1.0f64, n);
    (dims, 1..=3usize)
        .prop_flat_map(move |(dim, components)| {
            vec((0.1..1.0f64, unit(dim), unit(dim * dim)), components).prop_map(move |drawn| (dim, drawn))
        })
        .prop_filter_map("a mixture", |(dim, drawn)| {
            let total: f64 = drawn.iter().map(|(weight, ..)| weight).sum();
            let component = |(weight, mean, root): (f64, Vec<f64>, Vec<f64>)| {
                let root = DMatrix::from_vec(dim, dim, root);
                let covariance = &root * root.transpose() + DMatrix::identity(dim, dim) * 0.05;
                let mean = DVector::from_vec(mean) * 2.0;
                Some((weight / total, Gaussian::new(mean.as_slice(), covariance).ok()?))
            };
            GaussianMixture::new(drawn.into_iter().map(component).collect::<Option<Vec<_>>>()?).ok()
        })
}

/// What the exact laws of high orders are checked on.
#[derive(Clone, Debug)]
pub struct Case {
    /// The data.
    pub data: GaussianMixture,
    /// The level.
    pub gamma: Gamma,
    /// A seed for whoever draws a state.
    pub seed: u64,
    /// A network's error, in units of the noise: up to 1, of frequency up to 3.
    pub error: Perturbation,
}

/// A mixture in 1 to 3 dimensions at a level of `range`, with a network's error.
pub fn case(range: GammaRange) -> impl Strategy<Value = Case> + Clone {
    let numbers = (any::<u64>(), 0.01..1.0f64, vec(-3.0..3.0f64, 9), vec(-3.0..3.0f64, 3));
    (mixture(1..=3usize), super::gamma(range), numbers).prop_filter_map(
        "a perturbation",
        |(data, gamma, (seed, size, frequencies, phases))| {
            let dim = data.dim();
            let frequencies = DMatrix::from_column_slice(dim, dim, &frequencies[..dim * dim]);
            let error = Perturbation::new(size, frequencies, &phases[..dim]).ok()?;
            Some(Case { data, gamma, seed, error })
        },
    )
}
