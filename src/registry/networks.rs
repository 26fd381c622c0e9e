//! The networks that are built in.

use super::{BuildNetwork, NetworkInputs};
use crate::config::{Mlp, Unet};
use crate::data::RowShape;
use crate::error::{Error, Result};
use crate::nn::{Attention, DynamicMlp, DynamicUNet, FadingFourier, GROUPS, MlpConfig, UNetConfig};
use crate::tensor::{Kernels, Real};
use rand::RngCore;

/// The most that a width, a depth or a number of blocks may be.
const MOST: usize = 65_536;

/// `"unet"`: [`crate::nn::UNet`] for images.
#[derive(Debug)]
pub(crate) struct UnetByName;

impl BuildNetwork for UnetByName {
    type Settings = Unet;
    type Network<E: Real, D: Kernels<E>> = DynamicUNet<E, D>;

    fn check(&self, unet: &Unet, inputs: &NetworkInputs) -> Result<()> {
        if let RowShape::Vector(dims) = inputs.shape {
            let expected = "a network for rows of numbers, such as \"mlp\"";
            return Err(Error::value("network.name", format!("\"unet\" for {dims} numbers a row"), expected));
        }
        at_most("network.width", unet.width)?;
        if !unet.width.is_multiple_of(GROUPS) {
            let expected = format!("a multiple of {GROUPS}, the groups of group norm");
            return Err(Error::value("network.width", unet.width, expected));
        }
        at_most("network.blocks", unet.blocks)?;
        if !(0.0..1.0).contains(&unet.dropout) {
            return Err(Error::value("network.dropout", unet.dropout, "at least 0 and below 1"));
        }
        exponents(unet.fourier.as_deref())
    }

    fn describe(&self, unet: &Unet, inputs: &NetworkInputs) -> String {
        let attention = match unet.attention {
            Attention::Middle => "the middle",
            Attention::EveryBlock => "every block",
        };
        format!(
            "for {}, width {}, {} blocks, attention in {attention}, {}fourier {:?}{}",
            inputs.shape,
            unet.width,
            unet.blocks,
            if unet.fading { "fading " } else { "" },
            fourier(inputs, &unet.fourier),
            conditions(inputs),
        )
    }

    /// Two 3x3 convolutions in each of the blocks down and up.
    fn least_parameters(&self, unet: &Unet, _: &NetworkInputs) -> u64 {
        2 * unet.blocks as u64 * 2 * 9 * (unet.width as u64).pow(2)
    }

    fn build<E: Real, D: Kernels<E>>(
        &self,
        unet: &Unet,
        inputs: &NetworkInputs,
        device: &D,
        rng: &mut dyn RngCore,
    ) -> Result<DynamicUNet<E, D>> {
        let config = UNetConfig {
            blocks: unet.blocks,
            attention: unet.attention,
            conditions: inputs.conditions,
            dropout: unet.dropout,
            fourier: fourier(inputs, &unet.fourier),
            fading: unet.fading.then(|| inputs.gammas()),
            checkpoint: unet.checkpoint,
        };
        let image = inputs.shape.image();
        DynamicUNet::sized((image.height, image.width, image.channels), unet.width, &config, device, rng)
    }
}

/// `"mlp"`: [`crate::nn::Mlp`] for rows of any number of dimensions.
#[derive(Debug)]
pub(crate) struct MlpByName;

impl BuildNetwork for MlpByName {
    type Settings = Mlp;
    type Network<E: Real, D: Kernels<E>> = DynamicMlp<E, D>;

    fn check(&self, mlp: &Mlp, _: &NetworkInputs) -> Result<()> {
        at_most("network.width", mlp.width)?;
        at_most("network.depth", mlp.depth)?;
        exponents(mlp.fourier.as_deref())
    }

    fn describe(&self, mlp: &Mlp, inputs: &NetworkInputs) -> String {
        let (width, depth, fourier) = (mlp.width, mlp.depth, fourier(inputs, &mlp.fourier));
        let conditions = conditions(inputs);
        format!("for {}, width {width}, depth {depth}, fourier {fourier:?}{conditions}", inputs.shape)
    }

    /// Two square matrices a block.
    fn least_parameters(&self, mlp: &Mlp, _: &NetworkInputs) -> u64 {
        2 * mlp.depth as u64 * (mlp.width as u64).pow(2)
    }

    fn build<E: Real, D: Kernels<E>>(
        &self,
        mlp: &Mlp,
        inputs: &NetworkInputs,
        device: &D,
        rng: &mut dyn RngCore,
    ) -> Result<DynamicMlp<E, D>> {
        let exponents = fourier(inputs, &mlp.fourier);
        let fourier = (!exponents.is_empty()).then(|| FadingFourier { exponents, gamma: inputs.gammas() });
        let config = MlpConfig { blocks: mlp.depth, conditions: inputs.conditions, fourier };
        DynamicMlp::sized(inputs.shape.dims(), mlp.width, &config, device, rng)
    }
}

fn at_most(key: &str, count: usize) -> Result<()> {
    match (1..=MOST).contains(&count) {
        true => Ok(()),
        false => Err(Error::value(key, count, format!("1 to {MOST}"))),
    }
}

fn exponents(fourier: Option<&[i32]>) -> Result<()> {
    let fourier = fourier.unwrap_or_default();
    match fourier.iter().position(|k| !(-4..=16).contains(k)) {
        Some(i) => Err(Error::value(format!("network.fourier[{i}]"), fourier[i], "-4 to 16")),
        None => Ok(()),
    }
}

/// The exponents of the Fourier features: by default about a turn a grey level, and none where there are no levels.
fn fourier(inputs: &NetworkInputs, set: &Option<Vec<i32>>) -> Vec<i32> {
    match (set, inputs.levels) {
        (Some(set), _) => set.clone(),
        (None, Some(levels)) => {
            let n = (f64::from(levels) / 2.0).log2().round() as i32;
            vec![n - 1, n]
        }
        (None, None) => Vec::new(),
    }
}

/// What tells networks with further conditions apart.
fn conditions(inputs: &NetworkInputs) -> String {
    match inputs.conditions {
        0 | 1 => String::new(),
        conditions => format!(", {conditions} conditions"),
    }
}
