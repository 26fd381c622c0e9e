//! Likelihoods of a table's rows.

use super::Model;
use super::erased::Measurement;
use crate::data::rows;
use crate::data::table::{Schema, Table};
use crate::error::{Error, Result};
use crate::likelihood::{DensityRows, Each, ImageRecord, OdeEstimate, VlbEstimate, VlbRecord, collected};
use crate::progress::Progress;
use rand_chacha::ChaCha8Rng;

impl Model {
    /// The negative log-density of each row of a table in nats of the user's units, with the settings of the recipe; where columns lie on a grid,
    /// the bound that [`Schema`] documents.
    ///
    /// # Errors
    /// A model of images, or rows of other columns.
    pub fn density(&self, rows: &Table, progress: &mut dyn Progress) -> Result<OdeEstimate> {
        let records = collected(rows.rows(), progress, &mut |each| self.each_density(rows, each))?;
        Ok(OdeEstimate::of(records, None))
    }

    /// [`density`](Self::density) of chosen rows, one by one.
    ///
    /// # Errors
    /// As [`density`](Self::density), and those of whoever takes the records.
    pub fn each_density(&self, rows: &Table, each: Each<'_, ImageRecord>) -> Result<()> {
        let schema = self.schema_of(rows)?;
        let (given, measurement) = (rows::conditioning(schema, rows.condition_values()), self.measurement()?);
        // Nothing is drawn of rows without a grid.
        let how = match schema.grid() {
            [] => Measurement { draws: 1, importance_samples: 1, ..measurement },
            _ => measurement,
        };
        with_rows(schema, rows, |rows| self.network.density(rows, given.as_deref(), how, each))
    }

    /// The VLB of each row of a table in nats of the user's units.
    ///
    /// # Errors
    /// As [`density`](Self::density).
    pub fn vlb_of_density(&self, rows: &Table, progress: &mut dyn Progress) -> Result<VlbEstimate> {
        let records = collected(rows.rows(), progress, &mut |each| self.each_vlb_of_density(rows, each))?;
        Ok(VlbEstimate::of(records))
    }

    /// [`vlb_of_density`](Self::vlb_of_density) of chosen rows, one by one.
    ///
    /// # Errors
    /// As [`vlb_of_density`](Self::vlb_of_density), and those of whoever takes the records.
    pub fn each_vlb_of_density(&self, rows: &Table, each: Each<'_, VlbRecord>) -> Result<()> {
        let schema = self.schema_of(rows)?;
        let (given, how) = (rows::conditioning(schema, rows.condition_values()), self.measurement()?);
        let times = self.times()?;
        with_rows(schema, rows, |rows| self.network.vlb_of_density(rows, times, given.as_deref(), how, each))
    }

    pub(super) fn schema_of(&self, rows: &Table) -> Result<&Schema> {
        let Some(schema) = &self.schema else {
            return Err(Error::value("rows", "a table", format!("images of {}", self.shape)));
        };
        schema.check(rows).map(|()| schema)
    }
}

/// Does something with rows of a table as a network sees them: each spread over the cells of its grids, and scaled.
fn with_rows<R>(schema: &Schema, rows: &Table, f: impl FnOnce(&DensityRows<'_>) -> Result<R>) -> Result<R> {
    let width = rows.columns().len();
    let row = |index: usize, rng: &mut ChaCha8Rng| {
        let mut row = rows.values()[index * width..(index + 1) * width].to_vec();
        schema.dequantize(&mut row, rng);
        schema.scaling().forward(&row)
    };
    f(&DensityRows { rows: rows.rows(), row: &row, log_units: schema.log_units() })
}
