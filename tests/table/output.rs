//! What is written comes back bit for bit.

use crate::{names, read};
use idode::data::table::{write_csv, write_npy};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Numbers of every size, whole ones and the ends of the range among them.
fn values() -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let random = std::iter::from_fn(|| Some(f64::from_bits(rng.r#gen()))).filter(|x| x.is_finite());
    let mut values: Vec<f64> = random.take(300).collect();
    values.extend([
        0.0,
        -0.0,
        3.0,
        1e15,
        1e16,
        0.1 + 0.2,
        f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
        -7.0,
        1e-7,
        2.5e22,
    ]);
    values
}

fn same(found: &[f64]) {
    let bits = |values: &[f64]| values.iter().map(|x| x.to_bits()).collect::<Vec<u64>>();
    assert_eq!(bits(found), bits(&values()));
}

#[test]
fn csv_and_npy_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let columns = names(&["a", "mass, \"kg\"", "c"]);
    let path = folder.path().join("t.csv");
    write_csv(&path, &columns, &values()).unwrap();
    let table = read(&path).unwrap();
    assert_eq!(table.columns(), columns);
    same(table.values());
    let path = folder.path().join("t.npy");
    write_npy(&path, 3, &values()).unwrap();
    same(read(&path).unwrap().values());
    // The values begin at a multiple of 64 bytes.
    assert_eq!((std::fs::read(&path).unwrap().len() - 8 * values().len()) % 64, 0);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn numbers_are_short() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    write_csv(&path, &names(&["a", "b"]), &[3.0, 0.1, -2.5, 1e300]).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a,b\n3,0.1\n-2.5,1e300\n");
}

#[test]
fn odd_numbers_of_values_are_refused() {
    let path = std::path::Path::new("never.csv");
    let line = write_csv(path, &names(&["a", "b"]), &[1.0]).unwrap_err().to_string();
    assert_eq!(line, "never.csv: number of values: found 1, expected a multiple of 2 columns, at least one");
    assert!(write_npy(path, 0, &[]).is_err() && !path.exists());
}
