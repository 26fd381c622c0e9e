use super::*;
use crate::communicator::{Ranks, Threads};
use crate::diffusion::Diffusion;
use crate::error::{Error, NonFinite, Result};
use crate::level::{Gamma, GammaRange};
use crate::nn::{MlpConfig, Parameters, StaticMlp};
use crate::objective::{FirstOrder, Objective, Passes, RowLosses, SecondOrderTrace};
use crate::parameterization::Velocity;
use crate::schedule::VariancePreserving;
use crate::time::{TimeSampler, Uniform};
use dfdx::prelude::*;
use rand::SeedableRng;
use std::path::Path;
use std::time::Duration;

type Net = StaticMlp<2, 32, f32, Cpu>;
type Small<O> = Trainer<Net, O, VariancePreserving, Velocity, Uniform, f32, Cpu>;

const X: [f64; 6] = [0.1, -0.4, 0.9, 0.3, -0.7, 0.0];

fn trainer<O: Objective<f32, Cpu, Net>>(objective: O, peak: f64) -> Small<O> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let network = Net::new(&MlpConfig::default(), &Cpu::default(), &mut rng).unwrap();
    let range = GammaRange::for_levels(256);
    let settings = TrainerConfig {
        seed: 3,
        accumulation: 1,
        rate: Rate { peak, warmup: 0, decay: RateDecay::Constant, steps: 100 },
        optimizer: AdamWConfig {
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
    let state = CheckpointState { optimizer_step: trainer.optimizer.steps(), ..CheckpointState::default() };
    encode(&trainer.network, &trainer.optimizer, &state).unwrap()
}

/// Every parameter and moment, finite or not, as bits.
fn bits<O>(trainer: &Small<O>) -> Vec<u32> {
    let mut found = Vec::new();
    trainer.network.clone().parameters("", &mut |_, _, parameter| {
        found.extend(parameter.numbers().into_iter().map(f32::to_bits));
    });
    for (_, moments) in trainer.optimizer.moments() {
        for part in [&moments.ema, &moments.first, &moments.second] {
            found.extend(part.as_vec().into_iter().map(f32::to_bits));
        }
    }
    found
}

/// What is not finite at which step, if a level of the range is named and nothing was changed.
#[track_caller]
fn refused<O: Objective<f32, Cpu, Net>>(trainer: &mut Small<O>, step: u64) -> (u64, String) {
    let before = bits(trainer);
    match trainer.step(step, step, &X) {
        Err(Error::NonFinite(NonFinite { step, what, gamma, .. })) => {
            assert!(trainer.diffusion.range().contains(Gamma(gamma)), "{gamma}");
            assert!(bits(trainer) == before, "something was changed");
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

/// A checkpoint of a network that has taken a step.
fn written() -> Vec<u8> {
    let mut trainer = trainer(FirstOrder, 1e-3);
    trainer.step(1, 1, &X).unwrap();
    bytes(&trainer)
}

#[test]
fn every_flipped_bit_of_a_checkpoint_is_found() {
    let path = std::path::Path::new("c.safetensors");
    let whole = written();
    let parsed = Checkpoint::parse(path, &whole).unwrap();
    assert_eq!(parsed.state().optimizer_step, 1);
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    // Every bit of the first numbers, and a bit of every 997th byte beyond.
    let bits =
        (8 * header..8 * header + 96).chain((header..whole.len()).step_by(997).map(|at| 8 * at + at % 8));
    let mut corrupt = whole.clone();
    for bit in bits {
        corrupt[bit / 8] ^= 1 << (bit % 8);
        let line = Checkpoint::parse(path, &corrupt).unwrap_err().to_string();
        assert!(line.starts_with("c.safetensors: sha256 of the checkpoint: found "), "{line}");
        corrupt[bit / 8] ^= 1 << (bit % 8);
    }
    // In the header a flip may also make another file of it, or change what nobody reads (a space, an escape).
    for bit in (0..8 * header).step_by(31) {
        corrupt[bit / 8] ^= 1 << (bit % 8);
        if let Ok(read) = Checkpoint::parse(path, &corrupt) {
            assert_eq!(read.state(), parsed.state(), "bit {bit}");
        }
        corrupt[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(corrupt == whole);
}

#[test]
fn what_is_not_finite_is_never_written_nor_read() {
    let mut trainer = trainer(FirstOrder, 1e-3);
    trainer.network.parameters("", &mut |name, _, parameter| {
        if name == "output/bias" {
            parameter.replace(vec![0.0, f32::INFINITY]);
        }
    });
    let state = CheckpointState { step: 9, ..CheckpointState::default() };
    let line = encode(&trainer.network, &trainer.optimizer, &state).unwrap_err().to_string();
    assert_eq!(
        line,
        "step 9: parameters/output/bias is not finite: no checkpoint of it is written, the one before is kept"
    );

    // One that has it all the same, as another program may write it: the last number is replaced, then the hash that tells of it.
    let (path, mut written) = (Path::new("c"), bytes(&self::trainer(FirstOrder, 1e-3)));
    let at = written.len() - 4;
    written[at..].copy_from_slice(&f32::NAN.to_le_bytes());
    let line = Checkpoint::parse(path, &written).unwrap_err().to_string();
    let hashes: Vec<&[u8]> = line
        .split(|c: char| !c.is_ascii_hexdigit())
        .filter(|word| word.len() == 64)
        .map(str::as_bytes)
        .collect();
    let place = written.windows(64).position(|window| window == hashes[1]).unwrap();
    written[place..place + 64].copy_from_slice(hashes[0]);
    let (mut network, checkpoint) = (trainer.network, Checkpoint::parse(path, &written).unwrap());
    let loaded = ["parameters", "ema"]
        .map(|part| checkpoint.load(part, &mut network).map_err(|error| error.to_string()));
    let optimizer = checkpoint.optimizer(&network).map_err(|error| error.to_string());
    let lines: Vec<String> =
        loaded.into_iter().chain([optimizer.map(drop)]).filter_map(Result::err).collect();
    assert!(!lines.is_empty());
    assert!(
        lines.iter().all(|line| line.contains(": found NaN") && line.ends_with("expected finite numbers")),
        "{lines:?}"
    );
}

#[test]
fn a_running_quantile_clips_what_stands_out() {
    let steps = |clip: Option<QuantileClip>| {
        let mut trainer = trainer(FirstOrder, 1e-2);
        trainer.quantile_clip = clip;
        (1..=6).for_each(|step| drop(trainer.step(step, step, &X).unwrap()));
        (bytes(&trainer), trainer.quantile_clip.map(|clip| clip.norms().len()))
    };
    let (plain, _) = steps(None);
    // A quantile that no norm exceeds changes nothing; the smallest of the norms clips all others.
    assert!(steps(Some(QuantileClip::new(0.99, 100, &[]))) == (plain.clone(), Some(6)));
    let (clipped, kept) = steps(Some(QuantileClip::new(0.01, 4, &[])));
    assert!(clipped != plain && kept == Some(4));
}

#[test]
fn what_a_checkpoint_says_of_itself_is_printed_without_its_escapes() {
    let trainer = trainer(FirstOrder, 1e-3);
    let state = CheckpointState { network: "\u{1b}[2Jmlp\r\u{7}".to_owned(), ..CheckpointState::default() };
    let bytes = encode(&trainer.network, &trainer.optimizer, &state).unwrap();
    let checkpoint = Checkpoint::parse(std::path::Path::new("c"), &bytes).unwrap();
    let line = checkpoint.check_network("mlp").unwrap_err().to_string();
    assert_eq!(line, r"c: network: found \u{1b}[2Jmlp\r\u{7}, expected mlp");
}

/// Three steps of 8 accumulation steps of 2 rows, dealt to `size` ranks: what each has then, and what it reports.
fn dealt(size: usize) -> Vec<(Vec<u8>, StepReport)> {
    let x: Vec<f64> = (0..32).map(|i| (f64::from(i) * 0.7).sin()).collect();
    let one = |link: Threads| {
        let objective = FirstOrder + 0.1 * SecondOrderTrace::default();
        let mut trainer = trainer(objective, 1e-3);
        trainer.settings.accumulation = 8;
        let mut trainer = trainer.with_ranks(Ranks::new(link, Duration::from_secs(60))).unwrap();
        let reports = [1, 2, 3].map(|step| trainer.step(step, step, &x).unwrap());
        (bytes(&trainer), reports[2].clone())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            Threads::new(size).into_iter().map(|link| scope.spawn(move || one(link))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn no_number_of_ranks_changes_a_bit() {
    let alone = dealt(1).remove(0);
    assert!(alone.1.terms.iter().any(|term| term.order == 2));
    for size in [2, 4, 8] {
        dealt(size).into_iter().for_each(|own| assert!(own == alone, "{size} ranks"));
    }
}

#[test]
fn what_cannot_be_dealt_is_refused() {
    let deal = |parts, size| {
        let mut trainer = trainer(FirstOrder, 1e-3);
        trainer.settings.accumulation = parts;
        let link = Threads::new(size).remove(0);
        trainer
            .with_ranks(Ranks::new(link, Duration::from_secs(1)))
            .map(drop)
            .map_err(|error| error.to_string())
    };
    let line = "accumulation = 6: expected 2 ranks times a power of two: 2, 4, 8, ...";
    assert_eq!(deal(6, 2), Err(line.to_owned()));
    assert!(deal(3, 2).is_err());
    assert_eq!([deal(6, 3), deal(3, 3), deal(3, 1), deal(16, 2)], [Ok(()), Ok(()), Ok(()), Ok(())]);
}
