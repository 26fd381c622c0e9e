//! How a solve chooses its steps: a fixed grid, or by the error.

use super::Tolerances;
use super::controller::{Controller, ProportionalIntegral};
use crate::error::{Error, Result};
use std::sync::Arc;

/// How a solve chooses its steps.
#[derive(Clone, Debug)]
pub enum Stepping {
    /// The same times for every row.
    Fixed(Grid),
    /// By each row's own error; needs a method with an embedded error estimate.
    Adaptive(Adaptive),
}

impl Stepping {
    /// `n` equal steps in t.
    ///
    /// # Errors
    /// When `n` is 0.
    pub fn steps(n: u32) -> Result<Self> {
        Grid::equal(n).map(Self::Fixed)
    }

    /// Steps between these times.
    ///
    /// # Errors
    /// Unless they are finite, two or more, and strictly rise or strictly fall.
    pub fn times(times: Vec<f64>) -> Result<Self> {
        Grid::times(times).map(Self::Fixed)
    }

    /// Adaptive steps with these tolerances, the rest as in [`Adaptive::default`].
    pub fn adaptive(tolerances: Tolerances) -> Self {
        Self::Adaptive(Adaptive { tolerances, ..Adaptive::default() })
    }
}

/// Adaptive, by [`Adaptive::default`].
impl Default for Stepping {
    fn default() -> Self {
        Self::Adaptive(Adaptive::default())
    }
}

/// The times of a fixed grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid(Kind);

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Equal(u32),
    Times(Vec<f64>),
}

impl Grid {
    /// `n` equal steps, whatever the ends.
    ///
    /// # Errors
    /// When `n` is 0.
    pub fn equal(n: u32) -> Result<Self> {
        if n == 0 { Err(Error::value("steps", n, "at least 1")) } else { Ok(Self(Kind::Equal(n))) }
    }

    /// Steps between these times, both ends included. A solve the other way goes through them
    /// backwards.
    ///
    /// # Errors
    /// Unless they are finite, two or more, and strictly rise or strictly fall.
    pub fn times(times: Vec<f64>) -> Result<Self> {
        if times.len() < 2 {
            return Err(Error::value("grid", format!("{} times", times.len()), "at least 2 times"));
        }
        if let Some((i, t)) = times.iter().enumerate().find(|(_, t)| !t.is_finite()) {
            return Err(Error::value(format!("grid[{i}]"), t, "a finite time"));
        }
        let rising = times[0] < times[1];
        let turn = times.windows(2).position(|pair| pair[0] == pair[1] || (pair[0] < pair[1]) != rising);
        if let Some(i) = turn {
            let found = format!("{} after {}", times[i + 1], times[i]);
            return Err(Error::value(
                format!("grid[{}]", i + 1),
                found,
                "times that strictly rise or strictly fall",
            ));
        }
        Ok(Self(Kind::Times(times)))
    }

    /// The times of a solve from `from` to `to`, one after the other: a grid of any number of equal steps takes no memory.
    ///
    /// # Errors
    /// When the grid is a list that does not end at `from` and `to`.
    pub fn between(&self, from: f64, to: f64) -> Result<Times<'_>> {
        if let Kind::Times(times) = &self.0 {
            let ends = (times[0], times[times.len() - 1]);
            if ends != (from, to) && ends != (to, from) {
                let found = format!("{} to {}", ends.0, ends.1);
                return Err(Error::value("grid", found, format!("the ends {from} and {to} of the solve")));
            }
        }
        Ok(Times { grid: self, from, to, next: 0 })
    }

    /// The number of steps.
    fn count(&self) -> usize {
        match &self.0 {
            Kind::Equal(n) => *n as usize,
            Kind::Times(times) => times.len() - 1,
        }
    }
}

/// The times of a [`Grid`] between two ends.
#[derive(Clone, Debug)]
pub struct Times<'g> {
    grid: &'g Grid,
    from: f64,
    to: f64,
    next: usize,
}

impl Iterator for Times<'_> {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        let (i, n) = (self.next, self.grid.count());
        if i > n {
            return None;
        }
        self.next += 1;
        Some(match &self.grid.0 {
            Kind::Equal(_) if i == 0 => self.from,
            Kind::Equal(_) if i == n => self.to,
            Kind::Equal(_) => self.from + (self.to - self.from) * (i as f64 / n as f64),
            Kind::Times(times) if times[0] == self.from => times[i],
            Kind::Times(times) => times[n - i],
        })
    }
}

