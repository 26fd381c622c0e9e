//! Dormand and Prince's method of order 8 with error estimates of orders 5 and 3 (DOP853): 12 evaluations a step.
//!
//! One step is a Runge-Kutta step with the table [`TABLE`]. Its error combines two estimates, so that it falls as
//! `h^8` where the estimates alone fall as `h^6` and `h^4`: with `e5` and `e3` the differences to embedded solutions of
//! orders 5 and 3,
//!
//! `e = e5 |e5| / sqrt(|e5|^2 + |e3|^2 / 100)`, row by row,
//!
//! where `|.|` is the error norm under [`DoublyEmbedded::RECIPES`]. The factor depends on the ratios of its tolerances
//! alone, not on their size.
//!
//! # Reference
//! Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I (2nd ed. 1993), sections II.5 and II.10; the
//! method is Dormand and Prince's (1989), the coefficients are those of the book's program DOP853.

mod table;

pub use table::{TABLE, THIRD_ORDER_ERROR};

use idode::registry::{Entry, NoSettings, Registry};
use idode::solver::{DoublyEmbedded, Embedded, OdeState};

/// Dormand-Prince 8(5,3).
pub static DOP853: DoublyEmbedded = DoublyEmbedded {
    tableau: &TABLE,
    other: Embedded { order: 3, error: &THIRD_ORDER_ERROR },
    factor: |e5, e3| e5 / e5.hypot(0.1 * e3),
    error_order: 7,
    scale: DoublyEmbedded::RECIPES,
};

/// Adds the name `dop853`.
pub fn register<Y: OdeState>(registry: &mut Registry<Y>) {
    let entry = Entry { formula: TABLE.formula, reference: TABLE.reference };
    registry.add_solver(TABLE.name, entry, |_: NoSettings, _| Ok(DOP853));
}

#[cfg(test)]
mod tests;
