//! A run as a value: said in types it writes what it writes in TOML, and a program's own parts go with those of the crate.

use dfdx::prelude::Cpu;
use idode::commands;
use idode::config::{
    Decay, Digits, Evaluation, Fixed, Log, Named, Recipe, Sample, Stage, Stepping, Unet, Validation,
};
use idode::data::Rows;
use idode::error::Error;
use idode::experiment::{Destination, EvaluateOptions, Experiment, Trained};
use idode::likelihood::fixed_terms;
use idode::nn::{DynamicMlp, Pass, Visit};
use idode::objective::{Passes, RowLosses};
use idode::prelude::*;
use idode::progress::StepMetrics;
use idode::registry::Registry;
use idode::result::Outcome;
use idode::run::{Evaluated, MetricsLog, RunFolder};
use idode::tensor::{Kernels, Mode, Real};
use idode::train::CheckpointState;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::path::Path;

const DIGITS: &str = "
    seed = 3
    data.name = 'digits'
    network = { name = 'unet', width = 32, blocks = 1, dropout = 0.1, fading = true }
    [[stage]]
    steps = 4
    batch = 10
    learning_rate = 4e-3
    warmup = 2
    decay = 'cosine'
    ema = 0.995
    [log]
    every = 2
    checkpoint_every = 3
    [validation]
    every = 2
    images = 8
    vlb_levels = 2
    ode_images = 2
    ode_steps = 2
    [evaluation]
    images = 2
    vlb_levels = 2
    importance_samples = 2
    stepping = { name = 'fixed', steps = 2 }
    dequantizers = ['truncated_normal', 'uniform']
    [sample]
    count = 2
    stepping = { name = 'fixed', steps = 2 }";

fn digits() -> Result<Experiment> {
    let diffusion = Diffusion::new(VariancePreserving, Velocity, GammaRange::for_levels(17));
    let range = diffusion.range();
    let stepping = Stepping::Fixed(Fixed { steps: 2 });
    let unet = Unet { width: 32, blocks: 1, dropout: 0.1, fading: true, ..Unet::default() };
    let stage = Stage {
        steps: 4,
        batch: 10,
        learning_rate: 4e-3,
        warmup: 2,
        decay: Decay::Cosine(Default::default()),
        ema: 0.995,
        ..Stage::default()
    };
    let evaluation = Evaluation {
        images: Some(2),
        vlb_levels: 2,
        importance_samples: 2,
        stepping: stepping.clone(),
        dequantizers: Vec::new(),
        ..Evaluation::default()
    };
    let (grid, start) = (PixelGrid::new(17)?, diffusion.level(range.min()));
    let default = diffusion.level(UniformBin::default_gamma(17));
    Ok(Experiment::new(Digits::default(), diffusion, unet)
        .seed(3)
        .times(Stratified(Importance::for_weight(range, diffusion.weight_density())?))
        .stage(FirstOrder, stage)
        .log(Log { every: 2, checkpoint_every: 3, ..Log::default() })
        .validation(Validation {
            every: 2,
            images: 8,
            vlb_levels: 2,
            ode_images: 2,
            ode_steps: 2,
            ..Validation::default()
        })
        .evaluation(evaluation)
        .solver(ExplicitRk::new(&idode::solver::tables::DORMAND_PRINCE))
        .divergence(Hutchinson::default())
        .dequantizer("truncated_normal", TruncatedNormal::new(grid, start))
        .dequantizer("uniform", UniformBin::new(grid, default))
        .samples(Sample { count: 2, stepping, ..Sample::default() }))
}

/// A result without the seconds that it took.
fn result(run: &Path) -> Outcome {
    let mut outcome = Outcome::read(&run.join("result.json")).expect("a result");
    outcome.estimates.iter_mut().for_each(|estimate| estimate.seconds = 0.0);
    outcome
}

fn read(run: &Path, file: &str) -> Vec<u8> {
    std::fs::read(run.join(file)).expect("a file")
}

