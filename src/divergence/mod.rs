//! The divergence of the network along the flow: exact, or estimated from random probes.
//!
//! Only the network's own divergence `tr dF/dz` is computed here; the drift's known linear part,
//! `c_z z`, is added in closed form by [`crate::likelihood`], so it costs no variance.
//!
//! # Adding an estimator
//! A [`Divergence`] is the setting; [`Divergence::begin`] draws whatever is fixed over one solve, and the
//! [`Trace`] it gives answers every evaluation of that solve from products with the [`Jacobian`].
//!
//! A network without derivatives ([`Jvp`](crate::nn::Jvp)) can be sampled, but has no divergence:
//!
//! ```compile_fail,E0277
//! use idode::diffusion::DynDiffusion;
//! use idode::likelihood::{Evaluator, ProbabilityFlow};
//! use idode::nn::Network;
//!
//! fn log_prob<N: Network<f32, dfdx::prelude::Cpu>>(network: &N, diffusion: &DynDiffusion, z: &[f64]) {
//!     let evaluator = Evaluator::new(ProbabilityFlow::new(network, diffusion));
//!     let _ = evaluator.log_prob(z, diffusion.range().min());
//! }
//! ```

mod exact;
mod hutchinson;

pub use exact::Exact;
pub use hutchinson::{Hutchinson, Probe};

use std::fmt::Debug;

/// What a row's random numbers are drawn from: the seed of a ChaCha generator.
pub type ProbeSeed = [u8; 32];

/// The Jacobian `dF/dz` of every row of a batch, seen through its products with tangents.
pub trait Jacobian {
    /// The number of rows.
    fn rows(&self) -> usize;

    /// The number of dimensions of a row.
    fn dims(&self) -> usize;

    /// How many products are best asked for at once.
    fn batch(&self) -> usize;

    /// Writes `dF/dz v` for several pairs of a row and a tangent; a row may come more than once.
    ///
    /// # Shapes
    /// `rows`: one index for each pair; `tangents` and `products`: `pairs x dims`, row-major.
    fn products(&mut self, rows: &[usize], tangents: &[f64], products: &mut [f64]);

    /// Writes `v^T (dF/dz) v` for several pairs of a row and a tangent. On a device the products stay there.
    ///
    /// # Shapes
    /// As [`products`](Self::products); `forms`: one number for each pair.
    fn forms(&mut self, rows: &[usize], tangents: &[f64], forms: &mut [f64]) {
        let mut products = vec![0.0; tangents.len()];
        self.products(rows, tangents, &mut products);
        let dims = self.dims().max(1);
        for ((form, v), jv) in forms.iter_mut().zip(tangents.chunks(dims)).zip(products.chunks(dims)) {
            *form = v.iter().zip(jv).map(|(v, jv)| v * jv).sum();
        }
    }
}

/// A way to get the trace of a Jacobian.
///
/// # Laws
/// - `unbiased`: the expectation of the trace over seeds is the Jacobian's trace;
/// - `fixed`: within one solve, the same Jacobian of the same row gives the same trace, so the
///   right-hand side of the ODE is a function;
/// - `rows`: a row's trace depends on its own seed and Jacobian only.
pub trait Divergence: Debug + Send + Sync {
    /// Begins a solve whose row `i` has seed `seeds[i]`.
    fn begin(&self, dims: usize, seeds: &[ProbeSeed]) -> Box<dyn Trace>;

    /// Whether the trace is exact: it then does not depend on the seeds.
    fn is_exact(&self) -> bool {
        false
    }
}

impl<T: Divergence + ?Sized> Divergence for Box<T> {
    fn begin(&self, dims: usize, seeds: &[ProbeSeed]) -> Box<dyn Trace> {
        (**self).begin(dims, seeds)
    }
    fn is_exact(&self) -> bool {
        (**self).is_exact()
    }
}

/// The traces of one solve.
pub trait Trace: Debug {
    /// The trace of each row of `jacobian`, whose row `i` had index `rows[i]` when the solve began.
    fn trace(&mut self, rows: &[usize], jacobian: &mut dyn Jacobian) -> Vec<f64>;
}

