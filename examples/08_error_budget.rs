//! The error budget against truth: data and a model of which every part of the uncertainty is known.
//!
//! ```text
//! cargo run --release --example 08_error_budget
//! ```
//!
//! Images of two pixels of eight grey levels come from a table of 64 probabilities. The model is the exact network of correlated Gaussian
//! data, whose flow is linear: its density at the start is a Gaussian in closed form, and a Rademacher probe's error is one number times a
//! random sign. So the variances over images, over uniform draws in a bin and over probes are finite sums. First each part of one budget
//! is put beside the exact standard deviation; then 200 budgets of other images and draws say how often the exact value is within two
//! totals of the estimate.

use idode::analytic::nalgebra::DMatrix;
use idode::analytic::{AnalyticNet, Gaussian, GaussianMixture, Model};
use idode::budget::{Again, Budget, Design, Estimated, measure};
use idode::dequantization::{Dequantizer, UniformBin};
use idode::diffusion::Diffusion;
use idode::error::Result;
use idode::level::{Gamma, GammaRange, Level};
use idode::likelihood::{Evaluator, ProbabilityFlow, Replicate};
use idode::parameterization::Velocity;
use idode::pixels::PixelGrid;
use idode::progress::Silent;
use idode::schedule::VariancePreserving;
use idode::solver::{ExplicitRk, Stepping, Tolerances, tables};
use rand::SeedableRng;
use rand::distributions::WeightedIndex;
use rand::prelude::Distribution;
use rand_chacha::ChaCha8Rng;
use std::f64::consts::{FRAC_1_SQRT_2, LN_2, TAU};

const LEVELS: u32 = 8;

/// The variances of the model's data along `(1, 1)` and `(1, -1)`.
const VARIANCES: [f64; 2] = [0.3, 0.03];

/// Data and model.
pub(crate) struct World {
    diffusion: Diffusion<VariancePreserving, Velocity>,
    network: AnalyticNet<2, VariancePreserving, Velocity>,
    noise: UniformBin,
    grid: PixelGrid,
    pmf: Vec<f64>,
}

/// What is true of single values, in bits/dim: their mean, and the standard deviations over images, draws and probes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Truth {
    pub(crate) mean: f64,
    pub(crate) data: f64,
    pub(crate) dequantization: f64,
    pub(crate) probe: f64,
}

/// The coordinates of a row along `(1, 1)` and `(1, -1)`.
fn rotated([x, y]: [f64; 2]) -> [f64; 2] {
    [FRAC_1_SQRT_2 * (x + y), FRAC_1_SQRT_2 * (x - y)]
}

/// The variances of the model's `z` there, if its data were not carried down by the flow but noised.
fn noised(level: &Level) -> [f64; 2] {
    VARIANCES.map(|variance| level.alpha().powi(2) * variance + level.sigma().powi(2))
}

impl World {
    /// # Errors
    /// None: every constant is good.
    pub(crate) fn new() -> Result<Self> {
        let range = GammaRange::for_levels(LEVELS);
        let diffusion = Diffusion::new(VariancePreserving, Velocity, range);
        let (along, across) = (0.5 * (VARIANCES[0] + VARIANCES[1]), 0.5 * (VARIANCES[0] - VARIANCES[1]));
        let covariance = DMatrix::from_row_slice(2, 2, &[along, across, across, along]);
        let data = GaussianMixture::new([(1.0, Gaussian::new(&[0.0; 2], covariance)?)])?;
        let network = AnalyticNet::new(Model::exact(data), diffusion)?;
        let grid = PixelGrid::new(LEVELS)?;
        let start = UniformBin::default_gamma(LEVELS);
        let noise = UniformBin::new(grid, diffusion.level(Gamma(start.0.max(range.min().0))));
        // Wider than the model: the parts are then of like size.
        let side = LEVELS as u16;
        let weight = |k: u16, l: u16| {
            let [x, y] = rotated([grid.centre(k), grid.centre(l)]);
            (-0.5 * (x * x / 0.3 + y * y / 0.06)).exp()
        };
        let weights: Vec<f64> =
            (0..side).flat_map(|k| (0..side).map(move |l| (k, l))).map(|(k, l)| weight(k, l)).collect();
        let total: f64 = weights.iter().sum();
        let pmf = weights.iter().map(|weight| weight / total).collect();
        Ok(Self { diffusion, network, noise, grid, pmf })
    }

    /// The exact value of a start `z` in bits/dim, but for the probe's error.
    fn bits_per_dim(&self, z: [f64; 2]) -> f64 {
        let end = noised(&self.diffusion.level(self.diffusion.range().max()));
        let here = noised(&self.noise.level());
        let prior = self.diffusion.prior().std().powi(2);
        let numbers = rotated(z).into_iter().zip(here).zip(end);
        let log_density: f64 = numbers
            .map(|((z, here), end)| {
                let variance = prior * here / end;
                -0.5 * (z * z / variance + (TAU * variance).ln())
            })
            .sum();
        let price = self.noise.entropy(2).unwrap_or(f64::NAN);
        -(log_density + price) / (2.0 * LN_2)
    }

