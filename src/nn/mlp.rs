//! A residual network of dense layers, for points and toys.

use super::parameters::path;
use super::{
    Conv, Dense, FadingFourier, FourierFeatures, Init, ModeNetwork, ParameterVisitor, Parameters, Pass,
    TimeEmbedding,
};
use crate::error::{Error, Result};
use crate::tensor::{Kernels, Mode, Plain, Real};
use dfdx::prelude::{Const, WithEmptyTape};
use rand::RngCore;
use serde::{Deserialize, Serialize};

/// The MLP's settings that are not in its type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MlpConfig {
    /// The number of residual blocks.
    pub blocks: usize,
    /// Fourier features of the input, if any. Data on a grid of grey levels need them: at the least noise
    /// the flow must tell the grid's points apart, which dense layers on `z` alone learn too slowly.
    pub fourier: Option<FadingFourier>,
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self { blocks: 3, fourier: None }
    }
}

/// `F(z, t) = z + out(swish(h_L))`, `h_0 = in(features(z))`,
/// `h_{l+1} = h_l + B_l(swish(A_l(swish(h_l)) + P_l e))`, where `e` embeds the time.
///
/// # Shapes
/// `(batch, N)` to the same.
#[derive(Clone, Debug)]
pub struct Mlp<const N: usize, const WIDTH: usize, E: Real, D: Kernels<E>> {
    time: TimeEmbedding<E, D>,
    features: FourierFeatures<E, D>,
    input: Conv<1, WIDTH, E, D>,
    blocks: Vec<Block<WIDTH, E, D>>,
    output: Dense<Const<WIDTH>, Const<N>, E, D>,
    device: D,
}

#[derive(Clone, Debug)]
struct Block<const WIDTH: usize, E: Real, D: Kernels<E>> {
    first: Dense<Const<WIDTH>, Const<WIDTH>, E, D>,
    projection: Dense<usize, Const<WIDTH>, E, D>,
    second: Dense<Const<WIDTH>, Const<WIDTH>, E, D>,
}

impl<const N: usize, const WIDTH: usize, E: Real, D: Kernels<E>> Mlp<N, WIDTH, E, D> {
    /// A network with fresh weights. Turns on the device's cache of buffers: every step needs the same ones.
    ///
    /// # Errors
    /// If `blocks` is 0, or a Fourier exponent lies outside `[-20, 20]`.
    pub fn new(config: &MlpConfig, device: &D, rng: &mut dyn RngCore) -> Result<Self> {
        if config.blocks == 0 {
            return Err(Error::value("network.blocks", 0, "at least 1"));
        }
        let exponents = config.fourier.as_ref().map_or(&[][..], |fading| &fading.exponents);
        if let Some(k) = exponents.iter().find(|k| k.abs() > 20) {
            return Err(Error::value("network.fourier", k, "exponents from -20 to 20"));
        }
        device.enable_cache();
        let features = match &config.fourier {
            Some(fading) => FourierFeatures::fading(N, fading.clone(), device),
            None => FourierFeatures::new(N, &[], device),
        };
        Ok(Self {
            time: TimeEmbedding::new(WIDTH, device, rng),
            input: Conv::new(features.channels(), Init::Lecun, device, rng),
            features,
            blocks: (0..config.blocks)
                .map(|_| Block {
                    first: Dense::new(Const, Const, Init::Lecun, device, rng),
                    projection: Dense::without_bias(4 * WIDTH, Const, Init::Lecun, device, rng),
                    second: Dense::new(Const, Const, Init::Zeros, device, rng),
                })
                .collect(),
            output: Dense::new(Const, Const, Init::Zeros, device, rng),
            device: device.clone(),
        })
    }
}

impl<const N: usize, const WIDTH: usize, E: Real, D: Kernels<E>> ModeNetwork<E, D> for Mlp<N, WIDTH, E, D> {
    type Batch = (usize, Const<N>);

    fn batch(&self, rows: usize) -> Self::Batch {
        (rows, Const)
    }

    fn device(&self) -> &D {
        &self.device
    }

    fn apply<M: Mode<E, D>>(&self, z: M::Of<Self::Batch>, pass: &mut Pass<'_>) -> M::Of<Self::Batch> {
        let time = self.time.apply::<M::Tape>(pass);
        // A point is an image of one pixel: so its features need not be put side by side.
        let (rows, _) = M::shape(&z);
        let pixel = M::reshape(M::share(&z), (rows, Const::<1>, Const::<1>, Const::<N>));
        let features = self.features.apply::<M, 1, 1, _>(pixel, pass.times);
        let h = self.input.apply::<M, 1, 1, _>(features, None, None);
        let mut h = M::reshape(h, (rows, Const::<WIDTH>));
        for block in &self.blocks {
            let shift = block.projection.apply::<Plain<M::Tape>>(time.with_empty_tape());
            let g = block.first.apply::<M>(M::swish(M::share(&h)));
            let g = block.second.apply::<M>(M::swish(M::shift_rows(g, shift)));
            h = M::add(h, g);
        }
        let h = M::join(h, time);
        M::add(z, self.output.apply::<M>(M::swish(h)))
    }
}

impl<const N: usize, const WIDTH: usize, E: Real, D: Kernels<E>> Parameters<E, D> for Mlp<N, WIDTH, E, D> {
    fn parameters<V: ParameterVisitor<E, D>>(&mut self, prefix: &str, visitor: &mut V) {
        self.time.parameters(prefix, visitor);
        self.input.parameters(&path(prefix, "input"), visitor);
        for (i, block) in self.blocks.iter_mut().enumerate() {
            let prefix = path(prefix, &format!("block_{i}"));
            block.first.parameters(&path(&prefix, "dense0"), visitor);
            block.projection.parameters(&path(&prefix, "cond_proj"), visitor);
            block.second.parameters(&path(&prefix, "dense1"), visitor);
        }
        self.output.parameters(&path(prefix, "output"), visitor);
    }
}
