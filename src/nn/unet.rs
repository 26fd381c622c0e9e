//! The paper's U-Net: residual blocks at constant resolution with long skip connections.

use super::parameters::path;
use super::{
    AttentionBlock, Conv, FadingFourier, FourierFeatures, GROUPS, Init, ModeNetwork, Norm, Parameters, Pass,
    ResidualBlock, TimeEmbedding, Visit,
};
use crate::error::{Error, Result};
use crate::tensor::{ImageBatch, Kernels, Mode, Real};
use dfdx::prelude::{Const, Dim, Tensor};
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
    /// The numbers that each row is conditioned on, beside its time: see [`Pass::with_conditioning`].
    pub conditions: usize,
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
            conditions: 1,
            dropout: 0.1,
            fourier: vec![6, 7],
            fading: None,
            checkpoint: false,
        }
    }
}

/// The paper's U-Net on images of `H x W` pixels with `C` channels, `WIDTH` channels wide inside.
///
/// Each of the four is a dfdx dimension: `Const<32>` where the compiler shall check it ([`StaticUNet`] writes them short), `usize`
/// where it is known at run time. Networks of the same sizes compute the same bits.
///
/// `F(z, t) = z + conv_out(norm(up(middle(down(conv_in(features(z)))))))`: `blocks` residual blocks,
/// two with attention between them, then `blocks + 1`, each of which also sees the output of its
/// mirror image in the first half. No down-sampling. Output layers start at zero, so `F = z` at first.
///
/// # Shapes
/// `(batch, H, W, C)` to the same; of `Const` dimensions, another image shape or width is another type.
///
/// # Reference
/// Kingma et al., "Variational Diffusion Models" (arXiv 2107.00630), appendix B; i-DODE (arXiv
/// 2305.03935) trains the same network.
#[derive(Clone, Debug)]
pub struct UNet<H: Dim, W: Dim, C: Dim, WIDTH: Dim, E: Real, D: Kernels<E>> {
    time: TimeEmbedding<E, D>,
    features: FourierFeatures<E, D>,
    conv_in: Conv<3, WIDTH, E, D>,
    down: Vec<Stage<WIDTH, E, D>>,
    middle: (ResidualBlock<WIDTH, E, D>, AttentionBlock<WIDTH, E, D>, ResidualBlock<WIDTH, E, D>),
    up: Vec<Stage<WIDTH, E, D>>,
    norm: Norm<E, D>,
    conv_out: Conv<3, C, E, D>,
    image: (H, W, C),
    device: D,
}

/// A [`UNet`] whose sizes the compiler knows.
pub type StaticUNet<const H: usize, const W: usize, const C: usize, const WIDTH: usize, E, D> =
    UNet<Const<H>, Const<W>, Const<C>, Const<WIDTH>, E, D>;

/// A [`UNet`] whose sizes are known at run time.
pub type DynamicUNet<E, D> = UNet<usize, usize, usize, usize, E, D>;

/// A residual block and, in some networks, attention after it.
#[derive(Clone, Debug)]
struct Stage<WIDTH: Dim, E: Real, D: Kernels<E>> {
    block: ResidualBlock<WIDTH, E, D>,
    attention: Option<AttentionBlock<WIDTH, E, D>>,
    checkpoint: bool,
}

impl<WIDTH: Dim, E: Real, D: Kernels<E>> Stage<WIDTH, E, D> {
    fn new(inputs: usize, width: WIDTH, config: &UNetConfig, device: &D, rng: &mut dyn RngCore) -> Self {
        Self {
            block: ResidualBlock::new(inputs, width, config.dropout, device, rng),
            attention: match config.attention {
                Attention::Middle => None,
                Attention::EveryBlock => Some(AttentionBlock::new(width, device, rng)),
            },
            checkpoint: config.checkpoint,
        }
    }

