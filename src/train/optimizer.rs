//! AdamW over named parameters, with a state that can be saved.

use super::GradientSet;
use crate::nn::Parameters;
use crate::tensor::{AdamStep, Kernels, Moments, Real, Updates};

/// The settings of AdamW and of the moving average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWConfig {
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

impl Default for AdamWConfig {
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

impl<E: Real, D: Kernels<E>> AdamW<E, D> {
    /// The state before the first step: zero moments, and the average at the parameters themselves.
    pub fn new<N: Parameters<E, D>>(network: &N) -> Self {
        let mut moments = Vec::new();
        network.clone().parameters("", &mut |name, _, parameter| {
            let numbers = parameter.numbers();
            let len = (numbers.len(),);
            let zeros = || parameter.device().zeros_like(&len);
            let (first, second) = (zeros(), zeros());
            let ema = parameter.device().tensor_from_vec(numbers, len);
            moments.push((name.to_owned(), Moments { first, second, ema }));
        });
        Self { step: 0, averaged: 0, moments }
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
        settings: &AdamWConfig,
    ) {
        self.step += 1;
        self.averaged += 1;
        let (t, averaged) = (self.step as f64, self.averaged as f64);
        let step = AdamStep {
            rate,
            beta1: settings.beta1,
            beta2: settings.beta2,
            epsilon: settings.epsilon,
            correction1: 1.0 - settings.beta1.powf(t),
            correction2: 1.0 - settings.beta2.powf(t),
            ema_decay: settings.ema.min((1.0 + averaged) / (10.0 + averaged)),
            gradient_scale: settings.clip.map_or(1.0, |clip| if norm > clip { clip / norm } else { 1.0 }),
        };
        let mut own = self.moments.iter_mut().zip(gradients.iter());
        Updates::all(step, |updates| {
            network.parameters("", &mut |_, role, parameter| {
                let decay = if role.is_decayed() { settings.weight_decay } else { 0.0 };
                if let Some(((_, moments), (_, gradient))) = own.next() {
                    parameter.update(gradient, moments, decay, updates);
                }
            });
        });
    }

    /// The network with the moving average of its parameters.
    pub fn averaged<N: Parameters<E, D>>(&self, network: &N) -> N {
        let mut averaged = network.clone();
        let mut own = self.moments.iter();
        averaged.parameters("", &mut |_, _, parameter| {
            if let Some((_, moments)) = own.next() {
                parameter.replace(moments.ema.as_vec());
            }
        });
        averaged
    }
}
