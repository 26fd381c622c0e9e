//! A table of a recipe: rows of numbers from CSV or NumPy files.

use super::field_error::FieldError;
use super::limits::{positive, seed};
use crate::data::table::{Choice, Files, Scale, Spec, TableFile};
use crate::error::Error;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

const FRACTION: f64 = 0.2;

/// Settings of a table: one file of which a part is held out, or a file each for training and held-out rows.
///
/// ```toml
/// [data]
/// name = "table"
/// path = "stars.csv"
/// columns = ["mass", "radius", "planets"]
/// condition = ["age"]
/// grid = { planets = 1 }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Table {
    /// All rows: CSV, `.npy` or `.npz`; either this, or `train` and `test`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// The array's name, if `path` is a `.npz`; without it there must be one alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The part of the rows of `path` that is held out, above 0 and below 1: 0.2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_fraction: Option<f64>,
    /// The seed that draws the held-out rows of `path`: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The training rows, where they have a file of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<PathBuf>,
    /// The array's name, if `train` is a `.npz`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_key: Option<String>,
    /// The held-out rows, where they have a file of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<PathBuf>,
    /// The array's name, if `test` is a `.npz`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_key: Option<String>,
    /// Whether the first line of CSV is a header; without it, it is one if a cell is no number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// The modelled columns, by name, or by index from 0 where names are missing: all that are no conditions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<Column>,
    /// The columns that condition them: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub condition: Vec<Column>,
    /// `"standard"`, `"none"`, or what each modelled column is divided by after centring: `"standard"`.
    pub scale: Scale,
    /// The step of each modelled column whose values lie on a grid, and which is given uniform noise: none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub grid: BTreeMap<String, f64>,
}

/// A column by its name; a whole number is the name of a column without one, its index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Column(pub String);

