//! Tables whose density is known exactly.

use idode::analytic::nalgebra::DMatrix;
use idode::analytic::{Gaussian, GaussianMixture, MixtureTable};
use idode::data::table::{Scale, Schema, Table};

/// The mean of `-ln p` and its standard error.
fn nats(truth: &MixtureTable, rows: &[f64], conditions: &[f64]) -> (f64, f64) {
    let (d, c) = (truth.dim(), truth.conditions());
    let values: Vec<f64> = rows
        .chunks(d)
        .enumerate()
        .map(|(i, row)| -truth.log_density(row, &conditions[i * c..(i + 1) * c]).unwrap())
        .collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0) / n).sqrt())
}

#[test]
fn entropies_are_the_means_of_draws() {
    for truth in [MixtureTable::five_columns().unwrap(), MixtureTable::two_columns_given_one().unwrap()] {
        let (entropy, error) = truth.entropy(40_000, 1).unwrap();
        let draws = truth.draw(10_000, 2);
        let (mean, spread) = nats(&truth, &draws.rows, &draws.conditions);
        assert!((mean - entropy).abs() < 5.0 * spread.hypot(error), "{mean} {entropy}");
        assert_eq!(truth.draw(10_000, 2), draws);
        assert_ne!(truth.draw(10_000, 3), draws);
    }
}

#[test]
fn one_component_has_its_closed_form() {
    let gaussian = Gaussian::new(&[1.0, -2.0], DMatrix::from_row_slice(2, 2, &[2.0, 0.6, 0.6, 0.5])).unwrap();
    let truth = MixtureTable::new(gaussian.clone().into()).in_units(&[5.0, 0.0], &[1000.0, 0.5]).unwrap();
    let (entropy, error) = truth.entropy(20_000, 0).unwrap();
    let exact = gaussian.entropy() + 500f64.ln();
    assert!((entropy - exact).abs() < 5.0 * error, "{entropy} {exact} {error}");
    let density = truth.log_density(&[5.0 + 1000.0 * 0.3, 0.5 * 0.7], &[]).unwrap();
    let expected = gaussian.log_density(&[0.3, 0.7]).unwrap() - 500f64.ln();
    assert!((density - expected).abs() < 1e-12, "{density} {expected}");
}

#[test]
fn a_condition_moves_each_mean() {
    let mixture = GaussianMixture::scalar(&[(0.4, -1.0, 0.2), (0.6, 2.0, 0.5)]).unwrap();
    let slopes = vec![DMatrix::from_element(1, 1, 0.7), DMatrix::from_element(1, 1, -0.3)];
    let truth = MixtureTable::new(mixture).moved_by(slopes).unwrap().in_units(&[10.0], &[2.0]).unwrap();
    let moved =
        GaussianMixture::scalar(&[(0.4, -1.0 + 0.7 * 1.5, 0.2), (0.6, 2.0 - 0.3 * 1.5, 0.5)]).unwrap();
    let found = truth.log_density(&[10.0 + 2.0 * 0.4], &[1.5]).unwrap();
    assert!((found - (moved.log_density(&[0.4]).unwrap() - 2f64.ln())).abs() < 1e-13);
    // A model without the condition pays for it: the entropy given y is lower than that of the rows alone.
    let draws = truth.draw(20_000, 4);
    let given = nats(&truth, &draws.rows, &draws.conditions);
    let shuffled: Vec<f64> = draws.conditions.iter().rev().copied().collect();
    let other = nats(&truth, &draws.rows, &shuffled);
    assert!(other.0 - given.0 > 10.0 * other.1, "{other:?} {given:?}");
}

/// What a trained model does with a table: density of scaled rows, and the units put back.
#[test]
fn the_schema_gives_the_density_in_the_units_of_the_columns() {
    let truth = MixtureTable::five_columns().unwrap();
    let names: Vec<String> = ["a", "b", "c", "d", "e"].map(str::to_owned).into();
    let table = Table::new(names, truth.draw(500, 0).rows).unwrap();
    let schema = Schema::of(&table, &Scale::Standard, &Default::default()).unwrap();
    let scaling = schema.scaling();
    // The truth in the model's units: x' = (x - shift) / scale.
    let shift: Vec<f64> =
        scaling.shift().iter().zip(scaling.scale()).map(|(shift, scale)| -shift / scale).collect();
    let scale: Vec<f64> = scaling.scale().iter().map(|scale| 1.0 / scale).collect();
    let scaled = truth.clone().in_units(&shift, &scale).unwrap();
    for (row, x) in table.values().chunks(5).zip(scaling.forward(table.values()).chunks(5)) {
        let direct = truth.log_density(row, &[]).unwrap();
        let through = scaled.log_density(x, &[]).unwrap() + schema.log_units();
        assert!((direct - through).abs() < 1e-9, "{direct} {through}");
    }
    let spread = scaling.scale().iter().copied().fold(0.0, f64::max)
        / scaling.scale().iter().copied().fold(1.0, f64::min);
    assert!(spread > 1e5, "units that differ: {spread}");
}

#[test]
fn what_is_no_table_is_refused() {
    let one = || MixtureTable::new(GaussianMixture::scalar(&[(1.0, 0.0, 1.0)]).unwrap());
    let line = |table: idode::error::Result<MixtureTable>| table.unwrap_err().to_string();
    assert_eq!(line(one().moved_by(vec![])), "number of slopes = 0: expected 1, one a component");
    assert_eq!(line(one().moved_by(vec![DMatrix::zeros(2, 1)])), "slope 0 = 2 x 1: expected 1 x 1");
    assert!(line(one().in_units(&[0.0], &[0.0])).starts_with("scale[0] = 0: expected"));
    assert_eq!(line(one().in_units(&[0.0; 2], &[1.0])), "length of shift = 2: expected 1");
    assert!(one().log_density(&[0.0], &[1.0]).is_err());
    assert_eq!(one().entropy(1, 0).unwrap_err().to_string(), "draws = 1: expected at least 2");
}

#[test]
fn value_stability() {
    let truth = MixtureTable::two_columns_given_one().unwrap();
    let draws = truth.draw(1, 7);
    let found = [
        draws.rows[0],
        draws.rows[1],
        draws.conditions[0],
        truth.log_density(&draws.rows, &draws.conditions).unwrap(),
    ];
    let expected = [9.513189908399337, -165.09346139255527, -0.7753719332177971, -4.306818047285368];
    assert!(found.iter().zip(expected).all(|(a, b): (&f64, f64)| (a - b).abs() < 1e-9), "{found:?}");
}
