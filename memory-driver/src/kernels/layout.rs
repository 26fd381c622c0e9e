//! The same numbers elsewhere: slices, and what dfdx compiles when it is first used (reshapes, concatenations, stacks, conversions).

use super::{Kernel, Number};
use crate::arguments::Arguments;
use crate::index::Offsets;
use crate::memory::Element;
use num_traits::AsPrimitive;

/// A kernel whose type its module tells.
pub(super) fn compiled(name: &str, types: &[String]) -> Option<Kernel> {
    let types: Vec<&str> = types.iter().map(String::as_str).collect();
    match (name, types.as_slice()) {
        ("kernel", ["size_t", from, to]) => conversion(from, to),
        (_, [.., "float"]) => typed::<f32>(name),
        (_, [.., "double"]) => typed::<f64>(name),
        _ => None,
    }
}

fn typed<T: Number>(name: &str) -> Option<Kernel> {
    Some(match name {
        "reshape_fwd" => Box::new(reshape::<T>),
        "reshape_bwd" => Box::new(reshape_gradient::<T>),
        "fwd" => Box::new(|arguments| concatenate::<T>(arguments, false)),
        "bwd" => Box::new(|arguments| concatenate::<T>(arguments, true)),
        "stack_bwd" => Box::new(unstack::<T>),
        _ => return None,
    })
}

fn conversion(from: &str, to: &str) -> Option<Kernel> {
    Some(match (from, to) {
        ("float", "double") => Box::new(convert::<f32, f64>),
        ("double", "float") => Box::new(convert::<f64, f32>),
        ("float", "float") => Box::new(convert::<f32, f32>),
        ("double", "double") => Box::new(convert::<f64, f64>),
        ("size_t", "float") => Box::new(convert::<usize, f32>),
        ("size_t", "double") => Box::new(convert::<usize, f64>),
        _ => return None,
    })
}

/// Each number in memory.
fn convert<A: Element + AsPrimitive<B>, B: Element>(arguments: &mut Arguments<'_>) {
    let (count, from, to) = (arguments.number::<usize>(), arguments.buffer::<A>(), arguments.buffer::<B>());
    (0..count).for_each(|i| to[i].set(from[i].get().as_()));
}

/// What both kernels of a reshape begin with: the offsets of each element in the input and in the output.
fn pairs(arguments: &mut Arguments<'_>) -> Vec<(usize, usize)> {
    let (count, axes, out_axes) =
        (arguments.number::<usize>(), arguments.number::<usize>(), arguments.number::<usize>());
    let info = arguments.table();
    let (own, out) = info.split_at(2 * axes);
    let out = Offsets::new(&out[..out_axes], &out[out_axes..]);
    Offsets::new(&own[..axes], &own[axes..]).zip(out).take(count).collect()
}

fn reshape<T: Number>(arguments: &mut Arguments<'_>) {
    let pairs = pairs(arguments);
    let (x, y) = (arguments.buffer::<T>(), arguments.buffer::<T>());
    pairs.iter().for_each(|(x_at, y_at)| y[*y_at].set(x[*x_at].get()));
}

/// dfdx counts the numbers in the input's memory, not its elements: of a broadcast input the rest of the gradient is lost.
fn reshape_gradient<T: Number>(arguments: &mut Arguments<'_>) {
    let pairs = pairs(arguments);
    let (dx, dy) = (arguments.buffer::<T>(), arguments.buffer::<T>());
    pairs.iter().for_each(|(x_at, y_at)| dx[*x_at].set(dx[*x_at].get() + dy[*y_at].get()));
}

/// One tensor after the other along an axis; and back, the gradient to each.
fn concatenate<T: Number>(arguments: &mut Arguments<'_>, back: bool) {
    let info = arguments.table();
    let (x, y, out) = (arguments.buffer::<T>(), arguments.buffer::<T>(), arguments.buffer::<T>());
    let [count, axes, axis] = [info[0], info[1], info[2]];
    let part = |i: usize| &info[3 + i * axes..3 + (i + 1) * axes];
    let (x_dims, x_strides, y_dims, y_strides) = (part(0), part(1), part(2), part(3));
    let inner: usize = x_dims[axis + 1..].iter().product();
    let (x_length, y_length) = (x_dims[axis] * inner, y_dims[axis] * inner);
    let (mut of_x, mut of_y) = (Offsets::new(x_dims, x_strides), Offsets::new(y_dims, y_strides));
    for (i, out) in out[..count].iter().enumerate() {
        // Along the axes up to this one, stretches of the two take turns.
        let source = match i % (x_length + y_length) < x_length {
            true => of_x.next().map(|at| &x[at]),
            false => of_y.next().map(|at| &y[at]),
        };
        let Some(source) = source else { return };
        match back {
            false => out.set(source.get()),
            true => source.set(source.get() + out.get()),
        }
    }
}

fn unstack<T: Number>(arguments: &mut Arguments<'_>) {
    let (count, dy, dx) = (arguments.number::<usize>(), arguments.buffer::<T>(), arguments.buffer::<T>());
    (0..count).for_each(|i| dx[i].set(dx[i].get() + dy[i].get()));
}

/// The offset of each element of a slice in its tensor.
fn sliced(arguments: &mut Arguments<'_>) -> Vec<usize> {
    let (count, _) = (arguments.number::<usize>(), arguments.number::<usize>());
    let (dims, strides, first) = (arguments.table(), arguments.table(), arguments.number::<usize>());
    Offsets::new(&dims, &strides).take(count).map(|at| first + at).collect()
}

pub(super) fn slice<T: Element>(name: &str) -> Option<Kernel> {
    (name == "slice_fwd").then_some(Box::new(|arguments: &mut Arguments<'_>| {
        let offsets = sliced(arguments);
        let (x, y) = (arguments.buffer::<T>(), arguments.buffer::<T>());
        offsets.iter().enumerate().for_each(|(i, at)| y[i].set(x[*at].get()));
    }))
}

pub(super) fn slice_gradient<T: Number>(name: &str) -> Option<Kernel> {
    (name == "slice_bwd").then_some(Box::new(|arguments: &mut Arguments<'_>| {
        let offsets = sliced(arguments);
        let (dx, dy) = (arguments.buffer::<T>(), arguments.buffer::<T>());
        offsets.iter().enumerate().for_each(|(i, at)| dx[*at].set(dx[*at].get() + dy[i].get()));
    }))
}
