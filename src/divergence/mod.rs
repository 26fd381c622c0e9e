//! The divergence of the network along the flow: exact, or estimated from random probes.
//!
//! Only the network's own divergence `tr dF/dz` is computed here; the drift's known linear part,
//! `c_z z`, is added in closed form by [`crate::likelihood`], so it costs no variance.
//!
//! | | products an evaluation | its variance, with `S = (J + J^T) / 2` |
//! |---|---|---|
//! | [`Exact`] | `d` | 0 |
//! | [`Hutchinson`] | `m` | `2/m sum_(i != j) S_ij^2` with Rademacher probes |
//! | [`HutchPlusPlus`] | `k + m` | the same of `(I - QQ^T) J (I - QQ^T)`, `Q` the `k` directions of a sketch |
//! | [`Blocks`] | `s^2` a channel | the same with `m = 1`, over pairs of one block: pixels `s` apart |
//!
//! A log-density adds up forms of the same probes over a solve, so its variance is that of the integral of
//! `c_F J` along the path, not of one Jacobian. `examples/06_trace_variance.rs` measures it.
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

mod basis;
mod blocks;
mod directions;
mod exact;
mod hutch_plus_plus;
mod hutchinson;

pub use blocks::Blocks;
pub use exact::Exact;
pub use hutch_plus_plus::HutchPlusPlus;
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

    /// Makes the rows with these indices new ones, which begin their solve with these seeds.
    ///
    /// # Laws
    /// - `renewed`: a row's traces are from here on those of a solve that begins with its seed.
    fn renew(&mut self, rows: &[usize], seeds: &[ProbeSeed]);
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
mod tests;
