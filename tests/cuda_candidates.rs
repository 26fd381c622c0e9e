//! The best of several: kernels that compute wrong numbers are left out with a line, training goes on with right ones, and without faults
//! the own kernels compute as if nothing was checked. On a device of host memory, whose driver makes kernels wrong.
#![cfg(all(feature = "cuda", feature = "cli"))]
#![allow(clippy::unwrap_used)]

use dfdx::prelude::*;
use idode::diffusion::Diffusion;
use idode::level::GammaRange;
use idode::nn::{Attention, StaticUNet, UNetConfig};
use idode::objective::FirstOrder;
use idode::parameterization::Velocity;
use idode::schedule::VariancePreserving;
use idode::tensor::Kernels;
use idode::time::{Importance, Stratified};
use idode::train::{AdamWConfig, Rate, RateDecay, Trainer, TrainerConfig};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::process::Command;

/// Wrong kernels of every operation that the network computes; what writes by a table of addresses can only fail.
const WRONG: &str = "winograd_output,patches,terms,norm_apply,softmax:fails,masked,adamw:fails,wave,sinusoids,swish,\
    scale_rows,distances,combine_f32";

/// Whether this is a device of host memory whose kernels can be had.
fn on_host_memory() -> bool {
    let compiler =
        ["cc", "gcc", "clang"].iter().any(|name| Command::new(name).arg("--version").output().is_ok());
    let is_there = std::env::var_os("IDODE_MEMORY_DRIVER").is_some();
    if !is_there || !(compiler || std::env::var_os("CC").is_some()) {
        eprintln!("not run: no device of host memory, or no C compiler for its kernels");
        return false;
    }
    true
}

/// The loss and gradient norm of ten steps.
fn curve<D: Kernels<f32>>(device: &D) -> Vec<[f64; 2]> {
    let config =
        UNetConfig { blocks: 1, attention: Attention::EveryBlock, fourier: vec![3], ..UNetConfig::default() };
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let network = StaticUNet::<5, 6, 1, 32, f32, D>::new(&config, device, &mut rng).unwrap();
    let range = GammaRange::for_levels(17);
    let diffusion = Diffusion::new(VariancePreserving, Velocity, range);
    let times = Stratified(Importance::for_weight(range, diffusion.weight_density()).unwrap());
    let rate = Rate { peak: 1e-3, warmup: 0, decay: RateDecay::Constant, steps: 10 };
    let settings = TrainerConfig { seed: 7, accumulation: 1, rate, optimizer: AdamWConfig::default() };
    let mut trainer = Trainer::new(network, FirstOrder, diffusion, times, settings);
    let x: Vec<f64> = (0..3 * 30).map(|i| f64::from(i * 37 % 31) / 15.5 - 1.0).collect();
    let step = |step| trainer.step(step, step, &x).unwrap();
    (1..=10).map(step).map(|report| [report.loss, report.gradient_norm]).collect()
}

/// The curve of a process of its own with these variables, and what it said.
fn in_child(variables: &[(&str, &str)]) -> (Vec<[u64; 2]>, String) {
    let (text, errors) = said("prints_its_curve", variables);
    let line = |line: &str| {
        let (loss, norm) = line.strip_prefix("curve ")?.split_once(' ')?;
        Some([loss, norm].map(|bits| u64::from_str_radix(bits, 16).unwrap()))
    };
    (text.lines().filter_map(line).collect(), errors)
}

/// What a test of this name says in a process of its own, in which it passes.
fn said(name: &str, variables: &[(&str, &str)]) -> (String, String) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--ignored"])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let [text, errors] =
        [&child.stdout, &child.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(child.status.success(), "{text} {errors}");
    (text, errors)
}

/// A sum of rows, the errors of rows and whether they are finite, as the solver asks for them.
fn of_rows<D: Kernels<f64>>(device: &D) -> [Vec<f64>; 3] {
    let draw = |factor: u32| {
        let numbers = (0..3 * 700).map(|i| f64::from(i * factor % 31) / 15.5 - 1.0).collect::<Vec<f64>>();
        device.tensor_from_vec(numbers, (3usize, 700usize))
    };
    let (x, y) = (draw(37), draw(41));
    let sum = D::combine_rows(&[(&[0.3, -0.7, 1.1], &x), (&[0.9, 0.1, -0.2], &y)], Some(&x));
    // The second row is not finite.
    let scaled = D::combine_rows(&[(&[1.0, f64::INFINITY, 2.0], &x)], None);
    let finite = D::finite_rows(&scaled).into_iter().map(|yes| f64::from(u8::from(yes)));
    [sum.as_vec(), D::error_sums(&sum, &x, &y, 1e-3, 0.1), finite.collect()]
}

