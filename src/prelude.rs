//! The names most programs need.

pub use crate::level::{Gamma, GammaRange, Level};
