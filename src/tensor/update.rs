//! One optimizer step of all parameters: AdamW and the moving average in a single pass.

use super::{Kernels, Real, reshape};
use dfdx::prelude::*;

/// What an optimizer keeps for each parameter.
///
/// # Shapes
/// Each `(n,)` for a parameter of `n` numbers.
#[derive(Clone, Debug)]
pub struct Moments<E: Real, D: Kernels<E>> {
    /// The moving average of the gradient.
    pub first: Tensor<(usize,), E, D>,
    /// The moving average of the squared gradient.
    pub second: Tensor<(usize,), E, D>,
    /// The moving average of the parameter.
    pub ema: Tensor<(usize,), E, D>,
}

/// The scalars of one step of AdamW, which all parameters have in common.
///
/// With gradient `g`, scaled by `gradient_scale`, and the parameter's own `decay`: `m = beta1 m + (1 - beta1) g`,
/// `v = beta2 v + (1 - beta2) g^2`,
/// `p = p - rate (m / correction1 / (sqrt(v / correction2) + epsilon) + decay p)`, `ema = ema_decay ema + (1 - ema_decay) p`.
///
/// # Reference
/// Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (arXiv 1711.05101), algorithm 2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// The learning rate of this step.
    pub rate: f64,
    /// The decay of the first moment.
    pub beta1: f64,
    /// The decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// `1 - beta1^step`.
    pub correction1: f64,
    /// `1 - beta2^step`.
    pub correction2: f64,
    /// The decay of the moving average of the parameters.
    pub ema_decay: f64,
    /// What the gradient is multiplied with (clipping).
    pub gradient_scale: f64,
}

/// One step of many parameters, on its way: a device may compute them one by one, or gather them and compute many at once.
///
/// What was gathered has its new tensors, without their numbers, until it is computed; [`all`](Updates::all) sees to that.
#[derive(Debug)]
pub struct Updates<E: Real, D: Kernels<E>> {
    step: AdamStep,
    gathered: Vec<Update<E, D>>,
}

/// One parameter's part of a step that is to be computed.
///
/// # Shapes
/// Each tensor `(n,)` for a parameter of `n` numbers.
#[derive(Clone, Debug)]
pub struct Update<E: Real, D: Kernels<E>> {
    /// The parameter, and where its new numbers go.
    pub parameter: [Tensor<(usize,), E, D>; 2],
    /// Its moments, and where the new ones go.
    pub moments: [Moments<E, D>; 2],
    /// Its gradient.
    pub gradient: Tensor<(usize,), E, D>,
    /// The decoupled weight decay; 0 for parameters that are not decayed.
    pub decay: f64,
}

impl<E: Real, D: Kernels<E>> Updates<E, D> {
    /// Takes a step of all parameters that `walk` gives to [`Kernels::adamw`]: when this returns, all is on its way to be computed.
    pub fn all(step: AdamStep, walk: impl FnOnce(&mut Self)) {
        let mut updates = Self { step, gathered: Vec::new() };
        walk(&mut updates);
        D::compute_updates(&mut updates);
    }

    /// The scalars of the step.
    pub fn step(&self) -> &AdamStep {
        &self.step
    }

    /// Keeps a parameter's part for later.
    pub fn gather(&mut self, update: Update<E, D>) {
        self.gathered.push(update);
    }

    /// What was gathered and not taken yet.
    pub fn gathered(&self) -> &[Update<E, D>] {
        &self.gathered
    }

    /// Takes what was gathered, to compute it.
    pub fn take(&mut self) -> Vec<Update<E, D>> {
        std::mem::take(&mut self.gathered)
    }
}

/// The step of one parameter from dfdx's public operations, for any device.
pub(super) fn adamw<S: Shape, E: Real, D: Kernels<E>>(
    parameter: &mut Tensor<S, E, D>,
    gradient: &Tensor<(usize,), E, D>,
    moments: &mut Moments<E, D>,
    decay: f64,
    step: &AdamStep,
) {
    let shape = *parameter.shape();
    let of = E::of;
    let g = gradient.clone() * of(step.gradient_scale);
    let p = reshape(parameter.clone(), *gradient.shape());
    let average = |old: &Tensor<(usize,), E, D>, new: Tensor<(usize,), E, D>, decay: f64| {
        old.clone() * of(decay) + new * of(1.0 - decay)
    };
    moments.first = average(&moments.first, g.clone(), step.beta1);
    moments.second = average(&moments.second, g.square(), step.beta2);
    let root = (moments.second.clone() / of(step.correction2)).sqrt() + of(step.epsilon);
    let direction = moments.first.clone() / of(step.correction1) / root + p.clone() * of(decay);
    let p = p - direction * of(step.rate);
    moments.ema = average(&moments.ema, p.clone(), step.ema_decay);
    *parameter = reshape(p, shape);
}

/// The sum of the squares of each tensor, added up on the device and brought to the host together.
pub(super) fn sums_of_squares<'x, E: Real, D: Kernels<E>>(
    tensors: impl IntoIterator<Item = &'x Tensor<(usize,), E, D>>,
) -> Vec<f64> {
    let sums: Vec<Tensor<(), E, D>> = tensors.into_iter().map(|x| x.clone().square().sum()).collect();
    if sums.is_empty() {
        return Vec::new();
    }
    sums.stack().as_vec().into_iter().map(Real::to64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_squares_come_together_as_one_by_one() {
        let device = Cpu::default();
        let tensors: Vec<Tensor<(usize,), f64, Cpu>> = [1usize, 4, 3]
            .map(|n| device.tensor_from_vec((0..n).map(|i| i as f64 - 1.5).collect(), (n,)))
            .into();
        let together = sums_of_squares(&tensors);
        assert_eq!(together, [2.25, 5.0, 2.75]);
        assert_eq!(together, Cpu::sums_of_squares(&tensors.iter().collect::<Vec<_>>()));
        assert!(sums_of_squares::<f64, Cpu>([]).is_empty());
    }
}
