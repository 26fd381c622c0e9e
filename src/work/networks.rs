//! The networks that the binary holds: a fixed list of image shapes and widths, since both are in the type.

use super::device::{ComputeDevice, Opened, open};
use crate::config::{self, Recipe};
use crate::data::ImageShape;
use crate::error::{Error, Result};
use crate::nn::{
    Attention, Counted, FadingFourier, Mlp, MlpConfig, Network, Parameters, SecondJvp, UNet, UNetConfig,
};
use crate::tensor::Kernels;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A network on device `D` that a recipe can be run with.
pub(crate) trait Trainable<D: Kernels<f32>>:
    Network<f32, D> + SecondJvp<f32, D> + Parameters<f32, D> + Counted<f32, D> + 'static
{
}
impl<D, N> Trainable<D> for N
where
    D: Kernels<f32>,
    N: Network<f32, D> + SecondJvp<f32, D> + Parameters<f32, D> + Counted<f32, D> + 'static,
{
}

/// What is done with the network of a recipe, whatever its type and its device.
pub(crate) trait WithNetwork {
    type Output;
    fn run<D: ComputeDevice, N: Trainable<D>>(self, network: N) -> Result<Self::Output>;
}

/// Builds the network of a recipe for images of `shape` on the recipe's device, with fresh weights, and hands it to `work`.
///
/// # Errors
/// If the device cannot be used, if the binary holds no such network, and whatever `work` says.
pub(crate) fn with_network<F: WithNetwork>(recipe: &Recipe, shape: ImageShape, work: F) -> Result<F::Output> {
    match open(recipe.device)? {
        Opened::Cpu(device) => with_network_on(&device, recipe, shape, work),
        #[cfg(feature = "cuda")]
        Opened::Cuda(device) => with_network_on(&device, recipe, shape, work),
    }
}

/// The same on a device that is open.
pub(crate) fn with_network_on<D: ComputeDevice, F: WithNetwork>(
    device: &D,
    recipe: &Recipe,
    shape: ImageShape,
    work: F,
) -> Result<F::Output> {
    // Stream -1 of the generator: training step k has stream k.
    let mut rng = ChaCha8Rng::seed_from_u64(recipe.seed);
    rng.set_stream(u64::MAX);
    let done = match &recipe.network {
        config::Network::Unet(settings) => unet(device, recipe, settings, shape, &mut rng, work),
        config::Network::Mlp(settings) => mlp(device, recipe, settings, shape, &mut rng, work),
    };
    // What comes next needs buffers of other sizes.
    device.empty_cache();
    done
}

/// One line that tells two networks apart, for checkpoints.
pub(crate) fn describe(recipe: &Recipe, shape: ImageShape) -> String {
    match &recipe.network {
        config::Network::Unet(unet) => {
            let attention = match unet.attention {
                Attention::Middle => "the middle",
                Attention::EveryBlock => "every block",
            };
            let (width, blocks) = (unet.width, unet.blocks);
            format!(
                "unet for {shape}, width {width}, {blocks} blocks, attention in {attention}, {}fourier {:?}",
                if unet.fading { "fading " } else { "" },
                fourier(recipe, &unet.fourier)
            )
        }
        config::Network::Mlp(mlp) => {
            let (width, depth) = (mlp.width, mlp.depth);
            format!(
                "mlp for {shape}, width {width}, depth {depth}, fourier {:?}",
                fourier(recipe, &mlp.fourier)
            )
        }
    }
}

/// The exponents of the Fourier features: by default about a turn a grey level.
fn fourier(recipe: &Recipe, set: &Option<Vec<i32>>) -> Vec<i32> {
    set.clone().unwrap_or_else(|| {
        let n = (f64::from(recipe.data.levels()) / 2.0).log2().round() as i32;
        vec![n - 1, n]
    })
}

macro_rules! unets {
    ($($height:literal x $width:literal x $channels:literal: $($inner:literal),+;)+) => {
        /// Every image shape and the widths that a U-Net for it is compiled with.
        const UNETS: &[(ImageShape, &[usize])] = &[
            $((ImageShape { height: $height, width: $width, channels: $channels }, &[$($inner),+]),)+
        ];

        fn unet<D: ComputeDevice, F: WithNetwork>(
            device: &D,
            recipe: &Recipe,
            settings: &config::Unet,
            shape: ImageShape,
            rng: &mut ChaCha8Rng,
            work: F,
        ) -> Result<F::Output> {
            let range = recipe.gamma_range()?;
            let config = UNetConfig {
                fading: settings.fading.then(|| [range.min().0, range.max().0]),
                blocks: settings.blocks,
                attention: settings.attention,
                dropout: settings.dropout,
                checkpoint: settings.checkpoint,
                fourier: fourier(recipe, &settings.fourier),
            };
            match (shape.height, shape.width, shape.channels, settings.width) {
                $($(($height, $width, $channels, $inner) => {
                    work.run(UNet::<$height, $width, $channels, $inner, f32, D>::new(&config, device, rng)?)
                })+)+
                _ => Err(missing_unet(recipe, settings.width, shape)),
            }
        }
    };
}

unets! {
    8 x 8 x 1: 32, 64;
    8 x 8 x 3: 32, 64;
    32 x 32 x 3: 64, 128, 256;
}

fn missing_unet(recipe: &Recipe, width: usize, shape: ImageShape) -> Error {
    let list = |numbers: &[usize]| numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    match UNETS.iter().find(|(compiled, _)| *compiled == shape) {
        Some((_, widths)) => {
            let expected = format!("a width that is compiled for images of {shape}: {}", list(widths));
            recipe.source.error("network.width", width, expected)
        }
        None => {
            let shapes: Vec<String> = UNETS.iter().map(|(shape, _)| shape.to_string()).collect();
            let expected = format!(
                "a network for images of {shape}: \"mlp\" fits two numbers, \"unet\" is compiled for {}",
                shapes.join(", ")
            );
            recipe.source.error("network.name", "\"unet\"", expected)
        }
    }
}

/// The widths that an MLP for two numbers is compiled with.
const MLPS: &[usize] = &[32, 64, 128];

fn mlp<D: ComputeDevice, F: WithNetwork>(
    device: &D,
    recipe: &Recipe,
    settings: &config::Mlp,
    shape: ImageShape,
    rng: &mut ChaCha8Rng,
    work: F,
) -> Result<F::Output> {
    let range = recipe.gamma_range()?;
    let fourier = FadingFourier {
        exponents: fourier(recipe, &settings.fourier),
        gamma: [range.min().0, range.max().0],
    };
    let config = MlpConfig { blocks: settings.depth, fourier: Some(fourier) };
    match (shape.dims(), settings.width) {
        (2, 32) => work.run(Mlp::<2, 32, f32, D>::new(&config, device, rng)?),
        (2, 64) => work.run(Mlp::<2, 64, f32, D>::new(&config, device, rng)?),
        (2, 128) => work.run(Mlp::<2, 128, f32, D>::new(&config, device, rng)?),
        (2, width) => {
            let widths: Vec<String> = MLPS.iter().map(usize::to_string).collect();
            let expected = format!("a width that is compiled: {}", widths.join(", "));
            Err(recipe.source.error("network.width", width, expected))
        }
        _ => {
            let expected = format!("a network for images of {shape}: \"mlp\" is compiled for two numbers");
            Err(recipe.source.error("network.name", "\"mlp\"", expected))
        }
    }
}
