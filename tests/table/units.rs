//! Splits, scalings, grids and fingerprints of whole files.

use crate::{choice, names, put, refused};
use idode::data::Split;
use idode::data::table::{Files, Scale, Scaling, Schema, Spec, Splits, Table, TableFile};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use std::path::Path;

/// Three columns: two continuous, of which the first is multiplied by `factor`, and tenths.
fn csv(factor: f64) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut text = "a,b,tenths\n".to_owned();
    for _ in 0..400 {
        let [u, v, w] = [0; 3].map(|_| rng.sample::<f64, _>(StandardNormal));
        let tenths = (10.0 * w).round() / 10.0;
        text += &format!("{:?},{:?},{tenths:?}\n", (2.0 + 0.5 * u) * factor, u + v);
    }
    text
}

fn spec(folder: &Path, factor: f64) -> Spec {
    Spec::new(put(folder, &format!("{factor}.csv"), csv(factor)))
}

#[test]
fn a_column_in_other_units_moves_the_jacobian_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let load = |factor: f64| spec(folder.path(), factor).load().unwrap();
    let (one, thousand) = (load(1.0), load(1000.0));
    let forward = |splits: &Splits, table: &Table| splits.schema.scaling().forward(table.values());
    for (a, b) in [(&one.train, &thousand.train), (&one.test, &thousand.test)] {
        let (a, b) = (forward(&one, a), forward(&thousand, b));
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-12));
    }
    let moved = thousand.schema.log_units() - one.schema.log_units();
    assert!((moved + 1000f64.ln()).abs() < 1e-12, "{moved}");
    let prints = [&one, &thousand].map(|splits| splits.test.fingerprint("t", Split::Test));
    assert!(prints[0].require_same(&prints[1]).is_err());
    // The same file gives the same rows; another seed, or the other part, does not.
    assert!(prints[0].require_same(&load(1.0).test.fingerprint("t", Split::Test)).is_ok());
    assert_ne!(prints[0].sha256, one.train.fingerprint("t", Split::Test).sha256);
}

#[test]
fn standard_scaling_has_moments_0_and_1_on_training_rows() {
    let folder = tempfile::tempdir().unwrap();
    let Splits { train, test, schema, .. } = spec(folder.path(), 1e-3).load().unwrap();
    assert_eq!((train.rows(), test.rows()), (320, 80));
    let scaled = schema.scaling().forward(train.values());
    let again = Scaling::standard(3, &scaled).unwrap();
    assert!(again.shift().iter().all(|mean| mean.abs() < 1e-13), "{again:?}");
    assert!(again.scale().iter().all(|sd| (sd - 1.0).abs() < 1e-13), "{again:?}");
    let back = schema.scaling().inverse(&schema.scaling().forward(test.values()));
    assert!(back.iter().zip(test.values()).all(|(a, b)| (a - b).abs() < 1e-14 * (1.0 + b.abs())));
    let text = serde_json::to_string(&schema).unwrap();
    let read: Schema = serde_json::from_str(&text).unwrap();
    assert_eq!((read.columns(), read.grid()), (schema.columns(), schema.grid()));
    assert!((read.log_units() - schema.log_units()).abs() < 1e-14);
    assert_eq!(toml::from_str::<Schema>(&toml::to_string(&schema).unwrap()).unwrap(), schema);
    let broken = text.replace("\"scale\":[", "\"scale\":[0.0,");
    assert!(serde_json::from_str::<Schema>(&broken).is_err());
}

#[test]
fn moments_lose_no_digits_and_do_not_overflow() {
    // Mean 1e9 + 1.5 and variance 1.25, where squares of the values would keep no digit of it.
    let far = Scaling::standard(1, &[1e9, 1e9 + 1.0, 1e9 + 2.0, 1e9 + 3.0]).unwrap();
    assert!((far.scale()[0] - 1.25f64.sqrt()).abs() < 1e-15 && far.shift()[0] == 1e9 + 1.5, "{far:?}");
    let huge = Scaling::standard(1, &[1e300, -1e300]).unwrap();
    assert_eq!((huge.shift(), huge.scale()), (&[0.0][..], &[1e300][..]));
    let tiny = Scaling::standard(1, &[1e-300, 3e-300]).unwrap();
    assert!((tiny.scale()[0] / 1e-300 - 1.0).abs() < 1e-14, "{tiny:?}");
    let line = |values: &[f64]| Scaling::standard(1, values).unwrap_err().to_string();
    assert_eq!(line(&[2.0, 2.0]), "scale of column 0 = 0: expected a finite number above 0");
    assert!(
        line(&[1.7e308, -1.7e308]).ends_with("expected a finite number"),
        "{}",
        line(&[1.7e308, -1.7e308])
    );
}

