//! A residual network of dense layers, for points and toys.

use super::parameters::path;
use super::{
    Conv, Dense, FadingFourier, FourierFeatures, Init, ModeNetwork, Parameters, Pass, TimeEmbedding, Visit,
};
use crate::error::{Error, Result};
use crate::tensor::{Kernels, Mode, Plain, Real};
use dfdx::prelude::{Const, Dim, WithEmptyTape};
use rand::RngCore;
use serde::{Deserialize, Serialize};

/// The MLP's settings that are not in its type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MlpConfig {
    /// The number of residual blocks.
    pub blocks: usize,
    /// The numbers that each row is conditioned on, beside its time: see [`Pass::with_conditioning`].
    pub conditions: usize,
    /// Fourier features of the input, if any. Data on a grid of grey levels need them: at the least noise
    /// the flow must tell the grid's points apart, which dense layers on `z` alone learn too slowly.
    pub fourier: Option<FadingFourier>,
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self { blocks: 3, conditions: 1, fourier: None }
    }
}

/// `F(z, t) = z + out(swish(h_L))`, `h_0 = in(features(z))`,
/// `h_{l+1} = h_l + B_l(swish(A_l(swish(h_l)) + P_l e))`, where `e` embeds the time.
///
/// `N` and `WIDTH` are dfdx dimensions: `Const<2>` where the compiler shall check it ([`StaticMlp`] writes them short), `usize` where
/// it is known at run time. Networks of the same sizes compute the same bits.
///
/// # Shapes
/// `(batch, N)` to the same.
#[derive(Clone, Debug)]
pub struct Mlp<N: Dim, WIDTH: Dim, E: Real, D: Kernels<E>> {
    time: TimeEmbedding<E, D>,
    features: FourierFeatures<E, D>,
    input: Conv<1, WIDTH, E, D>,
    blocks: Vec<Block<WIDTH, E, D>>,
    output: Dense<WIDTH, N, E, D>,
    dims: N,
    device: D,
}

/// An [`Mlp`] whose sizes the compiler knows.
pub type StaticMlp<const N: usize, const WIDTH: usize, E, D> = Mlp<Const<N>, Const<WIDTH>, E, D>;

/// An [`Mlp`] whose sizes are known at run time.
pub type DynamicMlp<E, D> = Mlp<usize, usize, E, D>;

#[derive(Clone, Debug)]
struct Block<WIDTH: Dim, E: Real, D: Kernels<E>> {
    first: Dense<WIDTH, WIDTH, E, D>,
    projection: Dense<usize, WIDTH, E, D>,
    second: Dense<WIDTH, WIDTH, E, D>,
}

impl<const N: usize, const WIDTH: usize, E: Real, D: Kernels<E>> StaticMlp<N, WIDTH, E, D> {
    /// A network with fresh weights: see [`sized`](Mlp::sized).
    ///
    /// # Errors
    /// As [`sized`](Mlp::sized).
    pub fn new(config: &MlpConfig, device: &D, rng: &mut dyn RngCore) -> Result<Self> {
        Self::sized(Const, Const, config, device, rng)
    }
}

impl<N: Dim, WIDTH: Dim, E: Real, D: Kernels<E>> Mlp<N, WIDTH, E, D> {
    /// A network with fresh weights for rows of `dims` numbers, with `width` units in each hidden layer. Turns on the device's
    /// cache of buffers: every step needs the same ones.
    ///
    /// # Errors
    /// If `dims`, `width` or `blocks` is 0, or a Fourier exponent lies outside `[-20, 20]`.
    pub fn sized(
        dims: N,
        width: WIDTH,
        config: &MlpConfig,
        device: &D,
        rng: &mut dyn RngCore,
    ) -> Result<Self> {
        for (name, size) in [("dimensions of a row", dims.size()), ("network.width", width.size())] {
            if size == 0 {
                return Err(Error::value(name, 0, "at least 1"));
            }
        }
        if config.blocks == 0 {
            return Err(Error::value("network.blocks", 0, "at least 1"));
        }
        let exponents = config.fourier.as_ref().map_or(&[][..], |fading| &fading.exponents);
        if let Some(k) = exponents.iter().find(|k| k.abs() > 20) {
            return Err(Error::value("network.fourier", k, "exponents from -20 to 20"));
        }
        device.enable_cache();
        let features = match &config.fourier {
            Some(fading) => FourierFeatures::fading(dims.size(), fading.clone(), device),
            None => FourierFeatures::new(dims.size(), &[], device),
        };
        Ok(Self {
            time: TimeEmbedding::new(width.size(), config.conditions, device, rng),
            input: Conv::new(features.channels(), width, Init::Lecun, device, rng),
            features,
            blocks: (0..config.blocks)
                .map(|_| Block {
                    first: Dense::new(width, width, Init::Lecun, device, rng),
                    projection: Dense::without_bias(4 * width.size(), width, Init::Lecun, device, rng),
                    second: Dense::new(width, width, Init::Zeros, device, rng),
                })
                .collect(),
            output: Dense::new(width, dims, Init::Zeros, device, rng),
            dims,
            device: device.clone(),
        })
    }
}

impl<N: Dim, WIDTH: Dim, E: Real, D: Kernels<E>> ModeNetwork<E, D> for Mlp<N, WIDTH, E, D> {
    type Batch = (usize, N);

    fn batch(&self, rows: usize) -> Self::Batch {
        (rows, self.dims)
    }

    fn device(&self) -> &D {
        &self.device
    }

    fn conditions(&self) -> usize {
        self.time.conditions()
    }

    fn apply<M: Mode<E, D>>(&self, z: M::Of<Self::Batch>, pass: &mut Pass<'_>) -> M::Of<Self::Batch> {
        let time = self.time.apply::<M::Tape>(pass);
        // A point is an image of one pixel: so its features need not be put side by side.
        let (rows, _) = M::shape(&z);
        let pixel = M::reshape(M::share(&z), (rows, 1, 1, self.dims));
        let features = self.features.apply::<M, usize, usize, _>(pixel, pass.times);
        let h = self.input.apply::<M, usize, usize, _>(features, None, None);
        let width = M::shape(&h).3;
        let mut h = M::reshape(h, (rows, width));
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

impl<N: Dim, WIDTH: Dim, E: Real, D: Kernels<E>> Parameters<E, D> for Mlp<N, WIDTH, E, D> {
    fn parameters(&mut self, prefix: &str, visit: &mut Visit<'_, E, D>) {
        self.time.parameters(prefix, visit);
        self.input.parameters(&path(prefix, "input"), visit);
        for (i, block) in self.blocks.iter_mut().enumerate() {
            let prefix = path(prefix, &format!("block_{i}"));
            block.first.parameters(&path(&prefix, "dense0"), visit);
            block.projection.parameters(&path(&prefix, "cond_proj"), visit);
            block.second.parameters(&path(&prefix, "dense1"), visit);
        }
        self.output.parameters(&path(prefix, "output"), visit);
    }
}
