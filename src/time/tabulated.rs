//! A density proportional to any positive weight.

use super::TimeSampler;
use crate::error::{Error, Result};
use crate::level::{Gamma, GammaRange};
use crate::math::{NODES, WEIGHTS};

/// How far the table of `ln weight` may be from the weight anywhere, and how far where that moves
/// no more than a rounding of the whole mass.
const TOLERANCE: f64 = 1e-11;
const TOLERANCE_OF_NO_MASS: f64 = 1e-4;
/// Cells before any is split, how often each may be halved, and how many there may be.
const CELLS: usize = 32;
const DEPTH: u32 = 24;
const MOST_CELLS: usize = 1 << 16;

/// A density proportional to a tabulated weight.
///
/// `ln weight` is kept as a polynomial of degree 7 in each of many cells, which are halved until
/// it agrees with the weight to relative 1e-11 (at a kink, until the cell holds next to no mass).
/// The density is the exponential of that table: it is positive, and `pdf`, `cdf` and `quantile`
/// belong to the same density, so draws stay unbiased even where the table is off.
#[derive(Clone, Debug)]
pub struct Tabulated {
    range: GammaRange,
    cells: Vec<Cell>,
    /// The integral of the weight below the start of each cell, and above it; one more than cells.
    below: Vec<f64>,
    above: Vec<f64>,
}

/// A part of the range, with `ln weight` at the Gauss-Legendre nodes.
#[derive(Clone, Copy, Debug)]
struct Cell {
    start: f64,
    end: f64,
    log_weight: [f64; 8],
}

impl Cell {
    fn new(start: f64, end: f64, log_weight: &impl Fn(f64) -> Result<f64>) -> Result<Self> {
        let mut cell = Self { start, end, log_weight: [0.0; 8] };
        for (slot, node) in cell.log_weight.iter_mut().zip(NODES) {
            *slot = log_weight(0.5 * ((end + start) + (end - start) * node))?;
        }
        Ok(cell)
    }

    /// The polynomial through the nodes, in barycentric form.
    fn log_weight(&self, gamma: f64) -> f64 {
        let x = (2.0 * gamma - self.start - self.end) / (self.end - self.start);
        let (mut top, mut bottom, mut sign) = (0.0, 0.0, 1.0);
        for ((node, weight), value) in NODES.iter().zip(WEIGHTS).zip(self.log_weight) {
            if x == *node {
                return value;
            }
            let factor = sign * ((1.0 - node * node) * weight).sqrt() / (x - node);
            top += factor * value;
            bottom += factor;
            sign = -sign;
        }
        top / bottom
    }

    /// The integral of the weight from `from` to `to`, both inside the cell.
    fn mass(&self, from: f64, to: f64) -> f64 {
        let (middle, half) = (0.5 * (from + to), 0.5 * (to - from));
        let sum: f64 =
            NODES.iter().zip(WEIGHTS).map(|(x, w)| w * self.log_weight(middle + half * x).exp()).sum();
        half * sum
    }

    /// The largest error of the polynomial, on points between and beyond the nodes.
    fn error(&self, log_weight: &impl Fn(f64) -> Result<f64>) -> Result<f64> {
        let mut error: f64 = 0.0;
        for x in [-1.0, -0.9, -0.7, -0.3, 0.05, 0.4, 0.65, 0.9, 1.0] {
            let gamma = 0.5 * ((self.end + self.start) + (self.end - self.start) * x);
            error = error.max((self.log_weight(gamma) - log_weight(gamma)?).abs());
        }
        Ok(error)
    }

    /// Appends this cell, or its halves where the polynomial does not fit; `total` is about the
    /// mass of the whole range.
    fn refine(
        self,
        depth: u32,
        total: f64,
        log_weight: &impl Fn(f64) -> Result<f64>,
        out: &mut Vec<Cell>,
    ) -> Result<()> {
        let error = self.error(log_weight)?;
        let moved = error * self.mass(self.start, self.end);
        let fits = error <= TOLERANCE || (error <= TOLERANCE_OF_NO_MASS && moved <= 1e-15 * total);
        if fits || depth == 0 || out.len() >= MOST_CELLS {
            out.push(self);
            return Ok(());
        }
        let middle = 0.5 * (self.start + self.end);
        Cell::new(self.start, middle, log_weight)?.refine(depth - 1, total, log_weight, out)?;
        Cell::new(middle, self.end, log_weight)?.refine(depth - 1, total, log_weight, out)
    }
}

