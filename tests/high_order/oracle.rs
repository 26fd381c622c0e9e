//! The same quantities as the library's, by other means: Cholesky factors, the information form of
//! Bayes' rule, dual numbers, and sums over nodes in place of moment formulas.

use idode::analytic::nalgebra::{DMatrix, DVector};
use idode::level::Level;
use idode::parameterization::Affine;
use num_dual::{DualNum, third_partial_derivative_vec};

/// A mixture as it was drawn: weight, mean, covariance.
#[derive(Clone, Debug)]
pub(crate) struct Oracle {
    pub(crate) components: Vec<(f64, DVector<f64>, DMatrix<f64>)>,
}

/// `ln q(z)` and its derivatives up to the third.
pub(crate) struct Derivatives {
    pub(crate) value: f64,
    pub(crate) first: DVector<f64>,
    pub(crate) second: DMatrix<f64>,
    third: Vec<f64>,
}

impl Derivatives {
    pub(crate) fn third(&self, i: usize, j: usize, k: usize) -> f64 {
        let dim = self.first.len();
        self.third[(i * dim + j) * dim + k]
    }
}

impl Oracle {
    /// `ln q(z)` at a level, on any scalar.
    pub(crate) fn log_density<N: DualNum<Primitive = f64> + Clone>(&self, level: &Level, z: &[N]) -> N {
        let (alpha, sigma) = (level.alpha(), level.sigma());
        let logs: Vec<N> = self
            .components
            .iter()
            .map(|(weight, mean, covariance)| {
                let marginal =
                    covariance * alpha.powi(2) + DMatrix::identity(z.len(), z.len()) * sigma.powi(2);
                let factor = marginal.cholesky().expect("positive definite");
                let precision = factor.inverse();
                let centred: Vec<N> = z.iter().zip(mean.iter()).map(|(z, m)| z.clone() - alpha * m).collect();
                let mut sum =
                    N::from((std::f64::consts::TAU).ln() * z.len() as f64 + factor.ln_determinant());
                for (i, a) in centred.iter().enumerate() {
                    for (j, b) in centred.iter().enumerate() {
                        sum += a.clone() * b.clone() * precision[(i, j)];
                    }
                }
                sum * -0.5 + weight.ln()
            })
            .collect();
        let largest = logs.iter().map(|log| log.re()).fold(f64::NEG_INFINITY, f64::max);
        let sum = logs.into_iter().map(|log| (log - largest).exp()).fold(N::zero(), |sum, e| sum + e);
        sum.ln() + largest
    }

    /// `ln q(z)` and its derivatives, by dual numbers.
    pub(crate) fn derivatives(&self, level: &Level, z: &[f64]) -> Derivatives {
        let dim = z.len();
        let mut found = Derivatives {
            value: self.log_density(level, z),
            first: DVector::zeros(dim),
            second: DMatrix::zeros(dim, dim),
            third: Vec::with_capacity(dim.pow(3)),
        };
        for i in 0..dim {
            for j in 0..dim {
                for k in 0..dim {
                    let d = third_partial_derivative_vec(
                        |z: &[num_dual::HyperHyperDual64]| self.log_density(level, z),
                        z,
                        i,
                        j,
                        k,
                    );
                    found.first[i] = d.1;
                    found.second[(i, j)] = d.4;
                    found.third.push(d.7);
                }
            }
        }
        found
    }

    /// `F - F1` on weighted nodes of the posterior of `eps` given `z`, on which every polynomial in `eps`
    /// up to degree 5 has its exact conditional expectation.
    pub(crate) fn posterior(&self, level: &Level, z: &[f64], target: Affine) -> Vec<(f64, DVector<f64>)> {
        let (alpha, sigma) = (level.alpha(), level.sigma());
        let total = self.log_density(level, z);
        let z = DVector::from_column_slice(z);
        let dim = z.len();
        let mut nodes = Vec::new();
        for component in &self.components {
            let alone = Self { components: vec![component.clone()] };
            let responsibility = (alone.log_density(level, z.as_slice()) - total).exp();
            let (_, mean, covariance) = component;
            let prior = covariance.clone().cholesky().expect("positive definite").inverse();
            let precision = &prior + DMatrix::identity(dim, dim) * (alpha / sigma).powi(2);
            let posterior = precision.cholesky().expect("positive definite").inverse();
            let centre = &posterior * (prior * mean + &z * (alpha / sigma.powi(2)));
            let factor = posterior.cholesky().expect("positive definite").l();
            for index in 0..3usize.pow(dim as u32) {
                let digit = |i: usize| {
                    [(-3f64.sqrt(), 1.0 / 6.0), (0.0, 2.0 / 3.0), (3f64.sqrt(), 1.0 / 6.0)]
                        [index / 3usize.pow(i as u32) % 3]
                };
                let x = &centre + &factor * DVector::from_fn(dim, |i, _| digit(i).0);
                let eps = (&z - x * alpha) / sigma;
                let weight = responsibility * (0..dim).map(|i| digit(i).1).product::<f64>();
                nodes.push((weight, eps * target.noise + &z * target.state));
            }
        }
        nodes
    }
}

/// The weighted sum of `f` over the nodes.
pub(crate) fn expect<T>(nodes: &[(f64, DVector<f64>)], zero: T, f: impl Fn(&DVector<f64>) -> T) -> T
where
    T: std::ops::Add<Output = T> + std::ops::Mul<f64, Output = T>,
{
    nodes.iter().fold(zero, |sum, (weight, target)| sum + f(target) * *weight)
}