#[test]
#[ignore = "what another starts"]
fn has_the_rows_of_the_host() {
    let (found, expected) = (of_rows(&Cuda::try_build(0, 0).unwrap()), of_rows(&Cpu::default()));
    assert_eq!(expected[2], [1.0, 0.0, 1.0]);
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() <= 1e-13 * expected.abs().max(1.0), "{found} {expected}");
        }
    }
}

#[test]
fn wrong_kernels_of_a_solver_are_left_out() {
    if !on_host_memory() {
        return;
    }
    let variable = "IDODE_MEMORY_DRIVER_WRONG";
    let (_, errors) =
        said("has_the_rows_of_the_host", &[(variable, "combine_f64,error_rows,not_finite_rows")]);
    for what in ["sum of rows, f64", "errors of rows, f64", "finite rows, f64"] {
        let line = format!("warning: {what} of 3000: own is left out: found an error of ");
        let found: Vec<&str> = errors.lines().filter(|own| own.starts_with(&line)).collect();
        println!("{found:?}");
        assert!(found.len() == 1 && found[0].ends_with("expected at most 1e-12"), "{what}: {errors}");
    }
    let (_, errors) = said("has_the_rows_of_the_host", &[]);
    assert!(!errors.contains("left out"), "{errors}");
}

#[test]
fn wrong_backward_passes_are_left_out() {
    if !on_host_memory() {
        return;
    }
    let (found, errors) = in_child(&[("IDODE_MEMORY_DRIVER_WRONG", "wave_back,swish_back,distances_back")]);
    for what in ["waves", "swish", "distances of rows"] {
        let line = format!("warning: {what} of 3000: own is left out: found an error of ");
        assert_eq!(errors.lines().filter(|own| own.starts_with(&line)).count(), 1, "{what}: {errors}");
    }
    assert_eq!(found.len(), 10, "{errors}");
}

/// Where Winograd is wrong cuDNN is next, and where that is wrong too, or answers an error, patches are.
#[test]
fn a_wrong_cudnn_is_left_out() {
    if !on_host_memory() {
        return;
    }
    const WRONG: &str = "IDODE_MEMORY_DRIVER_WRONG";
    let (asked, said) = in_child(&[("IDODE_CUDA_CANDIDATE", "cudnn")]);
    assert!(asked.len() == 10 && !said.contains("left out"), "{said}");
    let (next, said) = in_child(&[(WRONG, "winograd_output")]);
    assert!(
        next == asked && said.contains("own is left out") && !said.contains("cudnn is left out"),
        "{said}"
    );
    let convolution = "warning: norm and 3x3 convolution of 5x6, 32 to 32: cudnn is left out: found ";
    for (pass, found) in [
        ("cudnnConvolutionForward", "an error of "),
        ("cudnnConvolutionBackwardData", "an error of "),
        ("cudnnConvolutionBackwardFilter:fails", "no answer, expected at most 1e-4"),
    ] {
        let (right, said) = in_child(&[(WRONG, &format!("winograd_output,{pass}"))]);
        let line = format!("{convolution}{found}");
        assert!(said.lines().any(|own| own.starts_with(&line)), "{pass}: {said}");
        let reason = "warning: cuDNN, the gradient of the weight: CUDNN_STATUS_NOT_SUPPORTED (3000)";
        let reasons = said.lines().filter(|own| *own == reason).count();
        assert_eq!(reasons, usize::from(pass.ends_with("fails")), "{pass}: {said}");
        assert!(!said.contains("patches is left out"), "{said}");
        for (right, asked) in right.iter().flatten().zip(asked.iter().flatten()) {
            let [right, asked] = [right, asked].map(|bits| f64::from_bits(*bits));
            assert!((right - asked).abs() <= 1e-3 * asked, "{pass}: {right} {asked}");
        }
    }
}

