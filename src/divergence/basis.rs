//! Orthonormal bases of a few vectors.

/// A vector of which less than this part is new adds nothing: it would be rounding of an `f32` network.
const NEW: f64 = 1e-4;

/// Makes vectors of `dims` entries orthonormal in their order, by modified Gram-Schmidt, twice over; one that depends on
/// those before it becomes zero.
pub(super) fn orthonormalize(vectors: &mut [f64], dims: usize) {
    for j in 0..vectors.len() / dims {
        let (before, rest) = vectors.split_at_mut(j * dims);
        let own = &mut rest[..dims];
        let length = norm(own);
        for _ in 0..2 {
            project_out(own, before, dims);
        }
        let left = norm(own);
        // Not finite stays so, and its row fails.
        let scale = if left <= NEW * length { 0.0 } else { 1.0 / left };
        own.iter_mut().for_each(|x| *x *= scale);
    }
}

/// `v - Q Q^T v` for the orthonormal `basis`.
pub(super) fn project_out(v: &mut [f64], basis: &[f64], dims: usize) {
    for q in basis.chunks_exact(dims) {
        let along = dot(q, v);
        v.iter_mut().zip(q).for_each(|(v, q)| *v -= along * q);
    }
}

/// `a^T b`.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(v: &[f64]) -> f64 {
    dot(v, v).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_are_orthonormal_and_hold_their_vectors() {
        let vectors = [1.0, 2.0, 0.0, -1.0, 0.5, 0.5, 1.0, 1.0, 1.5, 2.5, 1.0, 0.0];
        let mut q = vectors;
        orthonormalize(&mut q, 4);
        let gram = |i: usize, j: usize| dot(&q[4 * i..][..4], &q[4 * j..][..4]);
        assert!((gram(0, 0) - 1.0).abs() < 1e-15 && (gram(1, 1) - 1.0).abs() < 1e-15);
        assert!(gram(0, 1).abs() < 1e-15);
        // The third is the sum of the first two.
        assert_eq!(q[8..], [0.0; 4]);
        for v in vectors.chunks_exact(4) {
            let mut left = v.to_vec();
            project_out(&mut left, &q, 4);
            assert!(norm(&left) < 1e-14, "{left:?}");
        }
    }

    /// How much of a vector is new is measured by its own length.
    #[test]
    fn the_length_of_a_vector_does_not_matter() {
        for size in [1e-3, 1.0, 1e3] {
            let mut q = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0 + 1e-6].map(|x| size * x);
            orthonormalize(&mut q, 4);
            assert!((norm(&q[..4]) - 1.0).abs() < 1e-15, "{size}: {q:?}");
            assert_eq!(q[4..], [0.0; 4], "{size}");
        }
    }

    #[test]
    fn nearly_dependent_vectors_end_up_orthogonal() {
        let mut q = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0 + 1e-3, 1.0];
        orthonormalize(&mut q, 4);
        assert!(dot(&q[..4], &q[4..]).abs() < 1e-15 && (norm(&q[4..]) - 1.0).abs() < 1e-15);
        let mut zeros = [0.0; 4];
        orthonormalize(&mut zeros, 2);
        assert_eq!(zeros, [0.0; 4]);
        let mut bad = [f64::NAN, 0.0, 1.0, 1.0];
        orthonormalize(&mut bad, 2);
        assert!(bad.iter().all(|x| x.is_nan()));
    }
}
