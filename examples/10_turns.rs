//! What it saves that a row which is done gives its place to the next.
//!
//! ```text
//! cargo run --release --example 10_turns
//! ```
//!
//! Trains a small network on the digits, then measures rows whose solves take turns, and the same rows in blocks that begin and end together:
//! right-hand sides that the network computed, row by row, those that rows needed, and seconds. Once the rows are held-out digits, once
//! every fourth is random grey levels. Both ways give the same bits. What turns save is the more, the more the evaluations of rows differ;
//! those of these rows differ little.

use dfdx::prelude::Cpu;
use idode::data::{ImageSource, Shuffle, Split, digits};
use idode::dequantization::{Dequantizer, TruncatedNormal};
use idode::diffusion::Diffusion;
use idode::divergence::{Divergence, Hutchinson, Jacobian, ProbeSeed, Trace};
use idode::error::Result;
use idode::level::GammaRange;
use idode::likelihood::{DrawKey, Evaluator, ProbabilityFlow, Purpose, RowDensity};
use idode::nn::{StaticUNet, UNetConfig};
use idode::objective::FirstOrder;
use idode::parameterization::Velocity;
use idode::schedule::VariancePreserving;
use idode::solver::{ExplicitRk, Stepping, Tolerances, tables};
use idode::time::{Importance, Stratified};
use idode::train::{AdamWConfig, Rate, RateDecay, Trainer, TrainerConfig};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const STEPS: u64 = 400;
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
    let (train, test) = (digits::load(Split::Train)?, digits::load(Split::Test)?);
    let (grid, range) = (train.grid(), GammaRange::for_levels(train.grid().levels()));
    let diffusion = Diffusion::new(VariancePreserving, Velocity, range);
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let config =
        UNetConfig { blocks: 1, fading: Some([range.min().0, range.max().0]), ..UNetConfig::default() };
    let network = StaticUNet::<8, 8, 1, 32, f32, Cpu>::new(&config, &Cpu::default(), &mut rng)?;
    let times = Stratified(Importance::for_weight(range, diffusion.weight_density())?);
    let rate = Rate { peak: 4e-3, warmup: 20, decay: RateDecay::Cosine { final_rate: 0.0 }, steps: STEPS };
    let optimizer = AdamWConfig { ema: 0.99, ..AdamWConfig::default() };
    let config = TrainerConfig { seed: 0, accumulation: 1, rate, optimizer };
    let mut trainer = Trainer::new(network, FirstOrder, diffusion, times, config);
    let mut order = Shuffle::new(train.images(), 0)?;
    for step in 1..=STEPS {
        let rows: Vec<u16> = train.batch(&order.next_batch(64))?;
        trainer.step(step, step, &grid.centres(&rows))?;
    }
    let network = trainer.optimizer.averaged(&trainer.network);

    let start = TruncatedNormal::new(grid, diffusion.level(range.min()));
    let easy: Vec<u16> = test.pixels().iter().copied().take(ROWS * 64).collect();
    let mut mixed = easy.clone();
    for row in mixed.chunks_exact_mut(64).step_by(4) {
        row.iter_mut().for_each(|level| *level = rng.gen_range(0..17));
    }
    println!("{ROWS} rows in batches of {BATCH}\n");
    println!("rows                  needed  in blocks  in turns  factor   s in blocks  s in turns  factor");
    for (name, pixels) in [("digits", easy), ("every fourth noise", mixed)] {
        let key = |row| DrawKey { seed: 0, row, draw: 0 };
        let rows = pixels.chunks_exact(64).enumerate();
        let z: Vec<Vec<f64>> =
            rows.map(|(row, own)| start.draw(own, &mut key(row).rng(Purpose::Dequantization)).z).collect();
        let count = Arc::new(AtomicU64::new(0));
        let small = Tolerances { relative: 1e-6, absolute: 1e-6, log_density: 1e-3 };
        let flow = || {
            ProbabilityFlow::new(&network, &diffusion)
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
            for (block, own) in z.chunks(BATCH).enumerate() {
                let seeds: Vec<ProbeSeed> =
                    (0..own.len()).map(|i| key(block * BATCH + i).bytes(Purpose::Probe)).collect();
                let divergence = Counted(count.clone());
                found.extend(flow.log_density(own.concat(), range.min(), &divergence, &seeds, None)?);
            }
            Ok(found)
        })?;
        let (turns, paid_in_turns, turn_seconds) = measured(&|| {
            let evaluator = Evaluator::new(flow()?).with_divergence(Counted(count.clone()));
            evaluator.log_prob(&z.concat(), range.min())
        })?;
        assert_eq!(blocks, turns, "the same bits");
        let needed: u64 = turns.iter().map(|row| u64::from(row.report.evaluations)).sum();
        println!(
            "{name:20} {needed:>7} {paid_in_blocks:>10} {paid_in_turns:>9} {:>7.2} {block_seconds:>13.1} {turn_seconds:>11.1} {:>7.2}",
            paid_in_blocks as f64 / paid_in_turns as f64,
            block_seconds / turn_seconds
        );
    }
    Ok(())
}
