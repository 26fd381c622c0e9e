//! Noise that is trained with the model, by recipe.

use idode::commands::{Destination, train};
use idode::config::{Named, Recipe};
use idode::dequantization::Dequantizer;
use idode::error::Result;
use idode::model::Model;
use idode::progress::Silent;
use idode::registry::Registry;
use idode::run::RunFolder;
use rand::SeedableRng;

fn registry() -> Registry {
    let mut registry = Registry::default();
    idode_learned::register(&mut registry);
    registry
}

/// The recipe, made small, with these settings of the noise.
fn recipe(noise: Named) -> Recipe {
    let mut recipe = Recipe::parse("r.toml", include_str!("../recipes/together.toml")).expect("the recipe");
    (recipe.stage[0].steps, recipe.stage[0].batch, recipe.stage[0].warmup) = (40, 32, 4);
    (recipe.evaluation.images, recipe.sample.count) = (Some(4), 4);
    recipe.evaluation.dequantizers[1] = noise;
    recipe
}

/// Draws of one image by the dequantizers of a run.
fn draws(run: &RunFolder) -> Vec<Vec<f64>> {
    let model = Model::of(run, registry()).expect("a run");
    let draw = |noise: &dyn Dequantizer| {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
        (0..20).flat_map(|_| noise.draw(&[3, 200], &mut rng).z).collect()
    };
    model.dequantizers().expect("dequantizers").iter().map(|(_, noise)| draw(&**noise)).collect()
}

#[test]
fn what_was_learned_is_in_the_checkpoint_and_is_what_is_measured() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |name: &str, rate: f64| -> Result<RunFolder> {
        let noise = Named::new("learned").with("gamma", -11).with("rate", rate);
        let destination = Destination::New(folder.path().join(name));
        train(&recipe(noise), &registry(), &destination, &mut Silent)?;
        RunFolder::open(&folder.path().join(name))
    };
    let (quick, slow) = (run("quick", 1.0)?, run("slow", 1e-12)?);
    let [quick, slow] = [draws(&quick), draws(&slow)];
    let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    // The first is the truncated normal, which nothing changes; one that hardly learns is as it began.
    assert_eq!(quick[0], slow[0]);
    assert!(distance(&slow[1], &slow[0]) > 0.0 && distance(&quick[1], &slow[1]) > 1e-6, "{quick:?}");
    Ok(())
}

#[test]
fn settings_that_do_not_fit_are_named() {
    let line = |noise: Named| registry().check(&recipe(noise)).expect_err("refused").to_string();
    let noise = || Named::new("learned");
    let both = noise().with("parameters", "noise.safetensors").with("gamma", -11);
    for (noise, expected) in [
        (both, "evaluation.dequantizers[1].gamma: found -11, expected none beside parameters"),
        (noise().with("rate", 0.0), "evaluation.dequantizers[1].rate: found 0, expected a positive number"),
        (noise().with("ema", 1.0), "evaluation.dequantizers[1].ema: found 1, expected 0 or more, below 1"),
        (
            noise().with("gamma", 9.0),
            "evaluation.dequantizers[1].gamma: found 9, expected a level of the range",
        ),
        (
            noise().with("gama", 9.0),
            "evaluation.dequantizers[1].gama: found an unknown key, expected \"gamma\"",
        ),
    ] {
        let found = line(noise);
        assert!(found.contains(expected) && found.lines().count() == 1, "{found}");
    }
}
