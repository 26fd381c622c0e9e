//! Butcher tableaux: a Runge-Kutta method as data.

use super::conditions;
use crate::error::{Error, Result};

/// The coefficients of an explicit Runge-Kutta method of `s` stages,
///
/// `k_i = f(t + c_i h, y + h sum_{j<i} a_ij k_j)`, `y1 = y + h sum_i b_i k_i`.
///
/// # Reference
/// Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, section II.1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tableau {
    /// The name that recipes use, in snake case.
    pub name: &'static str,
    /// The method in a line.
    pub formula: &'static str,
    /// Where the coefficients come from.
    pub reference: &'static str,
    /// The order of the solution.
    pub order: u32,
    /// The stages' coefficients: row `i` holds `a_i0 .. a_i,i-1`, so row 0 is empty.
    pub a: &'static [&'static [f64]],
    /// The solution's weights.
    pub b: &'static [f64],
    /// The stages' times, `c_i = sum_j a_ij`.
    pub c: &'static [f64],
    /// The second solution that the error estimate comes from, where there is one.
    pub embedded: Option<Embedded>,
}

/// An embedded solution, stored as its difference from the main one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Embedded {
    /// The order of the embedded solution.
    pub order: u32,
    /// The weights of the error estimate `h sum_i error_i k_i`: the solution's weights less the
    /// embedded solution's.
    pub error: &'static [f64],
}

impl Tableau {
    /// The number of stages.
    pub const fn stages(&self) -> usize {
        self.b.len()
    }

    /// Whether the last stage is the field at the end of the step (first same as last), so that
    /// the next step gets its first stage for nothing: the last row of `a` is `b`.
    pub const fn first_same_as_last(&self) -> bool {
        let s = self.stages();
        if s < 2 || self.b[s - 1] != 0.0 || self.c[s - 1] != 1.0 || self.a[s - 1].len() != s - 1 {
            return false;
        }
        let mut j = 0;
        while j + 1 < s {
            if self.a[s - 1][j] != self.b[j] {
                return false;
            }
            j += 1;
        }
        true
    }

    /// Whether every slice has the length that the number of stages demands. A table that asserts
    /// it in a constant cannot be compiled in a wrong shape.
    pub const fn well_formed(&self) -> bool {
        let s = self.stages();
        if s == 0 || self.a.len() != s || self.c.len() != s {
            return false;
        }
        let mut i = 0;
        while i < s {
            if self.a[i].len() != i {
                return false;
            }
            i += 1;
        }
        match self.embedded {
            None => true,
            Some(embedded) => embedded.error.len() == s,
        }
    }

    /// The embedded solution's weights, `b - error`.
    pub fn embedded_weights(&self) -> Option<Vec<f64>> {
        Some(self.b.iter().zip(self.embedded?.error).map(|(b, e)| b - e).collect())
    }

    /// Checks the shape, `c_i = sum_j a_ij`, and every order condition of both solutions up to
    /// their stated orders, each to within `tolerance` (1e-14 for coefficients in full precision).
    ///
    /// # Errors
    /// Names the method, the condition and its residual.
    pub fn check(&self, tolerance: f64) -> Result<()> {
        if !self.well_formed() {
            let found = format!("a of {}, b of {}, c of {} rows", self.a.len(), self.b.len(), self.c.len());
            return Err(Error::value(
                self.name,
                found,
                "row i of a with i entries, and one c, b and error a row",
            ));
        }
        for (i, (row, c)) in self.a.iter().zip(self.c).enumerate() {
            let residual = row.iter().sum::<f64>() - c;
            if !within(residual, tolerance) {
                let name = format!("{}: sum of row {i} less c", self.name);
                return Err(Error::value(
                    name,
                    format!("{residual:e}"),
                    format!("0 to within {tolerance:e}"),
                ));
            }
        }
        let embedded = self.embedded.zip(self.embedded_weights());
        let solutions = [("solution", self.order, self.b.to_vec())]
            .into_iter()
            .chain(embedded.map(|(e, weights)| ("embedded solution", e.order, weights)));
        for (which, order, weights) in solutions {
            for condition in conditions::residuals(self.a, &weights, self.c, order) {
                if !within(condition.residual, tolerance) {
                    let name = format!("{}: {which}, order condition of {}", self.name, condition.tree);
                    let found = format!("{:e}", condition.residual);
                    return Err(Error::value(name, found, format!("0 to within {tolerance:e}")));
                }
            }
        }
        Ok(())
    }
}

/// Whether `|residual| <= tolerance`; never for NaN.
fn within(residual: f64, tolerance: f64) -> bool {
    residual.abs() <= tolerance
}
