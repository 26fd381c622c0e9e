//! Operations on two tensors: each element, through the strides of both.

use super::reduction::add_chunks;
use super::{Kernel, Number};
use crate::arguments::Arguments;
use crate::index::Offsets;

/// A function of two elements.
type Of<T> = fn(T, T) -> T;

/// The function and its two derivatives.
fn table<T: Number>(name: &str) -> Option<[Of<T>; 3]> {
    /// 1 where the operand decides, 0 where the other does, a half where neither does.
    fn share<T: Number>(own: bool, other: bool) -> T {
        match (own, other) {
            (true, _) => T::one(),
            (_, true) => T::zero(),
            _ => (T::one() + T::one()).recip(),
        }
    }
    Some(match name {
        "badd" => [|x, y| x + y, |_, _| T::one(), |_, _| T::one()],
        "bsub" => [|x, y| x - y, |_, _| T::one(), |_, _| -T::one()],
        "bmul" => [|x, y| x * y, |_, y| y, |x, _| x],
        "bdiv" => [|x, y| x / y, |_, y| y.recip(), |x, y| -x / (y * y)],
        "maximum" => [|x, y| x.max(y), |x, y| share(x > y, x < y), |x, y| share(x < y, x > y)],
        "minimum" => [|x, y| x.min(y), |x, y| share(x < y, x > y), |x, y| share(x > y, x < y)],
        _ => return None,
    })
}

pub(super) fn find<T: Number>(name: &str) -> Option<Kernel> {
    let split = [("_fwd", 0), ("_bwd_lhs", 1), ("_bwd_rhs", 2)];
    let (name, which) = split.iter().find_map(|(end, which)| Some((name.strip_suffix(end)?, *which)))?;
    let of = table::<T>(name)?[which];
    Some(match which {
        0 => Box::new(move |arguments| forward(arguments, of)),
        _ => Box::new(move |arguments| backward(arguments, which == 1, of)),
    })
}

fn forward<T: Number>(arguments: &mut Arguments<'_>, f: Of<T>) {
    arguments.skip();
    let (count, axes, info) = (arguments.number::<usize>(), arguments.number::<usize>(), arguments.table());
    let (x, y) = (arguments.buffer_or_null::<T>(), arguments.buffer_or_null::<T>());
    let out = arguments.buffer::<T>();
    let dims = &info[..axes];
    let offsets =
        Offsets::new(dims, &info[axes..2 * axes]).zip(Offsets::new(dims, &info[2 * axes..3 * axes]));
    for (i, (at_x, at_y)) in (0..count).zip(offsets) {
        // An operand that is written over is the output itself.
        let x = x.map_or(&out[i], |x| &x[at_x]).get();
        let y = y.map_or(&out[i], |y| &y[at_y]).get();
        out[i].set(f(x, y));
    }
}

/// The gradient of one operand. dfdx orders the axes so that the elements that use a number of the operand are a chunk.
fn backward<T: Number>(arguments: &mut Arguments<'_>, of_first: bool, df: Of<T>) {
    arguments.skip();
    let (count, axes, info) = (arguments.number::<usize>(), arguments.number::<usize>(), arguments.table());
    let x = arguments.buffer_or_null::<T>();
    // The arguments of the two kernels have another order.
    let (own, gradient, chunk, other) = if of_first {
        (x, arguments.buffer::<T>(), arguments.number::<usize>(), arguments.buffer_or_null::<T>())
    } else {
        let y = arguments.buffer_or_null::<T>();
        (y, arguments.buffer::<T>(), arguments.number::<usize>(), x)
    };
    let dy = arguments.buffer::<T>();
    let table = &info[if of_first { 0 } else { 3 * axes }..];
    let (dims, out_strides, strides) = (&table[..axes], &table[axes..2 * axes], &table[2 * axes..3 * axes]);
    let offsets = Offsets::new(dims, out_strides).zip(Offsets::new(dims, strides));
    let terms = (0..count).zip(offsets).map(|(i, (at_out, at_other))| {
        let own = own.map_or(T::zero(), |own| own[i / chunk].get());
        let other = other.map_or(T::zero(), |other| other[at_other].get());
        let (x, y) = if of_first { (own, other) } else { (other, own) };
        df(x, y) * dy[at_out].get()
    });
    add_chunks(terms, chunk, arguments.block, gradient);
}