impl Table {
    /// The settings for one file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: Some(path.into()), ..Self::default() }
    }

    /// The same settings with the defaults of a split written out.
    pub fn resolved(&self) -> Self {
        let split = self.path.is_some();
        Self {
            test_fraction: self.test_fraction.or(split.then_some(FRACTION)),
            seed: self.seed.or(split.then_some(0)),
            ..self.clone()
        }
    }

    /// What is to be read.
    ///
    /// # Errors
    /// Unless there is either `path`, or `train` and `test`, each with keys of its own kind only, and every number is
    /// in its range.
    pub fn spec(&self) -> crate::error::Result<Spec> {
        self.check().map_err(|error| Error::value(format!("data.{}", error.key), error.found, error.expected))
    }

    /// What is to be read, or the key that stands in its way.
    pub(super) fn check(&self) -> Result<Spec, FieldError> {
        let files = self.files()?;
        if let Scale::By(scales) = &self.scale {
            for (j, &scale) in scales.iter().enumerate() {
                positive(&format!("scale[{j}]"), scale)?;
            }
            if !self.columns.is_empty() && scales.len() != self.columns.len() {
                let expected = format!("{}, one for each of columns", self.columns.len());
                return Err(FieldError::new("scale", format!("an array of {}", scales.len()), expected));
            }
        }
        for (column, &step) in &self.grid {
            positive(&format!("grid.{column}"), step)?;
        }
        let names = |columns: &[Column]| columns.iter().map(|column| column.0.clone()).collect();
        Ok(Spec {
            files,
            header: self.header,
            choice: Choice { columns: names(&self.columns), conditions: names(&self.condition) },
            scale: self.scale.clone(),
            grid: self.grid.clone(),
        })
    }

    fn files(&self) -> Result<Files, FieldError> {
        let nothing = |key, expected| Err(FieldError::new(key, "nothing", expected));
        let together = [
            ("key", self.key.is_some()),
            ("test_fraction", self.test_fraction.is_some()),
            ("seed", self.seed.is_some()),
        ];
        let apart = [
            ("train", self.train.is_some()),
            ("train_key", self.train_key.is_some()),
            ("test", self.test.is_some()),
            ("test_key", self.test_key.is_some()),
        ];
        let given =
            |keys: &[(&'static str, bool)]| keys.iter().find(|(_, given)| *given).map(|(key, _)| *key);
        match (&self.path, &self.train, &self.test) {
            (Some(path), _, _) => {
                if let Some(key) = given(&apart) {
                    let expected = "either path, or train and test: path is given too";
                    return Err(FieldError::new(key, "this key", expected));
                }
                let test_fraction = self.test_fraction.unwrap_or(FRACTION);
                if !(test_fraction > 0.0 && test_fraction < 1.0) {
                    return Err(FieldError::new(
                        "test_fraction",
                        test_fraction.to_string(),
                        "above 0 and below 1",
                    ));
                }
                let draw = self.seed.unwrap_or(0);
                seed("seed", draw)?;
                let file = TableFile { path: path.clone(), key: self.key.clone() };
                Ok(Files::Together { file, test_fraction, seed: draw })
            }
            (None, Some(train), Some(test)) => match given(&together) {
                Some(key) => {
                    let expected = match key {
                        "key" => "train_key and test_key, as train and test are given",
                        _ => "no such key, as train and test are given",
                    };
                    Err(FieldError::new(key, "this key", expected))
                }
                None => Ok(Files::Apart {
                    train: TableFile { path: train.clone(), key: self.train_key.clone() },
                    test: TableFile { path: test.clone(), key: self.test_key.clone() },
                }),
            },
            (None, Some(_), None) => nothing("test", "a file, as train is given"),
            (None, None, Some(_)) => nothing("train", "a file, as test is given"),
            (None, None, None) => nothing("path", "a file, or train and test"),
        }
    }
}

impl From<&str> for Column {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = Column;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a column, or its index")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Column, E> {
                Ok(Column(name.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, index: u64) -> Result<Column, E> {
                Ok(Column(index.to_string()))
            }

            fn visit_i64<E: de::Error>(self, index: i64) -> Result<Column, E> {
                match u64::try_from(index) {
                    Ok(index) => self.visit_u64(index),
                    Err(_) => Err(E::invalid_value(de::Unexpected::Signed(index), &self)),
                }
            }
        }

        deserializer.deserialize_any(Name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::de::from_table;
    use super::*;

    fn read(text: &str) -> Result<Table, String> {
        let table = text.parse::<toml::Table>().expect("TOML");
        let table: Table = from_table(&table).map_err(|error| error.to_string())?;
        table.check().map_err(|error| error.to_string())?;
        Ok(table)
    }

    #[test]
    fn values_are_read_and_written() {
        let one = read("path = 't.csv'").unwrap();
        assert_eq!(one, Table::new("t.csv"));
        let Files::Together { file, test_fraction, seed } = one.spec().unwrap().files else {
            panic!("{one:?}")
        };
        assert_eq!((file, test_fraction, seed), (TableFile::new("t.csv"), 0.2, 0));
        let all = "path = 'a.npz'\nkey = 'rows'\ntest_fraction = 0.5\nseed = 3\nheader = false\ncolumns = ['a', 2]\n\
                   condition = ['y']\nscale = [1.0, 1000.0]\n\n[grid]\na = 0.1\n";
        let table = read(all).unwrap();
        assert_eq!(table.columns, ["a".into(), "2".into()]);
        assert_eq!(table.scale, Scale::By(vec![1.0, 1000.0]));
        let written = toml::to_string(&table).unwrap();
        assert_eq!(read(&written).unwrap(), table);
        let apart = read("train = 'a.csv'\ntest = 'b.csv'\nscale = 'none'").unwrap();
        assert_eq!(apart.resolved(), apart);
        assert_eq!(read(&toml::to_string(&apart).unwrap()).unwrap(), apart);
        assert_eq!((one.resolved().test_fraction, one.resolved().seed), (Some(0.2), Some(0)));
    }

    #[test]
    fn every_fault_names_key_found_and_expected() {
        for (text, message) in [
            ("", "path: found nothing, expected a file, or train and test"),
            ("train = 'a'", "test: found nothing, expected a file, as train is given"),
            ("test = 'a'", "train: found nothing, expected a file, as test is given"),
            (
                "path = 'a'\ntest = 'b'",
                "test: found this key, expected either path, or train and test: path is given too",
            ),
            (
                "path = 'a'\ntrain_key = 'b'",
                "train_key: found this key, expected either path, or train and test: path is given too",
            ),
            (
                "train = 'a'\ntest = 'b'\nseed = 1",
                "seed: found this key, expected no such key, as train and test are given",
            ),
            (
                "train = 'a'\ntest = 'b'\nkey = 'x'",
                "key: found this key, expected train_key and test_key, as train and test are given",
            ),
            ("path = 'a'\ntest_fraction = 1", "test_fraction: found 1, expected above 0 and below 1"),
            ("path = 'a'\nscale = [1, 0]", "scale[1]: found 0, expected a finite number above 0"),
            (
                "path = 'a'\ncolumns = ['b']\nscale = [1, 2]",
                "scale: found an array of 2, expected 1, one for each of columns",
            ),
            (
                "path = 'a'\nscale = 'robust'",
                "scale: found string \"robust\", expected \"standard\", \"none\" or an array of numbers",
            ),
            ("path = 'a'\ngrid.b = -1", "grid.b: found -1, expected a finite number above 0"),
            (
                "path = 'a'\ncolumns = [-1]",
                "columns[0]: found integer -1, expected the name of a column, or its index",
            ),
            ("path = 'a'\ncondition = 'y'", "condition: found string \"y\", expected an array"),
        ] {
            assert_eq!(read(text).unwrap_err(), message, "{text}");
        }
        assert!(read("path = 'a'\ncolums = ['a']").unwrap_err().contains("columns"));
    }
}