/// Asks for `count` forms in batches and hands each to `take`: pair `p` belongs to the row
/// and gets the tangent that `pair` says and writes.
fn for_each_form(
    jacobian: &mut dyn Jacobian,
    count: usize,
    mut pair: impl FnMut(usize, &mut [f64]) -> usize,
    mut take: impl FnMut(usize, f64),
) {
    let (dims, batch) = (jacobian.dims(), jacobian.batch().max(1));
    let mut rows = Vec::with_capacity(batch.min(count));
    let mut tangents = vec![0.0; batch.min(count) * dims];
    let mut forms = vec![0.0; batch.min(count)];
    for first in (0..count).step_by(batch) {
        let size = batch.min(count - first);
        rows.clear();
        let slots = tangents.chunks_exact_mut(dims).enumerate().take(size);
        rows.extend(slots.map(|(i, tangent)| pair(first + i, tangent)));
        jacobian.forms(&rows, &tangents[..size * dims], &mut forms[..size]);
        forms.iter().enumerate().take(size).for_each(|(i, form)| take(first + i, *form));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One fixed matrix a row.
    struct Matrices(Vec<[[f64; 3]; 3]>);

    impl Jacobian for Matrices {
        fn rows(&self) -> usize {
            self.0.len()
        }
        fn dims(&self) -> usize {
            3
        }
        fn batch(&self) -> usize {
            4
        }
        fn products(&mut self, rows: &[usize], tangents: &[f64], products: &mut [f64]) {
            assert!(rows.len() <= 4);
            for ((row, v), out) in rows.iter().zip(tangents.chunks(3)).zip(products.chunks_mut(3)) {
                for (out, line) in out.iter_mut().zip(self.0[*row]) {
                    *out = line.iter().zip(v).map(|(a, b)| a * b).sum();
                }
            }
        }
    }

    const FULL: [[f64; 3]; 3] = [[1.0, 2.0, -1.0], [0.5, -3.0, 4.0], [2.0, 1.0, 0.25]];
    const DIAGONAL: [[f64; 3]; 3] = [[1.5, 0.0, 0.0], [0.0, -2.0, 0.0], [0.0, 0.0, 7.0]];
    const SCALAR: [[f64; 3]; 3] = [[0.7, 0.0, 0.0], [0.0, 0.7, 0.0], [0.0, 0.0, 0.7]];

    fn seeds(count: u8) -> Vec<ProbeSeed> {
        (0..count).map(|i| [i; 32]).collect()
    }

    #[test]
    fn exact_is_the_trace_of_any_matrix() {
        let mut trace = Exact.begin(3, &seeds(3));
        let traces = trace.trace(&[0, 1, 2], &mut Matrices(vec![FULL, DIAGONAL, SCALAR]));
        assert_eq!(traces[..2], [-1.75, 6.5]);
        assert!((traces[2] - 2.1).abs() < 1e-15);
    }

    #[test]
    fn rademacher_is_exact_on_the_diagonal_and_gaussian_on_multiples_of_one() {
        for probes in [1, 3] {
            let rademacher = Hutchinson::new(Probe::Rademacher, probes).expect("positive");
            let traces = rademacher.begin(3, &seeds(2)).trace(&[0, 1], &mut Matrices(vec![DIAGONAL; 2]));
            assert!(traces.iter().all(|t| (t - 6.5).abs() < 1e-14), "{traces:?}");
            let gaussian = Hutchinson::new(Probe::Gaussian, probes).expect("positive");
            let traces = gaussian.begin(3, &seeds(2)).trace(&[0, 1], &mut Matrices(vec![SCALAR; 2]));
            assert!(traces.iter().all(|t| (t - 2.1).abs() < 1e-14), "{traces:?}");
        }
    }

    #[test]
    fn estimates_are_unbiased() {
        // 4,000 seeds; the standard error of the mean is about 0.06 and the bound four of them.
        for probe in [Probe::Rademacher, Probe::Gaussian] {
            let count = 4000_u32;
            let seeds: Vec<ProbeSeed> = (0..count)
                .map(|i| {
                    let mut seed = [7; 32];
                    seed[..4].copy_from_slice(&i.to_le_bytes());
                    seed
                })
                .collect();
            let rows: Vec<usize> = (0..count as usize).collect();
            let one = Hutchinson::new(probe, 1).expect("positive");
            let traces = one.begin(3, &seeds).trace(&rows, &mut Matrices(vec![FULL; count as usize]));
            let n = f64::from(count);
            let mean = traces.iter().sum::<f64>() / n;
            let variance = traces.iter().map(|t| (t - mean).powi(2)).sum::<f64>() / (n - 1.0);
            assert!((mean + 1.75).abs() < 4.0 * (variance / n).sqrt(), "{probe:?}: {mean}");
            if probe == Probe::Rademacher {
                // 2 |offdiagonal of the symmetric part|^2 = sum over i < j of (J_ij + J_ji)^2.
                let exact = 2.5_f64.powi(2) + 1.0 + 25.0;
                assert!((variance / exact - 1.0).abs() < 0.1, "{variance} {exact}");
            }
        }
    }

    #[test]
    fn a_rows_probe_follows_it_through_the_solve() {
        for divergence in [
            Hutchinson::new(Probe::Rademacher, 2).expect("positive"),
            Hutchinson::new(Probe::Gaussian, 2).expect("positive"),
        ] {
            let mut trace = divergence.begin(3, &seeds(5));
            let all = trace.trace(&[0, 1, 2, 3, 4], &mut Matrices(vec![FULL; 5]));
            let some = trace.trace(&[1, 4], &mut Matrices(vec![FULL; 2]));
            assert_eq!(some, [all[1], all[4]]);
            assert!(all.windows(2).any(|pair| pair[0] != pair[1]), "{all:?}");
        }
    }

    #[test]
    fn no_probe_is_refused() {
        let error = Hutchinson::new(Probe::Rademacher, 0).expect_err("none").to_string();
        assert_eq!(error, "probes = 0: expected at least 1");
    }
}
