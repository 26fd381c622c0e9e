//! What a model of a table needs to speak of its columns.

use super::{GridColumn, Repeats, Scale, Scaling, Table};
use crate::error::{Error, Result};
use crate::order::ordered;
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The columns of a table with the scaling that its training rows gave: how a model's numbers become the user's.
///
/// With `x' = (x - shift) / scale` and a model's density `p'`, in nats a row of the user's units:
///
/// `ln p(x) = ln p'(x') + log_units`, `log_units = -sum ln scale + sum over grid columns of ln step`;
///
/// with grid columns it is the bound of [`GridColumn`], for the mean over their noise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    columns: Vec<String>,
    scaling: Scaling,
    grid: Vec<GridColumn>,
    conditions: Vec<String>,
    condition_scaling: Scaling,
}

impl Schema {
    /// The schema that the training rows give; `grid` holds the step of each column whose values lie on a grid.
    ///
    /// Conditions are standardised whatever `scale` says: no likelihood depends on it.
    ///
    /// # Errors
    /// If a column or condition is constant, there is not one scale a column, `grid` names what is no modelled column,
    /// or a value of a column in `grid` does not lie on its grid.
    pub fn of(train: &Table, scale: &Scale, grid: &BTreeMap<String, f64>) -> Result<Self> {
        let (columns, conditions) = (train.columns(), train.conditions());
        for (j, name) in columns.iter().enumerate() {
            require_varying(train, name, &train.column(j))?;
        }
        for (j, name) in conditions.iter().enumerate() {
            require_varying(train, name, &train.condition(j))?;
        }
        let standard = Scaling::standard(columns.len(), train.values())?;
        let scaling = match scale {
            Scale::Standard => standard,
            Scale::None => Scaling::identity(columns.len()),
            Scale::By(scales) => Scaling::new(standard.shift().to_vec(), scales.clone())?,
        };
        let mut on_grid = Vec::new();
        for (name, &step) in grid {
            let Some(j) = columns.iter().position(|column| column == name) else {
                let expected = format!("a modelled column, one of {}", columns.join(", "));
                return Err(Error::value("grid", format!("\"{name}\""), expected));
            };
            on_grid.push(GridColumn::of(j, step, &train.column(j))?);
        }
        let order = ordered(on_grid.len(), &|a, b| on_grid[a].column.cmp(&on_grid[b].column));
        let grid = order.into_iter().map(|at| on_grid[at]).collect();
        let condition_scaling = Scaling::standard(conditions.len(), train.condition_values())?;
        let (columns, conditions) = (columns.to_vec(), conditions.to_vec());
        let schema = Self { columns, scaling, grid, conditions, condition_scaling };
        schema.check(train)?;
        Ok(schema)
    }

    /// Checks that a table has this schema's columns and conditions, and its values on this schema's grids.
    ///
    /// # Errors
    /// Names what differs, or the row and column of the first value that is off its grid.
    pub fn check(&self, table: &Table) -> Result<()> {
        for (what, found, expected) in [
            ("columns", table.columns(), &self.columns),
            ("conditions", table.conditions(), &self.conditions),
        ] {
            if found != expected {
                return Err(table.error(
                    what,
                    format!("[{}]", found.join(", ")),
                    format!("[{}]", expected.join(", ")),
                ));
            }
        }
        for grid in &self.grid {
            let values = table.column(grid.column);
            if let Some(row) = grid.first_off(&values) {
                let cell = table.cell(row, &self.columns[grid.column]);
                let found = values[row];
                let near = grid.nearest(found);
                let expected = format!("a value on its grid of step {}, such as {near}", grid.step);
                return Err(table.error(cell, found, expected));
            }
        }
        Ok(())
    }

    /// The modelled columns whose values repeat though no grid is given for them.
    pub fn repeats(&self, table: &Table) -> Vec<Repeats> {
        let columns = self.columns.iter().enumerate();
        let continuous = columns.filter(|(j, _)| self.grid.iter().all(|grid| grid.column != *j));
        continuous.filter_map(|(j, name)| Repeats::of(name, table.column(j))).collect()
    }

    /// The names of the modelled columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The scaling of the modelled columns.
    pub fn scaling(&self) -> &Scaling {
        &self.scaling
    }

    /// The modelled columns that are given uniform noise, in order.
    pub fn grid(&self) -> &[GridColumn] {
        &self.grid
    }

    /// The names of the columns that condition.
    pub fn conditions(&self) -> &[String] {
        &self.conditions
    }

    /// The scaling of the conditions; it has no part in any likelihood.
    pub fn condition_scaling(&self) -> &Scaling {
        &self.condition_scaling
    }

    /// What `ln p'(x')` lacks to be `ln p(x)`, in nats a row.
    pub fn log_units(&self) -> f64 {
        self.scaling.log_jacobian() + self.grid.iter().map(GridColumn::log_step).sum::<f64>()
    }

    /// Spreads the values of grid columns uniformly over their cells, in rows of the user's units.
    pub fn dequantize<R: Rng + ?Sized>(&self, rows: &mut [f64], rng: &mut R) {
        for row in rows.chunks_exact_mut(self.columns.len()) {
            self.grid.iter().for_each(|grid| grid.dequantize(row, rng));
        }
    }

    /// Moves the values of grid columns to the nearest points of their grids, in rows of the user's units.
    pub fn quantize(&self, rows: &mut [f64]) {
        for row in rows.chunks_exact_mut(self.columns.len()) {
            self.grid.iter().for_each(|grid| row[grid.column] = grid.nearest(row[grid.column]));
        }
    }
}

fn require_varying(table: &Table, name: &str, values: &[f64]) -> Result<()> {
    let first = values.first().copied().unwrap_or(0.0);
    if values.iter().all(|&x| x == first) {
        let what = format!("column \"{name}\" of the training rows");
        return Err(table.error(what, format!("{first} in every row"), "different values"));
    }
    Ok(())
}
