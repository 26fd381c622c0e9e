//! Hutch++, amortized over a solve.

use super::basis::{orthonormalize, project_out};
use super::directions::{Directions, signs};
use super::{Divergence, Jacobian, ProbeSeed, Trace};
use crate::error::{Error, Result};

/// The trace along a basis `Q` of what a sketch of the Jacobian reaches, plus Hutchinson's estimate of the rest:
/// `tr(Q^T J Q) + 1/m sum_i g_i^T (I - QQ^T) J (I - QQ^T) g_i`.
///
/// A row's `Q` is an orthonormal basis of `J_0 s_1 .. J_0 s_k`, with the Jacobian `J_0` of the row's first evaluation in a solve,
/// and is kept for the rest of it: the right-hand side stays a function, and only the first evaluation costs `k` products
/// more. Sketch `s` and probes `g` are Rademacher vectors of the row's seed. Whatever the Jacobian is later, the estimate
/// is unbiased, since `Q` does not depend on the probes: `tr J = tr(Q^T J Q) + tr((I - QQ^T) J (I - QQ^T))`. Its variance is
/// that of the second part, so it is low where a few directions hold most of the Jacobian all along the path.
///
/// # Reference
/// Meyer et al., arXiv 2010.09649, algorithm 1; amortized: Liu et al., arXiv 2502.18808.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HutchPlusPlus {
    basis: usize,
    probes: usize,
}

impl HutchPlusPlus {
    /// `products` of the Jacobian an evaluation after the first: `k = products / 2` for the basis, the rest for probes.
    ///
    /// # Errors
    /// When there are fewer than two.
    pub fn new(products: usize) -> Result<Self> {
        if products < 2 {
            return Err(Error::value("products", products, "at least 2"));
        }
        Ok(Self { basis: products / 2, probes: products - products / 2 })
    }

    /// The number of directions of the basis, `k`.
    pub(crate) fn basis(&self) -> usize {
        self.basis
    }

    /// The number of probes of the rest, `m`.
    pub fn probes(&self) -> usize {
        self.probes
    }

    /// A solve whose rows have these sketches and probes, `rows x (k + m) x dims`.
    pub(super) fn with_signs(&self, dims: usize, entries: Vec<f64>) -> Sketched {
        let Self { basis, probes } = *self;
        let per_row = basis + probes;
        let rows = entries.len() / (per_row * dims).max(1);
        let factor = |j: usize| if j < basis { 1.0 } else { 1.0 / probes as f64 };
        let factors = (0..rows * per_row).map(|i| factor(i % per_row)).collect();
        let directions = Directions { dims, per_row, entries, factors };
        Sketched { of: *self, directions, ready: vec![false; rows] }
    }
}

impl Divergence for HutchPlusPlus {
    fn begin(&self, dims: usize, seeds: &[ProbeSeed]) -> Box<dyn Trace> {
        Box::new(self.with_signs(dims, signs(dims, self.basis + self.probes, seeds)))
    }
}

/// The directions of one solve.
#[derive(Clone, Debug)]
pub(super) struct Sketched {
    of: HutchPlusPlus,
    /// A row's sketch and probes; from its first evaluation on, its basis and its probes' parts outside of it.
    directions: Directions,
    ready: Vec<bool>,
}

impl Sketched {
    /// Turns the sketches of rows that are seen for the first time into bases.
    fn prepare(&mut self, rows: &[usize], jacobian: &mut dyn Jacobian) {
        let fresh: Vec<(usize, usize)> =
            rows.iter().copied().enumerate().filter(|&(_, row)| !self.ready[row]).collect();
        let size = self.of.basis * self.directions.dims;
        let images = self.directions.products(&fresh, self.of.basis, jacobian);
        for (&(_, row), image) in fresh.iter().zip(images.chunks_exact(size.max(1))) {
            let dims = self.directions.dims;
            let (basis, probes) = self.directions.of_row(row).split_at_mut(size);
            basis.copy_from_slice(image);
            orthonormalize(basis, dims);
            probes.chunks_exact_mut(dims).for_each(|probe| project_out(probe, basis, dims));
            self.ready[row] = true;
        }
    }
}

impl Trace for Sketched {
    fn trace(&mut self, rows: &[usize], jacobian: &mut dyn Jacobian) -> Vec<f64> {
        self.prepare(rows, jacobian);
        self.directions.trace(rows, jacobian)
    }

    fn renew(&mut self, rows: &[usize], seeds: &[ProbeSeed]) {
        let (dims, of) = (self.directions.dims, self.of);
        let fresh = of.with_signs(dims, signs(dims, of.basis + of.probes, seeds));
        self.directions.replace(rows, &fresh.directions);
        rows.iter().for_each(|&row| self.ready[row] = false);
    }
}
