//! What second-order fine-tuning does, against further first-order training: on a 2-D mixture and on the digits.
//!
//! ```text
//! cargo run --release --example 03_fine_tuning -- mixture
//! cargo run --release --example 03_fine_tuning -- digits
//! ```
//!
//! Each of three seeds trains a network by the first order, and from there three ways: by the first order plus a multiple of the
//! unbiased second-order trace, by as many further steps of the first order, and by as many of them as cost the
//! same time, which is measured. On the mixture: the KL divergence of the exact density at the data's end of the ODE to the
//! model's, in nats, the same states for all. On the digits: the ODE's bits/dim of the held-out images. Standard errors are
//! over seeds, of the difference to the fine-tuned one.

use dfdx::prelude::Cpu;
use idode::analytic::nalgebra::DMatrix;
use idode::analytic::{Gaussian, GaussianMixture};
use idode::data::{ImageSource, Shuffle, Split, digits};
use idode::dequantization::TruncatedNormal;
use idode::diffusion::Diffusion;
use idode::divergence::Exact;
use idode::error::{Error, Result};
use idode::level::GammaRange;
use idode::likelihood::{Evaluator, ProbabilityFlow};
use idode::nn::{Jvp, MlpConfig, Parameters, StaticMlp, StaticUNet, UNetConfig};
use idode::objective::{FirstOrder, Objective, SecondOrderTrace};
use idode::parameterization::Velocity;
use idode::progress::Silent;
use idode::schedule::VariancePreserving;
use idode::solver::{ExplicitRk, Stepping, Tolerances, tables};
use idode::time::{Importance, Stratified};
use idode::train::{AdamWConfig, Rate, RateDecay, Trainer, TrainerConfig};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::time::Instant;

const SEEDS: u64 = 3;
type Path = Diffusion<VariancePreserving, Velocity>;
type Training<N, O> = Trainer<N, O, VariancePreserving, Velocity, Stratified<Importance>, f32, Cpu>;

/// How long and how fast.
#[derive(Clone, Copy)]
struct Plan {
    first: u64,
    then: u64,
    rate: f64,
    fine_rate: f64,
    /// The moving average's decay.
    ema: f64,
    /// The weight of the second-order trace.
    weight: f64,
}

impl Plan {
    fn settings(&self, seed: u64, rate: f64, steps: u64) -> TrainerConfig {
        let decay = RateDecay::Cosine { final_rate: 0.0 };
        TrainerConfig {
            seed,
            accumulation: 1,
            rate: Rate { peak: rate, warmup: 50, decay, steps },
            optimizer: AdamWConfig { ema: self.ema, ..AdamWConfig::default() },
        }
    }
}

/// Steps `1..=steps` of a stage on what `batch` draws; gives the seconds they took.
fn run<N, O>(
    trainer: &mut Training<N, O>,
    before: u64,
    steps: u64,
    batch: &mut dyn FnMut() -> Result<Vec<f64>>,
) -> Result<f64>
where
    N: Jvp<f32, Cpu> + Parameters<f32, Cpu>,
    O: Objective<f32, Cpu, N>,
{
    let started = Instant::now();
    for step in 1..=steps {
        trainer.step(step, before + step, &batch()?)?;
    }
    Ok(started.elapsed().as_secs_f64())
}

/// One way to go on: its name, the steps, and the trained network.
struct Arm<N> {
    name: &'static str,
    steps: u64,
    seconds: f64,
    network: N,
}

