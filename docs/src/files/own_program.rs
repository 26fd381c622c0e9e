//! A network, an objective and an observer of one program, in a run with checkpoints, a bound and samples.

use dfdx::prelude::{Cpu, WithEmptyTape};
use idode::config::{Evaluation, Stage};
use idode::data::Rows;
use idode::experiment::{Destination, Experiment, Trained};
use idode::nn::{Dense, Init, ModeNetwork, Parameters, Pass, TimeEmbedding, Visit};
use idode::objective::{Passes, RowLosses};
use idode::prelude::*;
use idode::progress::StepMetrics;
use idode::tensor::{Kernels, Mode, Plain, Real, RowCoefficients};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const WIDTH: usize = 64;

/// `F(z, t) = z + out(sin(in(z) + P e(t)))`: one hidden layer of sines.
#[derive(Clone)]
struct Sines<E: Real, D: Kernels<E>> {
    time: TimeEmbedding<E, D>,
    input: Dense<usize, usize, E, D>,
    projection: Dense<usize, usize, E, D>,
    output: Dense<usize, usize, E, D>,
    dims: usize,
    device: D,
}

impl<E: Real, D: Kernels<E>> Sines<E, D> {
    fn new(dims: usize, device: D, rng: &mut ChaCha8Rng) -> Self {
        Self {
            time: TimeEmbedding::new(WIDTH, 0, &device, rng),
            input: Dense::new(dims, WIDTH, Init::Lecun, &device, rng),
            projection: Dense::without_bias(4 * WIDTH, WIDTH, Init::Lecun, &device, rng),
            output: Dense::new(WIDTH, dims, Init::Zeros, &device, rng),
            dims,
            device,
        }
    }
}

impl<E: Real, D: Kernels<E>> ModeNetwork<E, D> for Sines<E, D> {
    type Batch = (usize, usize);

    fn batch(&self, rows: usize) -> (usize, usize) {
        (rows, self.dims)
    }

    fn device(&self) -> &D {
        &self.device
    }

    fn conditions(&self) -> usize {
        self.time.conditions()
    }

    fn apply<M: Mode<E, D>>(&self, z: M::Of<(usize, usize)>, pass: &mut Pass<'_>) -> M::Of<(usize, usize)> {
        let time = self.time.apply::<M::Tape>(pass);
        let shift = self.projection.apply::<Plain<M::Tape>>(time.with_empty_tape());
        let h = M::shift_rows(self.input.apply::<M>(M::share(&z)), shift);
        M::add(z, self.output.apply::<M>(M::sin(M::join(h, time))))
    }
}

impl<E: Real, D: Kernels<E>> Parameters<E, D> for Sines<E, D> {
    fn parameters(&mut self, prefix: &str, visit: &mut Visit<'_, E, D>) {
        self.time.parameters(&format!("{prefix}time"), visit);
        self.input.parameters(&format!("{prefix}input"), visit);
        self.projection.parameters(&format!("{prefix}projection"), visit);
        self.output.parameters(&format!("{prefix}output"), visit);
    }
}

/// The first-order loss times `1 / (1 + e^-(gamma + bias))`: levels below `-bias` count for less.
struct Sigmoid {
    bias: f64,
}

impl<E: Real, D: Kernels<E>, N: Network<E, D>> Objective<E, D, N> for Sigmoid {
    type Order = typenum::U1;

    fn terms(&self, passes: &mut Passes<'_, '_, E, D, N>) -> Result<RowLosses<E, D>> {
        let gammas = passes.problem().rows.iter().map(|row| row.gamma);
        let weights = gammas.map(|gamma| 1.0 / (1.0 + (-gamma - self.bias).exp())).collect();
        Ok(RowCoefficients::new(weights).scale(FirstOrder.terms(passes)?))
    }
}

/// Keeps the bound of every step that is reported, and says each tenth.
#[derive(Default)]
struct Losses(Vec<f64>);

impl Observer for Losses {
    fn step(&mut self, step: &StepMetrics) -> Result<()> {
        self.0.push(step.loss);
        if self.0.len().is_multiple_of(10) {
            println!("step {:4}   loss {:.2}", step.step, step.loss);
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "runs/own".to_owned());
    let pixels = TwoPixel::new();
    let rows = |split, seed, count| pixels.sample(count, seed, split).map(Rows::images);
    let data = (rows(Split::Train, 1, 20_000)?, rows(Split::Test, 2, 200)?);
    let diffusion = Diffusion::new(VariancePreserving, Velocity, GammaRange::for_levels(256));
    let network = Sines::<f32, _>::new(2, Cpu::default(), &mut ChaCha8Rng::seed_from_u64(0));
    let stage = |steps| Stage { steps, batch: 64, learning_rate: 3e-3, ..Stage::default() };
    let run = Experiment::new(data, diffusion, ("sines", network))
        .stage(Sigmoid { bias: 4.0 }, stage(300))
        .stage(FirstOrder, stage(300))
        .evaluation(Evaluation { images: Some(200), ..Evaluation::default() });
    let mut losses = Losses::default();
    if let Trained::Finished(outcome) = run.train(&Destination::at(&folder), &mut losses)? {
        println!("exact entropy         {:.4} bits/dim", pixels.entropy_bits_per_dim());
        for found in &outcome.estimates {
            println!("{:22}{:.4} +- {:.4}", found.name, found.bits_per_dim, found.standard_error);
        }
    }
    Ok(())
}
