//! Hutchinson's estimator.

use super::{Divergence, Jacobian, ProbeSeed, Trace, for_each_form};
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

impl Divergence for Hutchinson {
    fn begin(&self, dims: usize, seeds: &[ProbeSeed]) -> Box<dyn Trace> {
        let mut entries = Vec::with_capacity(seeds.len() * self.probes * dims);
        for seed in seeds {
            let mut rng = ChaCha8Rng::from_seed(*seed);
            entries.extend((0..self.probes * dims).map(|_| match self.probe {
                Probe::Rademacher => {
                    if rng.r#gen() {
                        1.0
                    } else {
                        -1.0
                    }
                }
                Probe::Gaussian => rng.sample::<f64, _>(StandardNormal),
            }));
        }
        let factors = entries.chunks_exact(dims.max(1)).map(|v| dims as f64 / dot(v, v)).collect();
        Box::new(Probes { probes: self.probes, dims, entries, factors })
    }
}

/// The probes of one solve.
#[derive(Clone, Debug)]
struct Probes {
    probes: usize,
    dims: usize,
    /// `rows x probes x dims`.
    entries: Vec<f64>,
    /// `d / |v|^2` of each probe.
    factors: Vec<f64>,
}

impl Trace for Probes {
    fn trace(&mut self, rows: &[usize], jacobian: &mut dyn Jacobian) -> Vec<f64> {
        let Self { probes, dims, .. } = *self;
        let index = |pair: usize| rows[pair / probes] * probes + pair % probes;
        let entries = |pair: usize| &self.entries[index(pair) * dims..][..dims];
        let mut traces = vec![0.0; rows.len()];
        let tangent = |pair: usize, tangent: &mut [f64]| {
            tangent.copy_from_slice(entries(pair));
            pair / probes
        };
        for_each_form(jacobian, rows.len() * probes, tangent, |pair, form| {
            traces[pair / probes] += self.factors[index(pair)] * form / probes as f64;
        });
        traces
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
