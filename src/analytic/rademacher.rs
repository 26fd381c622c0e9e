//! All Rademacher probes, to turn a stochastic estimator's expectation into a finite sum.

use crate::error::{Error, Result};

/// The most dimensions: 2^24 probes.
const DIMS: usize = 24;

/// All `2^d` vectors of signs, each once: the average over them is the expectation over a
/// Rademacher probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rademacher {
    dim: usize,
    next: usize,
}

impl Rademacher {
    /// The probes in `dim` dimensions.
    ///
    /// # Errors
    /// Unless `1 <= dim <= 24`.
    pub fn all(dim: usize) -> Result<Self> {
        if !(1..=DIMS).contains(&dim) {
            return Err(Error::value("dimension of the probes", dim, format!("1 to {DIMS}")));
        }
        Ok(Self { dim, next: 0 })
    }
}

impl Iterator for Rademacher {
    type Item = Vec<f64>;

    fn next(&mut self) -> Option<Vec<f64>> {
        let index = self.next;
        (index < 1 << self.dim).then(|| {
            self.next += 1;
            (0..self.dim).map(|i| if index >> i & 1 == 1 { 1.0 } else { -1.0 }).collect()
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (1 << self.dim) - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Rademacher {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_probe_comes_once() -> Result<()> {
        let mut probes: Vec<String> = Rademacher::all(5)?.map(|v| format!("{v:?}")).collect();
        assert_eq!((probes.len(), Rademacher::all(5)?.len()), (32, 32));
        probes.sort_unstable();
        probes.dedup();
        assert_eq!(probes.len(), 32);
        Ok(())
    }

    #[test]
    fn second_moments_are_the_identity() -> Result<()> {
        for (i, j) in [(0, 0), (0, 1), (2, 3), (3, 3)] {
            let mean = Rademacher::all(4)?.map(|v| v[i] * v[j]).sum::<f64>() / 16.0;
            assert_eq!(mean, f64::from(u8::from(i == j)));
        }
        Ok(())
    }

    #[test]
    fn the_number_of_dimensions_is_checked() {
        assert!(Rademacher::all(0).is_err() && Rademacher::all(25).is_err());
    }
}
