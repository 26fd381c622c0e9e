//! What it saves that a row which is done gives its place to the next.
//!
//! ```text
//! cargo run --release --example 10_turns
//! ```
//!
//! Measures rows whose solves take turns, and the same rows in blocks that begin and end together: right-hand sides that the network computed,
//! row by row, those that rows needed, and seconds. Both ways give the same bits. What turns save is the more, the more the evaluations of rows
//! differ, and the less of a batch's time a single row takes.
//!
//! The first rows are held-out digits, whose evaluations hardly differ. The others are points of the plane, of a network trained on two tight
//! clusters: every 32nd lies between the clusters, where the field turns within a hair's breadth from one to the other, and is hard.

use dfdx::prelude::Cpu;
use idode::data::{ImageSource, Shuffle, Split, digits};
use idode::dequantization::{Dequantizer, TruncatedNormal};
use idode::diffusion::Diffusion;
use idode::divergence::{Divergence, Hutchinson, Jacobian, ProbeSeed, Trace};
use idode::error::Result;
use idode::level::GammaRange;
use idode::likelihood::{DrawKey, Evaluator, ProbabilityFlow, Purpose, RowDensity};
use idode::nn::{Jvp, MlpConfig, Network, Parameters, StaticMlp, StaticUNet, UNetConfig};
use idode::objective::{FirstOrder, Objective};
use idode::parameterization::Velocity;
use idode::schedule::VariancePreserving;
use idode::solver::{ExplicitRk, Stepping, Tolerances, tables};
use idode::time::{Importance, Stratified};
use idode::train::{AdamWConfig, Rate, RateDecay, Trainer, TrainerConfig};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const ROWS: usize = 256;
const BATCH: usize = 32;

/// Hutchinson's estimate, which counts the rows of every right-hand side.
#[derive(Clone, Debug)]
struct Counted(Arc<AtomicU64>);

#[derive(Debug)]
struct CountedTrace(Box<dyn Trace>, Arc<AtomicU64>);

impl Divergence for Counted {
    fn begin(&self, dims: usize, seeds: &[ProbeSeed]) -> Box<dyn Trace> {
        Box::new(CountedTrace(Hutchinson::default().begin(dims, seeds), self.0.clone()))
    }
}

impl Trace for CountedTrace {
    fn trace(&mut self, rows: &[usize], jacobian: &mut dyn Jacobian) -> Vec<f64> {
        self.1.fetch_add(rows.len() as u64, Ordering::Relaxed);
        self.0.trace(rows, jacobian)
    }

    fn renew(&mut self, rows: &[usize], seeds: &[ProbeSeed]) {
        self.0.renew(rows, seeds);
    }
}

fn main() -> Result<()> {
    println!("{ROWS} rows in batches of {BATCH}\n");
    println!("rows            evaluations  needed  in blocks  in turns  s in blocks  s in turns  factor");
    let (network, diffusion, z) = digits()?;
    measure("digits", &network, &diffusion, z)?;
    let (network, diffusion, z) = clusters()?;
    measure("two clusters", &network, &diffusion, z)
}

type Paths = Diffusion<VariancePreserving, Velocity>;

/// A small network after some training, and held-out images at the first level.
fn digits() -> Result<(StaticUNet<8, 8, 1, 32, f32, Cpu>, Paths, Vec<f64>)> {
    let (data, test) = (digits::load(Split::Train)?, digits::load(Split::Test)?);
    let (grid, range) = (data.grid(), GammaRange::for_levels(data.grid().levels()));
    let diffusion = Diffusion::new(VariancePreserving, Velocity, range);
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let config =
        UNetConfig { blocks: 1, fading: Some([range.min().0, range.max().0]), ..UNetConfig::default() };
    let network = StaticUNet::new(&config, &Cpu::default(), &mut rng)?;
    let mut order = Shuffle::new(data.images(), 0)?;
    let network = trained(network, &diffusion, (400, 4e-3), || {
        let rows: Vec<u16> = data.batch(&order.next_batch(64))?;
        Ok(grid.centres(&rows))
    })?;
    let start = TruncatedNormal::new(grid, diffusion.level(range.min()));
    let images = test.pixels().chunks_exact(64).take(ROWS).enumerate();
    let z = images.flat_map(|(row, own)| start.draw(own, &mut key(row).rng(Purpose::Dequantization)).z);
    Ok((network, diffusion, z.collect()))
}

