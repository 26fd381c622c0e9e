//! What to read for a model of a table.

use super::{Choice, Repeats, Scale, Schema, Table, TableFile};
use crate::data::hold_back::draw;
use crate::error::Result;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where training and held-out rows are.
#[derive(Clone, Debug, PartialEq)]
pub enum Files {
    /// In one file, of which a part drawn from a seed is held out: see [`Table::split`].
    Together {
        /// The file.
        file: TableFile,
        /// The part of its rows that is held out.
        test_fraction: f64,
        /// The seed of the draw.
        seed: u64,
    },
    /// In a file each.
    Apart {
        /// The training rows.
        train: TableFile,
        /// The held-out rows.
        test: TableFile,
    },
}

/// Everything that says what a table is, but for its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Where the rows are.
    pub files: Files,
    /// Whether the first line of CSV is a header; without it that is found out.
    pub header: Option<bool>,
    /// The columns.
    pub choice: Choice,
    /// How the modelled columns are scaled.
    pub scale: Scale,
    /// The steps of the columns whose values lie on a grid.
    pub grid: BTreeMap<String, f64>,
}

/// Both parts of a table, in the user's units.
#[derive(Clone, Debug, PartialEq)]
pub struct Splits {
    /// The rows that a model is fitted to.
    pub train: Table,
    /// Training rows that are held back, where some are.
    pub validation: Option<Table>,
    /// The rows that are held out.
    pub test: Table,
    /// Names, scaling and grids, from the training rows.
    pub schema: Schema,
    /// What the user should know of the training rows.
    pub warnings: Vec<Repeats>,
}

impl Spec {
    /// The spec of one file, a fifth of which is held out: all columns, standardised.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            files: Files::Together { file: TableFile::new(path), test_fraction: 0.2, seed: 0 },
            header: None,
            choice: Choice::default(),
            scale: Scale::default(),
            grid: BTreeMap::new(),
        }
    }

    /// Reads both parts.
    ///
    /// # Errors
    /// As [`Table::read`], [`Table::split`] and [`Schema::of`]; and if the held-out rows lie off a grid.
    pub fn load(&self) -> Result<Splits> {
        self.load_holding_back(None)
    }

    /// The same with a number of training rows that a seed holds back: the schema is of the others.
    ///
    /// # Errors
    /// As [`load`](Self::load), and unless at least two rows are left to train on.
    pub fn load_holding_back(&self, held_back: Option<(u64, u64)>) -> Result<Splits> {
        let (train, test) = match &self.files {
            Files::Together { file, test_fraction, seed } => {
                Table::read(file, self.header, &self.choice)?.split(*test_fraction, *seed)?
            }
            Files::Apart { train, test } => {
                let train = Table::read(train, self.header, &self.choice)?;
                // By name: the files may differ in the order of their columns.
                let choice = Choice { columns: train.columns().to_vec(), ..self.choice.clone() };
                (train, Table::read(test, self.header, &choice)?)
            }
        };
        if train.rows() < 2 {
            return Err(train.error("training rows", train.rows(), "at least 2"));
        }
        let (train, validation) = match held_back {
            None => (train, None),
            Some((count, seed)) => {
                let (kept, held) = draw(train.rows(), count, seed)?;
                (train.at(&kept), Some(train.at(&held)))
            }
        };
        let schema = Schema::of(&train, &self.scale, &self.grid)?;
        validation.iter().chain([&test]).try_for_each(|rows| schema.check(rows))?;
        let warnings = schema.repeats(&train);
        Ok(Splits { train, validation, test, schema, warnings })
    }
}
