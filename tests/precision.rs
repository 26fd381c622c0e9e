//! TF32 on the device of the test: which products have it, how much it rounds, and that it ends with the work that asked for it. On a device of
//! host memory (`cargo cuda-memory`) factors are rounded to 10 bits of mantissa, to the nearest, and sums are in `f32`.
#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used)]

mod operations;

use dfdx::prelude::*;
use idode::tensor::{Convolution, Kernels, Precision, Real};
use operations::{Sizes, attention, convolution, normed_convolution, worst};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

/// The device, if it has TF32.
fn device() -> Option<Cuda> {
    if std::env::var("IDODE_TEST_DEVICE").as_deref() != Ok("cuda:0") {
        eprintln!("not run: IDODE_TEST_DEVICE is not cuda:0");
        return None;
    }
    let device = Cuda::try_build(0, 0).unwrap();
    match <Cuda as Kernels<f32>>::refusal(&device, Precision::Tf32) {
        None => Some(device),
        Some(refused) => {
            eprintln!("not run: {refused}");
            None
        }
    }
}

fn in_tf32<R>(device: &Cuda, work: impl FnOnce() -> R) -> R {
    <Cuda as Kernels<f32>>::with_precision(device, Precision::Tf32, work).unwrap()
}

/// What the device of host memory rounds factors to.
fn rounded(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits((bits + 0xfff + (bits >> 13 & 1)) & !0x1fff)
}

fn draws(seed: u64, count: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| rng.gen_range(-1.0f32..1.0)).collect()
}

/// `y = x W` of each position, with the gradients of `x` and `W` where the loss is `sum y g`.
fn pointwise(
    device: &Cuda,
    x: &[f32],
    w: &[f32],
    g: &[f32],
    [rows, channels, out]: [usize; 3],
) -> [Vec<f32>; 3] {
    let x = device.tensor_from_vec(x.to_vec(), (rows, 1usize, 1usize, channels));
    let weight = device.tensor_from_vec(w.to_vec(), (channels, out));
    let g = device.tensor_from_vec(g.to_vec(), (rows, 1usize, 1usize, out));
    let operator = Convolution { size: 1, weight: &weight, bias: None };
    let y = Cuda::convolution(vec![x.leaky_trace()], &operator, None, None);
    let value = y.as_vec();
    let gradients = (y * g).sum::<Rank0, _>().backward();
    [value, gradients.get(&x).as_vec(), gradients.get(&weight).as_vec()]
}

#[test]
fn a_product_in_tf32_is_that_of_rounded_factors() {
    let Some(device) = device() else { return };
    // One term a sum, so that nothing but the factors is rounded, in either pass but for the weights' gradient.
    let (rows, out) = (50, 40);
    let (x, w, g) = (draws(1, rows), draws(2, out), draws(3, rows * out));
    let found = in_tf32(&device, || pointwise(&device, &x, &w, &g, [rows, 1, out]));
    if std::env::var_os("IDODE_MEMORY_DRIVER").is_some() {
        let of_rounded = |i: usize| rounded(x[i / out]) * rounded(w[i % out]);
        assert_eq!(found[0], (0..rows * out).map(of_rounded).collect::<Vec<_>>());
    }
    // Of any TF32: at most 2^-10 of each factor.
    for (i, y) in found[0].iter().enumerate() {
        let exact = x[i / out] * w[i % out];
        assert!((y - exact).abs() <= exact.abs() * 2.0f32.powi(-9), "{y} {exact}");
    }
    let gradient = |own: &dyn Fn(f32) -> f32| -> [Vec<f64>; 2] {
        let term = |i: usize, j: usize, other: f32| f64::from(own(g[i * out + j])) * f64::from(own(other));
        let gx = (0..rows).map(|i| (0..out).map(|j| term(i, j, w[j])).sum()).collect();
        [gx, (0..out).map(|j| (0..rows).map(|i| term(i, j, x[i])).sum()).collect()]
    };
    let host = |x: &[f32]| x.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>();
    let (backward, most) = ([host(&found[1]), host(&found[2])], worst);
    assert!(most(&backward, &gradient(&|x| x)) < 2e-3);
    if std::env::var_os("IDODE_MEMORY_DRIVER").is_some() {
        assert!(most(&backward, &gradient(&rounded)) < 1e-6);
        assert!(most(&backward, &gradient(&|x| x)) > 1e-5);
    }
}

