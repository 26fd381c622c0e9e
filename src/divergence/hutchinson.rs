//! Hutchinson's estimator.

use super::basis::dot;
use super::directions::{Directions, signs};
use super::{Divergence, Jacobian, ProbeSeed, Trace};
use crate::error::{Error, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// The distribution of a probe's entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Probe {
    /// -1 or 1: the trace of a diagonal Jacobian is exact.
    #[default]
    Rademacher,
    /// Standard normal, with the probe's length averaged out in closed form: the trace of a
    /// multiple of the identity (such as a skip from input to output) is exact.
    Gaussian,
}

/// Hutchinson's unbiased estimate, the mean over probes of `d v^T (dF/dz) v / |v|^2`.
///
/// For Rademacher probes `|v|^2 = d`. For Gaussian ones `v^T J v` has the expectation
/// `d u^T J u` given the direction `u = v / |v|`, so the factor only takes variance away.
/// The probes are drawn once per row and solve.
///
/// # Reference
/// Hutchinson, Commun. Stat. Simul. Comput. 18 (1989) 1059-1076; fixed over a solve: FFJORD, arXiv
/// 1810.01367, section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hutchinson {
    probe: Probe,
    probes: usize,
}

/// One Rademacher probe.
impl Default for Hutchinson {
    fn default() -> Self {
        Self { probe: Probe::Rademacher, probes: 1 }
    }
}

impl Hutchinson {
    /// The mean over `probes` probes a row.
    ///
    /// # Errors
    /// When there are none.
    pub fn new(probe: Probe, probes: usize) -> Result<Self> {
        if probes == 0 {
            return Err(Error::value("probes", probes, "at least 1"));
        }
        Ok(Self { probe, probes })
    }

    /// The distribution of the probes' entries.
    pub fn probe(&self) -> Probe {
        self.probe
    }

    /// The number of probes a row.
    pub fn probes(&self) -> usize {
        self.probes
    }
}

impl Hutchinson {
    /// The probes of rows with these seeds.
    fn directions(&self, dims: usize, seeds: &[ProbeSeed]) -> Directions {
        let Self { probe, probes: per_row } = *self;
        let entries = match probe {
            Probe::Rademacher => signs(dims, per_row, seeds),
            Probe::Gaussian => normals(per_row * dims, seeds),
        };
        let probes = entries.chunks_exact(dims.max(1));
        let factors = probes.map(|v| dims as f64 / dot(v, v) / per_row as f64).collect();
        Directions { dims, per_row, entries, factors }
    }
}

impl Divergence for Hutchinson {
    fn begin(&self, dims: usize, seeds: &[ProbeSeed]) -> Box<dyn Trace> {
        Box::new(Probes { of: *self, directions: self.directions(dims, seeds) })
    }
}

/// The probes of one solve.
#[derive(Clone, Debug)]
struct Probes {
    of: Hutchinson,
    directions: Directions,
}

impl Trace for Probes {
    fn trace(&mut self, rows: &[usize], jacobian: &mut dyn Jacobian) -> Vec<f64> {
        self.directions.trace(rows, jacobian)
    }

    fn renew(&mut self, rows: &[usize], seeds: &[ProbeSeed]) {
        self.directions.replace(rows, &self.of.directions(self.directions.dims, seeds));
    }
}

fn normals(per_row: usize, seeds: &[ProbeSeed]) -> Vec<f64> {
    let mut normals = Vec::with_capacity(seeds.len() * per_row);
    for seed in seeds {
        let mut rng = ChaCha8Rng::from_seed(*seed);
        for _ in 0..per_row {
            normals.push(rng.sample(StandardNormal));
        }
    }
    normals
}
