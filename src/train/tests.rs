use super::*;
use crate::data::Position;
use crate::diffusion::Diffusion;
use crate::error::{Error, Result};
use crate::level::{Gamma, GammaRange};
use crate::nn::{MlpConfig, Parameters, StaticMlp};
use crate::objective::{FirstOrder, Objective, Passes, RowLosses};
use crate::parameterization::Velocity;
use crate::schedule::VariancePreserving;
use crate::time::{TimeSampler, Uniform};
use dfdx::prelude::*;
use rand::SeedableRng;

type Net = StaticMlp<2, 32, f32, Cpu>;
type Small<O> = Trainer<Net, O, VariancePreserving, Velocity, Uniform, f32, Cpu>;

const X: [f64; 6] = [0.1, -0.4, 0.9, 0.3, -0.7, 0.0];

fn trainer<O: Objective<f32, Cpu, Net>>(objective: O, peak: f64) -> Small<O> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let network = Net::new(&MlpConfig::default(), &Cpu::default(), &mut rng).unwrap();
    let range = GammaRange::for_levels(256);
    let settings = TrainerSettings {
        seed: 3,
        accumulation: 1,
        rate: Rate { peak, warmup: 0, decay: RateDecay::Constant, steps: 100 },
        optimizer: AdamWSettings {
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            weight_decay: 0.01,
            ema: 0.99,
            clip: None,
        },
    };
    let diffusion = Diffusion::new(VariancePreserving, Velocity, range);
    Trainer::new(network, objective, diffusion, Uniform::new(range), settings)
}

/// Every parameter, average and moment.
fn bytes<O>(trainer: &Small<O>) -> Vec<u8> {
    let state = CheckpointState {
        network: String::new(),
        step: 0,
        stage: 0,
        stage_step: 0,
        optimizer_step: trainer.optimizer.steps(),
        seed: 0,
        position: Position::default(),
        seconds: 0.0,
        time_sampler: None,
        dequantizers: Default::default(),
        schema: None,
    };
    encode(&trainer.network, &trainer.optimizer, &state).unwrap()
}

/// What is not finite at which step, if a level of the range is named and nothing was changed.
#[track_caller]
fn refused<O: Objective<f32, Cpu, Net>>(trainer: &mut Small<O>, step: u64) -> (u64, String) {
    let before = bytes(trainer);
    match trainer.step(step, step, &X) {
        Err(Error::NonFinite { step, what, gamma }) => {
            assert!(trainer.diffusion.range().contains(Gamma(gamma)), "{gamma}");
            assert!(bytes(trainer) == before, "something was changed");
            (step, what)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_absurd_rate_ends_at_the_next_step() {
    let mut trainer = trainer(FirstOrder, 1e30);
    assert!(trainer.step(1, 1, &X).unwrap().loss.is_finite());
    assert_eq!(refused(&mut trainer, 2), (2, "loss".to_owned()));
}

#[test]
fn a_parameter_that_is_no_number_makes_a_loss_that_is_none() {
    let mut trainer = trainer(FirstOrder, 1e-3);
    trainer.network.parameters("", &mut |name, _, parameter| {
        if name == "output/bias" {
            parameter.replace(vec![f32::NAN, 0.0]);
        }
    });
    assert_eq!(refused(&mut trainer, 7), (7, "loss".to_owned()));
}

#[test]
fn a_gradient_that_is_no_number_names_its_parameter() {
    /// `sqrt((F - z)^2)`: zero before training, where its derivative is `0 / 0`.
    struct Kink;
    impl Objective<f32, Cpu, Net> for Kink {
        type Order = typenum::U1;

        fn terms(&self, passes: &mut Passes<'_, '_, f32, Cpu, Net>) -> Result<RowLosses<f32, Cpu>> {
            let output = passes.output() - passes.problem().input();
            Ok(output.square().sqrt().sum::<(usize,), Axis<1>>())
        }
    }
    let (step, what) = refused(&mut trainer(Kink, 1e-3), 1);
    assert_eq!((step, what.as_str()), (1, "gradient of dense0/kernel"));
}

#[test]
fn a_sampler_that_learns_is_told_each_loss_at_the_density_it_was_drawn_with() {
    /// Uniform draws whose density is said to double with every loss.
    #[derive(Debug)]
    struct Learning(Uniform, Vec<f64>);
    impl TimeSampler for Learning {
        fn range(&self) -> GammaRange {
            self.0.range()
        }
        fn pdf(&self, gamma: Gamma) -> f64 {
            self.0.pdf(gamma) * 2f64.powi(self.1.len() as i32)
        }
        fn quantile(&self, u: f64) -> Gamma {
            self.0.quantile(u)
        }
        fn observe(&mut self, _: Gamma, loss: f64) {
            self.1.push(loss);
        }
    }
    let Trainer { network, objective, diffusion, times, settings, .. } = trainer(FirstOrder, 1e-3);
    let width = times.range().width();
    let mut trainer = Trainer::new(network, objective, diffusion, Learning(times, Vec::new()), settings);
    let loss = trainer.step(1, 1, &X).unwrap().loss;
    let told = &trainer.times.1;
    let mean = told.iter().sum::<f64>() / told.len() as f64;
    assert_eq!(told.len(), 3);
    assert!((mean * width / loss - 1.0).abs() < 1e-12, "{told:?} {loss}");
}
