//! The levels of the network, down and up.

use crate::Settings;
use crate::block::{Block, Pixels, Sizes};
use idode::data::ImageShape;
use idode::nn::{
    Conv, FadingFourier, FourierFeatures, Init, ModeNetwork, Norm, Parameters, Pass, TimeEmbedding, Visit,
};
use idode::registry::NetworkInputs;
use idode::tensor::{Kernels, Mode, Real};
use rand::RngCore;

/// The U-Net of this crate: see the crate's documentation for its equation and the recipe's settings.
///
/// # Shapes
/// `(batch, height, width, channels)` to the same.
#[derive(Clone, Debug)]
pub struct DdpmUNet<E: Real, D: Kernels<E>> {
    time: TimeEmbedding<E, D>,
    features: FourierFeatures<E, D>,
    conv_in: Conv<3, usize, E, D>,
    down: Vec<Level<E, D>>,
    middle: [Block<E, D>; 2],
    up: Vec<Level<E, D>>,
    norm: Norm<E, D>,
    conv_out: Conv<3, usize, E, D>,
    image: ImageShape,
    device: D,
}

/// The blocks of one resolution, and the convolution beside its change.
#[derive(Clone, Debug)]
struct Level<E: Real, D: Kernels<E>> {
    blocks: Vec<Block<E, D>>,
    /// After half or twice the resolution; the last level has none.
    resampled: Option<Conv<3, usize, E, D>>,
}

impl<E: Real, D: Kernels<E>> DdpmUNet<E, D> {
    /// A network with fresh weights; the settings have been checked. Turns on the device's cache of buffers.
    pub(crate) fn new(
        settings: &Settings,
        exponents: &[i32],
        inputs: &NetworkInputs,
        device: &D,
        rng: &mut dyn RngCore,
    ) -> Self {
        device.enable_cache();
        let (image, width) = (inputs.shape.image(), settings.width);
        let features = match exponents {
            [] => FourierFeatures::new(image.channels, &[], device),
            _ => {
                let fading = FadingFourier { exponents: exponents.to_vec(), gamma: inputs.gammas() };
                FourierFeatures::fading(image.channels, fading, device)
            }
        };
        let time = TimeEmbedding::new(width, inputs.conditions, device, rng);
        let conv_in = Conv::new(features.channels(), width, Init::Lecun, device, rng);
        let (embedding, dropout) = (4 * width, settings.dropout);
        let channels: Vec<usize> = settings.multipliers.iter().map(|factor| factor * width).collect();
        let attends = |level: usize| settings.attention.contains(&(image.height >> level));
        let last = channels.len() - 1;

        let (mut now, mut skips, mut down) = (width, vec![width], Vec::new());
        for (level, &out) in channels.iter().enumerate() {
            let mut blocks = Vec::new();
            for _ in 0..settings.blocks {
                let sizes = Sizes { inputs: &[now], out, embedding, attends: attends(level), dropout };
                blocks.push(Block::new(sizes, device, rng));
                now = out;
                skips.push(now);
            }
            let resampled = (level < last).then(|| Conv::new(now, now, Init::Lecun, device, rng));
            skips.extend(resampled.is_some().then_some(now));
            down.push(Level { blocks, resampled });
        }
        let middle = [true, false].map(|attends| {
            Block::new(Sizes { inputs: &[now], out: now, embedding, attends, dropout }, device, rng)
        });
        let mut up = Vec::new();
        for (level, &out) in channels.iter().enumerate().rev() {
            let mut blocks = Vec::new();
            for _ in 0..=settings.blocks {
                let skip = skips.pop().unwrap_or(now);
                let sizes = Sizes { inputs: &[now, skip], out, embedding, attends: attends(level), dropout };
                blocks.push(Block::new(sizes, device, rng));
                now = out;
            }
            let resampled = (level > 0).then(|| Conv::new(now, now, Init::Lecun, device, rng));
            up.push(Level { blocks, resampled });
        }
        let conv_out = Conv::new(now, image.channels, Init::Zeros, device, rng);
        let norm = Norm::new(now, device);
        Self { time, features, conv_in, down, middle, up, norm, conv_out, image, device: device.clone() }
    }
}

impl<E: Real, D: Kernels<E>> ModeNetwork<E, D> for DdpmUNet<E, D> {
    type Batch = Pixels;

    fn batch(&self, rows: usize) -> Pixels {
        (rows, self.image.height, self.image.width, self.image.channels)
    }

    fn device(&self) -> &D {
        &self.device
    }

    fn conditions(&self) -> usize {
        self.time.conditions()
    }

    fn apply<M: Mode<E, D>>(&self, z: M::Of<Pixels>, pass: &mut Pass<'_>) -> M::Of<Pixels> {
        let time = self.time.apply::<M::Tape>(pass);
        let features = self.features.apply::<M, usize, usize, usize>(M::share(&z), pass.times);
        let mut h = self.conv_in.apply::<M, usize, usize, usize>(features, None, None);
        let mut skips = vec![M::share(&h)];
        for level in &self.down {
            for block in &level.blocks {
                h = block.apply::<M>(vec![h], &time, pass);
                skips.push(M::share(&h));
            }
            if let Some(conv) = &level.resampled {
                h = conv.apply::<M, usize, usize, usize>(vec![M::average_pool(h)], None, None);
                skips.push(M::share(&h));
            }
        }
        for block in &self.middle {
            h = block.apply::<M>(vec![h], &time, pass);
        }
        for level in &self.up {
            for block in &level.blocks {
                let inputs = std::iter::once(h).chain(skips.pop()).collect();
                h = block.apply::<M>(inputs, &time, pass);
            }
            if let Some(conv) = &level.resampled {
                h = conv.apply::<M, usize, usize, usize>(vec![M::upsample(h)], None, None);
            }
        }
        // The embedding's own tape joins here: every block above used it without.
        let h = M::join(h, time);
        self.conv_out.apply_normed::<M, usize, usize, usize>(vec![h], (&self.norm, None), None, Some(z))
    }
}

impl<E: Real, D: Kernels<E>> Parameters<E, D> for DdpmUNet<E, D> {
    fn parameters(&mut self, prefix: &str, visit: &mut Visit<'_, E, D>) {
        let path = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
        self.time.parameters(&path("time"), visit);
        self.conv_in.parameters(&path("conv_in"), visit);
        for (half, levels) in [("down", &mut self.down), ("up", &mut self.up)] {
            for (i, level) in levels.iter_mut().enumerate() {
                for (j, block) in level.blocks.iter_mut().enumerate() {
                    block.parameters(&path(&format!("{half}_{i}/block_{j}")), visit);
                }
                if let Some(conv) = &mut level.resampled {
                    conv.parameters(&path(&format!("{half}_{i}/resampled")), visit);
                }
            }
        }
        for (i, block) in self.middle.iter_mut().enumerate() {
            block.parameters(&path(&format!("middle/block_{i}")), visit);
        }
        self.norm.parameters(&path("norm"), visit);
        self.conv_out.parameters(&path("conv_out"), visit);
    }
}