#[test]
fn scales_are_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let with = |scale: Scale| Spec { scale, ..spec(folder.path(), 1.0) }.load();
    let none = with(Scale::None).unwrap();
    assert_eq!(none.schema.scaling(), &Scaling::identity(3));
    assert_eq!(none.schema.log_units(), 0.0);
    let by = with(Scale::By(vec![2.0, 4.0, 0.5])).unwrap();
    assert_eq!(by.schema.scaling().scale(), [2.0, 4.0, 0.5]);
    assert_eq!(by.schema.scaling().shift(), with(Scale::Standard).unwrap().schema.scaling().shift());
    assert!((by.schema.log_units() + 4f64.ln()).abs() < 1e-15);
    let line = with(Scale::By(vec![2.0])).unwrap_err().to_string();
    assert_eq!(line, "number of scales = 1: expected 3, one a column");
}

#[test]
fn conditions_have_a_scaling_without_jacobian() {
    let folder = tempfile::tempdir().unwrap();
    let plain = Spec { choice: choice(&["b"], &[]), ..spec(folder.path(), 1.0) };
    let given = Spec { choice: choice(&["b"], &["a"]), ..plain.clone() };
    let (plain, given) = (plain.load().unwrap(), given.load().unwrap());
    assert_eq!(given.schema.log_units(), plain.schema.log_units());
    assert_eq!(given.schema.conditions(), ["a"]);
    let scaled = given.schema.condition_scaling().forward(given.train.condition_values());
    let again = Scaling::standard(1, &scaled).unwrap();
    assert!(again.shift()[0].abs() < 1e-13 && (again.scale()[0] - 1.0).abs() < 1e-13);
    assert_eq!(plain.schema.condition_scaling().columns(), 0);
}

#[test]
fn a_column_that_repeats_is_named_until_a_grid_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let plain = spec(folder.path(), 1.0);
    let warnings = plain.load().unwrap().warnings;
    let [warning] = &warnings[..] else { panic!("{warnings:?}") };
    let line = warning.to_string();
    assert!(
        line.starts_with("column \"tenths\" repeats its values (")
            && line.contains("a density there has no bound")
    );
    assert!(line.ends_with("; grid = { tenths = 0.1 } gives them probabilities"), "{line}");
    let gridded = Spec { grid: [("tenths".to_owned(), 0.1)].into(), ..plain.clone() }.load().unwrap();
    assert_eq!(gridded.warnings, []);
    let [grid] = gridded.schema.grid() else { panic!("{:?}", gridded.schema) };
    assert_eq!((grid.column, grid.step, grid.origin), (2, 0.1, 0.0));
    let added = gridded.schema.log_units() - plain.load().unwrap().schema.log_units();
    assert!((added - 0.1f64.ln()).abs() < 1e-12, "{added}");
    let mut rows = gridded.test.values().to_vec();
    gridded.schema.dequantize(&mut rows, &mut ChaCha8Rng::seed_from_u64(0));
    let off =
        |j: usize| rows.iter().zip(gridded.test.values()).skip(j).step_by(3).map(|(a, b)| (a - b).abs());
    assert!(off(0).chain(off(1)).all(|off| off == 0.0) && off(2).all(|off| off <= 0.05 + 1e-12));
    assert!(off(2).fold(0.0, f64::max) > 0.04);
    gridded.schema.quantize(&mut rows);
    assert_eq!(rows, gridded.test.values());
}

