//! How parameters start.

use crate::tensor::{Kernels, Real};
use dfdx::prelude::{Shape, Tensor};
use rand::RngCore;
use rand_distr::{Distribution, StandardNormal};

/// A layer's initial weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// Normal with variance `1 / fan_in`, cut at two standard deviations and rescaled to keep that
    /// variance (LeCun, Bottou, Orr and Mueller, "Efficient BackProp", section 4.6).
    Lecun,
    /// Zeros: the layer adds nothing until it is trained.
    Zeros,
}

/// The standard deviation of a standard normal cut at two standard deviations.
const CUT_STD: f64 = 0.879_625_661_034_239_8;

impl Init {
    /// A tensor of weights for a layer with `fan_in` inputs per output.
    pub fn tensor<S: Shape, E: Real, D: Kernels<E>>(
        self,
        shape: S,
        fan_in: usize,
        device: &D,
        rng: &mut dyn RngCore,
    ) -> Tensor<S, E, D> {
        match self {
            Self::Zeros => device.zeros_like(&shape),
            Self::Lecun => {
                let std = (fan_in as f64).sqrt().recip() / CUT_STD;
                let mut draw = || loop {
                    let x: f64 = StandardNormal.sample(rng);
                    if x.abs() <= 2.0 {
                        return E::of(std * x);
                    }
                };
                let weights: Vec<E> = (0..shape.num_elements()).map(|_| draw()).collect();
                device.tensor_from_vec(weights, shape)
            }
        }
    }
}