    /// Every sum.
    pub(crate) fn truth(&self) -> Truth {
        // Three points integrate the square of a quadratic exactly.
        let nodes = [(-0.6f64.sqrt(), 5.0 / 18.0), (0.0, 8.0 / 18.0), (0.6f64.sqrt(), 5.0 / 18.0)];
        let (alpha, half) = (self.noise.level().alpha(), 0.5 * self.grid.bin_width());
        let side = LEVELS as u16;
        let (mut first, mut second, mut within) = (0.0, 0.0, 0.0);
        for (p, (k, l)) in self.pmf.iter().zip((0..side).flat_map(|k| (0..side).map(move |l| (k, l)))) {
            let (mut mean, mut square) = (0.0, 0.0);
            for (u, wu) in nodes {
                for (v, wv) in nodes {
                    let z = [self.grid.centre(k) + half * u, self.grid.centre(l) + half * v];
                    let bits = self.bits_per_dim(z.map(|x| alpha * x));
                    mean += wu * wv * bits;
                    square += wu * wv * bits * bits;
                }
            }
            first += p * mean;
            second += p * mean * mean;
            within += p * (square - mean * mean);
        }
        // v^T J v - tr J = 2 J_12 v_1 v_2, and 2 J_12 is the difference of the eigenvalues, whose integrals are the logarithms of how
        // much the flow stretches the two axes.
        let (here, end) =
            (noised(&self.noise.level()), noised(&self.diffusion.level(self.diffusion.range().max())));
        let stretch = |i: usize| 0.5 * (end[i] / here[i]).ln();
        Truth {
            mean: first,
            data: (second - first * first).sqrt(),
            dequantization: within.sqrt(),
            probe: (stretch(0) - stretch(1)).abs() / (2.0 * LN_2),
        }
    }

    /// The estimate from images of `seed` with as many draws each, and its budget.
    ///
    /// # Errors
    /// None that these settings can meet.
    pub(crate) fn budget(
        &self,
        seed: u64,
        images: usize,
        draws: usize,
        design: Design,
    ) -> Result<(f64, Budget)> {
        let states = WeightedIndex::new(&self.pmf)
            .map_err(|error| idode::error::Error::value("probabilities", error, "a distribution"))?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let pixels: Vec<u16> = (0..images)
            .map(|_| states.sample(&mut rng) as u16)
            .flat_map(|state| [state / LEVELS as u16, state % LEVELS as u16])
            .collect();
        let evaluate = |replicate, images: usize, draws: usize, tenths: i32| -> Result<Vec<f64>> {
            let tenth = |tolerance: f64| tolerance / 10f64.powi(tenths);
            let tolerances =
                Tolerances { relative: tenth(1e-4), absolute: tenth(1e-4), log_density: tenth(1e-3) };
            let flow = ProbabilityFlow::new(&self.network, &self.diffusion)
                .with_solver(ExplicitRk::new(&tables::DORMAND_PRINCE), Stepping::adaptive(tolerances));
            let evaluator = Evaluator::new(flow).with_seed(seed).with_replicate(replicate);
            let evaluator = evaluator.with_draws(draws, 1)?;
            let found = evaluator.bits_per_dim(&pixels[..2 * images], &self.noise, &mut Silent)?;
            Ok(found.records.iter().map(|record| record.bits_per_dim).collect())
        };
        let own = Replicate::default();
        let values = evaluate(own, images, draws, 0)?;
        let estimated = Estimated { values: &values, draws, solved: true };
        let budget = measure(estimated, design, |again, images| match again {
            Again::Replicate { draw, probe } => evaluate(Replicate { draw, probe }, images, 1, 0),
            Again::Finer(tenths) => evaluate(own, images, draws, tenths as i32),
        })?;
        Ok((values.iter().sum::<f64>() / images as f64, budget))
    }

    /// Of how many repetitions the truth is within two totals of the estimate.
    ///
    /// # Errors
    /// As [`budget`](Self::budget).
    pub(crate) fn covered(&self, repetitions: u64, images: usize, design: Design) -> Result<u64> {
        let truth = self.truth().mean;
        let mut covered = 0;
        for seed in 0..repetitions {
            let (mean, budget) = self.budget(seed, images, 1, design)?;
            let total = budget.total.unwrap_or(f64::NAN);
            covered += u64::from((mean - truth).abs() <= 2.0 * total);
        }
        Ok(covered)
    }
}

fn main() -> Result<()> {
    let world = World::new()?;
    let truth = world.truth();
    println!("exact: {:.4} bits/dim; standard deviations of a single value: {truth:.4?}\n", truth.mean);
    println!("images  draws  part            exact     found     ratio");
    for (images, draws) in [(1000, 1), (1000, 4)] {
        let (mean, budget) = world.budget(1, images, draws, Design::default())?;
        let (n, m) = (images as f64, draws as f64);
        let parts = [
            ("data", truth.data / n.sqrt(), budget.data),
            ("dequantization", truth.dequantization / (n * m).sqrt(), budget.dequantization),
            ("probe", truth.probe / (n * m).sqrt(), budget.probe),
        ];
        for (name, exact, found) in parts {
            let found = found.unwrap_or(f64::NAN);
            println!("{images:6}  {draws:5}  {name:<14}  {exact:.5}   {found:.5}   {:.3}", found / exact);
        }
        let [solver, total] = [budget.solver, budget.total].map(|part| part.unwrap_or(f64::NAN));
        println!(
            "{images:6}  {draws:5}  solver {solver:+.6}, total {total:.5}, estimate {:+.5} from the truth",
            mean - truth.mean
        );
    }
    let design = Design { images: 32, draws: 4, probes: 4 };
    let covered = world.covered(200, 128, design)?;
    println!("\nwithin two totals of the truth: {covered} of 200 repetitions of 128 images");
    Ok(())
}
