//! The paper's U-Net: residual blocks at constant resolution with long skip connections.

use super::parameters::path;
use super::{
    AttentionBlock, Conv, FadingFourier, FourierFeatures, Init, ModeNetwork, Norm, ParameterVisitor,
    Parameters, Pass, ResidualBlock, TimeEmbedding,
};
use crate::error::{Error, Result};
use crate::tensor::{ImageBatch, Kernels, Mode, Real};
use dfdx::prelude::{Const, Tensor};
use rand::RngCore;
use serde::{Deserialize, Serialize};

/// A width that group norm can split into 32 groups: a multiple of 32 (up to 1024).
#[diagnostic::on_unimplemented(
    message = "a U-Net's width must be a multiple of 32, and `{Self}` is not",
    label = "this width cannot be split into the 32 groups of group norm",
    note = "widths of the paper: 128 (CIFAR-10, ImageNet-32) and 256 (CIFAR-10 with augmentation)"
)]
pub trait GroupedWidth {}

macro_rules! grouped_widths {
    ($($groups:literal)+) => { $(impl GroupedWidth for Const<{ 32 * $groups }> {})+ };
}

// One by one, not by arithmetic on types: so the compiler's message is the one above.
grouped_widths!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
grouped_widths!(17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32);

/// Where the U-Net attends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attention {
    /// Between the two middle blocks.
    #[default]
    Middle,
    /// There, and after every block of both halves.
    EveryBlock,
}

/// The U-Net's settings that are not in its type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UNetConfig {
    /// Residual blocks in the first half; the second half has one more.
    pub blocks: usize,
    /// Where it attends.
    pub attention: Attention,
    /// The rate of dropout inside the residual blocks.
    pub dropout: f64,
    /// Exponents of the base-2 Fourier features; empty for none.
    pub fourier: Vec<i32>,
    /// The noise levels gamma at the network's times 0 and 1 if the features fade with noise (see
    /// [`FadingFourier`]); the paper's do not.
    pub fading: Option<[f64; 2]>,
    /// Whether training keeps the inputs of each residual block alone and computes the rest again in the backward
    /// pass: a third more operations for less memory.
    pub checkpoint: bool,
}

impl Default for UNetConfig {
    fn default() -> Self {
        Self {
            blocks: 32,
            attention: Attention::Middle,
            dropout: 0.1,
            fourier: vec![6, 7],
            fading: None,
            checkpoint: false,
        }
    }
}

/// The paper's U-Net on images of `H x W` pixels with `C` channels, `WIDTH` channels wide inside.
///
/// `F(z, t) = z + conv_out(norm(up(middle(down(conv_in(features(z)))))))`: `blocks` residual blocks,
/// two with attention between them, then `blocks + 1`, each of which also sees the output of its
/// mirror image in the first half. No down-sampling. Output layers start at zero, so `F = z` at first.
///
/// # Shapes
/// `(batch, H, W, C)` to the same; another image shape or width is another type.
///
/// # Reference
/// Kingma et al., "Variational Diffusion Models" (arXiv 2107.00630), appendix B; i-DODE (arXiv
/// 2305.03935) trains the same network.
#[derive(Clone, Debug)]
pub struct UNet<const H: usize, const W: usize, const C: usize, const WIDTH: usize, E: Real, D: Kernels<E>> {
    time: TimeEmbedding<E, D>,
    features: FourierFeatures<E, D>,
    conv_in: Conv<3, WIDTH, E, D>,
    down: Vec<Stage<WIDTH, E, D>>,
    middle: (ResidualBlock<WIDTH, E, D>, AttentionBlock<WIDTH, E, D>, ResidualBlock<WIDTH, E, D>),
    up: Vec<Stage<WIDTH, E, D>>,
    norm: Norm<E, D>,
    conv_out: Conv<3, C, E, D>,
    device: D,
}

/// A residual block and, in some networks, attention after it.
#[derive(Clone, Debug)]
struct Stage<const WIDTH: usize, E: Real, D: Kernels<E>> {
    block: ResidualBlock<WIDTH, E, D>,
    attention: Option<AttentionBlock<WIDTH, E, D>>,
    checkpoint: bool,
}

impl<const WIDTH: usize, E: Real, D: Kernels<E>> Stage<WIDTH, E, D> {
    fn new(inputs: usize, config: &UNetConfig, device: &D, rng: &mut dyn RngCore) -> Self {
        Self {
            block: ResidualBlock::new(inputs, config.dropout, device, rng),
            attention: match config.attention {
                Attention::Middle => None,
                Attention::EveryBlock => Some(AttentionBlock::new(device, rng)),
            },
            checkpoint: config.checkpoint,
        }
    }

    fn apply<M: Mode<E, D>, const H: usize, const W: usize>(
        &self,
        inputs: Vec<M::Of<ImageBatch<H, W, Const<WIDTH>>>>,
        time: &Tensor<(usize, usize), E, D, M::Tape>,
        pass: &mut Pass<'_>,
    ) -> M::Of<ImageBatch<H, W, Const<WIDTH>>> {
        let h = if self.checkpoint {
            self.block.apply_checkpointed::<M, H, W>(inputs, time, pass)
        } else {
            self.block.apply::<M, H, W>(inputs, time, pass)
        };
        match &self.attention {
            Some(attention) => attention.apply::<M, H, W>(h),
            None => h,
        }
    }
}

