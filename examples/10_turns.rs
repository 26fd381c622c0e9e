//! What it saves that a row which is done gives its place to the next.
//!
//! ```text
//! cargo run --release --example 10_turns
//! ```
//!
//! Measures rows whose solves take turns, and the same rows in blocks that begin and end together: the evaluations of a row, those that all rows
//! needed, those that the network computed, its calls, and seconds, one way after the other several times. Both ways give the same bits. Rows that are
//! done leave a block when it can halve, so a block computes hardly more rows; what turns save are calls of few rows, which leave threads, or a
//! device, idle: the more, the more the evaluations of rows differ.
//!
//! The first rows are held-out digits, whose evaluations hardly differ: nothing is saved. The others are points of tight clusters, by their exactly
//! known network: every 32nd lies between two clusters, where the field turns within a hair's breadth from one to the other, and is hard.
//! Both need a machine that does nothing else: where others take its threads, none is idle.

use dfdx::prelude::Cpu;
use idode::analytic::{AnalyticNet, Gaussian, GaussianMixture, Model};
use idode::data::{ImageSource, Shuffle, Split, digits};
use idode::dequantization::{Dequantizer, TruncatedNormal};
use idode::diffusion::Diffusion;
use idode::divergence::{Divergence, Hutchinson, Jacobian, ProbeSeed, Trace};
use idode::error::Result;
use idode::level::GammaRange;
use idode::likelihood::{DrawKey, Evaluator, ProbabilityFlow, Purpose, RowDensity};
use idode::nn::{Jvp, StaticUNet, UNetConfig};
use idode::objective::FirstOrder;
use idode::parameterization::Velocity;
use idode::schedule::VariancePreserving;
use idode::solver::{ExplicitRk, Stepping, Tolerances, tables};
use idode::tensor::{Kernels, Real};
use idode::time::{Importance, Stratified};
use idode::train::{AdamWConfig, Rate, RateDecay, Trainer, TrainerConfig};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const STEPS: u64 = 400;
const ROWS: usize = 256;
const BATCH: usize = 32;
/// Of these many both ways are timed, one after the other.
const PAIRS: usize = 7;
const DIMS: usize = 16;
const CLUSTERS: usize = 8;

/// Right-hand sides, and their rows.
#[derive(Debug, Default)]
struct Count {
    calls: AtomicU64,
    rows: AtomicU64,
}

/// Hutchinson's estimate, which counts.
#[derive(Clone, Debug)]
struct Counted(Arc<Count>);

#[derive(Debug)]
struct CountedTrace(Box<dyn Trace>, Arc<Count>);

impl Divergence for Counted {
    fn begin(&self, dims: usize, seeds: &[ProbeSeed]) -> Box<dyn Trace> {
        Box::new(CountedTrace(Hutchinson::default().begin(dims, seeds), self.0.clone()))
    }
}

impl Trace for CountedTrace {
    fn trace(&mut self, rows: &[usize], jacobian: &mut dyn Jacobian) -> Vec<f64> {
        self.1.calls.fetch_add(1, Ordering::Relaxed);
        self.1.rows.fetch_add(rows.len() as u64, Ordering::Relaxed);
        self.0.trace(rows, jacobian)
    }

    fn renew(&mut self, rows: &[usize], seeds: &[ProbeSeed]) {
        self.0.renew(rows, seeds);
    }
}

fn main() -> Result<()> {
    println!("{ROWS} rows in batches of {BATCH}; in blocks, in turns, and the factor of their seconds\n");
    println!(
        "rows        evaluations  needed   rows computed          calls      seconds  factor: median of {PAIRS} pairs"
    );
    let (network, diffusion, z) = digits()?;
    measure::<f32, _>("digits", &network, &diffusion, z)?;
    let (network, diffusion, z) = clusters()?;
    measure::<f64, _>("clusters", &network, &diffusion, z)
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
    let times = Stratified(Importance::for_weight(range, diffusion.weight_density())?);
    let rate = Rate { peak: 4e-3, warmup: 20, decay: RateDecay::Cosine { final_rate: 0.0 }, steps: STEPS };
    let optimizer = AdamWConfig { ema: 0.99, ..AdamWConfig::default() };
    let config = TrainerConfig { seed: 0, accumulation: 1, rate, optimizer };
    let mut trainer = Trainer::new(network, FirstOrder, diffusion, times, config);
    for step in 1..=STEPS {
        let rows: Vec<u16> = data.batch(&order.next_batch(64))?;
        trainer.step(step, step, &grid.centres(&rows))?;
    }
    let network = trainer.optimizer.averaged(&trainer.network);
    let start = TruncatedNormal::new(grid, diffusion.level(range.min()));
    let images = test.pixels().chunks_exact(64).take(ROWS).enumerate();
    let z = images.flat_map(|(row, own)| start.draw(own, &mut key(row).rng(Purpose::Dequantization)).z);
    Ok((network, diffusion, z.collect()))
}

