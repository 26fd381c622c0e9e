//! What a network costs, counted by walking through its body without computing it.

use super::{ModeNetwork, Pass};
use crate::tensor::{
    Convolution, DropoutKey, Dual, GroupNorm, Groups, ImageBatch, Kernels, Mode, Plain, Real, Slot,
};
use dfdx::prelude::{Dim, HasShape, NoneTape, OwnedTape, Shape, Tensor};
use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;

/// Floating-point operations of one forward pass of one row, a multiplication and an addition being two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// Convolutions: `2 H W size^2 in out` each.
    pub convolution: u64,
    /// Dense layers: `2 in out` each; those of the time embedding are not counted.
    pub dense: u64,
    /// Attention: `4 n^2 c` for `n` positions of `c` channels, and 5 for each entry of the softmax.
    pub attention: u64,
    /// Group norm: 8 an element, and 4 for swish.
    pub norm: u64,
    /// Everything else: 1 an element.
    pub element_wise: u64,
    /// Numbers that the layers put out and a tape keeps.
    pub activations: u64,
}

impl Operations {
    fn add(&mut self, other: Self) {
        let Self { convolution, dense, attention, norm, element_wise, activations } = other;
        self.convolution += convolution;
        self.dense += dense;
        self.attention += attention;
        self.norm += norm;
        self.element_wise += element_wise;
        self.activations += activations;
    }

    /// All operations of a forward pass.
    pub fn total(&self) -> u64 {
        self.convolution + self.dense + self.attention + self.norm + self.element_wise
    }
}

/// A network whose operations can be counted: every [`ModeNetwork`].
pub trait Counted<E: Real, D: Kernels<E>> {
    /// The operations of one forward pass of one row.
    fn operations(&self) -> Operations;
}

impl<E: Real, D: Kernels<E>, N: ModeNetwork<E, D>> Counted<E, D> for N {
    fn operations(&self) -> Operations {
        let tally = Rc::new(RefCell::new(Operations::default()));
        let z = Activation { shape: self.batch(1), tally: tally.clone() };
        self.apply::<Count<D>>(z, &mut Pass::eval(&[0.5]));
        tally.take()
    }
}

/// Walks through a network's body without computing it, which draws what a pass draws.
pub(super) fn walk<E: Real, D: Kernels<E>, N: ModeNetwork<E, D>>(network: &N, pass: &mut Pass<'_>) {
    let z = Activation { shape: network.batch(pass.times.len()), tally: Rc::default() };
    network.apply::<Count<D>>(z, pass);
}

/// The mode in which an activation is its shape alone.
pub(super) struct Count<D>(PhantomData<D>);

/// The shape of an activation, and where operations are counted.
pub(super) struct Activation<S> {
    shape: S,
    tally: Rc<RefCell<Operations>>,
}

impl<S: Shape> Activation<S> {
    /// The output of an operation on `self`.
    fn to<R: Shape>(&self, shape: R, count: impl FnOnce(&mut Operations, u64)) -> Activation<R> {
        let elements = shape.num_elements() as u64;
        let mut tally = self.tally.borrow_mut();
        tally.activations += elements;
        count(&mut tally, elements);
        Activation { shape, tally: self.tally.clone() }
    }

    /// The output of a part that takes these operations a row.
    pub(super) fn counted(self, operations: Operations) -> Self {
        self.tally.borrow_mut().add(operations);
        self
    }

    fn element_wise(self) -> Self {
        self.to(self.shape, |tally, elements| tally.element_wise += elements)
    }
}

type Batch3 = (usize, usize, usize);

impl<E: Real, D: Kernels<E>> Mode<E, D> for Count<D> {
    type Tape = NoneTape;
    type Of<S: Shape> = Activation<S>;
    type Recorded = Plain<OwnedTape<E, D>>;
    type Portable = Self;

    fn to_portable<S: Shape>(x: Activation<S>) -> Activation<S> {
        x
    }

    fn from_portable<S: Shape>(x: Activation<S>) -> Activation<S> {
        x
    }

    fn split<S: Shape>(x: Activation<S>) -> (Activation<S>, NoneTape) {
        (x, NoneTape)
    }

    fn put<S: Shape>(x: Activation<S>, _: NoneTape) -> Activation<S> {
        x
    }

    type Kept<S: Shape> = ();

    fn keep<S: Shape>(_: &Activation<S>) {}

    fn again<S: Shape>((): &()) -> Option<Tensor<S, E, D, OwnedTape<E, D>>> {
        None
    }

    fn slots<S: Shape>(_: &Activation<S>) -> Vec<Slot<E, D>> {
        Vec::new()
    }

