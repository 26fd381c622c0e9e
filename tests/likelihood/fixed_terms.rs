//! The part of the variational bound that training does not change.

use super::gaussian::straight;
use idode::data::table::{Scale, Schema, Table};
use idode::data::{ImageSource, Rows, Split, digits};
use idode::dequantization::{Dequantizer, Gaussian};
use idode::likelihood::fixed_terms;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::f64::consts::TAU;

/// Columns of means 3 and 2 that are divided by 2 and 3: of a row, `ln 6` nats.
#[test]
fn terms_of_a_table_are_in_its_own_units() {
    let names = vec!["a".to_owned(), "b".to_owned()];
    let table = Table::new(names, vec![1.0, 0.0, 3.0, 6.0, 5.0, 0.0]).unwrap();
    let schema = Schema::of(&table, &Scale::By(vec![2.0, 3.0]), &BTreeMap::new()).unwrap();
    let diffusion = straight(256);
    let found = fixed_terms(&diffusion, &Rows::table(table, schema, Split::Train), 0).unwrap();
    let rows = [[-1.0, -2.0 / 3.0], [0.0, 4.0 / 3.0], [1.0, -2.0 / 3.0]];
    let prior = rows.iter().map(|row| diffusion.prior_kl(row)).sum::<f64>() / 3.0;
    let nats = 1.0 + TAU.ln() + diffusion.range().min().0 + prior + 6f64.ln();
    assert!((found - nats / 2.0).abs() < 1e-12, "{found} {nats}");
}

/// Of images both terms, the first of one draw each, which the seed names.
#[test]
fn terms_of_images_are_those_of_their_draws() {
    let (set, diffusion) = (digits::load(Split::Train).unwrap().truncated(3), straight(17));
    let grid = set.grid();
    let decoder = Gaussian::new(grid, diffusion.level(diffusion.range().min()));
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    rng.set_stream(u64::MAX - 1);
    let mut nats = 0.0;
    for row in set.pixels().chunks_exact(64) {
        nats += diffusion.prior_kl(&grid.centres(row)) - decoder.draw(row, &mut rng).log_decoder;
    }
    let found = fixed_terms(&diffusion, &Rows::images(set), 5).unwrap();
    assert!((found - nats / 192.0).abs() < 1e-12, "{found} {nats}");
}
