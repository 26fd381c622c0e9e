//! Truth: comparisons, their combinations, and the choice by them.

use super::{Kernel, Number};
use crate::arguments::Arguments;
use crate::index::Offsets;

fn comparison_of<T: Number>(name: &str) -> Option<fn(T, T) -> bool> {
    Some(match name {
        "eq" => |x, y| x == y,
        "ne" => |x, y| x != y,
        "gt" => |x, y| x > y,
        "ge" => |x, y| x >= y,
        "lt" => |x, y| x < y,
        "le" => |x, y| x <= y,
        _ => return None,
    })
}

/// `x > y` for two tensors, and for a tensor and a number.
pub(super) fn comparison<T: Number>(name: &str) -> Option<Kernel> {
    let name = name.strip_suffix("_fwd")?;
    let with_number = name.strip_prefix("scalar_");
    let holds = comparison_of::<T>(with_number.unwrap_or(name))?;
    if with_number.is_none() {
        return Some(Box::new(move |arguments| {
            let (count, _, dims) =
                (arguments.number::<usize>(), arguments.number::<usize>(), arguments.table());
            let (x, x_strides) = (arguments.buffer::<T>(), arguments.table());
            let (y, y_strides) = (arguments.buffer::<T>(), arguments.table());
            let (out, out_strides) = (arguments.buffer::<u8>(), arguments.table());
            let both = Offsets::new(&dims, &x_strides).zip(Offsets::new(&dims, &y_strides));
            for ((x_at, y_at), at) in both.zip(Offsets::new(&dims, &out_strides)).take(count) {
                out[at].set(holds(x[x_at].get(), y[y_at].get()).into());
            }
        }));
    }
    Some(Box::new(move |arguments| {
        let (count, _, dims) = (arguments.number::<usize>(), arguments.number::<usize>(), arguments.table());
        let (x, x_strides, y) = (arguments.buffer::<T>(), arguments.table(), arguments.number::<T>());
        let (out, out_strides) = (arguments.buffer::<u8>(), arguments.table());
        for (x_at, at) in Offsets::new(&dims, &x_strides).zip(Offsets::new(&dims, &out_strides)).take(count) {
            out[at].set(holds(x[x_at].get(), y).into());
        }
    }))
}

/// Where the condition holds the first, elsewhere the second; and back, the gradient to the one that was chosen.
pub(super) fn choose<T: Number>(name: &str) -> Option<Kernel> {
    let back = match name {
        "choose_fwd" => false,
        "choose_bwd" => true,
        _ => return None,
    };
    Some(Box::new(move |arguments| {
        let (count, _, dims) = (arguments.number::<usize>(), arguments.number::<usize>(), arguments.table());
        let (condition, strides) = (arguments.buffer::<u8>(), arguments.table());
        let (x, x_strides) = (arguments.buffer::<T>(), arguments.table());
        let (y, y_strides) = (arguments.buffer::<T>(), arguments.table());
        let out = arguments.buffer::<T>();
        let both = Offsets::new(&dims, &x_strides).zip(Offsets::new(&dims, &y_strides));
        for (i, (at, (x_at, y_at))) in (0..count).zip(Offsets::new(&dims, &strides).zip(both)) {
            let chosen = if condition[at].get() != 0 { &x[x_at] } else { &y[y_at] };
            match back {
                false => out[i].set(chosen.get()),
                true => chosen.set(chosen.get() + out[i].get()),
            }
        }
    }))
}

/// `not`, `and`, `or` and `xor`.
pub(super) fn boolean(name: &str) -> Option<Kernel> {
    let of: fn(bool, bool) -> bool = match name {
        "boolean_not" => return Some(Box::new(not)),
        "boolean_and" => |x, y| x && y,
        "boolean_or" => |x, y| x || y,
        "boolean_xor" => |x, y| x ^ y,
        _ => return None,
    };
    Some(Box::new(move |arguments| {
        let (count, _, dims) = (arguments.number::<usize>(), arguments.number::<usize>(), arguments.table());
        let (x, x_strides) = (arguments.buffer::<u8>(), arguments.table());
        let (y, y_strides) = (arguments.buffer::<u8>(), arguments.table());
        let out = arguments.buffer::<u8>();
        let both = Offsets::new(&dims, &x_strides).zip(Offsets::new(&dims, &y_strides));
        for (i, (x_at, y_at)) in (0..count).zip(both) {
            out[i].set(of(x[x_at].get() != 0, y[y_at].get() != 0).into());
        }
    }))
}

fn not(arguments: &mut Arguments<'_>) {
    let (count, x, out) = (arguments.number::<usize>(), arguments.buffer::<u8>(), arguments.buffer::<u8>());
    (0..count).for_each(|i| out[i].set((x[i].get() == 0).into()));
}
