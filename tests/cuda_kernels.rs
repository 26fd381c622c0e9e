//! The own kernels of CUDA against the portable operations in `f64`: values, gradients, derivatives along a tangent, and gradients through
//! those. On a device of host memory (`cargo cuda-memory`) the kernels are compiled by the system's C compiler.
#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used)]

mod operations;

use dfdx::prelude::*;
use idode::tensor::{DropoutKey, GroupNorm, Kernels, Precision, Real};
use operations::*;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::process::Command;

/// Rounding of `f32` in sums, and in Winograd's transforms.
const SUMS: f64 = 1e-5;
const WINOGRAD: f64 = 1e-4;

/// The bound of the way that this process computes a 3x3 convolution by.
fn transformed() -> f64 {
    match std::env::var(CANDIDATE) {
        Ok(way) if ["patches", "cudnn"].contains(&way.as_str()) => SUMS,
        _ => WINOGRAD,
    }
}

/// Two roundings of `f32`: of a factor, and of its product.
const ROUNDINGS: f64 = f32::EPSILON as f64;

/// The device, if it has the kernels: a device of host memory has them where a C compiler is.
fn device() -> Option<Cuda> {
    let compiler =
        ["cc", "gcc", "clang"].iter().any(|name| Command::new(name).arg("--version").output().is_ok());
    if std::env::var_os("IDODE_MEMORY_DRIVER").is_some() && !compiler && std::env::var_os("CC").is_none() {
        eprintln!("not run: no C compiler is here for the kernels of a device of host memory");
        return None;
    }
    match std::env::var("IDODE_TEST_DEVICE") {
        Ok(name) if name == "cuda:0" => Some(Cuda::try_build(0, 0).unwrap()),
        _ => {
            eprintln!("not run: IDODE_TEST_DEVICE is not cuda:0");
            None
        }
    }
}

/// Draws so many cases, from the same seed each time, and checks that none differs by more than `most`; prints the largest difference.
fn agree<S: Strategy>(
    name: &str,
    most: f64,
    cases: u32,
    strategy: S,
    difference: impl Fn(&Cuda, S::Value) -> f64,
) {
    let Some(device) = device() else { return };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(Default::default()),
    );
    let largest = std::cell::Cell::new(0.0f64);
    let done = runner.run(&strategy, |case| {
        let found = difference(&device, case);
        largest.set(largest.get().max(found));
        prop_assert!(found <= most, "{name} differs by {found:e}, of the largest entry");
        Ok(())
    });
    done.unwrap();
    println!("{name}: {:.1e} of the largest entry at most", largest.get());
}

macro_rules! difference {
    ($run:ident($device:expr $(, $argument:expr)*)) => {
        worst(&$run::<f32, Cuda>($device $(, $argument)*), &$run::<f64, Cpu>(&Cpu::default() $(, $argument)*))
    };
}

fn small() -> impl Strategy<Value = Side> {
    prop_oneof![[1usize..14, 1usize..14], Just([8, 8]), Just([1, 2]), Just([5, 33])]
}

#[test]
fn pointwise_convolutions_agree() {
    agree("1x1 convolution", SUMS, 12, (sizes(), small()), |device, (s, side)| {
        difference!(convolution(device, Sizes { size: 1, ..s }, side))
    });
}

#[test]
fn convolutions_agree() {
    agree("3x3 convolution", transformed(), 20, (sizes(), small()), |device, (s, side)| {
        difference!(convolution(device, Sizes { size: 3, ..s }, side))
    });
}

#[test]
fn convolutions_of_many_channels_and_images_agree() {
    for (rows, channels, inputs, out) in [(3, 64, 2, 64), (9, 128, 1, 300)] {
        let s = Sizes { rows, channels, out, inputs, size: 3, seed: 3 };
        agree("3x3 convolution, wide", SUMS, 1, Just(s), |device, s| {
            difference!(convolution(device, s, [8, 8]))
        });
    }
}

