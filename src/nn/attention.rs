//! Self-attention over the positions of an image.

use super::parameters::path;
use super::{Conv, Init, Norm, ParameterVisitor, Parameters};
use crate::tensor::{ImageBatch, Kernels, Mode, Real};
use dfdx::prelude::{Const, Dim};
use rand::RngCore;

/// `y = x + O(softmax(Q K^T / sqrt(WIDTH)) V)`, with `Q`, `K`, `V` affine in the group norm of `x`.
///
/// One head; `O` starts at zero.
#[derive(Clone, Debug)]
pub struct AttentionBlock<const WIDTH: usize, E: Real, D: Kernels<E>> {
    norm: Norm<E, D>,
    query: Conv<1, WIDTH, E, D>,
    key: Conv<1, WIDTH, E, D>,
    value: Conv<1, WIDTH, E, D>,
    out: Conv<1, WIDTH, E, D>,
}

impl<const WIDTH: usize, E: Real, D: Kernels<E>> AttentionBlock<WIDTH, E, D> {
    /// A block that starts as the identity.
    pub fn new(device: &D, rng: &mut dyn RngCore) -> Self {
        Self {
            norm: Norm::plain(WIDTH, device),
            query: Conv::new(WIDTH, Init::Lecun, device, rng),
            key: Conv::new(WIDTH, Init::Lecun, device, rng),
            value: Conv::new(WIDTH, Init::Lecun, device, rng),
            out: Conv::new(WIDTH, Init::Zeros, device, rng),
        }
    }

    /// The block's output, in mode `M`.
    pub fn apply<M: Mode<E, D>, const H: usize, const W: usize>(
        &self,
        x: M::Of<ImageBatch<H, W, Const<WIDTH>>>,
    ) -> M::Of<ImageBatch<H, W, Const<WIDTH>>> {
        let shape = M::shape(&x);
        let tokens = (shape.0, H * W, shape.3.size());
        let mut n = self.norm.apply::<M, H, W, _>(vec![M::share(&x)]);
        let head = |layer: &Conv<1, WIDTH, E, D>, n: &[M::Of<ImageBatch<H, W, Const<WIDTH>>>]| {
            let n = n.iter().map(|n| M::share(n)).collect();
            M::reshape(layer.apply::<M, H, W, _>(n, None, None), tokens)
        };
        let (q, k) = (head(&self.query, &n), head(&self.key, &n));
        let v = M::reshape(self.value.apply::<M, H, W, _>(std::mem::take(&mut n), None, None), tokens);
        let mixed = M::reshape(M::attention(q, k, v), shape);
        self.out.apply::<M, H, W, _>(vec![mixed], None, Some(x))
    }
}

impl<const WIDTH: usize, E: Real, D: Kernels<E>> Parameters<E, D> for AttentionBlock<WIDTH, E, D> {
    fn parameters<V: ParameterVisitor<E, D>>(&mut self, prefix: &str, visitor: &mut V) {
        self.norm.parameters(&path(prefix, "GroupNorm_0"), visitor);
        self.query.parameters(&path(prefix, "q"), visitor);
        self.key.parameters(&path(prefix, "k"), visitor);
        self.value.parameters(&path(prefix, "v"), visitor);
        self.out.parameters(&path(prefix, "proj_out"), visitor);
    }
}
