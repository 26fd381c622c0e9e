//! Sums and maxima over axes.

use super::{Kernel, Number};
use crate::arguments::Arguments;
use crate::index::{Offsets, restrided};
use std::cell::Cell;

pub(super) fn find<T: Number>(name: &str) -> Option<Kernel> {
    Some(match name {
        "sum_to_fwd" => Box::new(sum::<T>),
        "sum_to_bwd" => Box::new(sum_gradient::<T>),
        "max_to_fwd" => Box::new(maximum::<T>),
        "max_to_bwd" => Box::new(maximum_gradient::<T>),
        "fill_with" => Box::new(fill::<T>),
        _ => return None,
    })
}

/// Adds each chunk of the terms to a number of `to`. As on a device, a block of threads adds its part of a chunk up first.
pub(super) fn add_chunks<T: Number>(
    terms: impl Iterator<Item = T>,
    chunk: usize,
    block: usize,
    to: &[Cell<T>],
) {
    in_chunks(terms, chunk, block, |a, b| a + b, |into, part| to[into].set(to[into].get() + part));
}

/// Joins the terms of each part of a chunk that is in one block.
fn in_chunks<T: Number>(
    terms: impl Iterator<Item = T>,
    chunk: usize,
    block: usize,
    join: impl Fn(T, T) -> T,
    give: impl Fn(usize, T),
) {
    let mut part: Option<(usize, T)> = None;
    for (i, term) in terms.enumerate() {
        let into = i / chunk;
        part = Some(match part {
            Some((before, sum)) if before == into && i % block != 0 => (into, join(sum, term)),
            other => {
                other.into_iter().for_each(|(into, sum)| give(into, sum));
                (into, term)
            }
        });
    }
    part.into_iter().for_each(|(into, sum)| give(into, sum));
}

/// Each thread visits one number of the memory.
fn visited(count: usize, arguments: &Arguments<'_>) -> usize {
    count.min(arguments.threads)
}

fn sum<T: Number>(arguments: &mut Arguments<'_>) {
    let (count, axes) = (arguments.number::<usize>(), arguments.number::<usize>());
    // How often each number occurs along the axes that are summed.
    let (times, chunk, info) = (arguments.number::<T>(), arguments.number::<usize>(), arguments.table());
    let (x, y) = (arguments.buffer::<T>(), arguments.buffer::<T>());
    let offsets = Offsets::new(&info[..axes], &info[axes..2 * axes]).take(visited(count, arguments));
    add_chunks(offsets.map(|at| x[at].get() * times), chunk, arguments.block, y);
}

fn sum_gradient<T: Number>(arguments: &mut Arguments<'_>) {
    let (count, axes) = (arguments.number::<usize>(), arguments.number::<usize>());
    let (times, info) = (arguments.number::<T>(), arguments.table());
    let (dx, dy) = (arguments.buffer::<T>(), arguments.buffer::<T>());
    for (i, dx) in dx[..visited(count, arguments)].iter().enumerate() {
        let at = restrided(i, &info[..axes], &info[axes..2 * axes], &info[2 * axes..3 * axes]);
        dx.set(dx.get() + dy[at].get() * times);
    }
}

fn maximum<T: Number>(arguments: &mut Arguments<'_>) {
    let (count, axes) = (arguments.number::<usize>(), arguments.number::<usize>());
    let (chunk, info) = (arguments.number::<usize>(), arguments.table());
    let (x, y) = (arguments.buffer::<T>(), arguments.buffer::<T>());
    let offsets = Offsets::new(&info[..axes], &info[axes..2 * axes]).take(visited(count, arguments));
    // Within a block NaN is left out where there is a number; between blocks it wins.
    let give = |into: usize, part: T| {
        if part > y[into].get() || part.is_nan() {
            y[into].set(part);
        }
    };
    in_chunks(offsets.map(|at| x[at].get()), chunk, arguments.block, T::max, give);
}

fn maximum_gradient<T: Number>(arguments: &mut Arguments<'_>) {
    let (count, axes) = (arguments.number::<usize>(), arguments.number::<usize>());
    let (times, info) = (arguments.number::<T>(), arguments.table());
    let (x, dx) = (arguments.buffer::<T>(), arguments.buffer::<T>());
    let (y, dy) = (arguments.buffer::<T>(), arguments.buffer::<T>());
    for i in 0..visited(count, arguments) {
        let at = restrided(i, &info[..axes], &info[axes..2 * axes], &info[2 * axes..3 * axes]);
        if x[i].get() == y[at].get() {
            dx[i].set(dx[i].get() + dy[at].get() * times);
        }
    }
}

fn fill<T: Number>(arguments: &mut Arguments<'_>) {
    let (to, value, count) = (arguments.buffer::<T>(), arguments.number::<T>(), arguments.number::<usize>());
    (0..count).for_each(|i| to[i].set(value));
}
