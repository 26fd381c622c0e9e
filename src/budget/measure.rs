//! The measurements that a budget is made of.

use super::parts::change;
use super::{Budget, Design, Nested, Spread};
use crate::error::{Error, Result};

/// How many times the tolerances are made ten times smaller at most, to find the one to use.
const FINEST: u32 = 3;

/// One measurement of the first images again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// One draw of each image, number `draw`, with set `probe` of its probes.
    Replicate {
        /// The draw; number 0 is the first of the estimate's own.
        draw: usize,
        /// The set of probes; number 0 is the estimate's own.
        probe: usize,
    },
    /// The estimate's own draws and probes under tolerances that are so many times ten times smaller.
    Finer(u32),
}

/// What has been measured: the value of each image, and how it was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimated<'a> {
    /// The value of each image; NaN where it has none.
    pub values: &'a [f64],
    /// How many draws each is the mean of.
    pub draws: usize,
    /// Whether it comes from a solver.
    pub solved: bool,
}

/// Measures the budget of an estimate: `again` gives the values of the first so many images, in the estimate's unit.
///
/// # Errors
/// Those of `again`, or values that are not one an image.
pub fn measure(
    estimated: Estimated<'_>,
    design: Design,
    mut again: impl FnMut(Again, usize) -> Result<Vec<f64>>,
) -> Result<Budget> {
    let images = design.images.min(estimated.values.len());
    let mut ask = |what| {
        let values = again(what, images)?;
        match values.len() == images {
            true => Ok(values),
            false => {
                Err(Error::value("values of a replicate", values.len(), format!("{images}, one an image")))
            }
        }
    };
    let each = design.draws * design.probes;
    let mut nested = vec![0.0; images * each];
    for draw in 0..design.draws {
        for probe in 0..design.probes {
            let values = ask(Again::Replicate { draw, probe })?;
            let cells = nested.iter_mut().skip(draw * design.probes + probe).step_by(each);
            cells.zip(values).for_each(|(cell, value)| *cell = value);
        }
    }
    let components = Nested::new(design.draws, design.probes, nested)?.components();
    let spread = Spread::of(estimated.values, estimated.draws);
    if !estimated.solved {
        return Ok(Budget::new(spread, components, design, Some(0.0)));
    }
    let mut before = ask(Again::Finer(1))?;
    let solver = change(&estimated.values[..images], &before);
    let mut budget = Budget::new(spread, components, design, solver);
    if budget.is_of_the_solver() {
        for times in 2..=FINEST {
            let finer = ask(Again::Finer(times))?;
            if change(&before, &finer).is_some_and(|change| change.abs() <= budget.random()) {
                budget.finer = Some(times - 1);
                break;
            }
            before = finer;
        }
    }
    Ok(budget)
}