    fn apply<M: Mode<E, D>, H: Dim, W: Dim>(
        &self,
        inputs: Vec<M::Of<ImageBatch<H, W, WIDTH>>>,
        time: &Tensor<(usize, usize), E, D, M::Tape>,
        pass: &mut Pass<'_>,
    ) -> M::Of<ImageBatch<H, W, WIDTH>> {
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
    StaticUNet<H, W, C, WIDTH, E, D>
{
    /// A network with fresh weights, whose width the compiler checks: see [`sized`](UNet::sized).
    ///
    /// # Errors
    /// As [`sized`](UNet::sized).
    pub fn new(config: &UNetConfig, device: &D, rng: &mut dyn RngCore) -> Result<Self>
    where
        Const<WIDTH>: GroupedWidth,
    {
        Self::sized((Const, Const, Const), Const, config, device, rng)
    }
}

impl<H: Dim, W: Dim, C: Dim, WIDTH: Dim, E: Real, D: Kernels<E>> UNet<H, W, C, WIDTH, E, D> {
    /// A network with fresh weights for images of `(height, width, channels)`, `width` channels wide inside. Turns on the
    /// device's cache of buffers: every step needs the same ones.
    ///
    /// # Errors
    /// If `width` is no multiple of 32, a side of the images or `blocks` is 0, `dropout` lies outside `[0, 1)`, or a Fourier
    /// exponent outside `[-20, 20]`.
    pub fn sized(
        image: (H, W, C),
        width: WIDTH,
        config: &UNetConfig,
        device: &D,
        rng: &mut dyn RngCore,
    ) -> Result<Self> {
        if width.size() == 0 || !width.size().is_multiple_of(GROUPS) {
            let expected = format!("a multiple of {GROUPS}, the groups of group norm");
            return Err(Error::value("network.width", width.size(), expected));
        }
        let sides = [image.0.size(), image.1.size(), image.2.size()];
        if sides.contains(&0) {
            let found = format!("{sides:?}");
            return Err(Error::value("shape of an image", found, "height, width and channels of at least 1"));
        }
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
                FourierFeatures::fading(sides[2], FadingFourier { exponents, gamma }, device)
            }
            None => FourierFeatures::new(sides[2], &config.fourier, device),
        };
        Ok(Self {
            time: TimeEmbedding::new(width.size(), config.conditions, device, rng),
            conv_in: Conv::new(features.channels(), width, Init::Lecun, device, rng),
            features,
            down: (0..config.blocks).map(|_| Stage::new(1, width, config, device, rng)).collect(),
            middle: (
                ResidualBlock::new(1, width, config.dropout, device, rng),
                AttentionBlock::new(width, device, rng),
                ResidualBlock::new(1, width, config.dropout, device, rng),
            ),
            up: (0..=config.blocks).map(|_| Stage::new(2, width, config, device, rng)).collect(),
            norm: Norm::new(width.size(), device),
            conv_out: Conv::new(width.size(), image.2, Init::Zeros, device, rng),
            image,
            device: device.clone(),
        })
    }
}

impl<H: Dim, W: Dim, C: Dim, WIDTH: Dim, E: Real, D: Kernels<E>> ModeNetwork<E, D>
    for UNet<H, W, C, WIDTH, E, D>
{
    type Batch = ImageBatch<H, W, C>;

    fn batch(&self, rows: usize) -> Self::Batch {
        let (height, width, channels) = self.image;
        (rows, height, width, channels)
    }

    fn device(&self) -> &D {
        &self.device
    }

    fn conditions(&self) -> usize {
        self.time.conditions()
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

impl<H: Dim, W: Dim, C: Dim, WIDTH: Dim, E: Real, D: Kernels<E>> Parameters<E, D>
    for UNet<H, W, C, WIDTH, E, D>
{
    fn parameters(&mut self, prefix: &str, visit: &mut Visit<'_, E, D>) {
        self.time.parameters(prefix, visit);
        self.conv_in.parameters(&path(prefix, "conv_in"), visit);
        for (half, stages) in [("down", &mut self.down), ("up", &mut self.up)] {
            for (i, stage) in stages.iter_mut().enumerate() {
                stage.block.parameters(&path(prefix, &format!("{half}.block_{i}")), visit);
                if let Some(attention) = &mut stage.attention {
                    attention.parameters(&path(prefix, &format!("{half}.attn_{i}")), visit);
                }
            }
        }
        self.middle.0.parameters(&path(prefix, "mid.block_1"), visit);
        self.middle.1.parameters(&path(prefix, "mid.attn_1"), visit);
        self.middle.2.parameters(&path(prefix, "mid.block_2"), visit);
        self.norm.parameters(&path(prefix, "GroupNorm_0"), visit);
        self.conv_out.parameters(&path(prefix, "conv_out"), visit);
    }
}