#[test]
fn normed_convolutions_agree() {
    let case = (sizes(), small(), proptest::option::of(0.05..0.6), any::<bool>());
    agree("convolution after norm and dropout", transformed(), 24, case, |device, (s, side, rate, jvp)| {
        difference!(normed_convolution(device, s, side, rate, jvp))
    });
}

/// The variable that names how a 3x3 convolution is computed.
const CANDIDATE: &str = "IDODE_CUDA_CANDIDATE";

/// Each way by its name, on the shapes of the tests here: then none is left out by the check at its first use, which would hide that it is wrong.
#[test]
fn every_way_agrees_by_name() {
    if device().is_none() || std::env::var_os(CANDIDATE).is_some() {
        return;
    }
    let convolutions = ["convolutions_agree", "images_agree", "two_runs"];
    for (way, tests) in
        [("own", &["_agree", "two_runs"][..]), ("patches", &convolutions), ("cudnn", &convolutions)]
    {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(tests)
            .arg("--nocapture")
            .env(CANDIDATE, way)
            .output()
            .unwrap();
        let [text, errors] = [&child.stdout, &child.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        text.lines().filter(|line| line.contains("at most")).for_each(|line| println!("{way}, {line}"));
        assert!(child.status.success() && !text.contains("running 0 tests"), "{text} {errors}");
        match errors.contains("cudnn is left out") {
            true if std::env::var_os("IDODE_MEMORY_DRIVER").is_none() => {
                println!("cudnn: not run: {errors}");
            }
            left_out => assert!(!left_out, "{errors}"),
        }
    }
}

/// Bits of 3x3 convolutions of each kind, in each precision of theirs.
#[test]
fn two_runs_of_convolutions_have_the_same_bits() {
    let Some(device) = device() else { return };
    let s = Sizes { rows: 7, channels: 16, out: 24, inputs: 2, size: 3, seed: 11 };
    let run = || {
        [
            convolution::<f32, Cuda>(&device, s, [13, 10]),
            convolution::<f32, Cuda>(&device, Sizes { inputs: 1, ..s }, [5, 7]),
            normed_convolution::<f32, Cuda>(&device, s, [9, 10], Some(0.3), true),
        ]
    };
    let tf32 = || <Cuda as Kernels<f32>>::with_precision(&device, Precision::Tf32, run);
    let (found, in_tf32) = (run(), tf32());
    assert!(found == run() && in_tf32 == tf32());
}

#[test]
fn group_norms_agree() {
    let case = (sizes(), small(), any::<bool>(), any::<bool>());
    // Of one number a group the norm is 0 and its derivative 1 / sqrt(epsilon): what f32 leaves of that is not the kernel's.
    let case =
        case.prop_filter("several numbers a group", |(s, side, ..)| s.channels / 8 * side[0] * side[1] > 3);
    agree("group norm", SUMS, 24, case, |device, (s, side, swish, jvp)| {
        difference!(norm(device, s, side, swish, jvp))
    });
}

#[test]
fn group_norms_of_many_positions_and_channels_agree() {
    for (channels, side) in [(8, [40, 40]), (128, [32, 32]), (320, [8, 9])] {
        for jvp in [false, true] {
            let s = Sizes { rows: 2, channels, out: 1, inputs: 1, size: 1, seed: 5 };
            agree("group norm, large", SUMS, 1, Just(s), |device, s| {
                difference!(norm(device, s, side, true, jvp))
            });
        }
    }
}

#[test]
fn attentions_agree() {
    agree("attention", SUMS, 12, (sizes(), 1usize..9), |device, (s, times)| {
        let s = Sizes { out: s.out * times, ..s };
        let untaped = difference!(untaped_attention(device, s));
        let both = difference!(attention(device, s, true));
        difference!(attention(device, s, false)).max(both).max(untaped)
    });
}

#[test]
fn masks_and_other_resolutions_agree() {
    let case = (1usize..40, 1usize..700, any::<u64>(), 0.0..0.9);
    agree("dropout", ROUNDINGS, 8, case, |device, (rows, columns, seed, rate)| {
        difference!(masked(device, rows, columns, seed, rate))
    });
    let case = (sizes(), [2usize..14, 2usize..14], any::<bool>());
    agree("resampling", 1e-6, 12, case, |device, (s, side, down)| {
        difference!(resampled(device, s, side, down))
    });
}

#[test]
fn updates_agree() {
    let case = (1usize..40_000, any::<u64>(), 1e-5..0.5, 0.0..0.5, 0.01..1.0);
    agree("AdamW and sums of squares", SUMS, 12, case, |device, (len, seed, rate, decay, scale)| {
        difference!(updates(device, len, seed, [rate, decay, scale]))
    });
}

#[test]
fn fourier_features_agree() {
    agree("Fourier features", SUMS, 24, (sizes(), small(), any::<bool>(), any::<bool>()), |device, case| {
        let (s, side, fading, jvp) = case;
        difference!(features(device, s, side, fading, jvp))
    });
    agree("features of times", 1e-7, 12, sizes(), |device, s| difference!(sinusoids(device, s)));
}

#[test]
fn chains_of_operations_agree() {
    agree("swish and distances", SUMS, 16, (sizes(), small()), |device, (s, side)| {
        difference!(chains(device, s, side))
    });
}

/// A norm of a tensor whose numbers are not in order.
fn permuted<E: Real, D: Kernels<E>>(device: &D) -> Vec<Vec<f64>> {
    let numbers =
        |count: usize, step: usize| (0..count).map(move |i| E::of((i * step % 17) as f64 - 8.0)).collect();
    let x: Tensor<(usize, usize, usize, usize), E, D> =
        device.tensor_from_vec(numbers(2 * 8 * 3 * 4, 5), (2, 8, 3, 4));
    let ones: Tensor<(usize,), E, D> = device.tensor_from_vec(numbers(8, 3), (8,));
    let norm =
        GroupNorm { scale: &ones, bias: &ones, first_channel: 0, groups: 4, epsilon: 1e-5, swish: true };
    let y = D::group_norm(x.leaky_trace().permute::<_, Axes4<0, 2, 3, 1>>(), &norm);
    let values = y.as_vec();
    let gradient = y.square().sum::<Rank0, _>().backward().get(&x).as_vec();
    [values, gradient].map(|numbers| numbers.into_iter().map(Real::to64).collect()).into()
}

#[test]
fn inputs_in_another_order_agree() {
    agree("permuted", SUMS, 1, Just(()), |device, ()| difference!(permuted(device)));
}

/// An update writes to memory of its own, since the old may be a checkpoint's or the average's.
#[test]
fn a_parameter_that_is_held_elsewhere_stays_as_it_is() {
    let Some(device) = device() else { return };
    let mut parameter: Tensor<(usize,), f32, Cuda> = device.tensor_from_vec(vec![1.0, 2.0], (2,));
    let (held, zeros) = (parameter.clone(), device.zeros_like(&(2usize,)));
    let mut moments =
        idode::tensor::Moments { first: zeros.clone(), second: zeros.clone(), ema: parameter.clone() };
    let step = idode::tensor::AdamStep {
        rate: 0.5,
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        correction1: 0.1,
        correction2: 0.01,
        ema_decay: 0.5,
        gradient_scale: 1.0,
    };
    idode::tensor::Updates::all(step, |updates| {
        Cuda::adamw(&mut parameter, &held, &mut moments, 0.0, updates);
    });
    assert_eq!((held.as_vec(), zeros.as_vec()), (vec![1.0, 2.0], vec![0.0, 0.0]));
    assert_eq!(parameter.as_vec(), [0.5, 1.5]);
    let kept = Cuda::dropout(held, DropoutKey { key: 1, rate: 0.0 });
    assert_eq!(kept.as_vec(), [1.0, 2.0]);
}

/// Bits of one of each operation, added up.
fn digest(device: &Cuda) -> u64 {
    let s = Sizes { rows: 3, channels: 16, out: 24, inputs: 2, size: 3, seed: 11 };
    let all = [
        convolution::<f32, Cuda>(device, s, [9, 10]),
        convolution::<f32, Cuda>(device, Sizes { size: 1, ..s }, [9, 10]),
        normed_convolution::<f32, Cuda>(device, s, [9, 10], Some(0.3), true),
        norm::<f32, Cuda>(device, s, [9, 10], true, false),
        attention::<f32, Cuda>(device, s, true),
        updates::<f32, Cuda>(device, 30_000, 3, [0.1, 0.1, 0.5]),
        resampled::<f32, Cuda>(device, s, [8, 6], true),
        resampled::<f32, Cuda>(device, s, [8, 6], false),
        features::<f32, Cuda>(device, Sizes { out: 3, ..s }, [9, 10], true, true),
        sinusoids::<f32, Cuda>(device, s),
        chains::<f32, Cuda>(device, s, [9, 10]),
    ];
    let bits = all.iter().flatten().flatten().map(|x| x.to_bits());
    bits.fold(0u64, |sum, bits| sum.rotate_left(5).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ bits)
}

/// Two runs on one kind of card give the same bits; and on a device of host memory threads and blocks that run backwards do, so that
/// none reads what another writes in the same phase, nor what another block does.
#[test]
fn bits_do_not_depend_on_the_run_or_the_order_of_threads() {
    const CHILD: &str = "IDODE_MEMORY_DRIVER_ORDER";
    let Some(device) = device() else { return };
    let found = digest(&device);
    if std::env::var_os(CHILD).is_some() {
        println!("digest {found:016x}");
        return;
    }
    assert_eq!(digest(&device), found);
    let name = "bits_do_not_depend_on_the_run_or_the_order_of_threads";
    let child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(CHILD, "reversed")
        .output()
        .unwrap();
    let [text, errors] = [&child.stdout, &child.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(text.contains(&format!("digest {found:016x}")), "{found:016x}: {text} {errors}");
    // Where the kernels cannot be had, a line says so, and every test here would compare the portable operations with themselves.
    assert!(!errors.contains("portable operations"), "{errors}");
}

/// The text of the kernels, in the order of `src/tensor/cuda/source.rs`.
fn source() -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tensor/cuda");
    let list = std::fs::read_to_string(folder.join("source.rs")).unwrap();
    let names = list.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next());
    names.map(|name| std::fs::read_to_string(folder.join(name)).unwrap()).collect()
}

