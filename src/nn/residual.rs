//! The residual block.

use super::parameters::{path, slots};
use super::{Conv, Dense, Init, Norm, Parameters, Pass, Visit};
use crate::tensor::{DropoutKey, ImageBatch, Kernels, Mode, Plain, Real, Segment, Slot, checkpoint};
use dfdx::prelude::{Dim, Tensor, WithEmptyTape};
use rand::RngCore;
use std::marker::PhantomData;

/// `y = skip(x) + conv2(dropout(norm2(conv1(norm1(x)) + P e)))`, where `e` embeds the time and `norm`
/// is group norm with swish.
///
/// With one input, `skip` is the identity; with several, they are taken side by side and `skip` is a
/// 1x1 convolution to `WIDTH` channels. `conv2` and `P` start at zero.
///
/// # Reference
/// Kingma et al., "Variational Diffusion Models" (arXiv 2107.00630), appendix B.
#[derive(Clone, Debug)]
pub struct ResidualBlock<WIDTH: Dim, E: Real, D: Kernels<E>> {
    norm1: Norm<E, D>,
    conv1: Conv<3, WIDTH, E, D>,
    projection: Dense<usize, WIDTH, E, D>,
    norm2: Norm<E, D>,
    conv2: Conv<3, WIDTH, E, D>,
    skip: Option<Conv<1, WIDTH, E, D>>,
    dropout: f64,
}

impl<WIDTH: Dim, E: Real, D: Kernels<E>> ResidualBlock<WIDTH, E, D> {
    /// A block over `inputs` activations of `width` channels each.
    pub fn new(inputs: usize, width: WIDTH, dropout: f64, device: &D, rng: &mut dyn RngCore) -> Self {
        let channels = inputs * width.size();
        Self {
            norm1: Norm::new(channels, device),
            conv1: Conv::new(channels, width, Init::Lecun, device, rng),
            projection: Dense::without_bias(4 * width.size(), width, Init::Zeros, device, rng),
            norm2: Norm::new(width.size(), device),
            conv2: Conv::new(width.size(), width, Init::Zeros, device, rng),
            skip: (inputs > 1).then(|| Conv::new(channels, width, Init::Lecun, device, rng)),
            dropout,
        }
    }

    /// The block's output from its inputs and the time embedding, in mode `M`.
    pub fn apply<M: Mode<E, D>, H: Dim, W: Dim>(
        &self,
        inputs: Vec<M::Of<ImageBatch<H, W, WIDTH>>>,
        time: &Tensor<(usize, usize), E, D, M::Tape>,
        pass: &mut Pass<'_>,
    ) -> M::Of<ImageBatch<H, W, WIDTH>> {
        self.given::<M, H, W>(inputs, time, pass.dropout(self.dropout))
    }

    /// The same, of which a tape keeps the inputs alone: see [`checkpoint`].
    pub fn apply_checkpointed<M: Mode<E, D>, H: Dim, W: Dim>(
        &self,
        inputs: Vec<M::Of<ImageBatch<H, W, WIDTH>>>,
        time: &Tensor<(usize, usize), E, D, M::Tape>,
        pass: &mut Pass<'_>,
    ) -> M::Of<ImageBatch<H, W, WIDTH>> {
        let (block, dropout) = (self.clone(), pass.dropout(self.dropout));
        let run = Run::<H, W, WIDTH, E, D> { block, time: time.retaped(), dropout, image: PhantomData };
        checkpoint::<M, _, E, D>(run, inputs)
    }

    /// The block's output with its dropout drawn.
    fn given<M: Mode<E, D>, H: Dim, W: Dim>(
        &self,
        inputs: Vec<M::Of<ImageBatch<H, W, WIDTH>>>,
        time: &Tensor<(usize, usize), E, D, M::Tape>,
        dropout: Option<DropoutKey>,
    ) -> M::Of<ImageBatch<H, W, WIDTH>> {
        let shared = inputs.iter().map(|x| M::share(x)).collect();
        let shift = self.projection.apply::<Plain<M::Tape>>(time.with_empty_tape());
        let h = self.conv1.apply_normed::<M, H, W, _>(inputs, (&self.norm1, None), Some(shift), None);
        let residual = self.skip::<M, H, W>(shared);
        self.conv2.apply_normed::<M, H, W, _>(vec![h], (&self.norm2, dropout), None, residual)
    }

    fn skip<M: Mode<E, D>, H: Dim, W: Dim>(
        &self,
        mut inputs: Vec<M::Of<ImageBatch<H, W, WIDTH>>>,
    ) -> Option<M::Of<ImageBatch<H, W, WIDTH>>> {
        match &self.skip {
            Some(skip) => Some(skip.apply::<M, H, W, _>(inputs, None, None)),
            None => inputs.pop(),
        }
    }
}

/// One run of a block.
struct Run<H: Dim, W: Dim, WIDTH: Dim, E: Real, D: Kernels<E>> {
    block: ResidualBlock<WIDTH, E, D>,
    time: Tensor<(usize, usize), E, D>,
    dropout: Option<DropoutKey>,
    image: PhantomData<(H, W)>,
}

impl<H: Dim, W: Dim, WIDTH: Dim, E: Real, D: Kernels<E>> Segment<E, D> for Run<H, W, WIDTH, E, D> {
    type Input = ImageBatch<H, W, WIDTH>;
    type Output = ImageBatch<H, W, WIDTH>;

    fn apply<M: Mode<E, D>>(&self, inputs: Vec<M::Of<Self::Input>>) -> M::Of<Self::Output> {
        self.block.given::<M, H, W>(inputs, &self.time.retaped(), self.dropout)
    }

    fn slots(&self) -> Vec<Slot<E, D>> {
        slots(&self.block).into_iter().chain([Slot::of(&self.time)]).collect()
    }
}

impl<WIDTH: Dim, E: Real, D: Kernels<E>> Parameters<E, D> for ResidualBlock<WIDTH, E, D> {
    fn parameters(&mut self, prefix: &str, visit: &mut Visit<'_, E, D>) {
        self.norm1.parameters(&path(prefix, "GroupNorm_0"), visit);
        self.conv1.parameters(&path(prefix, "conv1"), visit);
        self.projection.parameters(&path(prefix, "cond_proj"), visit);
        self.norm2.parameters(&path(prefix, "GroupNorm_1"), visit);
        self.conv2.parameters(&path(prefix, "conv2"), visit);
        if let Some(skip) = &mut self.skip {
            skip.parameters(&path(prefix, "nin_shortcut"), visit);
        }
    }
}
