//! What a checkpoint saves: the peak of the memory that a training pass holds.

#![allow(clippy::unwrap_used)]

use dfdx::prelude::*;
use idode::nn::{Parameters, Pass, ResidualBlock};
use idode::tensor::*;
use peak_alloc::PeakAlloc;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Bytes at the peak of `run`, beyond what was held before it.
fn peak<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let found = run();
    (found, MEMORY.peak_usage() - before)
}

const BLOCKS: usize = 4;

/// The numbers of the input of each.
const INPUT: usize = 8 * 16 * 16 * 32;

/// The sum of the squares of a chain of blocks, and the gradient of its input.
fn chain<E: Real>(blocks: usize, checkpointed: bool) -> Vec<E>
where
    Cpu: Kernels<E>,
{
    let device = Cpu::default();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut block = ResidualBlock::<Const<32>, E, Cpu>::new(1, Const, 0.1, &device, &mut rng);
    // Zeros of the second convolution would hide what is lost.
    block.parameters("", &mut |_, _, parameter| {
        parameter.replace(parameter.numbers().into_iter().map(|x| x + E::of(0.01)).collect());
    });
    let shape = (8, Const::<16>, Const::<16>, Const::<32>);
    let numbers: Vec<E> = (0..shape.num_elements()).map(|i| E::of((i as f64).sin())).collect();
    let x = device.tensor_from_vec(numbers, shape);
    let time = device.ones_like(&(8, 128)).retaped::<OwnedTape<E, Cpu>>();
    let times = [0.5; 8];
    let mut pass = Pass::train(&times, &mut rng);
    let mut h = x.leaky_trace();
    for _ in 0..blocks {
        h = match checkpointed {
            true => block.apply_checkpointed::<Plain<_>, Const<16>, Const<16>>(vec![h], &time, &mut pass),
            false => block.apply::<Plain<_>, Const<16>, Const<16>>(vec![h], &time, &mut pass),
        };
    }
    h.square().sum::<Rank0, _>().backward().get(&x).as_vec()
}

fn convolutions<E: Real>(layers: usize, kept: bool) -> Vec<E>
where
    Cpu: Kernels<E>,
{
    let device = Cpu::default();
    let shape = (8, Const::<16>, Const::<16>, 32usize);
    let numbers: Vec<E> = (0..shape.num_elements()).map(|i| E::of((i as f64).sin())).collect();
    let x = device.tensor_from_vec(numbers, shape);
    let weight: Tensor<(usize, usize), E, Cpu> = device.ones_like(&(9 * 32, 32)) * E::of(0.01);
    let operator = Convolution { size: 3, weight: &weight, bias: None };
    let mut h = x.leaky_trace();
    for _ in 0..layers {
        h = if kept {
            portable::patches(vec![h], 3).matmul(weight.clone()).reshape_like(&shape)
        } else {
            portable::convolution(vec![h], &operator, None, None)
        };
    }
    h.square().sum::<Rank0, _>().backward().get(&x).as_vec()
}

/// Bytes that one more of `BLOCKS` layers adds to the peak, and what the layers give: what a kernel needs for itself, once a
/// thread, is in neither.
fn each<T>(run: impl Fn(usize) -> T) -> (T, f64) {
    let (_, few) = peak(|| run(BLOCKS));
    let (found, many) = peak(|| run(2 * BLOCKS));
    (found, (many as f64 - few as f64) / BLOCKS as f64)
}

/// With checkpoints a layer adds its input and no more; without, at least `least` times as much.
fn compare<E: Real>(what: &str, least: f64, run: impl Fn(usize, bool) -> Vec<E>) {
    let input = (INPUT * size_of::<E>()) as f64;
    run(BLOCKS, true);
    run(BLOCKS, false);
    let (a, kept) = each(|layers| run(layers, false));
    let (b, again) = each(|layers| run(layers, true));
    assert!(a == b, "{what}");
    println!("{what}: {:.2} inputs kept, {:.2} with checkpoints", kept / input, again / input);
    assert!(again <= 1.02 * input && kept >= least * again, "{what}: {kept} {again}, an input has {input}");
}

/// One test, so that nothing else allocates beside it.
#[test]
fn checkpoints_keep_inputs_alone() {
    compare("a block, fused f32", 1.9, chain::<f32>);
    compare("a block, portable f64", 19.0, chain::<f64>);
    compare("a convolution, portable f64", 10.0, |layers, again| convolutions::<f64>(layers, !again));
}
