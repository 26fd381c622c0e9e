//! What a checkpoint saves: the peak of the memory that a training pass holds.

#![allow(clippy::unwrap_used)]

use dfdx::prelude::*;
use idode::nn::{ParameterVisitor, Parameters, Pass, ResidualBlock, Role};
use idode::tensor::*;
use peak_alloc::PeakAlloc;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Zeros of the second convolution would hide what is lost.
struct Fill;

impl<E: Real> ParameterVisitor<E, Cpu> for Fill
where
    Cpu: Kernels<E>,
{
    fn parameter<S: Shape>(&mut self, _: &str, _: Role, tensor: &mut Tensor<S, E, Cpu>) {
        *tensor = tensor.clone() + E::of(0.01);
    }
}

/// Bytes at the peak of `run`, beyond what was held before it.
fn peak<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let found = run();
    (found, MEMORY.peak_usage() - before)
}

/// So many that what a kernel needs for itself, once, is small beside what they keep.
const BLOCKS: usize = 16;

/// The sum of the squares of a chain of blocks, and the gradient of its input.
fn chain<E: Real>(checkpointed: bool) -> Vec<E>
where
    Cpu: Kernels<E>,
{
    let device = Cpu::default();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut block = ResidualBlock::<32, E, Cpu>::new(1, 0.1, &device, &mut rng);
    block.parameters("", &mut Fill);
    let shape = (8, Const::<16>, Const::<16>, Const::<32>);
    let numbers: Vec<E> = (0..shape.num_elements()).map(|i| E::of((i as f64).sin())).collect();
    let x = device.tensor_from_vec(numbers, shape);
    let time = device.ones_like(&(8, 128)).retaped::<OwnedTape<E, Cpu>>();
    let times = [0.5; 8];
    let mut pass = Pass::train(&times, &mut rng);
    let mut h = x.leaky_trace();
    for _ in 0..BLOCKS {
        h = match checkpointed {
            true => block.apply_checkpointed::<Plain<_>, 16, 16>(vec![h], &time, &mut pass),
            false => block.apply::<Plain<_>, 16, 16>(vec![h], &time, &mut pass),
        };
    }
    h.square().sum::<Rank0, _>().backward().get(&x).as_vec()
}

fn convolutions<E: Real>(kept: bool) -> Vec<E>
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
    for _ in 0..BLOCKS {
        h = if kept {
            portable::patches(vec![h], 3).matmul(weight.clone()).reshape_like(&shape)
        } else {
            portable::convolution(vec![h], &operator, None, None)
        };
    }
    h.square().sum::<Rank0, _>().backward().get(&x).as_vec()
}

/// One test, so that nothing else allocates beside it.
#[test]
fn checkpoints_save_memory() {
    let mib = |bytes: usize| bytes as f64 / (1 << 20) as f64;
    let report = |what: &str, kept: usize, again: usize, least: f64| {
        println!("{what}: {:.1} MiB kept, {:.1} MiB with checkpoints", mib(kept), mib(again));
        assert!(kept as f64 > least * again as f64, "{what}: {kept} {again}");
    };
    // The kernels' own working memory stays with their threads: it is there before anything is measured.
    chain::<f32>(false);
    let (a, kept) = peak(|| chain::<f32>(false));
    let (b, again) = peak(|| chain::<f32>(true));
    assert!(a == b);
    report("16 blocks, fused f32", kept, again, 2.5);
    let (a, kept) = peak(|| chain::<f64>(false));
    let (b, again) = peak(|| chain::<f64>(true));
    assert!(a == b);
    report("16 blocks, portable f64", kept, again, 4.0);
    let (a, kept) = peak(|| convolutions::<f64>(true));
    let (b, again) = peak(|| convolutions::<f64>(false));
    assert!(a == b);
    report("16 convolutions, portable f64", kept, again, 2.5);
}
