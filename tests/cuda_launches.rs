//! Work on many tensors or rows in few launches of own kernels on CUDA: the same bits as one by one, and how many launches there are.
#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used)]

use dfdx::prelude::*;
use idode::diffusion::Diffusion;
use idode::level::GammaRange;
use idode::likelihood::TensorState;
use idode::nn::{Parameters, StaticUNet, UNetConfig};
use idode::objective::FirstOrder;
use idode::parameterization::Velocity;
use idode::schedule::VariancePreserving;
use idode::solver::{HostState, OdeState, Tolerances};
use idode::tensor::{AdamStep, Kernels, Moments, Real, RowCoefficients, Updates};
use idode::time::{Importance, Stratified};
use idode::train::{AdamW, AdamWConfig, GradientSet, Rate, RateDecay, Trainer, TrainerConfig};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::process::Command;

type Flat = Tensor<(usize,), f32, Cuda>;

/// The device, unless a device of host memory has no kernels for want of a C compiler.
fn device() -> Option<Cuda> {
    let compiler =
        ["cc", "gcc", "clang"].iter().any(|name| Command::new(name).arg("--version").output().is_ok());
    let asked = std::env::var("IDODE_TEST_DEVICE").is_ok_and(|name| name == "cuda:0");
    if !asked || (on_host_memory() && !compiler && std::env::var_os("CC").is_none()) {
        eprintln!("not run: no CUDA device, or no C compiler for one of host memory");
        return None;
    }
    Some(Cuda::try_build(0, 0).unwrap())
}

fn on_host_memory() -> bool {
    std::env::var_os("IDODE_MEMORY_DRIVER").is_some()
}

/// A parameter with what the optimizer has of it.
#[derive(Clone)]
struct Own {
    parameter: Flat,
    gradient: Flat,
    moments: Moments<f32, Cuda>,
    decay: f64,
}