/// A network of two clusters of width 0.02 at -1 and 1, after some training, and points of them; every 32nd between them.
fn clusters() -> Result<(StaticMlp<2, 64, f32, Cpu>, Paths, Vec<f64>)> {
    const WIDTH: f64 = 0.02;
    let diffusion = Diffusion::new(VariancePreserving, Velocity, GammaRange::new(-12.0, 5.0)?);
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let network = StaticMlp::new(&MlpConfig::default(), &Cpu::default(), &mut rng)?;
    let point = |rng: &mut ChaCha8Rng| {
        let side = if rng.r#gen() { 1.0 } else { -1.0 };
        [side, 0.0].map(|centre| centre + WIDTH * rng.sample::<f64, _>(StandardNormal))
    };
    let network =
        trained(network, &diffusion, (6000, 2e-3), || Ok((0..256).flat_map(|_| point(&mut rng)).collect()))?;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let z = (0..ROWS).flat_map(|row| match row % 32 {
        0 => [rng.gen_range(-0.3..0.3), 0.0],
        _ => point(&mut rng),
    });
    Ok((network, diffusion, z.collect()))
}

/// The average of a network after so many steps with a largest rate, on the rows that `batch` gives.
fn trained<N: Network<f32, Cpu> + Parameters<f32, Cpu> + Clone>(
    network: N,
    diffusion: &Paths,
    (steps, peak): (u64, f64),
    mut batch: impl FnMut() -> Result<Vec<f64>>,
) -> Result<N>
where
    FirstOrder: Objective<f32, Cpu, N>,
{
    let times = Stratified(Importance::for_weight(diffusion.range(), diffusion.weight_density())?);
    let rate = Rate { peak, warmup: 20, decay: RateDecay::Cosine { final_rate: 0.0 }, steps };
    let optimizer = AdamWConfig { ema: 0.99, ..AdamWConfig::default() };
    let config = TrainerConfig { seed: 0, accumulation: 1, rate, optimizer };
    let mut trainer = Trainer::new(network, FirstOrder, *diffusion, times, config);
    for step in 1..=steps {
        trainer.step(step, step, &batch()?)?;
    }
    Ok(trainer.optimizer.averaged(&trainer.network))
}

fn key(row: usize) -> DrawKey {
    DrawKey { seed: 0, row, draw: 0 }
}

/// Solves rows in blocks and in turns, and prints what each cost.
fn measure<N: Jvp<f32, Cpu>>(name: &str, network: &N, diffusion: &Paths, z: Vec<f64>) -> Result<()> {
    let (dims, from) = (z.len() / ROWS, diffusion.range().min());
    let count = Arc::new(AtomicU64::new(0));
    let small = Tolerances { relative: 1e-6, absolute: 1e-6, log_density: 1e-3 };
    let flow = || {
        ProbabilityFlow::new(network, diffusion)
            .with_solver(ExplicitRk::new(&tables::DORMAND_PRINCE), Stepping::adaptive(small))
            .with_batch(BATCH)
    };
    let measured = |solve: &dyn Fn() -> Result<Vec<RowDensity>>| -> Result<(Vec<RowDensity>, u64, f64)> {
        count.store(0, Ordering::Relaxed);
        let started = Instant::now();
        let found = solve()?;
        Ok((found, count.load(Ordering::Relaxed), started.elapsed().as_secs_f64()))
    };
    let (blocks, paid_in_blocks, block_seconds) = measured(&|| {
        let flow = flow()?;
        let mut found = Vec::new();
        for (block, own) in z.chunks(BATCH * dims).enumerate() {
            let seeds: Vec<ProbeSeed> =
                (0..own.len() / dims).map(|i| key(block * BATCH + i).bytes(Purpose::Probe)).collect();
            let divergence = Counted(count.clone());
            found.extend(flow.log_density(own.to_vec(), from, &divergence, &seeds, None)?);
        }
        Ok(found)
    })?;
    let (turns, paid_in_turns, turn_seconds) = measured(&|| {
        let evaluator = Evaluator::new(flow()?).with_divergence(Counted(count.clone()));
        evaluator.log_prob(&z, from)
    })?;
    assert_eq!(blocks, turns, "the same bits");
    let each = turns.iter().map(|row| row.report.evaluations);
    let needed: u64 = each.clone().map(u64::from).sum();
    println!(
        "{name:15} {:>11}  {needed:>6} {paid_in_blocks:>10} {paid_in_turns:>9} {block_seconds:>12.1} {turn_seconds:>11.1} {:>7.2}",
        format!("{} to {}", each.clone().min().unwrap_or(0), each.max().unwrap_or(0)),
        block_seconds / turn_seconds
    );
    Ok(())
}
