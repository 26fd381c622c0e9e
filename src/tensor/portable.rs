//! Convolution from dfdx's public operations, for any device.

use super::{Convolution, ImageBatch, Kernels, Mode, Plain, Real, Segment, Slot, checkpoint, reshape};
use dfdx::prelude::*;
use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::HashMap;
use std::marker::PhantomData;

/// A convolution as a gather of neighbours and a matrix product: see [`Convolution`].
///
/// What the backward pass keeps is the inputs: their patches, `size^2` times as large, are gathered again.
pub fn convolution<H: Dim, W: Dim, I: Dim, O: Dim, E: Real, D: Kernels<E>, T: Tape<E, D> + 'static>(
    inputs: Vec<Tensor<ImageBatch<H, W, I>, E, D, T>>,
    operator: &Convolution<'_, O, E, D>,
    shift: Option<Tensor<(usize, O), E, D, T>>,
    residual: Option<Tensor<ImageBatch<H, W, O>, E, D, T>>,
) -> Tensor<ImageBatch<H, W, O>, E, D, T> {
    let product = Product { size: operator.size, weight: operator.weight.clone(), input: PhantomData };
    let mut y = checkpoint::<Plain<T>, Product<H, W, I, O, E, D>, E, D>(product, inputs);
    if let Some(residual) = residual {
        y = y + residual;
    }
    let shape = *y.shape();
    if let Some(bias) = operator.bias {
        y = y + bias.retaped::<T>().broadcast_like::<_, Axes3<0, 1, 2>>(&shape);
    }
    if let Some(shift) = shift {
        y = y + shift.broadcast_like::<_, Axes2<1, 2>>(&shape);
    }
    y
}

/// Patches times weights.
struct Product<H: Dim, W: Dim, I: Dim, O: Dim, E: Real, D: Kernels<E>> {
    size: usize,
    weight: Tensor<(usize, O), E, D>,
    input: PhantomData<(H, W, I)>,
}

impl<H: Dim, W: Dim, I: Dim, O: Dim, E: Real, D: Kernels<E>> Segment<E, D> for Product<H, W, I, O, E, D> {
    type Input = ImageBatch<H, W, I>;
    type Output = ImageBatch<H, W, O>;

    fn apply<M: Mode<E, D>>(&self, inputs: Vec<M::Of<ImageBatch<H, W, I>>>) -> M::Of<ImageBatch<H, W, O>> {
        let (rows, height, width, _) = M::shape(&inputs[0]);
        let y = M::linear(M::patches(inputs, self.size), &self.weight, None);
        M::reshape(y, (rows, height, width, self.weight.shape().1))
    }

    fn slots(&self) -> Vec<Slot<E, D>> {
        vec![Slot::of(&self.weight)]
    }
}

/// See [`Mode::patches`]: `gather` with a fixed index takes each position's neighbours, a row of zeros below each
/// image standing for those outside.
///
/// # Panics
/// If there is no input.
pub fn patches<H: Dim, W: Dim, I: Dim, E: Real, D: Kernels<E>, T: Tape<E, D> + 'static>(
    inputs: Vec<Tensor<ImageBatch<H, W, I>, E, D, T>>,
    size: usize,
) -> Tensor<(usize, usize), E, D, T> {
    let (height, width) = inputs.first().map_or((0, 0), |x| (x.shape().1.size(), x.shape().2.size()));
    let flat = inputs.into_iter().map(|x| {
        let (rows, .., channels) = *x.shape();
        reshape(x, (rows, height * width, channels.size()))
    });
    #[allow(clippy::expect_used)]
    let x = flat.reduce(|a, b| (a, b).concat_along(Axis::<2>)).expect("a convolution of something");
    let (rows, positions, channels) = *x.shape();
    if size == 1 {
        return reshape(x, (rows * positions, channels));
    }
    let device = x.device().clone();
    let zero = device.zeros_like(&(rows, 1usize, channels));
    let padded = (x, zero).concat_along(Axis::<1>);
    let index = Table::Neighbours { height, width, size }.on::<E, D>(&device);
    let taken = (rows, index.shape().0);
    let index = index.broadcast_like::<_, Axis<0>>(&taken);
    reshape(padded.gather(index), (rows * positions, size * size * channels))
}

/// A fixed table of indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Table {
    /// See [`neighbours`].
    Neighbours { height: usize, width: usize, size: usize },
    /// `first`, `first + 1`, and so on.
    Range { first: usize, count: usize },
}

/// A device by its type and ordinal, and what is there.
type Key = (TypeId, usize, Table);

thread_local! {
    /// The tables that this thread has brought to each device: they go there once.
    static TABLES: RefCell<HashMap<Key, Box<dyn Any>>> = RefCell::default();
}

impl Table {
    /// The table on a device.
    pub(super) fn on<E: Real, D: Kernels<E>>(self, device: &D) -> Tensor<(usize,), usize, D> {
        let key = (TypeId::of::<D>(), device.ordinal(), self);
        TABLES.with_borrow_mut(|tables| {
            if let Some(table) = tables.get(&key).and_then(|table| table.downcast_ref::<Tensor<_, _, _>>()) {
                return table.clone();
            }
            let numbers = match self {
                Self::Neighbours { height, width, size } => neighbours(height, width, size),
                Self::Range { first, count } => (first..first + count).collect(),
            };
            let length = (numbers.len(),);
            let table = device.tensor_from_vec(numbers, length);
            tables.insert(key, Box::new(table.clone()));
            table
        })
    }
}

/// For every position of an image and every tap, the position of the neighbour; the one past the last stands for zeros.
fn neighbours(height: usize, width: usize, size: usize) -> Vec<usize> {
    let outside = height * width;
    let reach = (size / 2) as isize;
    let mut index = Vec::with_capacity(outside * size * size);
    for y in 0..height as isize {
        for x in 0..width as isize {
            for dy in -reach..=reach {
                for dx in -reach..=reach {
                    let (ny, nx) = (y + dy, x + dx);
                    let inside = (0..height as isize).contains(&ny) && (0..width as isize).contains(&nx);
                    index.push(if inside { ny as usize * width + nx as usize } else { outside });
                }
            }
        }
    }
    index
}