impl<const H: usize, const W: usize, const C: usize, const WIDTH: usize, E: Real, D: Kernels<E>>
    UNet<H, W, C, WIDTH, E, D>
{
    /// A network with fresh weights. Turns on the device's cache of buffers: every step needs the same ones.
    ///
    /// # Errors
    /// If `blocks` is 0, `dropout` lies outside `[0, 1)`, or a Fourier exponent outside `[-20, 20]`.
    pub fn new(config: &UNetConfig, device: &D, rng: &mut dyn RngCore) -> Result<Self>
    where
        Const<WIDTH>: GroupedWidth,
    {
        if config.blocks == 0 {
            return Err(Error::value("network.blocks", 0, "at least 1"));
        }
        if !(0.0..1.0).contains(&config.dropout) {
            return Err(Error::value("network.dropout", config.dropout, "a number in [0, 1)"));
        }
        if let Some(k) = config.fourier.iter().find(|k| k.abs() > 20) {
            return Err(Error::value("network.fourier", k, "exponents from -20 to 20"));
        }
        device.enable_cache();
        let features = match config.fading {
            Some(gamma) => {
                let exponents = config.fourier.clone();
                FourierFeatures::fading(C, FadingFourier { exponents, gamma }, device)
            }
            None => FourierFeatures::new(C, &config.fourier, device),
        };
        Ok(Self {
            time: TimeEmbedding::new(WIDTH, device, rng),
            conv_in: Conv::new(features.channels(), Init::Lecun, device, rng),
            features,
            down: (0..config.blocks).map(|_| Stage::new(1, config, device, rng)).collect(),
            middle: (
                ResidualBlock::new(1, config.dropout, device, rng),
                AttentionBlock::new(device, rng),
                ResidualBlock::new(1, config.dropout, device, rng),
            ),
            up: (0..=config.blocks).map(|_| Stage::new(2, config, device, rng)).collect(),
            norm: Norm::new(WIDTH, device),
            conv_out: Conv::new(WIDTH, Init::Zeros, device, rng),
            device: device.clone(),
        })
    }
}

impl<const H: usize, const W: usize, const C: usize, const WIDTH: usize, E: Real, D: Kernels<E>>
    ModeNetwork<E, D> for UNet<H, W, C, WIDTH, E, D>
{
    type Batch = ImageBatch<H, W, Const<C>>;

    fn batch(&self, rows: usize) -> Self::Batch {
        (rows, Const, Const, Const)
    }

    fn device(&self) -> &D {
        &self.device
    }

    fn apply<M: Mode<E, D>>(&self, z: M::Of<Self::Batch>, pass: &mut Pass<'_>) -> M::Of<Self::Batch> {
        let time = self.time.apply::<M::Tape>(pass);
        let features = self.features.apply::<M, H, W, _>(M::share(&z), pass.times);
        let mut h = self.conv_in.apply::<M, H, W, _>(features, None, None);
        let mut skips = vec![M::share(&h)];
        for stage in &self.down {
            h = stage.apply::<M, H, W>(vec![h], &time, pass);
            skips.push(M::share(&h));
        }
        h = self.middle.0.apply::<M, H, W>(vec![h], &time, pass);
        h = self.middle.1.apply::<M, H, W>(h);
        h = self.middle.2.apply::<M, H, W>(vec![h], &time, pass);
        for (stage, skip) in self.up.iter().zip(skips.into_iter().rev()) {
            h = stage.apply::<M, H, W>(vec![h, skip], &time, pass);
        }
        // The embedding's own tape joins here: every block above used it without.
        let h = M::join(h, time);
        self.conv_out.apply_normed::<M, H, W, _>(vec![h], (&self.norm, None), None, Some(z))
    }
}

impl<const H: usize, const W: usize, const C: usize, const WIDTH: usize, E: Real, D: Kernels<E>>
    Parameters<E, D> for UNet<H, W, C, WIDTH, E, D>
{
    fn parameters<V: ParameterVisitor<E, D>>(&mut self, prefix: &str, visitor: &mut V) {
        self.time.parameters(prefix, visitor);
        self.conv_in.parameters(&path(prefix, "conv_in"), visitor);
        for (half, stages) in [("down", &mut self.down), ("up", &mut self.up)] {
            for (i, stage) in stages.iter_mut().enumerate() {
                stage.block.parameters(&path(prefix, &format!("{half}.block_{i}")), visitor);
                if let Some(attention) = &mut stage.attention {
                    attention.parameters(&path(prefix, &format!("{half}.attn_{i}")), visitor);
                }
            }
        }
        self.middle.0.parameters(&path(prefix, "mid.block_1"), visitor);
        self.middle.1.parameters(&path(prefix, "mid.attn_1"), visitor);
        self.middle.2.parameters(&path(prefix, "mid.block_2"), visitor);
        self.norm.parameters(&path(prefix, "GroupNorm_0"), visitor);
        self.conv_out.parameters(&path(prefix, "conv_out"), visitor);
    }
}
