//! Activations that are computed again when the backward pass needs them.

use super::{Kernels, Mode, Real};
use dfdx::prelude::*;
use std::fmt;

/// A part of a network that can be run again: its parameters, and whatever it has drawn (dropout keys), as fields.
///
/// # Laws
/// - `pure`: the output depends on the inputs and on the fields alone, so that a second run gives the same bits.
pub trait Segment<E: Real, D: Kernels<E>>: 'static {
    /// The shape of each input.
    type Input: Shape;
    /// The shape of the output.
    type Output: Shape;

    /// The output in mode `M`.
    fn apply<M: Mode<E, D>>(&self, inputs: Vec<M::Of<Self::Input>>) -> M::Of<Self::Output>;

    /// Where the gradient of each tensor of its fields lies: of parameters, and of a side branch that many segments share
    /// (the embedding of time) and whose tape joins elsewhere.
    fn slots(&self) -> Vec<Slot<E, D>>;
}

type Find<E, D> =
    dyn for<'g> Fn(&'g mut Gradients<E, D>) -> Result<&'g mut <D as Storage<E>>::Vec, <D as HasErr>::Err>;

/// Where the gradient of one tensor lies in a store of gradients.
pub struct Slot<E: Real, D: Kernels<E>> {
    device: D,
    find: Box<Find<E, D>>,
}

impl<E: Real, D: Kernels<E>> fmt::Debug for Slot<E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

impl<E: Real, D: Kernels<E>> Slot<E, D> {
    /// The slot of `x`, without a hold on its numbers.
    pub fn of<S: Shape, T>(x: &Tensor<S, E, D, T>) -> Self {
        let ghost = x.ghost();
        Self { device: x.device().clone(), find: Box::new(move |store| store.get_or_alloc_mut(&ghost)) }
    }

    /// Moves the gradient of this slot in `from` to slot `there` in `to`. A slot that comes twice has moved already:
    /// what is left there is empty.
    fn carry(
        &self,
        from: &mut Gradients<E, D>,
        there: &Self,
        to: &mut Gradients<E, D>,
    ) -> Result<(), <D as HasErr>::Err> {
        let held = (self.find)(from)?;
        if Storage::<E>::len(&self.device, held) > 0 {
            let empty = Storage::<E>::try_alloc_len(&self.device, 0)?;
            *(there.find)(to)? = std::mem::replace(held, empty);
        }
        Ok(())
    }
}

/// The output of `segment`, of which a tape keeps the inputs alone: the backward pass runs it again.
///
/// Gradients are those without the checkpoint, bit for bit: those of the inputs and parameters move to the second run's
/// own store, where they are added to in the same order, and back. What else the second run makes is dropped at its end.
/// Without a tape it is the segment alone.
///
/// # Reference
/// Griewank and Walther, "Revolve", ACM Trans. Math. Softw. 26 (2000) 19-45.
pub fn checkpoint<M: Mode<E, D>, G: Segment<E, D>, E: Real, D: Kernels<E>>(
    segment: G,
    inputs: Vec<M::Of<G::Input>>,
) -> M::Of<G::Output> {
    if !M::Tape::OWNS_TAPE {
        return segment.apply::<M>(inputs);
    }
    let (mut tape, mut slots) = (M::Tape::default(), segment.slots());
    let (mut bare, mut kept) = (Vec::with_capacity(inputs.len()), Vec::with_capacity(inputs.len()));
    for input in inputs {
        let (x, own) = M::split(input);
        tape = tape.merge(own);
        slots.extend(M::slots(&x));
        kept.push(M::keep(&x));
        bare.push(x);
    }
    let (y, first_run) = M::split(segment.apply::<M>(bare));
    drop(first_run);
    let outputs = M::slots(&y);
    tape.add_backward_op(move |outer| {
        let mut store = Gradients::leaky();
        for slot in &slots {
            slot.carry(outer, slot, &mut store)?;
        }
        let inputs = kept.iter().filter_map(|x| M::again(x)).collect();
        let (y, tape) = M::Recorded::split(segment.apply::<M::Recorded>(inputs));
        for (output, own) in outputs.iter().zip(M::Recorded::slots(&y)) {
            output.carry(outer, &own, &mut store)?;
        }
        drop(y);
        let Some(Slot { device, .. }) = slots.first() else { return Ok(()) };
        // A backward pass starts at a number; the tape's own operations start at the gradients carried in.
        let (start, first) = device.try_zeros_like(&())?.trace(store).split_tape();
        let mut store = start.put_tape(first.merge(tape)).try_backward()?;
        for slot in &slots {
            slot.carry(&mut store, slot, outer)?;
        }
        Ok(())
    });
    M::put(y, tape)
}
