//! A density proportional to any positive weight.

use crate::error::{Error, Result};
use crate::math::{NODES, WEIGHTS};

/// How far the table of `ln weight` may be from the weight anywhere, and how far where that moves
/// no more than a rounding of the whole mass.
const TOLERANCE: f64 = 1e-11;
const TOLERANCE_OF_NO_MASS: f64 = 1e-4;
/// Cells before any is split, how often each may be halved, and how many there may be.
const CELLS: usize = 32;
const DEPTH: u32 = 24;
const MOST_CELLS: usize = 1 << 16;

/// The density on `[start, end]` proportional to a positive weight: `pdf(x) = w(x) / Z`, `Z` the weight's integral.
///
/// `ln weight` is kept as a polynomial of degree 7 in each of many cells, which are halved until
/// it agrees with the weight to relative 1e-11 (at a kink, until the cell holds next to no mass).
/// The density is the exponential of that table: it is positive, and `pdf`, `cdf` and `quantile`
/// belong to the same density, so draws stay unbiased even where the table is off.
///
/// ```
/// # fn main() -> idode::error::Result<()> {
/// let density = idode::density::Tabulated::new([-1.0, 1.0], "weight at", |x| 1.5 - x * x)?;
/// assert!((density.normalizer() - 7.0 / 3.0).abs() < 1e-14);
/// assert!(density.quantile(0.5).abs() < 1e-14);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Tabulated {
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
    fn log_weight(&self, at: f64) -> f64 {
        let x = (2.0 * at - self.start - self.end) / (self.end - self.start);
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
            let at = 0.5 * ((self.end + self.start) + (self.end - self.start) * x);
            error = error.max((self.log_weight(at) - log_weight(at)?).abs());
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
    /// The density on `[start, end]` proportional to `weight`; `name` and the place are what an error calls its value.
    ///
    /// # Errors
    /// Unless `start < end`, both finite, and `weight` is positive and finite wherever it is evaluated.
    pub fn new([start, end]: [f64; 2], name: &str, weight: impl Fn(f64) -> f64) -> Result<Self> {
        if !(start < end && start.is_finite() && end.is_finite()) {
            let expected = "two finite numbers, the first below the second";
            return Err(Error::value("interval of a density", format!("[{start}, {end}]"), expected));
        }
        let log_weight = |x: f64| positive(name, x, weight(x)).map(f64::ln);
        let edge = |i: usize| if i == CELLS { end } else { start + i as f64 / CELLS as f64 * (end - start) };
        let coarse =
            (0..CELLS).map(|i| Cell::new(edge(i), edge(i + 1), &log_weight)).collect::<Result<Vec<_>>>()?;
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
        Ok(Self { cells, below, above })
    }

    /// `Z`, the integral of the weight.
    pub fn normalizer(&self) -> f64 {
        self.above[0]
    }

    /// The density at `x`.
    pub fn pdf(&self, x: f64) -> f64 {
        self.cells[self.cell_of(x)].log_weight(x).exp() / self.normalizer()
    }

    /// The mass below `x`.
    pub fn cdf(&self, x: f64) -> f64 {
        let i = self.cell_of(x);
        (self.below[i] + self.cells[i].mass(self.cells[i].start, x)) / self.normalizer()
    }

    fn cell_of(&self, x: f64) -> usize {
        self.cells.partition_point(|c| c.end <= x).min(self.cells.len() - 1)
    }

    /// Where a fraction `u` of the mass lies below, `u` in `[0, 1]`.
    pub fn quantile(&self, u: f64) -> f64 {
        let [start, end] = [self.cells[0].start, self.cells[self.cells.len() - 1].end];
        if u <= 0.0 || u >= 1.0 {
            return if u <= 0.0 { start } else { end };
        }
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
        let excess = |x: f64| {
            if from_below {
                self.below[i] + cell.mass(cell.start, x) - mass
            } else {
                mass - self.above[i + 1] - cell.mass(x, cell.end)
            }
        };
        // Newton's method on the cumulative mass, inside a bracket that only shrinks.
        let (mut low, mut high) = (cell.start, cell.end);
        let mut x = 0.5 * (low + high);
        for _ in 0..100 {
            let error = excess(x);
            if error > 0.0 {
                high = x;
            } else {
                low = x;
            }
            let step = x - error / cell.log_weight(x).exp();
            let next = if low < step && step < high { step } else { 0.5 * (low + high) };
            let moved = (next - x).abs();
            x = next;
            if moved <= 4.0 * f64::EPSILON * x.abs().max(1e-3) || low >= high {
                break;
            }
        }
        x.clamp(start, end)
    }
}

/// The weight at `x`, if a density can be made of it.
///
/// # Errors
/// The value, as `name` and the place, unless it is positive and finite.
pub(crate) fn positive(name: &str, x: f64, value: f64) -> Result<f64> {
    if value > 0.0 && value.is_finite() {
        return Ok(value);
    }
    Err(Error::value(format!("{name} {x}"), value, "a positive number"))
}