/// NVRTC needs no GPU: where it is installed, every kernel compiles for every kind of card from 7.5 to 9.0.
#[test]
fn kernels_agree_with_nvrtc_for_every_card() {
    const CARDS: [&str; 5] = ["sm_75", "sm_80", "sm_86", "sm_89", "sm_90"];
    let name = "kernels_agree_with_nvrtc_for_every_card";
    if let Some(driver) = std::env::var_os("IDODE_MEMORY_DRIVER") {
        // A process whose path does not lead to what stands for NVRTC here sees NVIDIA's, if there is one.
        let path = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
        let others = std::env::split_paths(&path).filter(|folder| *folder != driver);
        let path = std::env::join_paths(others).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture"])
            .env_remove("IDODE_MEMORY_DRIVER")
            .env("LD_LIBRARY_PATH", path)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&child.stdout);
        text.lines().filter(|line| line.contains("NVRTC")).for_each(|line| println!("{line}"));
        assert!(child.status.success(), "{text} {}", String::from_utf8_lossy(&child.stderr));
        return;
    }
    if cudarc::nvrtc::compile_ptx("extern \"C\" __global__ void nothing() {}").is_err() {
        println!("not run: no NVRTC is here");
        return;
    }
    let source = source();
    let count = source.matches("\nKERNEL ").count();
    for card in CARDS {
        let options = cudarc::nvrtc::CompileOptions { arch: Some(card), ..Default::default() };
        let compiled = cudarc::nvrtc::compile_ptx_with_opts(&source, options).unwrap().to_src();
        assert_eq!(compiled.matches(".entry ").count(), count, "{card}");
    }
    println!("{count} kernels compile with NVRTC for {}", CARDS.join(", "));
}