/// Every operation with products: its name, and what it gives with all gradients.
fn operations(device: &Cuda) -> Vec<(&'static str, Vec<Vec<f64>>, Vec<Vec<f64>>)> {
    let s = Sizes { rows: 3, channels: 16, out: 24, inputs: 2, size: 3, seed: 11 };
    let one = Sizes { size: 1, ..s };
    let cpu = &Cpu::default();
    macro_rules! of {
        ($($name:literal: $run:ident($($argument:expr),*);)*) => {
            vec![$(($name, $run::<f32, Cuda>(device $(, $argument)*), $run::<f64, Cpu>(cpu $(, $argument)*)),)*]
        };
    }
    of! {
        "1x1 convolution": convolution(one, [9, 10]);
        "3x3 convolution": convolution(s, [9, 10]);
        "convolution after norm": normed_convolution(s, [9, 10], Some(0.3), false);
        "convolution after norm, jvp": normed_convolution(s, [9, 10], Some(0.3), true);
        "attention": attention(s, false);
        "attention, jvp": attention(s, true);
    }
}

#[test]
fn every_operation_has_tf32_where_it_was_asked_for_and_nowhere_else() {
    let Some(device) = device() else { return };
    let (before, within, after) =
        (operations(&device), in_tf32(&device, || operations(&device)), operations(&device));
    for (((name, f32, exact), (_, tf32, _)), (_, again, _)) in before.iter().zip(&within).zip(&after) {
        assert!(f32 == again, "{name}: f32 after tf32 has other bits than before");
        let apart = worst(tf32, exact);
        println!(
            "{name}: tf32 apart from f64 by {apart:.1e} of the largest entry, f32 by {:.1e}",
            worst(f32, exact)
        );
        assert!(apart < 1e-2 && apart > 10.0 * worst(f32, exact), "{name}: {apart:e}");
    }
    let inner = in_tf32(&device, || {
        <Cuda as Kernels<f32>>::with_precision(&device, Precision::F32, || operations(&device)).unwrap()
    });
    assert!(inner == before);
}