/// First-order training and then the three ways.
fn arms<N>(
    network: N,
    diffusion: Path,
    plan: Plan,
    seed: u64,
    mut batch: impl FnMut() -> Result<Vec<f64>>,
) -> Result<Vec<Arm<N>>>
where
    N: Jvp<f32, Cpu> + Parameters<f32, Cpu>,
{
    let times = || -> Result<_> {
        Ok(Stratified(Importance::for_weight(diffusion.range(), diffusion.weight_density())?))
    };
    let settings = plan.settings(seed, plan.rate, plan.first);
    let mut trainer = Trainer::new(network, FirstOrder, diffusion, times()?, settings);
    let seconds = run(&mut trainer, 0, plan.first, &mut batch)?;
    let mut arms = vec![Arm {
        name: "first order",
        steps: plan.first,
        seconds,
        network: trainer.optimizer.averaged(&trainer.network),
    }];
    let continued = |steps: u64| -> Result<Training<N, FirstOrder>> {
        let settings = plan.settings(seed, plan.fine_rate, steps);
        let mut next = Trainer::new(trainer.network.clone(), FirstOrder, diffusion, times()?, settings);
        next.optimizer = trainer.optimizer.clone();
        Ok(next)
    };
    let settings = plan.settings(seed, plan.fine_rate, plan.then);
    let objective = FirstOrder + plan.weight * SecondOrderTrace::default();
    let mut second = continued(plan.then)?.next_stage(objective, settings);
    let seconds = run(&mut second, plan.first, plan.then, &mut batch)?;
    let network = second.optimizer.averaged(&second.network);
    arms.push(Arm { name: "second order", steps: plan.then, seconds, network });
    let each = arms[0].seconds / plan.first as f64;
    for (name, steps) in [("same steps", plan.then), ("same time", (seconds / each) as u64)] {
        let mut first = continued(steps)?.next_stage(FirstOrder, plan.settings(seed, plan.fine_rate, steps));
        let seconds = run(&mut first, plan.first, steps, &mut batch)?;
        let network = first.optimizer.averaged(&first.network);
        arms.push(Arm { name, steps, seconds, network });
    }
    Ok(arms)
}

/// The measured numbers of one arm over seeds.
#[derive(Default)]
struct Measured {
    name: &'static str,
    values: Vec<f64>,
    evaluations: Vec<f64>,
    steps: Vec<f64>,
    seconds: Vec<f64>,
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn standard_error(values: &[f64]) -> f64 {
    let (n, mean) = (values.len() as f64, mean(values));
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt()
}

fn compare<N>(
    unit: &str,
    mut train: impl FnMut(u64) -> Result<Vec<Arm<N>>>,
    measure: impl Fn(&N) -> Result<(f64, f64)>,
) -> Result<()> {
    let mut all: Vec<Measured> = Vec::new();
    for seed in 0..SEEDS {
        for (index, arm) in train(seed)?.into_iter().enumerate() {
            let (value, evaluations) = measure(&arm.network)?;
            println!("seed {seed}, {:12} {value:.5} {unit}, {evaluations:.1} evaluations", arm.name);
            if all.len() == index {
                all.push(Measured { name: arm.name, ..Measured::default() });
            }
            let own = &mut all[index];
            own.values.push(value);
            own.evaluations.push(evaluations);
            own.steps.push(arm.steps as f64);
            own.seconds.push(arm.seconds);
        }
    }
    println!("\n{:12}  {:>9}  over seeds  evaluations  steps  seconds  less second order", "", unit);
    for arm in &all {
        let less: Vec<f64> = arm.values.iter().zip(&all[1].values).map(|(a, b)| a - b).collect();
        println!(
            "{:12}  {:>9.5}  +- {:.5}  {:>11.1}  {:>5.0}  {:>7.1}  {:+.5} +- {:.5}",
            arm.name,
            mean(&arm.values),
            standard_error(&arm.values),
            mean(&arm.evaluations),
            mean(&arm.steps),
            mean(&arm.seconds),
            mean(&less),
            standard_error(&less)
        );
    }
    Ok(())
}

fn mixture() -> Result<()> {
    const STATES: usize = 2000;
    let component = |mean: [f64; 2], covariance: [f64; 4]| {
        Gaussian::new(&mean, DMatrix::from_row_slice(2, 2, &covariance))
    };
    let data = GaussianMixture::new([
        (0.3, component([-0.6, 0.1], [0.02, 0.015, 0.015, 0.03])?),
        (0.3, component([0.5, 0.5], [0.01, -0.005, -0.005, 0.02])?),
        (0.4, component([0.3, -0.6], [0.03, 0.0, 0.0, 0.002])?),
    ])?;
    let range = GammaRange::new(-8.0, 5.0)?;
    let diffusion = Diffusion::new(VariancePreserving, Velocity, range);
    // A small network, trained until more of the same does little: what is left is what it cannot fit, and the
    // objective decides where.
    let plan = Plan { first: 20_000, then: 3000, rate: 3e-3, fine_rate: 1e-3, ema: 0.999, weight: 1.0 };
    let start = diffusion.level(range.min());
    let marginal = data.at(&start);
    let mut rng = ChaCha8Rng::seed_from_u64(99);
    let states: Vec<f64> =
        (0..STATES).flat_map(|_| marginal.sample(&mut rng).0.as_slice().to_vec()).collect();
    let exact: Vec<f64> =
        states.chunks_exact(2).map(|z| Ok(marginal.point(z)?.log_density())).collect::<Result<_>>()?;
    let tolerances = Tolerances { relative: 1e-4, absolute: 1e-4, log_density: 1e-2 };
    let config = MlpConfig { blocks: 2, ..MlpConfig::default() };
    compare(
        "nats",
        |seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let network = StaticMlp::<2, 16, f32, Cpu>::new(&config, &Cpu::default(), &mut rng)?;
            arms(network, diffusion, plan, seed, || {
                Ok((0..512).flat_map(|_| data.sample(&mut rng).as_slice().to_vec()).collect())
            })
        },
        |network| {
            let flow = ProbabilityFlow::new(network, &diffusion)
                .with_solver(ExplicitRk::new(&tables::DORMAND_PRINCE), Stepping::adaptive(tolerances))
                .with_batch(500)?;
            let rows = Evaluator::new(flow).with_divergence(Exact).log_prob(&states, range.min())?;
            let kl: Vec<f64> = rows.iter().zip(&exact).map(|(row, q)| q - row.log_density).collect();
            Ok((mean(&kl), rows.iter().map(|row| row.report.evaluations as f64).sum::<f64>() / STATES as f64))
        },
    )
}

