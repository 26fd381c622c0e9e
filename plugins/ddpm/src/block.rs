//! A residual block from any channels to any others, at one resolution.

use dfdx::prelude::{Tensor, WithEmptyTape};
use idode::nn::{AttentionBlock, Conv, Dense, Init, Norm, Parameters, Pass, Visit};
use idode::tensor::{ImageBatch, Kernels, Mode, Plain, Real};
use rand::RngCore;

/// Images whose sizes are known at run time.
pub(crate) type Pixels = ImageBatch<usize, usize, usize>;

/// `y = skip(x) + conv2(dropout(norm2(conv1(norm1(x)) + P e)))`, where `e` embeds the time, and attention after it where it is asked for.
///
/// Several inputs are taken side by side, each normalized by itself with its share of the groups. `conv2` and `P` start at zero.
#[derive(Clone, Debug)]
pub(crate) struct Block<E: Real, D: Kernels<E>> {
    norm1: Norm<E, D>,
    conv1: Conv<3, usize, E, D>,
    projection: Dense<usize, usize, E, D>,
    norm2: Norm<E, D>,
    conv2: Conv<3, usize, E, D>,
    skip: Option<Conv<1, usize, E, D>>,
    attention: Option<AttentionBlock<usize, E, D>>,
    dropout: f64,
}

/// What a block is made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes<'a> {
    /// The channels of each input.
    pub(crate) inputs: &'a [usize],
    pub(crate) out: usize,
    /// The numbers that embed the time.
    pub(crate) embedding: usize,
    pub(crate) attends: bool,
    pub(crate) dropout: f64,
}

impl<E: Real, D: Kernels<E>> Block<E, D> {
    pub(crate) fn new(sizes: Sizes<'_>, device: &D, rng: &mut dyn RngCore) -> Self {
        let Sizes { inputs, out, embedding, attends, dropout } = sizes;
        let channels = inputs.iter().sum();
        let same = inputs == [out];
        Self {
            norm1: Norm::new(channels, device),
            conv1: Conv::new(channels, out, Init::Lecun, device, rng),
            projection: Dense::without_bias(embedding, out, Init::Zeros, device, rng),
            norm2: Norm::new(out, device),
            conv2: Conv::new(out, out, Init::Zeros, device, rng),
            skip: (!same).then(|| Conv::new(channels, out, Init::Lecun, device, rng)),
            attention: attends.then(|| AttentionBlock::new(out, device, rng)),
            dropout,
        }
    }

    pub(crate) fn apply<M: Mode<E, D>>(
        &self,
        inputs: Vec<M::Of<Pixels>>,
        time: &Tensor<(usize, usize), E, D, M::Tape>,
        pass: &mut Pass<'_>,
    ) -> M::Of<Pixels> {
        let mut shared: Vec<M::Of<Pixels>> = inputs.iter().map(|x| M::share(x)).collect();
        let shift = self.projection.apply::<Plain<M::Tape>>(time.with_empty_tape());
        let first = (&self.norm1, None);
        let h = self.conv1.apply_normed::<M, usize, usize, usize>(inputs, first, Some(shift), None);
        let residual = match &self.skip {
            Some(skip) => Some(skip.apply::<M, usize, usize, usize>(shared, None, None)),
            None => shared.pop(),
        };
        let second = (&self.norm2, pass.dropout(self.dropout));
        let h = self.conv2.apply_normed::<M, usize, usize, usize>(vec![h], second, None, residual);
        match &self.attention {
            Some(attention) => attention.apply::<M, usize, usize>(h),
            None => h,
        }
    }
}

impl<E: Real, D: Kernels<E>> Parameters<E, D> for Block<E, D> {
    fn parameters(&mut self, prefix: &str, visit: &mut Visit<'_, E, D>) {
        self.norm1.parameters(&format!("{prefix}/norm1"), visit);
        self.conv1.parameters(&format!("{prefix}/conv1"), visit);
        self.projection.parameters(&format!("{prefix}/time"), visit);
        self.norm2.parameters(&format!("{prefix}/norm2"), visit);
        self.conv2.parameters(&format!("{prefix}/conv2"), visit);
        if let Some(skip) = &mut self.skip {
            skip.parameters(&format!("{prefix}/skip"), visit);
        }
        if let Some(attention) = &mut self.attention {
            attention.parameters(&format!("{prefix}/attention"), visit);
        }
    }
}