#[test]
fn toml_and_types_write_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (by_name, by_type) = (folder.path().join("toml"), folder.path().join("types"));
    let recipe = Recipe::parse("r.toml", DIGITS).expect("a recipe");
    let trained = commands::train(&recipe, &Registry::default(), &Destination::at(&by_name), &mut Silent);
    assert!(matches!(trained, Ok(Trained::Finished(_))), "{trained:?}");
    let run = digits().expect("parts");
    let trained = run.train(&Destination::at(&by_type), &mut Silent);
    assert!(matches!(trained, Ok(Trained::Finished(_))), "{trained:?}");
    let checkpoints = ["checkpoints/last.safetensors", "checkpoints/best.safetensors"];
    for file in checkpoints.into_iter().chain(["records.json", "samples.png", "recipe.toml"]) {
        let (name, typed) = (read(&by_name, file), read(&by_type, file));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(name == typed, "{file}: {}\n{}", text(&name[..300.min(name.len())]), text(&typed));
    }
    assert_eq!(result(&by_name), result(&by_type));
    // The value opens the folder of the recipe, and the recipe's names that of the value.
    let model = run.model(&run.folder(&by_name).expect("the same run")).expect("a model");
    assert_eq!(model.step(), 4);
    assert_eq!(Model::load(&by_type).expect("names of the registry").step(), 4);
    let other = run.clone().seed(4).folder(&by_name).expect_err("another seed");
    assert!(other.to_string().contains("seed"), "{other}");

    // So are error budgets and the ladder, which are asked for later.
    let options = EvaluateOptions { budget: true, ..EvaluateOptions::default() };
    let (named, typed) = (RunFolder::open(&by_name).expect("a run"), run.folder(&by_type).expect("the run"));
    let names = <Registry>::default();
    let outcome = commands::evaluate_with(&named, &names, options, &mut Silent).expect("a result");
    assert!(outcome.estimates.iter().all(|estimate| estimate.budget.is_some()), "{outcome:?}");
    run.evaluate_with(&typed, options, &mut Silent).expect("a result");
    assert_eq!(result(&by_name), result(&by_type));
    commands::ladder(&named, &names, &mut Silent).expect("a ladder");
    run.ladder(&typed, &mut Silent).expect("a ladder");
    assert!(read(&by_name, "ladder.json") == read(&by_type, "ladder.json"));

    // Where an evaluation names another divergence, the program's own gives way.
    let exact = Some(idode::config::Divergence::Exact);
    let exact = Evaluation { divergence: exact, ..model.recipe().evaluation.clone() };
    let density = |model: &Model| model.log_prob(&[0.25; 64]).expect("a density");
    let by_name = Model::load(&by_name).expect("built-in names");
    assert_eq!(density(&model), density(&by_name));
    assert_eq!(
        density(&model.clone().with_evaluation(exact.clone())),
        density(&by_name.clone().with_evaluation(exact.clone()))
    );
    assert_ne!(density(&model.clone().with_evaluation(exact)), density(&model));
}

/// `F(z, t) = 1/2 MLP(z, t)`, whatever the mode.
#[derive(Clone)]
struct Half<E: Real, D: Kernels<E>>(DynamicMlp<E, D>);

impl<E: Real, D: Kernels<E>> ModeNetwork<E, D> for Half<E, D> {
    type Batch = (usize, usize);
    fn batch(&self, rows: usize) -> (usize, usize) {
        ModeNetwork::batch(&self.0, rows)
    }
    fn device(&self) -> &D {
        ModeNetwork::device(&self.0)
    }
    fn conditions(&self) -> usize {
        ModeNetwork::conditions(&self.0)
    }
    fn apply<M: Mode<E, D>>(&self, z: M::Of<(usize, usize)>, pass: &mut Pass<'_>) -> M::Of<(usize, usize)> {
        M::scale(self.0.apply::<M>(z, pass), 0.5)
    }
}

impl<E: Real, D: Kernels<E>> Parameters<E, D> for Half<E, D> {
    fn parameters(&mut self, prefix: &str, visit: &mut Visit<'_, E, D>) {
        self.0.parameters(prefix, visit);
    }
}

/// Twice the first order.
struct Twice;

impl<E: Real, D: Kernels<E>, N: Network<E, D>> Objective<E, D, N> for Twice {
    type Order = typenum::U1;
    fn terms(&self, passes: &mut Passes<'_, '_, E, D, N>) -> Result<RowLosses<E, D>> {
        (2.0 * FirstOrder).terms(passes)
    }
}

/// Writes down what happens, and asks to stop after a step.
struct Diary<'a>(&'a mut Vec<String>, u64, bool);

impl Observer for Diary<'_> {
    fn step(&mut self, step: &StepMetrics) -> Result<()> {
        self.0.push(format!("step {}", step.step));
        self.2 = step.step == self.1;
        Ok(())
    }
    fn checkpoint(&mut self, step: u64) -> Result<()> {
        self.0.push(format!("checkpoint {step}"));
        Ok(())
    }
    fn evaluation(&mut self, found: Evaluated<'_>) -> Result<()> {
        self.0.push(match found {
            Evaluated::Stage(record) => format!("stage {}: {}", record.stage, record.objective),
            Evaluated::Run(outcome) => format!("run: {}", outcome.step),
        });
        Ok(())
    }
    fn stop(&self) -> Option<String> {
        self.2.then(|| "enough".to_owned())
    }
}