    fn share<S: Shape>(x: &Activation<S>) -> Activation<S> {
        Activation { shape: x.shape, tally: x.tally.clone() }
    }

    fn shape<S: Shape>(x: &Activation<S>) -> S {
        x.shape
    }

    fn reshape<S: Shape, R: Shape>(x: Activation<S>, shape: R) -> Activation<R> {
        Activation { shape, tally: x.tally }
    }

    fn add<S: Shape>(a: Activation<S>, _: Activation<S>) -> Activation<S> {
        a.element_wise()
    }

    fn sub<S: Shape>(a: Activation<S>, _: Activation<S>) -> Activation<S> {
        a.element_wise()
    }

    fn mul<S: Shape>(a: Activation<S>, _: Activation<S>) -> Activation<S> {
        a.element_wise()
    }

    fn square<S: Shape>(x: Activation<S>) -> Activation<S> {
        x.element_wise()
    }

    fn scale<S: Shape>(x: Activation<S>, _: f64) -> Activation<S> {
        x.element_wise()
    }

    fn offset<S: Shape>(x: Activation<S>, _: f64) -> Activation<S> {
        x.element_wise()
    }

    fn mask<S: Shape>(x: Activation<S>, _: &Tensor<S, E, D>) -> Activation<S> {
        x.element_wise()
    }

    fn dropout<S: Shape>(x: Activation<S>, _: DropoutKey) -> Activation<S> {
        x.element_wise()
    }

    fn join<S: Shape, R: Shape>(x: Activation<S>, _: Tensor<R, E, D, NoneTape>) -> Activation<S> {
        x
    }

    fn sigmoid<S: Shape>(x: Activation<S>) -> Activation<S> {
        x.element_wise()
    }

    fn sin<S: Shape>(x: Activation<S>) -> Activation<S> {
        x.element_wise()
    }

    fn cos<S: Shape>(x: Activation<S>) -> Activation<S> {
        x.element_wise()
    }

    fn rsqrt<S: Shape>(x: Activation<S>) -> Activation<S> {
        x.element_wise()
    }

    fn group_mean(x: Activation<Groups>) -> Activation<Groups> {
        x.element_wise()
    }

    fn channel_affine(x: Activation<Groups>, _: &GroupNorm<'_, E, D>) -> Activation<Groups> {
        x.element_wise()
    }

    fn channel_scale(x: Activation<Groups>, _: &GroupNorm<'_, E, D>) -> Activation<Groups> {
        x.element_wise()
    }

    fn softmax(x: Activation<Batch3>) -> Activation<Batch3> {
        x.to(x.shape, |tally, elements| tally.attention += 5 * elements)
    }

    fn row_sum(x: Activation<Batch3>) -> Activation<Batch3> {
        x.element_wise()
    }

    fn batch_matmul(a: Activation<Batch3>, b: Activation<Batch3>) -> Activation<Batch3> {
        let (batch, rows, inner) = a.shape;
        a.to((batch, rows, b.shape.2), |tally, elements| tally.attention += 2 * inner as u64 * elements)
    }

    fn transpose(x: Activation<Batch3>) -> Activation<Batch3> {
        let (batch, rows, columns) = x.shape;
        Activation { shape: (batch, columns, rows), tally: x.tally }
    }

    fn linear<I: Dim, O: Dim>(
        x: Activation<(usize, I)>,
        weight: &Tensor<(I, O), E, D>,
        _: Option<&Tensor<(O,), E, D>>,
    ) -> Activation<(usize, O)> {
        let (inputs, outputs) = *weight.shape();
        let shape = (x.shape.0, outputs);
        x.to(shape, |tally, elements| tally.dense += 2 * inputs.size() as u64 * elements)
    }

    fn shift_rows<I: Dim>(
        x: Activation<(usize, I)>,
        _: Tensor<(usize, I), E, D, NoneTape>,
    ) -> Activation<(usize, I)> {
        x.element_wise()
    }

    fn patches<H: Dim, W: Dim, I: Dim>(
        inputs: Vec<Activation<ImageBatch<H, W, I>>>,
        size: usize,
    ) -> Activation<(usize, usize)> {
        let channels: usize = inputs.iter().map(|x| x.shape.3.size()).sum();
        let (rows, height, width, _) = inputs[0].shape;
        let shape = (rows * height.size() * width.size(), size * size * channels);
        Activation { shape, tally: inputs[0].tally.clone() }
    }

    fn average_pool<H: Dim, W: Dim, C: Dim>(
        x: Activation<ImageBatch<H, W, C>>,
    ) -> Activation<ImageBatch<usize, usize, C>> {
        let (rows, height, width, channels) = x.shape;
        x.to((rows, height.size() / 2, width.size() / 2, channels), |tally, elements| {
            tally.element_wise += 4 * elements;
        })
    }