fn on_digits() -> Result<()> {
    let (train, test) = (digits::load(Split::Train)?, digits::load(Split::Test)?);
    let (grid, dims) = (train.grid(), 64);
    let range = GammaRange::for_levels(grid.levels());
    let diffusion = Diffusion::new(VariancePreserving, Velocity, range);
    let plan = Plan { first: 1200, then: 400, rate: 4e-3, fine_rate: 1e-3, ema: 0.995, weight: 0.1 };
    let config = UNetConfig {
        blocks: 2,
        dropout: 0.0,
        fourier: vec![2, 3],
        fading: Some([range.min().0, range.max().0]),
        ..UNetConfig::default()
    };
    let tolerances = Tolerances { relative: 1e-4, absolute: 1e-4, log_density: 1e-2 };
    let start = TruncatedNormal::new(grid, diffusion.level(range.min()));
    compare(
        "bits/dim",
        |seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let network = StaticUNet::<8, 8, 1, 32, f32, Cpu>::new(&config, &Cpu::default(), &mut rng)?;
            let mut order = Shuffle::new(train.images(), seed)?;
            arms(network, diffusion, plan, seed, || Ok(grid.centres(&train.batch(&order.next_batch(128))?)))
        },
        |network| {
            let flow = ProbabilityFlow::new(network, &diffusion)
                .with_solver(ExplicitRk::new(&tables::DORMAND_PRINCE), Stepping::adaptive(tolerances))
                .with_batch(64)?;
            let pixels = &test.pixels()[..test.images() * dims];
            let summary = Evaluator::new(flow).bits_per_dim(pixels, &start, &mut Silent)?.summary;
            Ok((summary.bits_per_dim, summary.evaluations_per_image))
        },
    )
}

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("mixture") => mixture(),
        Some("digits") => on_digits(),
        other => {
            let found = other.unwrap_or("nothing").to_owned();
            Err(Error::value("argument", found, "mixture or digits"))
        }
    }
}
