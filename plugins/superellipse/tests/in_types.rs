//! A run said in TOML, by this plugin's name, and in types: the same bytes, and the folder of the second is one of the first.

use idode::config::{Data, Decay, Evaluation, Fixed, Log, Mlp, Named, Recipe, Sample, Stage, Stepping};
use idode::diffusion::Diffusion;
use idode::divergence::Exact;
use idode::experiment::{Destination, Experiment, Trained};
use idode::level::GammaRange;
use idode::objective::{FirstOrder, SecondOrderTrace};
use idode::parameterization::Velocity;
use idode::progress::Silent;
use idode::registry::Registry;
use idode::result::Outcome;
use idode::time::{Importance, Stratified};
use idode_superellipse::{Superellipse, register};
use std::path::Path;

const RECIPE: &str = "
    seed = 5
    data = 'two_pixel'
    schedule = { name = 'superellipse', q = 1.25 }
    network = { name = 'mlp', width = 32, depth = 1 }
    [[stage]]
    steps = 6
    batch = 16
    accumulation = 2
    learning_rate = 1e-3
    decay = 'cosine'
    [[stage]]
    objective = 'second_order'
    steps = 4
    batch = 8
    clip = { quantile = 0.6, window = 2 }
    [log]
    every = 2
    checkpoint_every = 3
    [evaluation]
    images = 4
    stage_images = 3
    vlb_levels = 2
    importance_samples = 3
    divergence = 'exact'
    dequantizers = ['uniform']
    stepping = { name = 'fixed', steps = 3 }
    [sample]
    count = 2
    stepping = { name = 'fixed', steps = 3 }";

fn registry() -> Registry {
    let mut registry = Registry::default();
    register(&mut registry);
    registry
}

fn in_types() -> idode::error::Result<Experiment> {
    let range = GammaRange::for_levels(256);
    let diffusion = Diffusion::new(Superellipse { q: idode::positive!(1.25) }, Velocity, range);
    let times = Stratified(Importance::for_weight(range, diffusion.weight_density())?);
    let stepping = Stepping::Fixed(Fixed { steps: 3 });
    let first = Stage {
        steps: 6,
        batch: 16,
        accumulation: 2,
        learning_rate: 1e-3,
        decay: Decay::Cosine(Default::default()),
        ..Stage::default()
    };
    let clip = Some(idode::config::Clip::Quantile(idode::config::Quantile { quantile: 0.6, window: 2 }));
    let run = Experiment::new(Data::TwoPixel, diffusion, Mlp { width: 32, depth: 1, ..Mlp::default() })
        .registry(registry())
        .seed(5)
        .times(times)
        .stage(FirstOrder, first)
        .stage(
            FirstOrder + 0.1 * SecondOrderTrace::default(),
            Stage { steps: 4, batch: 8, clip, ..Stage::default() },
        )
        .log(Log { every: 2, checkpoint_every: 3, ..Log::default() })
        .evaluation(Evaluation {
            images: Some(4),
            stage_images: 3,
            vlb_levels: 2,
            importance_samples: 3,
            dequantizers: vec![Named::new("uniform")],
            stepping: stepping.clone(),
            ..Evaluation::default()
        })
        .divergence(Exact)
        .samples(Sample { count: 2, stepping, ..Sample::default() });
    Ok(run)
}

/// A result without the seconds that it took.
fn result(run: &Path) -> Outcome {
    let mut outcome = Outcome::read(&run.join("result.json")).expect("a result");
    outcome.estimates.iter_mut().for_each(|estimate| estimate.seconds = 0.0);
    outcome
}

#[test]
fn toml_and_types_write_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (by_name, by_type) = (folder.path().join("toml"), folder.path().join("types"));
    let recipe = Recipe::parse("r.toml", RECIPE).expect("a recipe");
    let trained = idode::commands::train(&recipe, &registry(), &Destination::at(&by_name), &mut Silent);
    assert!(matches!(trained, Ok(Trained::Finished(_))), "{trained:?}");

    let unnamed = in_types().expect("parts");
    let name = Named::new("superellipse").with("q", 1.25);
    let run = unnamed.clone().called(name, Named::new("velocity")).expect("its name");
    let trained = run.train(&Destination::at(&by_type), &mut Silent);
    assert!(matches!(trained, Ok(Trained::Finished(_))), "{trained:?}");
    for file in ["checkpoints/last.safetensors", "records.json", "stages.json", "samples.png", "recipe.toml"]
    {
        let read = |run: &Path| std::fs::read(run.join(file)).expect("a file");
        assert!(read(&by_name) == read(&by_type), "{file}");
    }
    assert_eq!(result(&by_name), result(&by_type));

    // Another exponent is another schedule, which this name is not.
    let other = Named::new("superellipse").with("q", 1.5);
    let refused = unnamed.clone().called(other, Named::new("velocity")).expect_err("another curve");
    assert!(refused.to_string().contains("names of the diffusion that the run has"), "{refused}");

    // Without its settings the curve has no name: the folder says so, and so does who opens it.
    let bare = folder.path().join("bare");
    unnamed.train(&Destination::at(&bare), &mut Silent).expect("a run");
    let read = |run: &Path, file: &str| std::fs::read(run.join(file)).expect("a file");
    assert!(read(&bare, "checkpoints/last.safetensors") == read(&by_type, "checkpoints/last.safetensors"));
    let text = String::from_utf8(read(&bare, "recipe.toml")).expect("text");
    let first = text.lines().next().expect("a line");
    assert_eq!(
        first,
        "# Of a program; no registry has a name for: schedule (idode_superellipse::Superellipse)"
    );
    let opened = idode::model::Model::load(&bare).expect_err("no such name");
    let said = opened.to_string();
    assert!(said.contains("the noise schedule \"idode_superellipse::Superellipse\" of a program"), "{said}");
}