#[test]
fn what_is_off_a_grid_is_named_by_row_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let train = put(folder.path(), "train.csv", "a,k\n0.1,1\n0.2,2\n0.7,4\n");
    let test = put(folder.path(), "test.csv", "a,k\n0.3,7\n\n0.5,2.5\n");
    let files = Files::Apart { train: TableFile::new(&train), test: TableFile::new(&test) };
    let on = |column: &str, step: f64| Spec {
        files: files.clone(),
        grid: [(column.to_owned(), step)].into(),
        ..Spec::new("")
    };
    assert_eq!(
        refused(on("k", 1.0).load(), &test),
        "line 4, column \"k\": found 2.5, expected a value on its grid of step 1, such as 3"
    );
    assert_eq!(
        refused(on("k", 2.0).load(), &train),
        "line 3, column \"k\": found 2, expected a value on its grid of step 2, such as 3"
    );
    assert!(on("k", 0.5).load().is_ok());
    let line = |spec: Spec| spec.load().unwrap_err().to_string();
    assert_eq!(line(on("j", 1.0)), "grid = \"j\": expected a modelled column, one of a, k");
    assert_eq!(line(on("k", 0.0)), "grid step of column 1 = 0: expected a finite number above 0");
}

#[test]
fn both_files_have_the_columns() {
    let folder = tempfile::tempdir().unwrap();
    let train = put(folder.path(), "train.csv", "a,b\n1,2\n3,5\n");
    let test = put(folder.path(), "test.csv", "b,a\n7,8\n");
    let load = |choice| {
        let files = Files::Apart { train: TableFile::new(&train), test: TableFile::new(&test) };
        Spec { files, choice, ..Spec::new("") }.load()
    };
    for columns in [&["a", "b"][..], &[]] {
        let splits = load(choice(columns, &[])).unwrap();
        assert_eq!((splits.train.rows(), splits.test.values()), (2, &[8.0, 7.0][..]));
    }
    put(folder.path(), "test.csv", "c\n7\n");
    let line = refused(load(choice(&["a"], &[])), &test);
    assert_eq!(line, "column \"a\": found none of that name, expected one of c");
    put(folder.path(), "train.csv", "a,b\n1,2\n");
    put(folder.path(), "test.csv", "a,b\n7,8\n");
    assert_eq!(refused(load(choice(&[], &[])), &train), "training rows: found 1, expected at least 2");
}

#[test]
fn rows_keep_their_numbers_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = put(folder.path(), "t.csv", "a\n\n10\n20\n\n30\n40\n");
    let (train, test) = crate::read(&path).unwrap().split(0.5, 1).unwrap();
    for part in [train, test.truncated(1)] {
        for (i, value) in part.values().iter().enumerate() {
            let line = [3, 4, 6, 7][*value as usize / 10 - 1];
            assert_eq!(part.number_in_file(i), Some(line));
        }
    }
}

#[test]
fn tables_in_memory() {
    let line = |columns: &[&str], values: &[f64]| {
        Table::new(names(columns), values.to_vec()).unwrap_err().to_string()
    };
    assert_eq!(
        line(&["a", "b"], &[1.0]),
        "number of values given = 1: expected a positive multiple of 2 columns"
    );
    assert!(line(&[], &[]).starts_with("number of values given = 0"));
    assert_eq!(line(&["a", "a"], &[1.0, 2.0]), "column \"a\" = two of that name: expected names that differ");
    assert_eq!(line(&["a"], &[1.0, f64::NAN]), "row 1, column \"a\" = NaN: expected a finite number");
    let table = Table::new(names(&["a"]), vec![1.0, 2.0]).unwrap();
    let line = |conditions: &[&str], values: &[f64]| {
        table.clone().with_conditions(names(conditions), values.to_vec()).unwrap_err().to_string()
    };
    assert_eq!(line(&["y"], &[1.0]), "number of values of the conditions = 1: expected 2, 1 a row");
    assert_eq!(line(&["a"], &[1.0, 2.0]), "column \"a\" = two of that name: expected names that differ");
    assert_eq!(line(&["y"], &[1.0, f64::INFINITY]), "row 1, column \"y\" = inf: expected a finite number");
}
