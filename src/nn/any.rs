//! A network behind one object, whatever its type: what recipes train, measure, sample, import and count.

use super::operations::{Activation, Count, walk};
use super::{Counted, Jvp, ModeNetwork, Network, Operations, Parameters, Pass, SecondJvp, Visit};
use crate::tensor::{Dual, Forward, Kernels, Mode, Plain, Real, reshape};
use dfdx::prelude::*;
use std::any::{Any, TypeId};
use std::fmt;

/// Rows of numbers.
///
/// # Shapes
/// `(batch, dims)`.
pub type Rows<E, D> = Tensor<(usize, usize), E, D>;

/// [`Rows`] with a tape that records.
pub(crate) type TapedRows<E, D> = Tensor<(usize, usize), E, D, OwnedTape<E, D>>;

/// A network behind a pointer: every [`ModeNetwork`] with named parameters has it, and nothing else need write it.
///
/// The two of each kind differ in the tape alone. [`DynNetwork`] makes a [`ModeNetwork`] of it again.
pub trait AnyNetwork<E: Real, D: Kernels<E>>: 'static {
    /// The number of dimensions of a row.
    #[doc(hidden)]
    fn row_dims(&self) -> usize;

    /// The conditioning numbers of a row.
    #[doc(hidden)]
    fn row_conditions(&self) -> usize;

    /// The device that the parameters are on.
    #[doc(hidden)]
    fn own_device(&self) -> &D;

    /// `F(z, t)`.
    #[doc(hidden)]
    fn value(&self, z: Rows<E, D>, pass: &mut Pass<'_>) -> Rows<E, D>;

    /// `F(z, t)`, recorded.
    #[doc(hidden)]
    fn taped_value(&self, z: TapedRows<E, D>, pass: &mut Pass<'_>) -> TapedRows<E, D>;

    /// [`Jvp::jvp`].
    #[doc(hidden)]
    fn along(&self, z: Dual<Rows<E, D>>, pass: &mut Pass<'_>) -> Dual<Rows<E, D>>;

    /// [`Jvp::jvp`], recorded.
    #[doc(hidden)]
    fn taped_along(&self, z: Dual<TapedRows<E, D>>, pass: &mut Pass<'_>) -> Dual<TapedRows<E, D>>;

    /// [`SecondJvp::second_jvp`].
    #[doc(hidden)]
    fn along_both(&self, z: Dual<Dual<Rows<E, D>>>, pass: &mut Pass<'_>) -> Dual<Dual<Rows<E, D>>>;

    /// [`SecondJvp::second_jvp`], recorded.
    #[doc(hidden)]
    fn taped_along_both(
        &self,
        z: Dual<Dual<TapedRows<E, D>>>,
        pass: &mut Pass<'_>,
    ) -> Dual<Dual<TapedRows<E, D>>>;

    /// Walks over all parameters.
    #[doc(hidden)]
    fn visit(&mut self, prefix: &str, visit: &mut Visit<'_, E, D>);

    /// The operations of one forward pass of one row.
    #[doc(hidden)]
    fn tally(&self) -> Operations;

    /// Draws what a pass draws, without computing.
    #[doc(hidden)]
    fn draw(&self, pass: &mut Pass<'_>);

    /// A copy that shares its parameters until one of the two is written.
    #[doc(hidden)]
    fn boxed(&self) -> Box<dyn AnyNetwork<E, D>>;
}

/// Rows in the shape that `network` takes.
fn shaped<N: Network<E, D>, E: Real, D: Kernels<E>, T: Tape<E, D> + 'static>(
    network: &N,
    z: Tensor<(usize, usize), E, D, T>,
) -> Tensor<N::Batch, E, D, T> {
    let rows = z.shape().0;
    reshape(z, network.batch(rows))
}

/// What `network` gives as rows.
fn flat<N: Network<E, D>, E: Real, D: Kernels<E>, T: Tape<E, D> + 'static>(
    network: &N,
    x: Tensor<N::Batch, E, D, T>,
) -> Tensor<(usize, usize), E, D, T> {
    let rows = x.shape().concrete()[0];
    reshape(x, (rows, network.dims()))
}

impl<E: Real, D: Kernels<E>, N> AnyNetwork<E, D> for N
where
    N: ModeNetwork<E, D> + Parameters<E, D> + 'static,
{
    fn row_dims(&self) -> usize {
        self.dims()
    }

    fn row_conditions(&self) -> usize {
        Network::conditions(self)
    }

    fn own_device(&self) -> &D {
        Network::device(self)
    }

    fn value(&self, z: Rows<E, D>, pass: &mut Pass<'_>) -> Rows<E, D> {
        flat(self, self.forward(shaped(self, z), pass))
    }

    fn taped_value(&self, z: TapedRows<E, D>, pass: &mut Pass<'_>) -> TapedRows<E, D> {
        flat(self, self.forward(shaped(self, z), pass))
    }

    fn along(&self, z: Dual<Rows<E, D>>, pass: &mut Pass<'_>) -> Dual<Rows<E, D>> {
        self.jvp(z.map(|z| shaped(self, z)), pass).map(|f| flat(self, f))
    }

    fn taped_along(&self, z: Dual<TapedRows<E, D>>, pass: &mut Pass<'_>) -> Dual<TapedRows<E, D>> {
        self.jvp(z.map(|z| shaped(self, z)), pass).map(|f| flat(self, f))
    }

    fn along_both(&self, z: Dual<Dual<Rows<E, D>>>, pass: &mut Pass<'_>) -> Dual<Dual<Rows<E, D>>> {
        self.second_jvp(z.map(|z| z.map(|z| shaped(self, z))), pass).map(|f| f.map(|f| flat(self, f)))
    }

    fn taped_along_both(
        &self,
        z: Dual<Dual<TapedRows<E, D>>>,
        pass: &mut Pass<'_>,
    ) -> Dual<Dual<TapedRows<E, D>>> {
        self.second_jvp(z.map(|z| z.map(|z| shaped(self, z))), pass).map(|f| f.map(|f| flat(self, f)))
    }

    fn visit(&mut self, prefix: &str, visit: &mut Visit<'_, E, D>) {
        self.parameters(prefix, visit);
    }

    fn tally(&self) -> Operations {
        self.operations()
    }

    fn draw(&self, pass: &mut Pass<'_>) {
        walk(self, pass);
    }

    fn boxed(&self) -> Box<dyn AnyNetwork<E, D>> {
        Box::new(self.clone())
    }
}

/// Any network of a device, as a network of rows: what is generic over networks is compiled for it once.
///
/// It computes the bits of the network that it holds.
///
/// # Panics
/// It knows the modes that a [`Network`] has (values, tangents, tangents of tangents; without a tape or with dfdx's `OwnedTape`), and panics
/// in any other: put [`Checkpointed`](super::Checkpointed) or [`Portable`](super::Portable) around the network inside.
pub struct DynNetwork<E: Real, D: Kernels<E>>(Box<dyn AnyNetwork<E, D>>);

impl<E: Real, D: Kernels<E>> DynNetwork<E, D> {
    /// The network behind an object.
    pub fn new(network: impl AnyNetwork<E, D>) -> Self {
        Self(Box::new(network))
    }
}

impl<E: Real, D: Kernels<E>> Clone for DynNetwork<E, D> {
    fn clone(&self) -> Self {
        Self(self.0.boxed())
    }
}

impl<E: Real, D: Kernels<E>> fmt::Debug for DynNetwork<E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynNetwork").field("dims", &self.0.row_dims()).finish_non_exhaustive()
    }
}

/// The modes whose tape is `T`.
fn modes<T: 'static>() -> [TypeId; 3] {
    [TypeId::of::<Plain<T>>(), TypeId::of::<Forward<Plain<T>>>(), TypeId::of::<Forward<Forward<Plain<T>>>>()]
}

impl<E: Real, D: Kernels<E>> ModeNetwork<E, D> for DynNetwork<E, D> {
    type Batch = (usize, usize);

    fn batch(&self, rows: usize) -> Self::Batch {
        (rows, self.0.row_dims())
    }

    fn device(&self) -> &D {
        self.0.own_device()
    }

    fn conditions(&self) -> usize {
        self.0.row_conditions()
    }

    #[allow(clippy::panic)]
    fn apply<M: Mode<E, D>>(&self, z: M::Of<Self::Batch>, pass: &mut Pass<'_>) -> M::Of<Self::Batch> {
        let found = self.in_mode(TypeId::of::<M>(), Box::new(z), pass);
        match found.and_then(|f| f.downcast().ok()) {
            Some(f) => *f,
            None => panic!("a network behind an object has no mode {}", std::any::type_name::<M>()),
        }
    }
}

impl<E: Real, D: Kernels<E>> DynNetwork<E, D> {
    /// The network of an activation of a mode, or none if it is of another: compiled once for all modes.
    fn in_mode(&self, mode: TypeId, z: Box<dyn Any>, pass: &mut Pass<'_>) -> Option<Box<dyn Any>> {
        let at = |modes: [TypeId; 3]| modes.iter().position(|own| *own == mode);
        Some(match (at(modes::<NoneTape>()), at(modes::<OwnedTape<E, D>>())) {
            (Some(0), _) => Box::new(self.0.value(*z.downcast().ok()?, pass)),
            (Some(1), _) => Box::new(self.0.along(*z.downcast().ok()?, pass)),
            (Some(_), _) => Box::new(self.0.along_both(*z.downcast().ok()?, pass)),
            (_, Some(0)) => Box::new(self.0.taped_value(*z.downcast().ok()?, pass)),
            (_, Some(1)) => Box::new(self.0.taped_along(*z.downcast().ok()?, pass)),
            (_, Some(_)) => Box::new(self.0.taped_along_both(*z.downcast().ok()?, pass)),
            (None, None) if mode == TypeId::of::<Count<D>>() => {
                let z: Activation<(usize, usize)> = *z.downcast().ok()?;
                self.0.draw(pass);
                Box::new(z.counted(self.0.tally()))
            }
            (None, None) => return None,
        })
    }
}

impl<E: Real, D: Kernels<E>> Parameters<E, D> for DynNetwork<E, D> {
    fn parameters(&mut self, prefix: &str, visit: &mut Visit<'_, E, D>) {
        self.0.visit(prefix, visit);
    }
}