/// The exactly known network of tight clusters around corners of a cube, and points of them; every 32nd lies between two clusters.
fn clusters() -> Result<(AnalyticNet<DIMS, VariancePreserving, Velocity>, Paths, Vec<f64>)> {
    const WIDTH: f64 = 0.02;
    // Corners that differ in half of their coordinates.
    let corner = |i: usize| -> [f64; DIMS] {
        std::array::from_fn(|d| if (i & d).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 })
    };
    let cluster = |i| Ok((1.0 / CLUSTERS as f64, Gaussian::diagonal(&corner(i), &[WIDTH * WIDTH; DIMS])?));
    let data = GaussianMixture::new((0..CLUSTERS).map(cluster).collect::<Result<Vec<_>>>()?)?;
    let diffusion = Diffusion::new(VariancePreserving, Velocity, GammaRange::new(-13.3, 5.0)?);
    let network = AnalyticNet::new(Model::exact(data), diffusion)?;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let z = (0..ROWS).flat_map(|row| {
        let [own, other] = [row, row + 1].map(|i| corner(i % CLUSTERS));
        let part = if row % 32 == 0 { rng.gen_range(0.35..0.65) } else { 0.0 };
        let mut near = |x: f64, y: f64| x + part * (y - x) + WIDTH * rng.sample::<f64, _>(StandardNormal);
        std::array::from_fn::<_, DIMS, _>(|d| near(own[d], other[d]))
    });
    Ok((network, diffusion, z.collect()))
}

fn key(row: usize) -> DrawKey {
    DrawKey { seed: 0, row, draw: 0 }
}

/// Solves rows in blocks and in turns, and prints what each cost.
fn measure<E: Real, N: Jvp<E, Cpu>>(name: &str, network: &N, diffusion: &Paths, z: Vec<f64>) -> Result<()>
where
    Cpu: Kernels<E>,
{
    let (dims, from) = (z.len() / ROWS, diffusion.range().min());
    let count = Arc::new(Count::default());
    let small = Tolerances { relative: 1e-6, absolute: 1e-6, log_density: 1e-3 };
    let flow = || {
        ProbabilityFlow::new(network, diffusion)
            .with_solver(ExplicitRk::new(&tables::DORMAND_PRINCE), Stepping::adaptive(small))
            .with_batch(BATCH)
    };
    let in_blocks = || -> Result<Vec<RowDensity>> {
        let (flow, mut found) = (flow()?, Vec::new());
        for (block, own) in z.chunks(BATCH * dims).enumerate() {
            let seeds: Vec<ProbeSeed> =
                (0..own.len() / dims).map(|i| key(block * BATCH + i).bytes(Purpose::Probe)).collect();
            let divergence = Counted(count.clone());
            found.extend(flow.log_density(own.to_vec(), from, &divergence, &seeds, None)?);
        }
        Ok(found)
    };
    let in_turns = || Evaluator::new(flow()?).with_divergence(Counted(count.clone())).log_prob(&z, from);
    let measured = |solve: &dyn Fn() -> Result<Vec<RowDensity>>| -> Result<(Vec<RowDensity>, [u64; 2], f64)> {
        [&count.calls, &count.rows].iter().for_each(|count| count.store(0, Ordering::Relaxed));
        let started = Instant::now();
        let found = solve()?;
        let seconds = started.elapsed().as_secs_f64();
        Ok((found, [&count.rows, &count.calls].map(|count| count.load(Ordering::Relaxed)), seconds))
    };
    let (mut factors, mut seconds) = (Vec::new(), [0.0; 2]);
    let ((blocks, paid_in_blocks, _), (turns, paid_in_turns, _)) =
        (measured(&in_blocks)?, measured(&in_turns)?);
    for _ in 0..PAIRS {
        let pair = [measured(&in_blocks)?.2, measured(&in_turns)?.2];
        factors.push(pair[0] / pair[1]);
        seconds.iter_mut().zip(pair).for_each(|(sum, one)| *sum += one / PAIRS as f64);
    }
    factors.sort_by(f64::total_cmp);
    assert_eq!(blocks, turns, "the same bits");
    let each = turns.iter().map(|row| row.report.evaluations);
    let needed: u64 = each.clone().map(u64::from).sum();
    println!(
        "{name:10}  {:>11}  {needed:>6}  {:>14}  {:>13}  {:>11}  {:.2} ({:.2} to {:.2})",
        format!("{} to {}", each.clone().min().unwrap_or(0), each.max().unwrap_or(0)),
        format!("{} {}", paid_in_blocks[0], paid_in_turns[0]),
        format!("{} {}", paid_in_blocks[1], paid_in_turns[1]),
        format!("{:.2} {:.2}", seconds[0], seconds[1]),
        factors[PAIRS / 2],
        factors[0],
        factors[PAIRS - 1]
    );
    Ok(())
}