impl Tabulated {
    /// The density on `range` proportional to `weight`.
    ///
    /// # Errors
    /// Unless `weight` is positive and finite wherever it is evaluated.
    pub fn new(range: GammaRange, weight: impl Fn(Gamma) -> f64) -> Result<Self> {
        let log_weight = |gamma: f64| positive(&weight, Gamma(gamma)).map(f64::ln);
        let end = |i: usize| range.at(i as f64 / CELLS as f64).0;
        let coarse =
            (0..CELLS).map(|i| Cell::new(end(i), end(i + 1), &log_weight)).collect::<Result<Vec<_>>>()?;
        let total: f64 = coarse.iter().map(|c| c.mass(c.start, c.end)).sum();
        let mut cells = Vec::new();
        for cell in coarse {
            cell.refine(DEPTH, total, &log_weight, &mut cells)?;
        }
        let masses: Vec<f64> = cells.iter().map(|c| c.mass(c.start, c.end)).collect();
        let sums = |masses: &mut dyn Iterator<Item = &f64>| {
            let mut sum = 0.0;
            let mut sums = vec![0.0];
            sums.extend(masses.map(|m| {
                sum += m;
                sum
            }));
            sums
        };
        let below = sums(&mut masses.iter());
        let mut above = sums(&mut masses.iter().rev());
        above.reverse();
        Ok(Self { range, cells, below, above })
    }

    /// `Z`, the integral of the weight over the range.
    pub fn normalizer(&self) -> f64 {
        self.above[0]
    }

    /// The fraction of draws below `gamma`.
    pub fn cdf(&self, gamma: Gamma) -> f64 {
        let i = self.cell_of(gamma.0);
        (self.below[i] + self.cells[i].mass(self.cells[i].start, gamma.0)) / self.normalizer()
    }

    fn cell_of(&self, gamma: f64) -> usize {
        self.cells.partition_point(|c| c.end <= gamma).min(self.cells.len() - 1)
    }
}

impl TimeSampler for Tabulated {
    fn range(&self) -> GammaRange {
        self.range
    }

    fn pdf(&self, gamma: Gamma) -> f64 {
        self.cells[self.cell_of(gamma.0)].log_weight(gamma.0).exp() / self.normalizer()
    }

    fn quantile(&self, u: f64) -> Gamma {
        // Masses are counted from the nearer end, so that both tails keep their digits.
        let from_below = u < 0.5;
        let mass = self.normalizer() * if from_below { u } else { 1.0 - u };
        let i = if from_below {
            self.below.partition_point(|m| *m <= mass)
        } else {
            self.above.partition_point(|m| *m > mass)
        };
        let i = i.clamp(1, self.cells.len()) - 1;
        let cell = self.cells[i];
        let excess = |gamma: f64| {
            if from_below {
                self.below[i] + cell.mass(cell.start, gamma) - mass
            } else {
                mass - self.above[i + 1] - cell.mass(gamma, cell.end)
            }
        };
        // Newton's method on the cumulative mass, inside a bracket that only shrinks.
        let (mut low, mut high) = (cell.start, cell.end);
        let mut gamma = 0.5 * (low + high);
        for _ in 0..100 {
            let error = excess(gamma);
            if error > 0.0 {
                high = gamma;
            } else {
                low = gamma;
            }
            let step = gamma - error / cell.log_weight(gamma).exp();
            let next = if low < step && step < high { step } else { 0.5 * (low + high) };
            let moved = (next - gamma).abs();
            gamma = next;
            if moved <= 4.0 * f64::EPSILON * gamma.abs().max(1e-3) || low >= high {
                break;
            }
        }
        super::within(self.range, u, gamma)
    }
}

/// The weight at `gamma`, if a density can be made of it.
pub(super) fn positive(weight: impl Fn(Gamma) -> f64, gamma: Gamma) -> Result<f64> {
    let value = weight(gamma);
    if value > 0.0 && value.is_finite() {
        return Ok(value);
    }
    Err(Error::value(format!("importance weight at gamma {gamma}"), value, "a positive number"))
}
