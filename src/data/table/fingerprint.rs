//! What a table is, in numbers that go into a result.

use super::Table;
use crate::data::source::Split;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// Names, rows and hash of one split of a table: equal fingerprints mean the same rows of the same columns in the same
/// order and units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The data set's name.
    pub name: String,
    /// Which part of it.
    pub split: Split,
    /// The number of rows.
    pub rows: usize,
    /// The modelled columns.
    pub columns: Vec<String>,
    /// The columns that condition.
    pub conditions: Vec<String>,
    /// SHA-256 in hexadecimal of every row in order: its values and then its conditions, 8 bytes each, as IEEE 754
    /// doubles with the low byte first.
    pub sha256: String,
}

impl Table {
    /// The fingerprint of these rows as a part of the data set called `name`.
    pub fn fingerprint(&self, name: impl Into<String>, split: Split) -> Fingerprint {
        let mut hash = Sha256::new();
        let (d, c) = (self.columns().len(), self.conditions().len());
        for i in 0..self.rows() {
            let row = self.values()[i * d..(i + 1) * d].iter();
            for value in row.chain(&self.condition_values()[i * c..(i + 1) * c]) {
                hash.update(value.to_le_bytes());
            }
        }
        let mut sha256 = String::with_capacity(64);
        for byte in hash.finalize() {
            // Writing to a string cannot fail.
            let _ = write!(sha256, "{byte:02x}");
        }
        let (columns, conditions) = (self.columns().to_vec(), self.conditions().to_vec());
        Fingerprint { name: name.into(), split, rows: self.rows(), columns, conditions, sha256 }
    }
}

impl Fingerprint {
    /// Refuses to compare results on different rows, columns or units.
    ///
    /// # Errors
    /// Names the first of name, split, rows, columns, conditions and hash that differs, with both values.
    pub fn require_same(&self, other: &Self) -> Result<()> {
        let of = |f: &Self| {
            [
                ("name", f.name.clone()),
                ("split", f.split.to_string()),
                ("rows", f.rows.to_string()),
                ("columns", format!("[{}]", f.columns.join(", "))),
                ("conditions", format!("[{}]", f.conditions.join(", "))),
                ("sha256 (values and their units)", f.sha256.clone()),
            ]
        };
        for ((what, mine), (_, theirs)) in of(self).iter().zip(&of(other)) {
            if mine != theirs {
                let expected = format!("{mine}, the same data");
                return Err(Error::value(format!("table {what}"), theirs.clone(), expected));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(values: Vec<f64>) -> Table {
        Table::new(vec!["a".into(), "b".into()], values).unwrap()
    }

    fn of(values: Vec<f64>) -> Fingerprint {
        table(values).fingerprint("t", Split::Test)
    }

    #[test]
    fn the_hash_is_that_of_the_bytes() {
        // printf '\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\xc0' | sha256sum
        assert_eq!(
            of(vec![1.0, -2.0]).sha256,
            "7886fe67ba4484d889aa8ec41f0b242f914fbf6bae1be2ed23f56a007e3547b0"
        );
        // Rows with their condition, not all values and then all conditions.
        let split = Table::new(vec!["a".into()], vec![1.0, 2.0]).unwrap();
        let split = split.with_conditions(vec!["y".into()], vec![3.0, 4.0]).unwrap();
        let joined = of(vec![1.0, 3.0, 2.0, 4.0]);
        assert_eq!(split.fingerprint("t", Split::Test).sha256, joined.sha256);
        assert!(joined.require_same(&split.fingerprint("t", Split::Test)).is_err());
    }

    #[test]
    fn other_units_are_other_data() {
        let (metres, millimetres) = (of(vec![1.0, -2.0]), of(vec![1000.0, -2.0]));
        assert!(metres.require_same(&metres.clone()).is_ok());
        let line = metres.require_same(&millimetres).unwrap_err().to_string();
        assert!(line.contains(&metres.sha256) && line.contains(&millimetres.sha256), "{line}");
    }

    #[test]
    fn a_difference_is_named_with_both() {
        let a = of(vec![1.0, -2.0]);
        let line = |b: Fingerprint| a.require_same(&b).unwrap_err().to_string();
        let train = Fingerprint { split: Split::Train, ..a.clone() };
        assert_eq!(line(train), "table split = train: expected test, the same data");
        assert_eq!(line(of(vec![1.0, -2.0, 3.0, 4.0])), "table rows = 2: expected 1, the same data");
        let renamed = Fingerprint { columns: vec!["a".into(), "c".into()], ..a.clone() };
        assert_eq!(line(renamed), "table columns = [a, c]: expected [a, b], the same data");
    }
}
