//! One draw of one row, before and after its solve.

use super::flow::RowDensity;
use crate::divergence::ProbeSeed;

/// One draw of one row.
#[derive(Clone, Debug)]
pub(super) struct Draw {
    pub(super) z: Vec<f64>,
    /// What its log-weight is above `log p(z)`, in nats.
    pub(super) price: f64,
    /// Where its probes come from.
    pub(super) seed: ProbeSeed,
}

/// One draw of one row, solved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Solved {
    pub(super) price: f64,
    pub(super) density: RowDensity,
}

impl Solved {
    /// `log p(z)` and the price, in nats.
    pub(super) fn log_weight(&self) -> f64 {
        self.density.log_density + self.price
    }
}