/// Own rows, network, objective and observer in one program.
fn own() -> Result<Experiment> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let config = MlpConfig { blocks: 1, ..MlpConfig::default() };
    let network = Half(DynamicMlp::<f32, Cpu>::sized(64, 32, &config, &Cpu::default(), &mut rng)?);
    let stepping = Stepping::Fixed(Fixed { steps: 2 });
    let evaluation = Evaluation {
        images: Some(2),
        stage_images: 2,
        vlb_levels: 2,
        stepping: stepping.clone(),
        dequantizers: vec![Named::new("uniform")],
        ..Evaluation::default()
    };
    let rows = |split| digits::load(split).map(|set| Rows::images(set.truncated(40)));
    let diffusion = Diffusion::new(StraightPath, Noise, GammaRange::for_levels(17));
    let stage = Stage { steps: 2, batch: 4, ..Stage::default() };
    Ok(Experiment::new((rows(Split::Train)?, rows(Split::Test)?), diffusion, ("half an MLP", network))
        .stage(Twice, stage.clone())
        .stage(FirstOrder, stage)
        .evaluation(evaluation)
        .samples(Sample { count: 2, stepping, ..Sample::default() }))
}

#[test]
fn own_observer_objective_network_and_rows_in_one_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let (whole, stopped) = (folder.path().join("whole"), folder.path().join("stopped"));
    let run = own().expect("parts");
    let (mut diary, mut other) = (Vec::new(), Vec::new());
    let mut both = Observers::new().and(Diary(&mut diary, 0, false)).and(Diary(&mut other, 0, false));
    let trained = run.train(&Destination::at(&whole), &mut both);
    assert!(matches!(trained, Ok(Trained::Finished(_))), "{trained:?}");
    drop(both);
    let twice = std::any::type_name::<Twice>();
    let expected = format!(
        "step 1, step 2, checkpoint 2, stage 0: {twice}, step 3, step 4, checkpoint 4, stage 1: first_order, run: 4"
    );
    assert_eq!(diary.join(", "), expected);
    assert_eq!(other, diary);

    let ended = run.train(&Destination::at(&stopped), &mut Diary(&mut Vec::new(), 1, false));
    assert_eq!(ended.expect("a run"), Trained::Interrupted { step: 1 });
    run.train(&Destination::at(&stopped), &mut Silent).expect("the rest");
    for file in ["checkpoints/last.safetensors", "records.json", "samples.png"] {
        assert!(read(&whole, file) == read(&stopped, file), "{file}");
    }
    // The first stage minimised twice what it reports as first order.
    let metrics = MetricsLog::read(&whole.join("metrics.jsonl")).expect("metrics");
    assert_eq!(metrics.iter().map(|metrics| metrics.step).collect::<Vec<_>>(), [2, 4]);

    // What has no name is named by the folder, and by who opens it.
    let text = String::from_utf8(read(&whole, "recipe.toml")).expect("text");
    let first = text.lines().next().expect("a line");
    let said = format!(
        "# Of a program; no registry has a name for: data (digits), network (half an MLP), stage[0].objective ({twice})"
    );
    assert_eq!(first, said);
    let refused = Model::load(&whole).expect_err("a network without a name").to_string();
    assert!(refused.contains("the network \"half an MLP\" of a program"), "{refused}");
    let model = run.model(&run.folder(&whole).expect("the same run")).expect("a model");
    assert_eq!(model.step(), 4);
}

#[test]
fn a_loop_of_ones_own_is_saved_and_resumed_in_one_value() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("own.safetensors");
    let rows = Rows::images(digits::load(Split::Train).expect("digits"));
    let trainer = || -> Result<_> {
        let diffusion = Diffusion::new(VariancePreserving, Velocity, GammaRange::for_levels(17));
        let times = Stratified(Importance::for_weight(diffusion.range(), diffusion.weight_density())?);
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let network = StaticMlp::<64, 32, f32, Cpu>::new(&MlpConfig::default(), &Cpu::default(), &mut rng)?;
        let rate = Rate { peak: 1e-3, warmup: 0, decay: RateDecay::Constant, steps: 5 };
        let settings = TrainerConfig { seed: 2, accumulation: 1, rate, optimizer: AdamWConfig::default() };
        Ok(Trainer::new(network, FirstOrder, diffusion, times, settings))
    };
    let steps = |stops: &[u64]| -> Result<Vec<u8>> {
        let mut state = CheckpointState::new("mine", 2, &rows)?;
        let mut own = trainer()?;
        for (index, &stop) in stops.iter().enumerate() {
            if index > 0 {
                own = trainer()?;
                state = own.resume(&path)?;
            }
            for batch in rows.batches(state.position, 8)?.take((stop - state.step) as usize) {
                let report = own.take(&mut state, &batch?)?;
                assert!(report.first_order.is_finite());
            }
            own.save(&path, &mut state)?;
        }
        std::fs::read(&path).map_err(Error::io(&path, "read"))
    };
    let whole = steps(&[5]).expect("a checkpoint");
    assert!(whole == steps(&[2, 3, 5]).expect("a checkpoint"));
    assert!(whole != steps(&[4]).expect("a checkpoint"));

    // The bound's fixed terms: with those of a step's rows it is what metrics say.
    let diffusion = trainer().expect("a trainer").diffusion;
    let fixed = fixed_terms(&diffusion, &rows, 0).expect("rows");
    assert!(fixed > 0.0 && fixed < 1.0, "{fixed}");
}
