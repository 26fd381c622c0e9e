//! Tables: rows of numbers in units of their own, some of which may condition the others.
//!
//! A [`Spec`] says which files and columns; [`Spec::load`] reads both [`Splits`]. Their [`Schema`] moves between the
//! user's units `x` and a model's `x' = (x - shift) / scale`:
//!
//! `ln p(x) = ln p'(x') + log_units`, in nats a row.
//!
//! ```
//! use idode::data::table::{Scale, Schema, Table};
//!
//! # fn main() -> idode::error::Result<()> {
//! let table = Table::new(vec!["mass".into(), "count".into()], vec![10.0, 3.0, 30.0, 5.0, 20.0, 4.0])?;
//! let schema = Schema::of(&table, &Scale::Standard, &[("count".to_string(), 1.0)].into())?;
//! let scaled = schema.scaling().forward(table.values());
//! assert!(scaled[4].abs() < 1e-12); // 20, the mean
//! assert_eq!(schema.log_units(), schema.scaling().log_jacobian()); // ln 1 for steps of 1
//! # Ok(())
//! # }
//! ```

mod choice;
mod csv;
mod file;
mod fingerprint;
mod grid;
mod npy;
mod read;
mod repeats;
mod rows;
mod scaling;
mod schema;
mod spec;
mod split;
mod write;

pub use choice::Choice;
pub use file::TableFile;
pub use fingerprint::Fingerprint;
pub use grid::GridColumn;
pub use repeats::Repeats;
pub(crate) use repeats::regular_step;
pub use rows::Table;
pub use scaling::{Scale, Scaling};
pub use schema::Schema;
pub use spec::{Files, Spec, Splits};
pub use write::{write_csv, write_npy};
