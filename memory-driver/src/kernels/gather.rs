//! `gather` and `select`: elements by tables of indices.

use super::{Kernel, Number};
use crate::arguments::Arguments;
use crate::index::{Offsets, offset};
use std::cell::Cell;

pub(super) fn find<T: Number>(name: &str) -> Option<Kernel> {
    Some(match name {
        "gather_fwd" => Box::new(|arguments| gather::<T>(arguments, copy)),
        "gather_bwd" => Box::new(|arguments| gather::<T>(arguments, |source, out| copy_back(source, out))),
        _ => return None,
    })
}

fn copy<T: Number>(source: &Cell<T>, out: &Cell<T>) {
    out.set(source.get());
}

fn copy_back<T: Number>(gradient: &Cell<T>, out: &Cell<T>) {
    gradient.set(gradient.get() + out.get());
}

/// Brings each element of the input that the table names together with its element of the output.
fn gather<T: Number>(arguments: &mut Arguments<'_>, bring: fn(&Cell<T>, &Cell<T>)) {
    let (count, x) = (arguments.number::<usize>(), arguments.buffer::<T>());
    let (x_axes, x_dims, x_strides) = (arguments.number::<usize>(), arguments.table(), arguments.table());
    let index = arguments.buffer::<usize>();
    let (axes, dims, strides) = (arguments.number::<usize>(), arguments.table(), arguments.table());
    let (out, out_axes) = (arguments.buffer::<T>(), arguments.number::<usize>());
    // A table with axes before the one that it replaces has those of the input; one that adds axes replaces the first.
    let axis = if out_axes > x_axes { 0 } else { axes - 1 };
    let element: usize = x_dims[axis + 1..x_axes].iter().product();
    let within: Vec<usize> =
        Offsets::new(&x_dims[axis + 1..], &x_strides[axis + 1..]).take(element).collect();
    let entries = Offsets::new(&dims, &strides);
    for (entry, at) in (0..count / element.max(1)).zip(entries) {
        let (before, taken) = (entry / dims[axis], index[at].get());
        assert!(taken < x_dims[axis], "index {taken} of an axis of {}", x_dims[axis]);
        let start = offset((before * x_dims[axis] + taken) * element, &x_dims, &x_strides);
        within.iter().zip(&out[entry * element..]).for_each(|(at, out)| bring(&x[start + at], out));
    }
}