impl Own {
    fn draw(device: &Cuda, len: usize, rng: &mut ChaCha8Rng) -> Self {
        let mut draw = |from: f32| {
            device.tensor_from_vec((0..len).map(|_| rng.gen_range(from..1.0)).collect::<Vec<f32>>(), (len,))
        };
        let moments = Moments { first: draw(-1.0), second: draw(0.0), ema: draw(-1.0) };
        let (parameter, gradient) = (draw(-1.0), draw(-1.0));
        Self { parameter, gradient, moments, decay: if rng.r#gen() { 0.02 } else { 0.0 } }
    }

    fn bits(&self) -> Vec<Vec<u32>> {
        let Moments { first, second, ema } = &self.moments;
        let bits = |x: &Flat| x.as_vec().into_iter().map(f32::to_bits).collect();
        [&self.parameter, first, second, ema].map(bits).into()
    }

    /// The step on the host, as `AdamStep` has it and in the kernel's order.
    fn on_host(&self, step: &AdamStep) -> Vec<Vec<u32>> {
        let Moments { first, second, ema } = &self.moments;
        let [p, m, v, e, g] =
            [&self.parameter, first, second, ema, &self.gradient].map(|x| x.as_vec().into_iter());
        let [rate, beta1, beta2, rest1, rest2, epsilon, decay, correction1, correction2, kept, rest, scale] =
            [
                step.rate,
                step.beta1,
                step.beta2,
                1.0 - step.beta1,
                1.0 - step.beta2,
                step.epsilon,
                self.decay,
                1.0 / step.correction1,
                1.0 / step.correction2,
                step.ema_decay,
                1.0 - step.ema_decay,
                step.gradient_scale,
            ]
            .map(|x| x as f32);
        let mut found = vec![Vec::new(); 4];
        for ((((p, m), v), e), g) in p.zip(m).zip(v).zip(e).zip(g) {
            let g = g * scale;
            let (m, v) = (beta1 * m + rest1 * g, beta2 * v + rest2 * g * g);
            let p = p - rate * (m * correction1 / ((v * correction2).sqrt() + epsilon) + decay * p);
            let new = [p, m, v, kept * e + rest * p];
            found.iter_mut().zip(new).for_each(|(found, x)| found.push(x.to_bits()));
        }
        found
    }
}

const STEP: AdamStep = AdamStep {
    rate: 3e-3,
    beta1: 0.9,
    beta2: 0.99,
    epsilon: 1e-8,
    correction1: 0.19,
    correction2: 0.0199,
    ema_decay: 0.7,
    gradient_scale: 0.37,
};

fn step(all: &mut [Own]) {
    Updates::all(STEP, |updates| {
        for Own { parameter, gradient, moments, decay } in all {
            Cuda::adamw(parameter, gradient, moments, *decay, updates);
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whole and broken blocks, and stretches of sums, of many tensors: the bits of each alone, and those of the host's formula.
    #[test]
    fn parameters_in_one_launch_have_the_bits_of_each_alone(
        lens in proptest::collection::vec(
            prop_oneof![1usize..40, 1usize..5000, Just(1024), Just(2048), Just(16_384), 16_000usize..50_000], 1..30),
        seed: u64,
    ) {
        let Some(device) = device() else { return Ok(()) };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let before: Vec<Own> = lens.iter().map(|len| Own::draw(&device, *len, &mut rng)).collect();
        let kept: Vec<Vec<Vec<u32>>> = before.iter().map(Own::bits).collect();
        let (mut together, mut alone) = (before.clone(), before.clone());
        step(&mut together);
        alone.chunks_mut(1).for_each(step);
        for (((together, alone), before), kept) in together.iter().zip(&alone).zip(&before).zip(&kept) {
            prop_assert_eq!(together.bits(), alone.bits());
            // A GPU fuses products and sums.
            prop_assert!(!on_host_memory() || together.bits() == before.on_host(&STEP));
            prop_assert_eq!(&before.bits(), kept);
        }
        let gradients: Vec<&Flat> = before.iter().map(|own| &own.gradient).collect();
        let alone: Vec<f64> = gradients.iter().map(|x| Cuda::sum_of_squares(x)).collect();
        prop_assert_eq!(Cuda::sums_of_squares(&gradients), alone);
    }
}

/// What a child of this test, which runs `name` alone, launched between its marks, a list of kernels for each.
fn launches(name: &str) -> Vec<Vec<String>> {
    let child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env("IDODE_MEMORY_DRIVER_TRACE", "1")
        // What the own kernels launch, without the checks at their first use.
        .env("IDODE_CUDA_CANDIDATE", "own")
        // As many numbers in a chunk as on a GPU.
        .env_remove("IDODE_CUDA_CHUNK")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{errors}");
    let mut found = Vec::new();
    for part in errors.split("launches begin").skip(1) {
        let part = part.split("launches end").next().unwrap_or_default();
        let names = part.lines().filter_map(|line| line.strip_prefix("memory-driver: launch "));
        found.push(names.filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect());
    }
    found
}

/// Whether this is the child of [`launches`].
fn is_traced() -> bool {
    std::env::var_os("IDODE_MEMORY_DRIVER_TRACE").is_some()
}

fn marked<R>(work: impl FnOnce() -> R) -> R {
    eprintln!("launches begin");
    let done = work();
    eprintln!("launches end");
    done
}

type Net<D> = StaticUNet<8, 8, 1, 32, f32, D>;

fn network<D: Kernels<f32>>(device: &D, blocks: usize) -> Net<D> {
    let config = UNetConfig { blocks, fourier: vec![3, 4], ..UNetConfig::default() };
    Net::new(&config, device, &mut ChaCha8Rng::seed_from_u64(5)).unwrap()
}

/// One step of the optimizer is one launch for the gradients, one for their norm and one for the update, however many parameters there are.
#[test]
fn an_optimizer_launches_as_much_for_many_parameters_as_for_few() {
    let name = "an_optimizer_launches_as_much_for_many_parameters_as_for_few";
    let Some(device) = device().filter(|_| on_host_memory()) else { return };
    if !is_traced() {
        let found = launches(name);
        // Each brings its table in one transfer.
        let step = [vec!["upload", "copies"], vec!["upload", "squares", "download"], vec!["upload", "adamw"]];
        assert_eq!(found, [&step[..], &step[..]].concat());
        return;
    }
    for blocks in [1, 3] {
        let mut network = network(&device, blocks);
        let mut optimizer = AdamW::new(&network);
        let mut parameters = 0;
        network.parameters("", &mut |_, _, _| parameters += 1);
        let mut gradients = Gradients::leaky();
        network.parameters("", &mut |_, _, parameter| drop(parameter.gradient(&mut gradients)));
        let gradients = marked(|| GradientSet::of(&network, gradients));
        let norm = marked(|| gradients.norm().unwrap());
        marked(|| optimizer.update(&mut network, &gradients, norm, 1e-3, &AdamWConfig::default()));
        println!("{parameters} parameters");
    }
}

/// What a step of training launches, by kernel; printed, and held below a bound that is not far above.
#[test]
fn a_step_of_a_network_launches_few_kernels() {
    let name = "a_step_of_a_network_launches_few_kernels";
    let Some(device) = device().filter(|_| on_host_memory()) else { return };
    if !is_traced() {
        for found in launches(name) {
            let mut kernels = BTreeMap::<&str, usize>::new();
            found.iter().for_each(|name| *kernels.entry(name).or_default() += 1);
            println!("{} launches in a step: {kernels:?}", found.len());
        }
        return;
    }
    let range = GammaRange::for_levels(17);
    let diffusion = Diffusion::new(VariancePreserving, Velocity, range);
    let times = Stratified(Importance::for_weight(range, diffusion.weight_density()).unwrap());
    let rate = Rate { peak: 1e-3, warmup: 20, decay: RateDecay::Constant, steps: 2 };
    let settings = TrainerConfig { seed: 7, accumulation: 1, rate, optimizer: AdamWConfig::default() };
    let mut trainer = Trainer::new(network(&device, 2), FirstOrder, diffusion, times, settings);
    let x = vec![0.25; 8 * 64];
    trainer.step(1, 1, &x).unwrap();
    marked(|| trainer.step(2, 2, &x).unwrap());
}

/// Batches of random shapes with coefficients for each row, drawn from a seed.
struct Rows {
    shape: (usize, usize),
    coefficients: Vec<Vec<f64>>,
    batches: Vec<Vec<f64>>,
}

impl Rows {
    fn draw(shape: (usize, usize), terms: usize, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = |count: usize| (0..count).map(|_| f64::from(rng.gen_range(-1.0f32..1.0))).collect();
        let coefficients = (0..terms).map(|_| draw(shape.0)).collect();
        let batches = (0..terms + 3).map(|_| draw(shape.0 * shape.1)).collect();
        Self { shape, coefficients, batches }
    }

    fn tensors<E: Real, D: Kernels<E>>(&self, device: &D) -> Vec<Tensor<(usize, usize), E, D>> {
        let batch = |x: &Vec<f64>| device.tensor_from_vec(x.iter().map(|x| E::of(*x)).collect(), self.shape);
        self.batches.iter().map(batch).collect()
    }

    /// Sums of terms with a base and without.
    fn combined<E: Real, D: Kernels<E>>(&self, device: &D) -> Vec<f64> {
        let xs = self.tensors::<E, D>(device);
        let terms: Vec<_> = self.coefficients.iter().map(Vec::as_slice).zip(&xs).collect();
        let both = [None, xs.last()].map(|base| D::combine_rows(&terms, base));
        both.iter().flat_map(|y| y.as_vec()).map(Real::to64).collect()
    }

    /// A batch times its coefficients, twice on one tape, and its gradient.
    fn scaled<E: Real, D: Kernels<E>>(&self, device: &D) -> Vec<f64> {
        let xs = self.tensors::<E, D>(device);
        let c = RowCoefficients::new(self.coefficients[0].clone());
        let x = xs[0].leaky_trace();
        let y = c.scale(x.retaped::<OwnedTape<E, D>>()) * xs[1].clone() + c.scale(x).square();
        let value = y.as_vec();
        let gradient = y.sum::<Rank0, _>().backward().get(&xs[0]).as_vec();
        value.into_iter().chain(gradient).map(Real::to64).collect()
    }

    fn errors<D: Kernels<f64>>(&self, device: &D) -> Vec<f64> {
        let xs = self.tensors::<f64, D>(device);
        D::error_sums(&xs[0], &xs[1], &xs[2], 1e-3, 0.1)
    }
}

/// The largest difference, of the largest entry.
fn apart(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    found.iter().zip(expected).fold(0.0f64, |most, (a, b)| most.max((a - b).abs())) / largest
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sums_of_scaled_rows_agree(rows in 1usize..9, dims in prop_oneof![1usize..40, 1usize..3100], terms in 1usize..8, seed: u64) {
        let Some(device) = device() else { return Ok(()) };
        let (host, rows) = (Cpu::default(), Rows::draw((rows, dims), terms, seed));
        // Products are rounded before they are added, so that the bits are the host's.
        prop_assert_eq!(rows.combined::<f64, Cuda>(&device), rows.combined::<f64, Cpu>(&host));
        prop_assert_eq!(rows.combined::<f32, Cuda>(&device), rows.combined::<f32, Cpu>(&host));
        let scaled = rows.scaled::<f64, Cpu>(&host);
        prop_assert!(apart(&rows.scaled::<f32, Cuda>(&device), &scaled) <= 1e-6);
        let errors = rows.errors(&host);
        prop_assert!(apart(&rows.errors(&device), &errors) <= 1e-14);
    }

    #[test]
    fn rows_that_are_not_finite_are_found(rows in 1usize..9, dims in 1usize..3100, seed: u64, at: prop::sample::Index, kind in 0usize..4) {
        let Some(device) = device() else { return Ok(()) };
        let mut drawn = Rows::draw((rows, dims), 1, seed);
        let at = at.index(rows * dims);
        drawn.batches[0][at] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX][kind];
        let x = &drawn.tensors::<f64, Cuda>(&device)[0];
        let expected: Vec<bool> = (0..rows).map(|row| kind == 3 || row != at / dims).collect();
        prop_assert_eq!(Cuda::finite_rows(x), expected);
    }
}

/// A stage of the solver, its error norm and its test for finite numbers are a launch each, however many terms there are.
#[test]
fn a_stage_of_the_solver_is_one_launch() {
    let name = "a_stage_of_the_solver_is_one_launch";
    let Some(device) = device().filter(|_| on_host_memory()) else { return };
    if !is_traced() {
        let stage = vec!["upload", "combine_f64"];
        let [errors, finite] = ["error_rows", "not_finite_rows"].map(|name| vec![name, "download"]);
        assert_eq!(launches(name), [stage.clone(), stage, errors, finite]);
        return;
    }
    let state = HostState::new(700, (0..2100).map(|i| f64::from(i % 13) - 6.0).collect()).unwrap();
    let y = TensorState::<Cuda>::upload(&state, &device);
    let c = [0.5, -0.25, 2.0];
    marked(|| y.add_scaled(&[(&c, &y)]));
    let k = marked(|| y.add_scaled(&[(&c[..], &y); 7]));
    marked(|| TensorState::error_norm(&k, &y, &y, &Tolerances::default()));
    assert_eq!(marked(|| k.finite()), [true; 3]);
}

/// Two runs give the same bits, and so do threads and blocks that run backwards.
#[test]
fn bits_do_not_depend_on_the_order_of_threads() {
    const ORDER: &str = "IDODE_MEMORY_DRIVER_ORDER";
    let name = "bits_do_not_depend_on_the_order_of_threads";
    let Some(device) = device() else { return };
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut all: Vec<Own> = [700, 40_000, 1].map(|len| Own::draw(&device, len, &mut rng)).into();
    step(&mut all);
    let gradients: Vec<&Flat> = all.iter().map(|own| &own.gradient).collect();
    let rows = Rows::draw((5, 2500), 3, 4);
    let numbers = [
        rows.combined::<f64, Cuda>(&device),
        rows.scaled::<f32, Cuda>(&device),
        rows.errors(&device),
        Cuda::sums_of_squares(&gradients),
    ];
    let own = all.iter().flat_map(Own::bits).flatten().map(u64::from);
    let bits = numbers.iter().flatten().map(|x| x.to_bits()).chain(own);
    let found = bits.fold(0u64, |sum, bits| sum.rotate_left(5).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ bits);
    println!("digest {found:016x}");
    if std::env::var_os(ORDER).is_none() {
        let child = Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture"])
            .env(ORDER, "reversed")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&child.stdout);
        assert!(text.contains(&format!("digest {found:016x}")), "{found:016x}: {text}");
    }
}
