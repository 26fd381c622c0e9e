//! Self-attention over the positions of an image.

use super::parameters::path;
use super::{Conv, Init, Norm, Parameters, Visit};
use crate::tensor::{ImageBatch, Kernels, Mode, Real};
use dfdx::prelude::Dim;
use rand::RngCore;

/// `y = x + O(softmax(Q K^T / sqrt(WIDTH)) V)`, with `Q`, `K`, `V` affine in the group norm of `x`.
///
/// One head; `O` starts at zero.
#[derive(Clone, Debug)]
pub struct AttentionBlock<WIDTH: Dim, E: Real, D: Kernels<E>> {
    norm: Norm<E, D>,
    query: Conv<1, WIDTH, E, D>,
    key: Conv<1, WIDTH, E, D>,
    value: Conv<1, WIDTH, E, D>,
    out: Conv<1, WIDTH, E, D>,
}

impl<WIDTH: Dim, E: Real, D: Kernels<E>> AttentionBlock<WIDTH, E, D> {
    /// A block of `width` channels that starts as the identity.
    pub fn new(width: WIDTH, device: &D, rng: &mut dyn RngCore) -> Self {
        let channels = width.size();
        Self {
            norm: Norm::plain(channels, device),
            query: Conv::new(channels, width, Init::Lecun, device, rng),
            key: Conv::new(channels, width, Init::Lecun, device, rng),
            value: Conv::new(channels, width, Init::Lecun, device, rng),
            out: Conv::new(channels, width, Init::Zeros, device, rng),
        }
    }

    /// The block's output, in mode `M`.
    pub fn apply<M: Mode<E, D>, H: Dim, W: Dim>(
        &self,
        x: M::Of<ImageBatch<H, W, WIDTH>>,
    ) -> M::Of<ImageBatch<H, W, WIDTH>> {
        let shape = M::shape(&x);
        let tokens = (shape.0, shape.1.size() * shape.2.size(), shape.3.size());
        let mut n = self.norm.apply::<M, H, W, _>(vec![M::share(&x)]);
        let head = |layer: &Conv<1, WIDTH, E, D>, n: &[M::Of<ImageBatch<H, W, WIDTH>>]| {
            let n = n.iter().map(|n| M::share(n)).collect();
            M::reshape(layer.apply::<M, H, W, _>(n, None, None), tokens)
        };
        let (q, k) = (head(&self.query, &n), head(&self.key, &n));
        let v = M::reshape(self.value.apply::<M, H, W, _>(std::mem::take(&mut n), None, None), tokens);
        let mixed = M::reshape(M::attention(q, k, v), shape);
        self.out.apply::<M, H, W, _>(vec![mixed], None, Some(x))
    }
}

impl<WIDTH: Dim, E: Real, D: Kernels<E>> Parameters<E, D> for AttentionBlock<WIDTH, E, D> {
    fn parameters(&mut self, prefix: &str, visit: &mut Visit<'_, E, D>) {
        self.norm.parameters(&path(prefix, "GroupNorm_0"), visit);
        self.query.parameters(&path(prefix, "q"), visit);
        self.key.parameters(&path(prefix, "k"), visit);
        self.value.parameters(&path(prefix, "v"), visit);
        self.out.parameters(&path(prefix, "proj_out"), visit);
    }
}
