//! Densities on an interval, each with its `pdf`, `cdf` and `quantile`: plain numbers, whatever they are densities of.

mod histogram;
mod tabulated;

pub use histogram::Histogram;
pub use tabulated::Tabulated;
pub(crate) use tabulated::positive;
