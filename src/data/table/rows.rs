//! A table in memory.

use super::Choice;
use super::choice::Picked;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// Rows of finite numbers: the modelled columns, and the columns that condition them, each by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    columns: Vec<String>,
    values: Vec<f64>,
    conditions: Vec<String>,
    condition_values: Vec<f64>,
    origin: Origin,
}

/// Where the rows come from, for messages.
#[derive(Clone, Debug, Default, PartialEq)]
struct Origin {
    path: Option<PathBuf>,
    /// What the file's format counts: lines or rows.
    unit: &'static str,
    /// The number of each row in the file.
    numbers: Vec<usize>,
}

impl Table {
    /// A table of `values.len() / columns.len()` rows without conditions, row-major.
    ///
    /// # Errors
    /// Unless there is a column, names differ, and `values` is a positive whole number of rows of finite numbers.
    pub fn new(columns: Vec<String>, values: Vec<f64>) -> Result<Self> {
        let rows = values.len() / columns.len().max(1);
        if rows == 0 || !values.len().is_multiple_of(columns.len()) {
            let expected = format!("a positive multiple of {} columns", columns.len());
            return Err(Error::value("number of values given", values.len(), expected));
        }
        let origin = Origin { path: None, unit: "row", numbers: (0..rows).collect() };
        let table = Self { columns, values, conditions: Vec::new(), condition_values: Vec::new(), origin };
        table.checked()
    }

    /// The same rows with conditions: `rows` times `conditions.len()` values, row-major.
    ///
    /// # Errors
    /// Unless names differ from each other and from the columns', and there are as many finite values.
    pub fn with_conditions(self, conditions: Vec<String>, values: Vec<f64>) -> Result<Self> {
        let expected = self.rows() * conditions.len();
        if values.len() != expected {
            let expected = format!("{expected}, {} a row", conditions.len());
            return Err(Error::value("number of values of the conditions", values.len(), expected));
        }
        Self { conditions, condition_values: values, ..self }.checked()
    }

    /// The number of rows, at least 1.
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns.len()
    }

    /// The names of the modelled columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The modelled values, row-major (row, column).
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The names of the columns that condition.
    pub fn conditions(&self) -> &[String] {
        &self.conditions
    }

    /// The values of the conditions, row-major (row, condition); empty without conditions.
    pub fn condition_values(&self) -> &[f64] {
        &self.condition_values
    }

    /// Row `index` in the file: a line of CSV counted from 1, a row of an array counted from 0.
    pub fn number_in_file(&self, index: usize) -> Option<usize> {
        self.origin.numbers.get(index).copied()
    }

    /// The first `rows` rows, or all if there are fewer.
    pub fn truncated(&self, rows: usize) -> Self {
        let rows = rows.clamp(1, self.rows());
        self.at(&(0..rows).collect::<Vec<_>>())
    }

    /// The rows of these indices, in this order.
    pub(crate) fn at(&self, indices: &[usize]) -> Self {
        let gather = |values: &[f64], width: usize| -> Vec<f64> {
            let mut gathered = Vec::with_capacity(indices.len() * width);
            for &i in indices {
                gathered.extend_from_slice(&values[i * width..(i + 1) * width]);
            }
            gathered
        };
        let numbers = indices.iter().map(|&i| self.origin.numbers[i]).collect();
        Self {
            columns: self.columns.clone(),
            values: gather(&self.values, self.columns.len()),
            conditions: self.conditions.clone(),
            condition_values: gather(&self.condition_values, self.conditions.len()),
            origin: Origin { numbers, ..self.origin.clone() },
        }
    }

    /// The values of column `j`.
    pub(super) fn column(&self, j: usize) -> Vec<f64> {
        column_of(&self.values, self.columns.len(), j)
    }

    /// The values of condition `j`.
    pub(super) fn condition(&self, j: usize) -> Vec<f64> {
        column_of(&self.condition_values, self.conditions.len(), j)
    }

    /// The error that `what`, a part of this table, is `found` where `expected` is needed.
    pub(super) fn error(
        &self,
        what: impl Into<String>,
        found: impl ToString,
        expected: impl Into<String>,
    ) -> Error {
        match &self.origin.path {
            Some(path) => Error::format(path, what, found, expected),
            None => Error::value(what, found, expected),
        }
    }

    /// The name of a cell in messages: its row as the file counts and its column.
    pub(super) fn cell(&self, row: usize, column: &str) -> String {
        format!("{} {}, column \"{column}\"", self.origin.unit, self.origin.numbers[row])
    }

    fn checked(self) -> Result<Self> {
        let names: Vec<&String> = self.columns.iter().chain(&self.conditions).collect();
        if let Some((_, twice)) = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
            return Err(self.error(format!("column \"{twice}\""), "two of that name", "names that differ"));
        }
        let sides = [(&self.columns, &self.values), (&self.conditions, &self.condition_values)];
        for (names, values) in sides {
            if let Some(i) = values.iter().position(|value| !value.is_finite()) {
                let cell = self.cell(i / names.len(), &names[i % names.len()]);
                return Err(self.error(cell, values[i], "a finite number"));
            }
        }
        Ok(self)
    }
}

/// Column `j` of rows of `columns` values.
pub(super) fn column_of(values: &[f64], columns: usize, j: usize) -> Vec<f64> {
    let mut column = Vec::with_capacity(values.len() / columns);
    for from in values.get(j..).unwrap_or_default().chunks(columns) {
        column.push(from[0]);
    }
    column
}

/// A table in the making, of what `picked` says of each row of a file.
pub(super) struct Builder {
    table: Table,
    picked: Picked,
}

impl Builder {
    pub(super) fn new(path: &Path, unit: &'static str, names: &[String], choice: &Choice) -> Result<Self> {
        let picked = choice.pick(path, names)?;
        let named = |indices: &[usize]| indices.iter().map(|&i| names[i].clone()).collect();
        let table = Table {
            columns: named(&picked.columns),
            values: Vec::new(),
            conditions: named(&picked.conditions),
            condition_values: Vec::new(),
            origin: Origin { path: Some(path.to_owned()), unit, numbers: Vec::new() },
        };
        Ok(Self { table, picked })
    }

    /// Appends row `number` of the file; `cell` gives a column's value, or what is there instead of a finite number.
    pub(super) fn push(&mut self, number: usize, cell: impl Fn(usize) -> Result<f64, String>) -> Result<()> {
        let Self { table, picked } = self;
        table.origin.numbers.push(number);
        let row = table.origin.numbers.len() - 1;
        let columns = picked.columns.iter().zip(&table.columns);
        for (&index, name) in columns.chain(picked.conditions.iter().zip(&table.conditions)) {
            match cell(index) {
                Ok(value) if table.values.len() < (row + 1) * table.columns.len() => table.values.push(value),
                Ok(value) => table.condition_values.push(value),
                Err(found) => return Err(table.error(table.cell(row, name), found, "a finite number")),
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Table> {
        if self.table.origin.numbers.is_empty() {
            return Err(self.table.error("rows", "none", "at least one"));
        }
        Ok(self.table)
    }
}