    fn upsample<H: Dim, W: Dim, C: Dim>(
        x: Activation<ImageBatch<H, W, C>>,
    ) -> Activation<ImageBatch<usize, usize, C>> {
        let (rows, height, width, channels) = x.shape;
        x.to((rows, 2 * height.size(), 2 * width.size(), channels), |tally, elements| {
            tally.element_wise += elements;
        })
    }

    fn convolution<H: Dim, W: Dim, I: Dim, O: Dim>(
        inputs: Vec<Activation<ImageBatch<H, W, I>>>,
        operator: &Convolution<'_, O, E, D>,
        _: Option<Tensor<(usize, O), E, D, NoneTape>>,
        _: Option<Activation<ImageBatch<H, W, O>>>,
    ) -> Activation<ImageBatch<H, W, O>> {
        let (rows, outputs) = *operator.weight.shape();
        let (batch, height, width, _) = inputs[0].shape;
        let shape = (batch, height, width, outputs);
        inputs[0].to(shape, |tally, elements| tally.convolution += 2 * rows as u64 * elements)
    }

    fn group_norm<H: Dim, W: Dim, C: Dim>(
        x: Activation<ImageBatch<H, W, C>>,
        norm: &GroupNorm<'_, E, D>,
    ) -> Activation<ImageBatch<H, W, C>> {
        let each = if norm.swish { 12 } else { 8 };
        x.to(x.shape, |tally, elements| tally.norm += each * elements)
    }

    fn group_norm_jvp<H: Dim, W: Dim, C: Dim>(
        x: Dual<Activation<ImageBatch<H, W, C>>>,
        norm: &GroupNorm<'_, E, D>,
    ) -> Dual<Activation<ImageBatch<H, W, C>>> {
        let apply = |x| <Self as Mode<E, D>>::group_norm(x, norm);
        Dual::new(apply(x.value), apply(x.tangent))
    }

    fn attention(q: Activation<Batch3>, k: Activation<Batch3>, _: Activation<Batch3>) -> Activation<Batch3> {
        let (batch, positions, channels) = q.shape;
        let entries = (batch * positions * k.shape.1) as u64;
        q.to(q.shape, |tally, _| {
            tally.attention += entries * (4 * channels as u64 + 5);
            tally.activations += entries;
        })
    }

    fn attention_jvp(
        q: Dual<Activation<Batch3>>,
        k: Dual<Activation<Batch3>>,
        v: Dual<Activation<Batch3>>,
    ) -> Dual<Activation<Batch3>> {
        let apply = |q, k, v| <Self as Mode<E, D>>::attention(q, k, v);
        Dual::new(apply(q.value, k.value, v.value), apply(q.tangent, k.tangent, v.tangent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{MlpConfig, StaticMlp, StaticUNet, UNetConfig};
    use dfdx::prelude::Cpu;
    use rand::SeedableRng;

    #[test]
    fn operations_of_a_small_unet() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
        let config = UNetConfig { blocks: 1, dropout: 0.0, ..UNetConfig::default() };
        let network = StaticUNet::<8, 8, 3, 32, f32, Cpu>::new(&config, &Cpu::default(), &mut rng).unwrap();
        let found = Counted::<f32, Cpu>::operations(&network);
        let (n, w) = (64, 32);
        // Fourier features, conv_in, three blocks of one input, two of two with a 1x1 skip, attention's four, conv_out.
        let products = 3 * 6 + 9 * 15 * w + 3 * 18 * w * w + 2 * (27 + 2) * w * w + 4 * w * w + 9 * w * 3;
        assert_eq!(found.convolution, 2 * n * products);
        assert_eq!(found.attention, n * n * (4 * w + 5));
        // Swish norms: two a block, over twice the channels where there are two inputs; the last; and attention's plain one.
        assert_eq!(found.norm, n * w * (12 * (3 * 2 + 2 * 3 + 1) + 8));
        assert_eq!(found.element_wise, n * 6 * 2);
    }

    #[test]
    fn operations_of_an_mlp() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
        let config = MlpConfig::default();
        let network = StaticMlp::<2, 32, f32, Cpu>::new(&config, &Cpu::default(), &mut rng).unwrap();
        let found = Counted::<f32, Cpu>::operations(&network);
        // The input's layer is a convolution of one position.
        assert_eq!(found.convolution, 2 * 2 * 32);
        assert_eq!(found.dense, 2 * (config.blocks as u64 * 2 * 32 * 32 + 32 * 2));
    }
}