/// cuDNN is never needed: without it the others compute, and only who asked for it is told, once.
#[test]
fn without_cudnn_nothing_is_said_unless_it_was_asked_for() {
    if !on_host_memory() {
        return;
    }
    let driver = std::path::PathBuf::from(std::env::var_os("IDODE_MEMORY_DRIVER").unwrap());
    // Beside the driver, for a link leads no further than its disk.
    let folder = tempfile::tempdir_in(&driver).unwrap();
    for name in ["libcuda.so.1", "libcublas.so.13", "libnvrtc.so.13", "libnccl.so.2"] {
        std::fs::hard_link(driver.join(name), folder.path().join(name)).unwrap();
    }
    let before = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let others = std::env::split_paths(&before).filter(|own| *own != driver);
    let path = std::env::join_paths(std::iter::once(folder.path().to_owned()).chain(others)).unwrap();
    let path = ("LD_LIBRARY_PATH", path.to_str().unwrap());
    let (own, said) = in_child(&[path]);
    assert!(own.len() == 10 && !said.contains("cudnn"), "{said}");
    let (asked, said) = in_child(&[path, ("IDODE_CUDA_CANDIDATE", "cudnn")]);
    let line = "warning: IDODE_CUDA_CANDIDATE = cudnn is left out: ";
    assert_eq!(said.lines().filter(|own| own.starts_with(line)).count(), 1, "{said}");
    assert!(asked == own && !said.contains("panicked"), "{said}");
    let (patches, said) = in_child(&[path, ("IDODE_MEMORY_DRIVER_WRONG", "winograd_output")]);
    assert!(patches.len() == 10 && said.contains("own is left out") && !said.contains("cudnn"), "{said}");
}

/// The copies of gradients belong to the update.
#[test]
fn copies_that_fail_are_left_out() {
    if !on_host_memory() {
        return;
    }
    let (found, errors) = in_child(&[("IDODE_MEMORY_DRIVER_WRONG", "copies:fails")]);
    let left_out: Vec<&str> = errors.lines().filter(|line| line.contains("is left out")).collect();
    let line = "warning: AdamW and average of 3000: own is left out: found no answer, expected at most 1e-5";
    assert_eq!((left_out, found.len()), (vec![line], 10), "{errors}");
}

#[test]
#[ignore = "what the others start"]
fn prints_its_curve() {
    for [loss, norm] in curve(&Cuda::try_build(0, 0).unwrap()) {
        println!("\ncurve {:016x} {:016x}", loss.to_bits(), norm.to_bits());
    }
}

#[test]
fn wrong_kernels_are_left_out_and_training_goes_on_with_right_numbers() {
    if !on_host_memory() {
        return;
    }
    let truth = curve(&Cpu::default());
    let (found, errors) = in_child(&[("IDODE_MEMORY_DRIVER_WRONG", WRONG)]);
    let left_out: Vec<&str> = errors.lines().filter(|line| line.contains("is left out: found")).collect();
    for what in [
        "norm and 3x3 convolution of 5x6, 32 to 32: own is",
        "norm and 3x3 convolution of 5x6, 2 x 32 to 32: own is",
        "1x1 convolution of 5x6, 32 to 32: own is",
        "attention of 30 tokens, 32: own is left out: found no answer",
        "AdamW and average of 3000: own is left out: found no answer",
        " waves of 3000: own is",
        "features of times of 3000: own is",
        "swish of 3000: own is",
        "scaled rows of 3000: own is",
        "distances of rows of 3000: own is",
        "sum of rows of 3000: own is",
    ] {
        let line = left_out.iter().find(|line| line.contains(what));
        assert!(line.is_some_and(|line| line.contains("expected at most")), "{what}: {errors}");
    }
    assert_eq!((found.len(), truth.len()), (10, 10), "{errors}");
    let mut most: f64 = 0.0;
    for (found, truth) in found.iter().zip(&truth) {
        let apart = |i: usize| (f64::from_bits(found[i]) - truth[i]).abs() / truth[i];
        most = most.max(apart(0)).max(apart(1));
    }
    println!("{} left out; losses and gradient norms apart by {most:.1e}", left_out.len());
    assert!(most <= 1e-3, "{most}");
    // Without the check a wrong kernel makes the numbers wrong.
    let forced = [("IDODE_MEMORY_DRIVER_WRONG", "winograd_output"), ("IDODE_CUDA_CANDIDATE", "own")];
    let (wrong, errors) = in_child(&forced);
    let apart = (f64::from_bits(wrong[9][0]) - truth[9][0]).abs() / truth[9][0];
    assert!(apart.is_nan() || apart > 1e-2, "{apart} {errors}");
}

