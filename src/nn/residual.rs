//! The residual block.

use super::parameters::{path, slots};
use super::{Conv, Dense, Init, Norm, ParameterVisitor, Parameters, Pass};
use crate::tensor::{DropoutKey, ImageBatch, Kernels, Mode, Plain, Real, Segment, Slot, checkpoint};
use dfdx::prelude::{Const, Tensor, WithEmptyTape};
use rand::RngCore;

/// `y = skip(x) + conv2(dropout(norm2(conv1(norm1(x)) + P e)))`, where `e` embeds the time and `norm`
/// is group norm with swish.
///
/// With one input, `skip` is the identity; with several, they are taken side by side and `skip` is a
/// 1x1 convolution to `WIDTH` channels. `conv2` and `P` start at zero.
///
/// # Reference
/// Kingma et al., "Variational Diffusion Models" (arXiv 2107.00630), appendix B.
#[derive(Clone, Debug)]
pub struct ResidualBlock<const WIDTH: usize, E: Real, D: Kernels<E>> {
    norm1: Norm<E, D>,
    conv1: Conv<3, WIDTH, E, D>,
    projection: Dense<usize, Const<WIDTH>, E, D>,
    norm2: Norm<E, D>,
    conv2: Conv<3, WIDTH, E, D>,
    skip: Option<Conv<1, WIDTH, E, D>>,
    dropout: f64,
}

impl<const WIDTH: usize, E: Real, D: Kernels<E>> ResidualBlock<WIDTH, E, D> {
    /// A block over `inputs` activations of `WIDTH` channels each.
    pub fn new(inputs: usize, dropout: f64, device: &D, rng: &mut dyn RngCore) -> Self {
        let channels = inputs * WIDTH;
        Self {
            norm1: Norm::new(channels, device),
            conv1: Conv::new(channels, Init::Lecun, device, rng),
            projection: Dense::without_bias(4 * WIDTH, Const, Init::Zeros, device, rng),
            norm2: Norm::new(WIDTH, device),
            conv2: Conv::new(WIDTH, Init::Zeros, device, rng),
            skip: (inputs > 1).then(|| Conv::new(channels, Init::Lecun, device, rng)),
            dropout,
        }
    }

    /// The block's output from its inputs and the time embedding, in mode `M`.
    pub fn apply<M: Mode<E, D>, const H: usize, const W: usize>(
        &self,
        inputs: Vec<M::Of<ImageBatch<H, W, Const<WIDTH>>>>,
        time: &Tensor<(usize, usize), E, D, M::Tape>,
        pass: &mut Pass<'_>,
    ) -> M::Of<ImageBatch<H, W, Const<WIDTH>>> {
        self.given::<M, H, W>(inputs, time, pass.dropout(self.dropout))
    }

    /// The same, of which a tape keeps the inputs alone: see [`checkpoint`].
    pub fn apply_checkpointed<M: Mode<E, D>, const H: usize, const W: usize>(
        &self,
        inputs: Vec<M::Of<ImageBatch<H, W, Const<WIDTH>>>>,
        time: &Tensor<(usize, usize), E, D, M::Tape>,
        pass: &mut Pass<'_>,
    ) -> M::Of<ImageBatch<H, W, Const<WIDTH>>> {
        let (block, dropout) = (self.clone(), pass.dropout(self.dropout));
        checkpoint::<M, _, E, D>(Run::<H, W, WIDTH, E, D> { block, time: time.retaped(), dropout }, inputs)
    }

    /// The block's output with its dropout drawn.
    fn given<M: Mode<E, D>, const H: usize, const W: usize>(
        &self,
        inputs: Vec<M::Of<ImageBatch<H, W, Const<WIDTH>>>>,
        time: &Tensor<(usize, usize), E, D, M::Tape>,
        dropout: Option<DropoutKey>,
    ) -> M::Of<ImageBatch<H, W, Const<WIDTH>>> {
        let shared = inputs.iter().map(|x| M::share(x)).collect();
        let shift = self.projection.apply::<Plain<M::Tape>>(time.with_empty_tape());
        let h = self.conv1.apply_normed::<M, H, W, _>(inputs, (&self.norm1, None), Some(shift), None);
        let residual = self.skip::<M, H, W>(shared);
        self.conv2.apply_normed::<M, H, W, _>(vec![h], (&self.norm2, dropout), None, residual)
    }

    fn skip<M: Mode<E, D>, const H: usize, const W: usize>(
        &self,
        mut inputs: Vec<M::Of<ImageBatch<H, W, Const<WIDTH>>>>,
    ) -> Option<M::Of<ImageBatch<H, W, Const<WIDTH>>>> {
        match &self.skip {
            Some(skip) => Some(skip.apply::<M, H, W, _>(inputs, None, None)),
            None => inputs.pop(),
        }
    }
}

/// One run of a block.
struct Run<const H: usize, const W: usize, const WIDTH: usize, E: Real, D: Kernels<E>> {
    block: ResidualBlock<WIDTH, E, D>,
    time: Tensor<(usize, usize), E, D>,
    dropout: Option<DropoutKey>,
}

impl<const H: usize, const W: usize, const WIDTH: usize, E: Real, D: Kernels<E>> Segment<E, D>
    for Run<H, W, WIDTH, E, D>
{
    type Input = ImageBatch<H, W, Const<WIDTH>>;
    type Output = ImageBatch<H, W, Const<WIDTH>>;

    fn apply<M: Mode<E, D>>(&self, inputs: Vec<M::Of<Self::Input>>) -> M::Of<Self::Output> {
        self.block.given::<M, H, W>(inputs, &self.time.retaped(), self.dropout)
    }

    fn slots(&self) -> Vec<Slot<E, D>> {
        slots(&self.block).into_iter().chain([Slot::of(&self.time)]).collect()
    }
}

impl<const WIDTH: usize, E: Real, D: Kernels<E>> Parameters<E, D> for ResidualBlock<WIDTH, E, D> {
    fn parameters<V: ParameterVisitor<E, D>>(&mut self, prefix: &str, visitor: &mut V) {
        self.norm1.parameters(&path(prefix, "GroupNorm_0"), visitor);
        self.conv1.parameters(&path(prefix, "conv1"), visitor);
        self.projection.parameters(&path(prefix, "cond_proj"), visitor);
        self.norm2.parameters(&path(prefix, "GroupNorm_1"), visitor);
        self.conv2.parameters(&path(prefix, "conv2"), visitor);
        if let Some(skip) = &mut self.skip {
            skip.parameters(&path(prefix, "nin_shortcut"), visitor);
        }
    }
}
