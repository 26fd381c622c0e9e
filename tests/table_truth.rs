//! A model of a table against the exact density: its nats a row may not lie below the entropy, and come near it.

use idode::analytic::MixtureTable;
use idode::commands::{Destination, Trained, train};
use idode::config::{self, Data, Mlp, Recipe, Stage};
use idode::data::table::{Table, write_csv};
use idode::error::Result;
use idode::model::Model;
use idode::progress::Silent;
use idode::registry::Registry;
use std::path::Path;

const ROWS: usize = 6000;

/// A recipe for the table at `path`, small enough for a test.
fn recipe(path: &Path, conditions: &[&str], steps: u64) -> Recipe {
    let mut table = config::Table::new(path);
    table.condition = conditions.iter().map(|name| (*name).into()).collect();
    let mut recipe = Recipe::new(Data::Table(table), Mlp { width: 64, depth: 2, fourier: None });
    let decay = config::Decay::Cosine(config::Cosine::default());
    recipe.stage = vec![Stage {
        steps,
        batch: 256,
        learning_rate: 4e-3,
        warmup: 50,
        decay,
        ema: 0.99,
        ..Stage::default()
    }];
    recipe.evaluation.batch = 300;
    recipe.evaluation.images = Some(600);
    recipe.evaluation.vlb_levels = 8;
    recipe.sample.count = 10;
    recipe
}

/// Trains on draws of `truth` and compares each held-out row with its exact density: the mean excess in nats a row, and its standard error.
fn excess(truth: &MixtureTable, columns: &[&str], conditions: &[&str], steps: u64) -> Result<(f64, f64)> {
    let folder = tempfile::tempdir().expect("a folder");
    let (d, c) = (columns.len(), conditions.len());
    let draws = truth.draw(ROWS, 1);
    let names: Vec<String> = columns.iter().chain(conditions).map(|name| (*name).to_owned()).collect();
    let row = |i: usize| {
        let own = draws.rows[i * d..(i + 1) * d].iter();
        own.chain(&draws.conditions[i * c..(i + 1) * c]).copied().collect::<Vec<f64>>()
    };
    let path = folder.path().join("t.csv");
    write_csv(&path, &names, &(0..ROWS).flat_map(row).collect::<Vec<_>>())?;
    let recipe = idode::commands::resolved(&recipe(&path, conditions, steps), &Registry::default())?;
    let root = folder.path().join("run");
    let trained = train(&recipe, &Registry::default(), &Destination::New(root.clone()), &mut Silent)?;
    assert!(matches!(trained, Trained::Finished(_)));
    // Fresh rows, with their exact density beside them.
    let test = truth.draw(600, 2);
    let rows = Table::new(names[..d].to_vec(), test.rows.clone())?
        .with_conditions(names[d..].to_vec(), test.conditions.clone())?;
    let found = Model::load(&root)?.density(&rows, &mut Silent)?;
    let differences = found.records.iter().enumerate().map(|(i, record)| {
        let exact =
            truth.log_density(&test.rows[i * d..(i + 1) * d], &test.conditions[i * c..(i + 1) * c])?;
        Ok(record.nats_per_row.unwrap_or(f64::NAN) + exact)
    });
    let differences = differences.collect::<Result<Vec<f64>>>()?;
    let n = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / n;
    let squares: f64 = differences.iter().map(|x| (x - mean).powi(2)).sum();
    Ok((mean, (squares / (n - 1.0) / n).sqrt()))
}

#[test]
fn five_columns_in_units_of_their_own() -> Result<()> {
    let (mean, error) = excess(&MixtureTable::five_columns()?, &["a", "b", "c", "d", "e"], &[], 700)?;
    println!("excess over the entropy {mean:+.4} +- {error:.4} nats a row");
    assert!(mean > -3.0 * error && mean < 0.3, "{mean} +- {error}");
    Ok(())
}

#[test]
fn a_mixture_that_moves_with_its_condition() -> Result<()> {
    let truth = MixtureTable::two_columns_given_one()?;
    let (mean, error) = excess(&truth, &["u", "v"], &["y"], 500)?;
    println!("excess over the conditional entropy {mean:+.4} +- {error:.4} nats a row");
    // The condition tells 0.25 nats and more: without it the excess would be larger than this.
    assert!(mean > -3.0 * error && mean < 0.15, "{mean} +- {error}");
    Ok(())
}
