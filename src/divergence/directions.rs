//! Directions of every row, which quadratic forms are taken along.

use super::{Jacobian, ProbeSeed, for_each_form};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// `per_row` Rademacher vectors of `dims` entries for every seed, row after row.
pub(super) fn signs(dims: usize, per_row: usize, seeds: &[ProbeSeed]) -> Vec<f64> {
    let mut signs = Vec::with_capacity(seeds.len() * per_row * dims);
    for seed in seeds {
        let mut rng = ChaCha8Rng::from_seed(*seed);
        for _ in 0..per_row * dims {
            signs.push(if rng.r#gen() { 1.0 } else { -1.0 });
        }
    }
    signs
}

/// Directions `v_j` of every row with factors `w_j`: a row's trace is `sum_j w_j v_j^T (dF/dz) v_j`.
#[derive(Clone, Debug)]
pub(super) struct Directions {
    pub(super) dims: usize,
    pub(super) per_row: usize,
    /// `rows x per_row x dims`.
    pub(super) entries: Vec<f64>,
    /// `rows x per_row`.
    pub(super) factors: Vec<f64>,
}

impl Directions {
    /// Every direction of a row, one after the other.
    pub(super) fn of_row(&mut self, row: usize) -> &mut [f64] {
        let size = self.per_row * self.dims;
        &mut self.entries[row * size..][..size]
    }

    fn direction(&self, index: usize) -> &[f64] {
        &self.entries[index * self.dims..][..self.dims]
    }

    /// `(dF/dz) v` of the first `count` directions of rows, each a row of the Jacobian and its index here.
    ///
    /// # Shapes
    /// `rows x count x dims`.
    pub(super) fn products(
        &self,
        rows: &[(usize, usize)],
        count: usize,
        jacobian: &mut dyn Jacobian,
    ) -> Vec<f64> {
        let (mut places, mut directions) = (Vec::new(), Vec::new());
        for &(at, row) in rows {
            for j in 0..count {
                places.push(at);
                directions.push(row * self.per_row + j);
            }
        }
        let mut products = vec![0.0; places.len() * self.dims];
        let batch = jacobian.batch().max(1);
        let own = places.chunks(batch).zip(directions.chunks(batch));
        for ((at, directions), products) in own.zip(products.chunks_mut(batch * self.dims)) {
            // Of one batch at a time: an exact trace has as many tangents as dimensions.
            let mut tangents = Vec::with_capacity(products.len());
            for &direction in directions {
                tangents.extend_from_slice(self.direction(direction));
            }
            jacobian.products(at, &tangents, products);
        }
        products
    }

    /// Gives rows other directions: those of `from`, one row of it after the other.
    pub(super) fn replace(&mut self, rows: &[usize], from: &Self) {
        let (per_row, size) = (self.per_row, self.per_row * self.dims);
        for (i, &row) in rows.iter().enumerate() {
            self.entries[row * size..][..size].copy_from_slice(&from.entries[i * size..][..size]);
            self.factors[row * per_row..][..per_row].copy_from_slice(&from.factors[i * per_row..][..per_row]);
        }
    }

    /// The trace of each row of a Jacobian, as [`Trace::trace`](super::Trace::trace) has it.
    pub(super) fn trace(&mut self, rows: &[usize], jacobian: &mut dyn Jacobian) -> Vec<f64> {
        let per_row = self.per_row;
        let index = |pair: usize| rows[pair / per_row] * per_row + pair % per_row;
        let mut traces = vec![0.0; rows.len()];
        let tangent = |pair: usize, tangent: &mut [f64]| {
            tangent.copy_from_slice(self.direction(index(pair)));
            pair / per_row
        };
        for_each_form(jacobian, rows.len() * per_row, tangent, |pair, form| {
            traces[pair / per_row] += self.factors[index(pair)] * form;
        });
        traces
    }
}
