//! The laws of `OdeSolver` on every built-in method, and what the driver promises.

#[path = "solver/agreement.rs"]
mod agreement;
#[path = "solver/failures.rs"]
mod failures;
#[path = "solver/laws.rs"]
mod laws;
#[path = "solver/problems.rs"]
mod problems;
#[path = "solver/rows.rs"]
mod rows;
#[path = "solver/tables.rs"]
mod tables;
