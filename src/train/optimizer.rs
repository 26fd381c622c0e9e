//! AdamW over named parameters, with a state that can be saved.

use super::GradientSet;
use crate::nn::{ParameterVisitor, Parameters, Role};
use crate::tensor::{AdamStep, Kernels, Moments, Real};
use dfdx::prelude::*;

/// The settings of AdamW and of the moving average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWSettings {
    /// The decay of the first moment.
    pub beta1: f64,
    /// The decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// The decoupled weight decay of weights; biases and norm scales are not decayed.
    pub weight_decay: f64,
    /// The decay of the parameters' moving average. Early on it is at most `(1 + step) / (10 + step)`, so that the
    /// average forgets the initial weights.
    pub ema: f64,
    /// The largest global norm of a gradient.
    pub clip: Option<f64>,
}

impl Default for AdamWSettings {
    /// The paper's: beta 0.9 and 0.99, epsilon 1e-8, decay 0.01, average 0.9999, no clipping.
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.01, ema: 0.9999, clip: None }
    }
}

/// The optimizer's state: one [`Moments`] per parameter, in the order of the network's walk.
#[derive(Clone, Debug)]
pub struct AdamW<E: Real, D: Kernels<E>> {
    step: u64,
    averaged: u64,
    moments: Vec<(String, Moments<E, D>)>,
}

/// Visits each parameter with its moments.
struct WithMoments<'a, E: Real, D: Kernels<E>, F> {
    moments: std::slice::IterMut<'a, (String, Moments<E, D>)>,
    index: usize,
    f: F,
}

/// What is done to one parameter and its moments.
trait Action<E: Real, D: Kernels<E>> {
    fn run<S: Shape>(
        &mut self,
        index: usize,
        role: Role,
        tensor: &mut Tensor<S, E, D>,
        moments: &mut Moments<E, D>,
    );
}

impl<E: Real, D: Kernels<E>, F: Action<E, D>> ParameterVisitor<E, D> for WithMoments<'_, E, D, F> {
    fn parameter<S: Shape>(&mut self, _: &str, role: Role, tensor: &mut Tensor<S, E, D>) {
        if let Some((_, moments)) = self.moments.next() {
            self.f.run(self.index, role, tensor, moments);
            self.index += 1;
        }
    }
}

impl<E: Real, D: Kernels<E>> AdamW<E, D> {
    /// The state before the first step: zero moments, and the average at the parameters themselves.
    pub fn new<N: Parameters<E, D>>(network: &N) -> Self {
        struct Start<E: Real, D: Kernels<E>>(Vec<(String, Moments<E, D>)>);
        impl<E: Real, D: Kernels<E>> ParameterVisitor<E, D> for Start<E, D> {
            fn parameter<S: Shape>(&mut self, name: &str, _: Role, tensor: &mut Tensor<S, E, D>) {
                let len = (tensor.shape().num_elements(),);
                let zeros = || tensor.device().zeros_like(&len);
                let ema = tensor.device().tensor_from_vec(tensor.as_vec(), len);
                self.0.push((name.to_owned(), Moments { first: zeros(), second: zeros(), ema }));
            }
        }
        let mut start = Start(Vec::new());
        network.clone().parameters("", &mut start);
        Self { step: 0, averaged: 0, moments: start.0 }
    }

    /// A state that was saved: `step` updates of the moments, `averaged` of the moving average of the parameters.
    pub fn restored(step: u64, averaged: u64, moments: Vec<(String, Moments<E, D>)>) -> Self {
        Self { step, averaged, moments }
    }

    /// The number of updates since the moments were zero.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// Every parameter's name and moments.
    pub fn moments(&self) -> &[(String, Moments<E, D>)] {
        &self.moments
    }

    /// Forgets the moments, as a new stage of training does; the moving average of the parameters goes on.
    pub fn restart(&mut self) {
        self.step = 0;
        for (_, moments) in &mut self.moments {
            moments.first.fill_with_zeros();
            moments.second.fill_with_zeros();
        }
    }

    /// One step at learning rate `rate`, with gradients of global norm `norm`.
    pub fn update<N: Parameters<E, D>>(
        &mut self,
        network: &mut N,
        gradients: &GradientSet<E, D>,
        norm: f64,
        rate: f64,
        settings: &AdamWSettings,
    ) {
        struct Update<'a, E: Real, D: Kernels<E>> {
            gradients: &'a GradientSet<E, D>,
            step: AdamStep,
            weight_decay: f64,
        }
        impl<E: Real, D: Kernels<E>> Action<E, D> for Update<'_, E, D> {
            fn run<S: Shape>(
                &mut self,
                index: usize,
                role: Role,
                tensor: &mut Tensor<S, E, D>,
                moments: &mut Moments<E, D>,
            ) {
                let decay = if role.is_decayed() { self.weight_decay } else { 0.0 };
                D::adamw(tensor, self.gradients.at(index), moments, &AdamStep { decay, ..self.step });
            }
        }
        self.step += 1;
        self.averaged += 1;
        let (t, averaged) = (self.step as f64, self.averaged as f64);
        let step = AdamStep {
            rate,
            beta1: settings.beta1,
            beta2: settings.beta2,
            epsilon: settings.epsilon,
            decay: 0.0,
            correction1: 1.0 - settings.beta1.powf(t),
            correction2: 1.0 - settings.beta2.powf(t),
            ema_decay: settings.ema.min((1.0 + averaged) / (10.0 + averaged)),
            gradient_scale: settings.clip.map_or(1.0, |clip| if norm > clip { clip / norm } else { 1.0 }),
        };
        let f = Update { gradients, step, weight_decay: settings.weight_decay };
        network.parameters("", &mut WithMoments { moments: self.moments.iter_mut(), index: 0, f });
    }

    /// The network with the moving average of its parameters.
    pub fn averaged<N: Parameters<E, D>>(&mut self, network: &N) -> N {
        struct Average;
        impl<E: Real, D: Kernels<E>> Action<E, D> for Average {
            fn run<S: Shape>(
                &mut self,
                _: usize,
                _: Role,
                tensor: &mut Tensor<S, E, D>,
                moments: &mut Moments<E, D>,
            ) {
                let shape = *tensor.shape();
                *tensor = tensor.device().tensor_from_vec(moments.ema.as_vec(), shape);
            }
        }
        let mut averaged = network.clone();
        averaged.parameters("", &mut WithMoments { moments: self.moments.iter_mut(), index: 0, f: Average });
        averaged
    }
}
