//! The network's view of time.

use super::parameters::path;
use super::{Dense, Init, ParameterVisitor, Parameters, Pass};
use crate::tensor::{Kernels, Mode, Plain, Real};
use dfdx::prelude::{Tape, Tensor};
use rand::RngCore;

/// `(sin(1000 t f_i), cos(1000 t f_i))` with frequencies `f_i` falling geometrically from 1 to 1e-4.
///
/// # Reference
/// Vaswani et al., "Attention Is All You Need" (arXiv 1706.03762), section 3.5, with time scaled by
/// 1000 as in VDM (arXiv 2107.00630).
pub fn sinusoidal(time: f64, width: usize) -> Vec<f64> {
    let half = width / 2;
    let rate = 10_000f64.ln() / (half.max(2) - 1) as f64;
    let angles = (0..half).map(|i| 1000.0 * time * (-rate * i as f64).exp());
    angles.clone().map(f64::sin).chain(angles.map(f64::cos)).collect()
}

/// Two dense layers over the sinusoidal features of time and one conditioning number.
///
/// # Shapes
/// From one time per row to `(batch, 4 width)`.
#[derive(Clone, Debug)]
pub struct TimeEmbedding<E: Real, D: Kernels<E>> {
    width: usize,
    first: Dense<usize, usize, E, D>,
    second: Dense<usize, usize, E, D>,
    device: D,
}

impl<E: Real, D: Kernels<E>> TimeEmbedding<E, D> {
    /// An embedding with `width` sinusoidal features.
    pub fn new(width: usize, device: &D, rng: &mut dyn RngCore) -> Self {
        Self {
            width,
            first: Dense::new(width + 1, 4 * width, Init::Lecun, device, rng),
            second: Dense::new(4 * width, 4 * width, Init::Lecun, device, rng),
            device: device.clone(),
        }
    }

    /// The embedding of each row's time, with a tape of its own.
    pub fn apply<T: Tape<E, D>>(&self, pass: &Pass<'_>) -> Tensor<(usize, usize), E, D, T> {
        let rows = pass.times.len();
        let mut features = Vec::with_capacity(rows * (self.width + 1));
        for (row, &time) in pass.times.iter().enumerate() {
            features.extend(sinusoidal(time, self.width).into_iter().map(E::of));
            features.push(E::of(pass.conditioning.map_or(0.0, |c| c[row])));
        }
        let x = self.device.upload(&features, (rows, self.width + 1)).retaped::<T>();
        let x = <Plain<T> as Mode<E, D>>::swish(self.first.apply::<Plain<T>>(x));
        <Plain<T> as Mode<E, D>>::swish(self.second.apply::<Plain<T>>(x))
    }
}

impl<E: Real, D: Kernels<E>> Parameters<E, D> for TimeEmbedding<E, D> {
    fn parameters<V: ParameterVisitor<E, D>>(&mut self, prefix: &str, visitor: &mut V) {
        self.first.parameters(&path(prefix, "dense0"), visitor);
        self.second.parameters(&path(prefix, "dense1"), visitor);
    }
}
