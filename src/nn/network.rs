//! What a network is to the rest of the framework.

use crate::tensor::{DropoutKey, Dual, Forward, Kernels, Mode, Plain, Real};
use dfdx::prelude::{Shape, Tape, Tensor};
use rand::{Rng, RngCore};

/// What a network sees beside the state: one entry per row, on the host.
pub struct Pass<'a> {
    /// The network's time `(gamma - gamma_min) / (gamma_max - gamma_min)` of each row.
    pub times: &'a [f64],
    /// The numbers that rows are conditioned on, as many for each, row by row; 0 where absent.
    pub conditioning: Option<&'a [f64]>,
    dropout: Option<&'a mut dyn RngCore>,
    /// The keys that dropout layers have taken, and how many of them this walk has passed.
    keys: Vec<u64>,
    next: usize,
}

impl std::fmt::Debug for Pass<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pass")
            .field("times", &self.times)
            .field("conditioning", &self.conditioning)
            .field("dropout", &self.dropout.is_some())
            .finish()
    }
}

impl<'a> Pass<'a> {
    /// An evaluation: dropout does nothing.
    pub fn eval(times: &'a [f64]) -> Self {
        Self { times, conditioning: None, dropout: None, keys: Vec::new(), next: 0 }
    }

    /// A training pass: each dropout layer takes one key from `rng`.
    pub fn train(times: &'a [f64], rng: &'a mut dyn RngCore) -> Self {
        Self { dropout: Some(rng), ..Self::eval(times) }
    }

    /// The same pass with conditioning numbers: those of the first row, then those of the second, and so on. A network sees as many of each
    /// row as it has [`conditions`](Network::conditions), and 0 for those that are not given.
    #[must_use]
    pub fn with_conditioning(self, conditioning: Option<&'a [f64]>) -> Self {
        Self { conditioning, ..self }
    }

    /// The conditioning numbers of a row.
    pub fn conditions_of(&self, row: usize) -> &'a [f64] {
        let numbers = self.conditioning.unwrap_or_default();
        let each = numbers.len() / self.times.len().max(1);
        &numbers[row * each..(row + 1) * each]
    }

    /// The key of the next dropout layer, if dropout is at work.
    pub fn dropout(&mut self, rate: f64) -> Option<DropoutKey> {
        if rate == 0.0 {
            return None;
        }
        if self.next == self.keys.len() {
            self.keys.push(self.dropout.as_mut()?.r#gen());
        }
        self.next += 1;
        Some(DropoutKey { key: self.keys[self.next - 1], rate })
    }

    /// The keys that `walk` takes on its way through a network's body.
    pub(super) fn keys(&mut self, walk: impl FnOnce(&mut Self)) -> Vec<u64> {
        let first = self.next;
        walk(self);
        self.keys[first..self.next].to_vec()
    }

    /// A pass whose dropout layers take these keys.
    pub(super) fn given(times: &'a [f64], conditioning: Option<&'a [f64]>, keys: Vec<u64>) -> Self {
        Self { conditioning, keys, ..Self::eval(times) }
    }

    /// Goes back to the first dropout layer: the next walk through the same network drops what this one dropped.
    pub(crate) fn rewind(&mut self) {
        self.next = 0;
    }
}

/// The conditioning numbers of some rows, out of those of all rows, of which each has `each`.
pub(crate) fn conditions_of(all: &[f64], each: usize, rows: &[usize]) -> Vec<f64> {
    let mut own = Vec::with_capacity(rows.len() * each);
    for row in rows {
        own.extend_from_slice(&all[row * each..(row + 1) * each]);
    }
    own
}

/// A network `F(z, t)` from states to states of the same shape.
///
/// # Laws
/// - `rows`: a row of the output depends on the same row of the input only;
/// - `conditions`: a row's conditioning numbers reach that row only, and without any it is as with zeros;
/// - `parameters`: each has a name of its own, a clone keeps its numbers, and gradients are derivatives;
/// - `evaluation`: an evaluation draws nothing.
pub trait Network<E: Real, D: Kernels<E>> {
    /// The shape of a batch, `(usize, ...)`.
    type Batch: Shape;

    /// The shape of a batch of `rows` rows.
    fn batch(&self, rows: usize) -> Self::Batch;

    /// The device that the parameters are on.
    fn device(&self) -> &D;

    /// `F(z, t)`.
    fn forward<T: Tape<E, D> + 'static>(
        &self,
        z: Tensor<Self::Batch, E, D, T>,
        pass: &mut Pass<'_>,
    ) -> Tensor<Self::Batch, E, D, T>;

    /// The number of dimensions of a row.
    fn dims(&self) -> usize {
        self.batch(1).num_elements()
    }

    /// The conditioning numbers that it takes for each row: see [`Pass::with_conditioning`].
    fn conditions(&self) -> usize {
        0
    }
}