/// cuDNN's own default is TF32, so that `f32` has to be asked for.
#[test]
fn cudnn_has_tf32_where_it_was_asked_for_and_nowhere_else() {
    const CANDIDATE: &str = "IDODE_CUDA_CANDIDATE";
    if device().is_none() || std::env::var_os(CANDIDATE).is_some() {
        return;
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["every_operation_has_tf32_where_it_was_asked_for_and_nowhere_else", "--exact", "--nocapture"])
        .env(CANDIDATE, "cudnn")
        .output()
        .unwrap();
    let [text, errors] = [&child.stdout, &child.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    text.lines().filter(|line| line.contains("convolution")).for_each(|line| println!("cudnn, {line}"));
    assert!(child.status.success() && text.contains("1 passed"), "{text} {errors}");
}

#[test]
fn no_tf32_is_left_after_an_error_or_a_panic() {
    let Some(device) = device() else { return };
    let of = || pointwise(&device, &draws(1, 40), &draws(2, 40), &draws(3, 100), [10, 4, 10]);
    let before = of();
    let failed: Result<(), ()> = in_tf32(&device, || Err(()));
    assert!(failed.is_err() && of() == before);
    let work = || in_tf32(&device, || assert_eq!(of().len(), 0, "a panic that this test wants"));
    assert!(catch_unwind(AssertUnwindSafe(work)).is_err());
    assert!(of() == before && in_tf32(&device, of) != before);
}

#[test]
fn what_has_no_tf32_says_so() {
    let refused = <Cpu as Kernels<f32>>::refusal(&Cpu::default(), Precision::Tf32).unwrap();
    assert_eq!(refused.found(), "tf32 on the processor");
    let mut done = false;
    let answer = <Cpu as Kernels<f64>>::with_precision(&Cpu::default(), Precision::Tf32, || done = true);
    assert!(answer == Err(refused) && !done);
    let Some(device) = device() else { return };
    let refused = <Cuda as Kernels<f64>>::with_precision(&device, Precision::Tf32, || ()).unwrap_err();
    assert_eq!(refused.found(), "tf32 in f64");
}

/// A 3x3 convolution's problem: images of `side` x `side`, and the gradient of the loss by each output.
struct Direct {
    rows: usize,
    side: usize,
    channels: usize,
    out: usize,
    x: Vec<f32>,
    weight: Vec<f32>,
    g: Vec<f32>,
}

impl Direct {
    fn new([rows, side, channels, out]: [usize; 4]) -> Self {
        let positions = rows * side * side;
        let scale = 1.0 / (9.0 * channels as f32).sqrt();
        let weight = draws(5, 9 * channels * out).into_iter().map(|w| w * scale).collect();
        Self {
            rows,
            side,
            channels,
            out,
            x: draws(4, positions * channels),
            weight,
            g: draws(6, positions * out),
        }
    }

    /// Output, and the gradients of inputs and weights.
    fn whole<E: Real, D: Kernels<E>>(
        &self,
        device: &D,
        size: usize,
        x: &[f32],
        channels: usize,
    ) -> [Vec<f64>; 3] {
        let of = |numbers: &[f32]| numbers.iter().map(|x| E::of((*x).into())).collect::<Vec<E>>();
        let side = self.side;
        let x = device.tensor_from_vec(of(x), (self.rows, side, side, channels));
        let weight = device.tensor_from_vec(of(&self.weight), (size * size * channels, self.out));
        let g = device.tensor_from_vec(of(&self.g), (self.rows, side, side, self.out));
        let operator = Convolution { size, weight: &weight, bias: None };
        let y = D::convolution(vec![x.leaky_trace()], &operator, None, None);
        let value = y.as_vec();
        let gradients = (y * g).sum::<Rank0, _>().backward();
        let found = [value, gradients.get(&x).as_vec(), gradients.get(&weight).as_vec()];
        found.map(|x| x.into_iter().map(Real::to64).collect())
    }

    /// Each number of the patches, and the number of the images that it is, if it is of one.
    fn patches(&self) -> Vec<Option<usize>> {
        let (side, channels) = (self.side as isize, self.channels);
        let mut from = Vec::with_capacity(9 * self.x.len());
        for image in 0..self.rows {
            for (line, column) in (0..side).flat_map(|i| (0..side).map(move |j| (i, j))) {
                for (i, j) in (0..9).map(|tap| (line + tap / 3 - 1, column + tap % 3 - 1)) {
                    let inside = (0..side).contains(&i) && (0..side).contains(&j);
                    let first = inside
                        .then(|| ((image * self.side + i as usize) * self.side + j as usize) * channels);
                    from.extend((0..channels).map(|c| first.map(|first| first + c)));
                }
            }
        }
        from
    }

    /// The same by patches: one product, whose gradient by the inputs is added up here in `f64`.
    fn by_patches(&self, device: &Cuda) -> [Vec<f64>; 3] {
        let from = self.patches();
        let x: Vec<f32> = from.iter().map(|at| at.map_or(0.0, |at| self.x[at])).collect();
        let [y, gpatches, gweight] = self.whole::<f32, Cuda>(device, 1, &x, 9 * self.channels);
        let mut gx = vec![0.0; self.x.len()];
        for (at, gradient) in from.iter().zip(gpatches) {
            at.iter().for_each(|at| gx[*at] += gradient);
        }
        [y, gx, gweight]
    }
}

/// How much Winograd's transforms grow the rounding of TF32: of the output and of both gradients, the largest error over the largest entry.
#[test]
fn winograd_in_tf32_is_near_enough() {
    let Some(device) = device() else { return };
    let exact_on = Cpu::default();
    // The numbers of the guide's page on GPUs.
    for sizes in [[4, 16, 32, 32], [2, 16, 128, 128], [1, 32, 64, 64]] {
        let case = Direct::new(sizes);
        let exact = case.whole::<f64, Cpu>(&exact_on, 3, &case.x, case.channels);
        let winograd = || case.whole::<f32, Cuda>(&device, 3, &case.x, case.channels);
        let of = |found: [Vec<f64>; 3]| -> [f64; 3] {
            std::array::from_fn(|i| worst(&found[i..=i], &exact[i..=i]))
        };
        let [rows, side, channels, out] = sizes;
        println!(
            "3x3 convolution of {rows} images of {side}x{side}x{channels} to {out}: output, input's gradient, weights' gradient"
        );
        let rows = [
            ("f32, Winograd", of(winograd())),
            ("tf32, by patches", of(in_tf32(&device, || case.by_patches(&device)))),
            ("tf32, Winograd", of(in_tf32(&device, winograd))),
        ];
        for (name, errors) in &rows {
            println!("  {name:18} {}", errors.map(|error| format!("{error:.1e}")).join("  "));
        }
        assert!(rows[2].1.iter().all(|error| *error < 1e-2), "{rows:?}");
    }
}
