//! A model of a table cannot beat the entropy of its rows: train on mixtures whose density is known exactly, in units of their own.
//!
//! ```text
//! cargo run --release --example 05_table
//! ```
//!
//! Prints, for five columns and for two that move with a condition, the nats a row of the ODE's exact log-density, those of the exact density on
//! the same rows, and the difference row by row.

use idode::analytic::MixtureTable;
use idode::commands::{Destination, resolved, train};
use idode::config::{self, Data, Mlp, Recipe, Stage};
use idode::data::table::{Table, write_csv};
use idode::error::{Error, Result};
use idode::model::Model;
use idode::progress::Silent;
use idode::registry::Registry;
use std::path::Path;
use std::time::Instant;

const ROWS: usize = 50_000;
const TEST_ROWS: usize = 4000;
const STEPS: u64 = 6000;

fn main() -> Result<()> {
    let folder = tempfile::tempdir().map_err(Error::io("a temporary folder", "create"))?;
    measure(folder.path(), "five columns", &MixtureTable::five_columns()?, &["a", "b", "c", "d", "e"], &[])?;
    let given = MixtureTable::two_columns_given_one()?;
    measure(folder.path(), "two columns given one", &given, &["u", "v"], &["y"])
}

fn measure(
    folder: &Path,
    title: &str,
    truth: &MixtureTable,
    columns: &[&str],
    conditions: &[&str],
) -> Result<()> {
    let started = Instant::now();
    let (d, c) = (columns.len(), conditions.len());
    let draws = truth.draw(ROWS, 1);
    let names: Vec<String> = columns.iter().chain(conditions).map(|name| (*name).to_owned()).collect();
    let mut values = Vec::with_capacity(ROWS * (d + c));
    for i in 0..ROWS {
        values.extend_from_slice(&draws.rows[i * d..(i + 1) * d]);
        values.extend_from_slice(&draws.conditions[i * c..(i + 1) * c]);
    }
    let path = folder.join(format!("{d}.csv"));
    write_csv(&path, &names, &values)?;

    let mut table = config::Table::new(&path);
    table.condition = conditions.iter().map(|name| (*name).into()).collect();
    let mut recipe = Recipe::new(Data::Table(table), Mlp { width: 128, depth: 3, fourier: None });
    recipe.stage = vec![Stage {
        steps: STEPS,
        batch: 512,
        learning_rate: 2e-3,
        warmup: 100,
        decay: config::Decay::Cosine(config::Cosine::default()),
        ema: 0.999,
        ..Stage::default()
    }];
    recipe.evaluation.images = Some(200);
    recipe.evaluation.batch = 500;
    let (registry, run) = (Registry::default(), folder.join(format!("run-{d}")));
    train(&resolved(&recipe, &registry)?, &registry, &Destination::New(run.clone()), &mut Silent)?;

    let test = truth.draw(TEST_ROWS, 2);
    let rows = Table::new(names[..d].to_vec(), test.rows.clone())?
        .with_conditions(names[d..].to_vec(), test.conditions.clone())?;
    let found = Model::load(&run)?.density(&rows, &mut Silent)?;
    let exact = (0..TEST_ROWS).map(|i| {
        let (x, y) = (&test.rows[i * d..(i + 1) * d], &test.conditions[i * c..(i + 1) * c]);
        truth.log_density(x, y).map(|log| -log)
    });
    let exact = exact.collect::<Result<Vec<f64>>>()?;
    let model: Vec<f64> = found.records.iter().filter_map(|record| record.nats_per_row).collect();
    let excess: Vec<f64> = model.iter().zip(&exact).map(|(model, exact)| model - exact).collect();
    println!("{title}, {:.0} s", started.elapsed().as_secs_f64());
    for (name, values) in [("exact density", &exact), ("ODE", &model), ("the same, row by row", &excess)] {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let error = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt();
        println!("  {name:22} {mean:+9.4} +- {error:.4} nats a row");
    }
    Ok(())
}
