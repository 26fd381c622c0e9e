//! The network's view of time.

use super::parameters::path;
use super::{Dense, Init, Parameters, Pass, Visit};
use crate::tensor::{Kernels, Mode, Plain, Real};
use dfdx::prelude::{Tape, Tensor};
use rand::RngCore;

/// What time is multiplied by.
const SCALE: f64 = 1000.0;

/// The frequencies `f_i` of `(sin(1000 t f_i), cos(1000 t f_i))`, falling geometrically from 1 to 1e-4.
///
/// # Reference
/// Vaswani et al., "Attention Is All You Need" (arXiv 1706.03762), section 3.5, with time scaled by
/// 1000 as in VDM (arXiv 2107.00630).
fn frequencies(width: usize) -> Vec<f64> {
    let half = width / 2;
    let rate = 10_000f64.ln() / (half.max(2) - 1) as f64;
    (0..half).map(|i| (-rate * i as f64).exp()).collect()
}

/// Two dense layers over the sinusoidal features of time and the conditioning numbers.
///
/// # Shapes
/// From one time per row to `(batch, 4 width)`.
#[derive(Clone, Debug)]
pub struct TimeEmbedding<E: Real, D: Kernels<E>> {
    width: usize,
    conditions: usize,
    first: Dense<usize, usize, E, D>,
    second: Dense<usize, usize, E, D>,
    device: D,
}

impl<E: Real, D: Kernels<E>> TimeEmbedding<E, D> {
    /// An embedding with `width` sinusoidal features and `conditions` conditioning numbers a row.
    pub fn new(width: usize, conditions: usize, device: &D, rng: &mut dyn RngCore) -> Self {
        Self {
            width,
            conditions,
            first: Dense::new(width + conditions, 4 * width, Init::Lecun, device, rng),
            second: Dense::new(4 * width, 4 * width, Init::Lecun, device, rng),
            device: device.clone(),
        }
    }

    /// The conditioning numbers that each row has.
    pub fn conditions(&self) -> usize {
        self.conditions
    }

    /// The embedding of each row's time and conditioning numbers, with a tape of its own.
    pub fn apply<T: Tape<E, D> + 'static>(&self, pass: &Pass<'_>) -> Tensor<(usize, usize), E, D, T> {
        let times: Vec<f64> = pass.times.iter().map(|time| SCALE * time).collect();
        let mut numbers = Vec::with_capacity(times.len() * self.conditions);
        for row in 0..times.len() {
            numbers.extend(pass.conditions_of(row).iter().take(self.conditions));
            numbers.resize((row + 1) * self.conditions, 0.0);
        }
        let columns = self.width + self.conditions;
        let x = self.device.sinusoids(&times, &frequencies(self.width), &numbers, columns).retaped::<T>();
        let x = <Plain<T> as Mode<E, D>>::swish(self.first.apply::<Plain<T>>(x));
        <Plain<T> as Mode<E, D>>::swish(self.second.apply::<Plain<T>>(x))
    }
}

impl<E: Real, D: Kernels<E>> Parameters<E, D> for TimeEmbedding<E, D> {
    fn parameters(&mut self, prefix: &str, visit: &mut Visit<'_, E, D>) {
        self.first.parameters(&path(prefix, "dense0"), visit);
        self.second.parameters(&path(prefix, "dense1"), visit);
    }
}