/// Steps by each row's own error.
#[derive(Clone, Debug)]
pub struct Adaptive {
    /// How much error a step may have.
    pub tolerances: Tolerances,
    /// The rule for the next step's length.
    pub controller: Arc<dyn Controller>,
    /// The length of every row's first step; `None` chooses each row's by its field (Hairer,
    /// Norsett and Wanner, Solving Ordinary Differential Equations I, section II.4), for one more
    /// evaluation.
    pub first_step: Option<f64>,
    /// A row that has not finished after so many attempts, accepted or rejected, fails.
    pub max_steps: u32,
    /// A row whose step would have to be shorter fails. Ten units in the last place of `t` are
    /// always a limit.
    pub min_step: f64,
}

/// The PI controller at the default tolerances, at most 10,000 attempts a row.
impl Default for Adaptive {
    fn default() -> Self {
        Self {
            tolerances: Tolerances::default(),
            controller: Arc::new(ProportionalIntegral::STANDARD),
            first_step: None,
            max_steps: 10_000,
            min_step: 0.0,
        }
    }
}

impl Adaptive {
    /// Checks the tolerances and limits.
    ///
    /// # Errors
    /// Unless the tolerances are valid, a first step is finite and above 0, `max_steps` is at
    /// least 1 and `min_step` is finite and at least 0.
    pub fn validate(&self) -> Result<()> {
        self.tolerances.validate()?;
        if let Some(h) = self.first_step
            && !(h > 0.0 && h.is_finite())
        {
            return Err(Error::value("first step", h, "a finite length above 0"));
        }
        if self.max_steps == 0 {
            return Err(Error::value("max_steps", 0, "at least 1"));
        }
        if !(self.min_step >= 0.0 && self.min_step.is_finite()) {
            return Err(Error::value("min_step", self.min_step, "a finite length, at least 0"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_steps_end_where_the_solve_ends() {
        let grid = Grid::equal(3).expect("positive");
        assert!(grid.between(1.0, -0.5).expect("any ends").eq([1.0, 0.5, 0.0, -0.5]));
    }

    #[test]
    fn a_thousand_million_steps_take_no_memory() {
        let grid = Grid::equal(1_000_000_000).expect("positive");
        let mut times = grid.between(0.0, 1.0).expect("any ends");
        assert_eq!((times.next(), times.next()), (Some(0.0), Some(1e-9)));
    }

    #[test]
    fn a_list_serves_both_directions() {
        let grid = Grid::times(vec![0.0, 0.1, 1.0]).expect("rising");
        assert!(grid.between(0.0, 1.0).expect("its ends").eq([0.0, 0.1, 1.0]));
        assert!(grid.between(1.0, 0.0).expect("its ends").eq([1.0, 0.1, 0.0]));
        let error = grid.between(0.0, 2.0).expect_err("other ends").to_string();
        assert_eq!(error, "grid = 0 to 1: expected the ends 0 and 2 of the solve");
    }

    #[test]
    fn bad_grids_are_refused_with_the_index() {
        assert!(Grid::equal(0).is_err());
        assert!(Grid::times(vec![1.0]).is_err());
        let message = |times: &[f64]| Grid::times(times.to_vec()).expect_err("bad").to_string();
        assert!(message(&[0.0, f64::NAN]).starts_with("grid[1] = NaN"));
        assert!(message(&[0.0, 1.0, 0.5]).starts_with("grid[2] = 0.5 after 1:"));
        assert!(message(&[1.0, 0.0, 0.0]).starts_with("grid[2] = 0 after 0:"));
    }

    #[test]
    fn bad_limits_are_refused() {
        let ok = Adaptive::default;
        assert!(ok().validate().is_ok());
        assert!(Adaptive { first_step: Some(0.0), ..ok() }.validate().is_err());
        assert!(Adaptive { first_step: Some(f64::NAN), ..ok() }.validate().is_err());
        assert!(Adaptive { max_steps: 0, ..ok() }.validate().is_err());
        assert!(Adaptive { min_step: -1.0, ..ok() }.validate().is_err());
    }
}
