//! `.npy` and `.npz` of every type and order.

use crate::{choice, names, put, read, refused};
use idode::data::table::{Choice, Table, TableFile};
use std::io::{Cursor, Write};
use std::path::Path;

fn npy(descr: &str, fortran: bool, shape: &str, values: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values);
    bytes
}

fn npz(arrays: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn bytes<const N: usize>(values: impl IntoIterator<Item = [u8; N]>) -> Vec<u8> {
    values.into_iter().flatten().collect()
}

#[test]
fn every_type_of_number() {
    let folder = tempfile::tempdir().unwrap();
    let values = |descr: &str, content: Vec<u8>| {
        let path = put(folder.path(), "t.npy", npy(descr, false, "(1, 3)", &content));
        read(&path).unwrap().values().to_vec()
    };
    let expected = [1.0, -2.0, 100.0];
    let whole = [1i64, -2, 100];
    assert_eq!(values("<f8", bytes(expected.map(f64::to_le_bytes))), expected);
    assert_eq!(values(">f8", bytes(expected.map(f64::to_be_bytes))), expected);
    assert_eq!(values("<f4", bytes(whole.map(|x| (x as f32).to_le_bytes()))), expected);
    assert_eq!(values(">f4", bytes(whole.map(|x| (x as f32).to_be_bytes()))), expected);
    // 1, -2 and 100 in half precision.
    assert_eq!(values("<f2", bytes([0x3c00u16, 0xc000, 0x5640].map(u16::to_le_bytes))), expected);
    assert_eq!(values(">f2", bytes([0x3c00u16, 0xc000, 0x5640].map(u16::to_be_bytes))), expected);
    assert_eq!(values("<i8", bytes(whole.map(i64::to_le_bytes))), expected);
    assert_eq!(values(">i8", bytes(whole.map(i64::to_be_bytes))), expected);
    assert_eq!(values("<i4", bytes(whole.map(|x| (x as i32).to_le_bytes()))), expected);
    assert_eq!(values(">i2", bytes(whole.map(|x| (x as i16).to_be_bytes()))), expected);
    assert_eq!(values("|i1", vec![1, 254, 100]), expected);
    let unsigned = [1.0, 254.0, 100.0];
    assert_eq!(values("|u1", vec![1, 254, 100]), unsigned);
    assert_eq!(values("<u2", bytes([1u16, 254, 100].map(u16::to_le_bytes))), unsigned);
    assert_eq!(values(">u4", bytes([1u32, 254, 100].map(u32::to_be_bytes))), unsigned);
    assert_eq!(
        values("<u8", bytes([1u64, u64::MAX, 100].map(u64::to_le_bytes))),
        [1.0, 2f64.powi(64), 100.0]
    );
    assert_eq!(values("|b1", vec![1, 0, 1]), [1.0, 0.0, 1.0]);
}

#[test]
fn both_orders_and_chosen_columns() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let c = put(folder.path(), "c.npy", npy("<f8", false, "(2, 3)", &bytes(rows.map(f64::to_le_bytes))));
    let columns = [1.0, 4.0, 2.0, 5.0, 3.0, 6.0];
    let f = put(folder.path(), "f.npy", npy("<f8", true, "(2, 3)", &bytes(columns.map(f64::to_le_bytes))));
    for path in [c, f] {
        let table = read(&path).unwrap();
        assert_eq!((table.columns(), table.values()), (&names(&["0", "1", "2"])[..], &rows[..]));
        let chosen = Table::read(&TableFile::new(&path), None, &choice(&["2", "0"], &["1"])).unwrap();
        assert_eq!(
            (chosen.values(), chosen.condition_values()),
            (&[3.0, 1.0, 6.0, 4.0][..], &[2.0, 5.0][..])
        );
        let header = Table::read(&TableFile::new(&path), Some(true), &Choice::default());
        assert_eq!(
            refused(header, &path),
            "header: found an array of numbers, expected CSV, as a header is asked for"
        );
    }
}

#[test]
fn archives_and_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let rows = npy("|u1", false, "(2, 1)", &[7, 9]);
    let with = |path: &Path, key: Option<&str>| {
        let file = TableFile { key: key.map(str::to_owned), ..TableFile::new(path) };
        Table::read(&file, None, &Choice::default())
    };
    let one = put(folder.path(), "one.npz", npz(&[("rows.npy", &rows)]));
    assert_eq!(with(&one, None).unwrap().values(), [7.0, 9.0]);
    let two = put(folder.path(), "two.npz", npz(&[("labels.npy", b"anything"), ("rows.npy", &rows)]));
    assert_eq!(with(&two, Some("rows")).unwrap().values(), [7.0, 9.0]);
    assert_eq!(refused(with(&two, Some("row")), &two), "arrays: found labels, rows, expected one called row");
    let twice = put(folder.path(), "twice.npz", npz(&[("a.npy", &rows), ("b.npy", &rows)]));
    assert_eq!(
        refused(with(&twice, None), &twice),
        "arrays: found a, b, expected one array, or a key that names one"
    );
    let none = put(folder.path(), "none.npz", npz(&[]));
    assert_eq!(refused(with(&none, None), &none), "arrays: found none, expected an array");
    let npy = put(folder.path(), "t.npy", &rows);
    assert_eq!(
        refused(with(&npy, Some("a")), &npy),
        "array \"a\": found no .npz, expected one, as a key is given"
    );
}

#[test]
fn what_is_no_table_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refuse = |content: &[u8]| {
        let path = put(folder.path(), "t.npy", content);
        refused(read(&path), &path)
    };
    let whole = npy("<f8", false, "(2, 2)", &bytes([1.0, 2.0, 3.0, 4.0].map(f64::to_le_bytes)));
    (6..whole.len()).for_each(|cut| drop(refuse(&whole[..cut])));
    assert_eq!(
        refuse(&whole[..whole.len() - 1]),
        "array: values: found 31 bytes, expected 32, for 2 x 2 of \"<f8\""
    );
    assert!(refuse(&[&whole[..], &[0]].concat()).contains("more than 32 bytes"));
    let nan = npy("<f8", true, "(2, 2)", &bytes([1.0, 2.0, 3.0, f64::NAN].map(f64::to_le_bytes)));
    assert_eq!(refuse(&nan), "row 1, column \"1\": found NaN, expected a finite number");
    let infinite = npy("<f2", false, "(1, 2)", &bytes([0x3c00u16, 0xfc00].map(u16::to_le_bytes)));
    assert_eq!(refuse(&infinite), "row 0, column \"1\": found -inf, expected a finite number");
    for shape in ["(4,)", "()", "(1, 2, 2)"] {
        assert!(
            refuse(&npy("|u1", false, shape, &[0; 4])).ends_with("expected two axes (row, column)"),
            "{shape}"
        );
    }
    for descr in ["|O", "<c16", "|S3", "<M8[s]", "<f16", "|u3"] {
        assert!(refuse(&npy(descr, false, "(2, 2)", &[0; 4])).contains(descr), "{descr}");
    }
    assert_eq!(refuse(&npy("|u1", false, "(0, 2)", &[])), "rows: found none, expected at least one");
    assert!(refuse(&npy("|u1", false, "(2, 0)", &[])).ends_with("at least one column that is modelled"));
    assert!(refuse(&npy("<f8", false, "(99999999999, 99999999999)", &[])).contains("2^48"));
    assert!(refuse(&npy("<f8", false, "(99999999, 100)", &[0; 8])).contains("found 8 bytes"));
}