/// A network with derivatives along a tangent.
///
/// # Laws
/// - `value`: the value of `jvp` is that of `forward`;
/// - `jvp`: the tangent is the derivative of `forward` along the probe.
#[diagnostic::on_unimplemented(
    message = "the network `{Self}` has no derivatives in its state, which likelihoods and high-order objectives need",
    label = "a network with `Jvp`",
    note = "implement `ModeNetwork` instead of `Network`: it gives `Jvp` too; or implement `Jvp` itself"
)]
pub trait Jvp<E: Real, D: Kernels<E>>: Network<E, D> {
    /// `(F(z), dF/dz v)` from `(z, v)`.
    fn jvp<T: Tape<E, D> + 'static>(
        &self,
        z: Dual<Tensor<Self::Batch, E, D, T>>,
        pass: &mut Pass<'_>,
    ) -> Dual<Tensor<Self::Batch, E, D, T>>;
}

/// A network with second derivatives along two probes.
///
/// # Laws
/// - `second_jvp`: its tangents are those of `jvp`, and the last is the derivative of `jvp`'s along the outer probe.
pub trait SecondJvp<E: Real, D: Kernels<E>>: Jvp<E, D> {
    /// From `z` with tangents `v` (inner) and `w` (outer): `F`, `F'v`, `F'w` and `F''[v, w] + F' dv/dw`.
    #[allow(clippy::type_complexity)]
    fn second_jvp<T: Tape<E, D> + 'static>(
        &self,
        z: Dual<Dual<Tensor<Self::Batch, E, D, T>>>,
        pass: &mut Pass<'_>,
    ) -> Dual<Dual<Tensor<Self::Batch, E, D, T>>>;
}

/// A network written once for every mode.
///
/// The blanket implementations make it a [`Network`], a [`Jvp`] and a [`SecondJvp`].
///
/// # Laws
/// - `devices`: a device's own kernels compute what the portable operations do.
pub trait ModeNetwork<E: Real, D: Kernels<E>> {
    /// The shape of a batch, `(usize, ...)`.
    type Batch: Shape;

    /// The shape of a batch of `rows` rows.
    fn batch(&self, rows: usize) -> Self::Batch;

    /// The device that the parameters are on.
    fn device(&self) -> &D;

    /// The conditioning numbers that it takes for each row: see [`Pass::with_conditioning`].
    fn conditions(&self) -> usize {
        0
    }

    /// `F(z, t)` in mode `M`.
    fn apply<M: Mode<E, D>>(&self, z: M::Of<Self::Batch>, pass: &mut Pass<'_>) -> M::Of<Self::Batch>;
}

/// `F(z, t)` of a batch whose sizes are the network's.
///
/// # Panics
/// If they are others: the compiler sees that of `Const` sizes alone, and many a network would compute with them.
fn fitting<N: ModeNetwork<E, D>, M: Mode<E, D>, E: Real, D: Kernels<E>>(
    network: &N,
    z: M::Of<N::Batch>,
    pass: &mut Pass<'_>,
) -> M::Of<N::Batch> {
    let shape = M::shape(&z);
    assert_eq!(shape, network.batch(shape.concrete()[0]), "a batch of another shape than the network's");
    network.apply::<M>(z, pass)
}

impl<E: Real, D: Kernels<E>, N: ModeNetwork<E, D>> Network<E, D> for N {
    type Batch = N::Batch;

    fn batch(&self, rows: usize) -> Self::Batch {
        ModeNetwork::batch(self, rows)
    }

    fn device(&self) -> &D {
        ModeNetwork::device(self)
    }

    fn conditions(&self) -> usize {
        ModeNetwork::conditions(self)
    }

    fn forward<T: Tape<E, D> + 'static>(
        &self,
        z: Tensor<Self::Batch, E, D, T>,
        pass: &mut Pass<'_>,
    ) -> Tensor<Self::Batch, E, D, T> {
        fitting::<N, Plain<T>, E, D>(self, z, pass)
    }
}

#[diagnostic::do_not_recommend]
impl<E: Real, D: Kernels<E>, N: ModeNetwork<E, D>> Jvp<E, D> for N {
    fn jvp<T: Tape<E, D> + 'static>(
        &self,
        z: Dual<Tensor<Self::Batch, E, D, T>>,
        pass: &mut Pass<'_>,
    ) -> Dual<Tensor<Self::Batch, E, D, T>> {
        fitting::<N, Forward<Plain<T>>, E, D>(self, z, pass)
    }
}

impl<E: Real, D: Kernels<E>, N: ModeNetwork<E, D>> SecondJvp<E, D> for N {
    fn second_jvp<T: Tape<E, D> + 'static>(
        &self,
        z: Dual<Dual<Tensor<Self::Batch, E, D, T>>>,
        pass: &mut Pass<'_>,
    ) -> Dual<Dual<Tensor<Self::Batch, E, D, T>>> {
        fitting::<N, Forward<Forward<Plain<T>>>, E, D>(self, z, pass)
    }
}