#[test]
fn without_faults_the_own_kernels_compute_the_same_bits() {
    if !on_host_memory() {
        return;
    }
    let (checked, said) = in_child(&[]);
    assert!(!said.contains("left out") && !said.contains("is taken"), "{said}");
    let (own, _) = in_child(&[("IDODE_CUDA_CANDIDATE", "own")]);
    assert_eq!((own.len(), &checked), (10, &own));
    let (portable, _) = in_child(&[("IDODE_CUDA_CANDIDATE", "portable")]);
    assert!(portable.len() == 10 && portable != own);
    let (unknown, said) = in_child(&[("IDODE_CUDA_CANDIDATE", "best")]);
    assert_eq!(unknown, own);
    let expected = "IDODE_CUDA_CANDIDATE = best is left out: expected own, cudnn, patches or portable";
    assert_eq!(said.lines().filter(|line| line.contains(expected)).count(), 1, "{said}");
}

/// Under another name the device is timed: whatever is taken, the numbers are right, and what is not the first is said.
#[test]
fn a_choice_by_time_is_right_too() {
    if !on_host_memory() {
        return;
    }
    let truth = curve(&Cpu::default());
    let (found, said) = in_child(&[("IDODE_MEMORY_DRIVER_NAME", "a card")]);
    assert!(!said.contains("left out") && !said.contains("panicked"), "{said}");
    for line in said.lines().filter(|line| line.contains("is taken")) {
        let is_first = line.contains("by time own");
        assert!(
            line.starts_with("note: ") && line.contains(" own ") && line.contains(" ms") && !is_first,
            "{line}"
        );
    }
    assert_eq!(found.len(), truth.len());
    for (found, truth) in found.iter().zip(&truth) {
        let apart = (f64::from_bits(found[0]) - truth[0]).abs() / truth[0];
        assert!(apart <= 1e-3, "{apart}");
    }
}

/// The table has every candidate, with a wrong one's error, and the device has a name.
#[test]
fn the_table_shows_what_is_wrong() {
    if !on_host_memory() {
        return;
    }
    let bench = |rest: &[&str]| {
        let child = Command::new(env!("CARGO_BIN_EXE_idode"))
            .args(["bench", "--case", "s", "--batch", "1", "--device", "cuda:0", "--json"])
            .args(rest)
            .env("IDODE_MEMORY_DRIVER_WRONG", "softmax")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&child.stdout).into_owned();
        assert!(child.status.success(), "{text} {}", String::from_utf8_lossy(&child.stderr));
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    let table = bench(&["--kernels"]);
    assert_eq!(table["device"], "host memory");
    let rows = table["kernels"].as_array().unwrap();
    for row in rows {
        let wrong = row["operation"].as_str().unwrap().starts_with("attention") && row["candidate"] == "own";
        let (error, bound) = (row["error"].as_f64().unwrap(), row["bound"].as_f64().unwrap());
        assert_eq!(error > bound, wrong, "{row}");
        assert!(row["forward_s"].as_f64().unwrap() > 0.0 && row["share"].as_f64().unwrap() > 0.0, "{row}");
        if wrong {
            assert_eq!(row["taken"], false);
        }
    }
    let by_cudnn = rows.iter().filter(|row| row["candidate"] == "cudnn");
    assert!(by_cudnn.count() > 0 && table["missing"].is_null(), "{table}");
    let taken = rows.iter().filter(|row| row["taken"] == true);
    assert_eq!(taken.count(), rows.iter().filter(|row| row["candidate"] == "own").count());
    let report = bench(&[]);
    assert_eq!(report["device"], "host memory");
    assert!(report["peak_device_mib"].as_f64().unwrap() > 1.0, "{report}");
}
