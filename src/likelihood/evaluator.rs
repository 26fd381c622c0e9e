//! The evaluator: a flow, a divergence, and how much to draw.

use super::draw::Draw;
use super::flow::{Conditioning, ProbabilityFlow, RowDensity};
use super::seeds::{DrawKey, Purpose, Replicate};
use crate::divergence::{Divergence, Hutchinson, ProbeSeed};
use crate::error::{Error, Result};
use crate::level::Gamma;
use crate::nn::{Jvp, Network};
use crate::parameterization::Parameterization;
use crate::schedule::NoiseSchedule;
use crate::tensor::{Kernels, Real};

/// Measures likelihoods.
///
/// ```
/// use dfdx::prelude::Cpu;
/// use idode::diffusion::Diffusion;
/// use idode::divergence::Exact;
/// use idode::level::GammaRange;
/// use idode::likelihood::{Evaluator, ProbabilityFlow};
/// use idode::nn::{StaticMlp, MlpConfig};
/// use idode::parameterization::Velocity;
/// use idode::schedule::VariancePreserving;
/// use rand::SeedableRng;
///
/// # fn main() -> idode::error::Result<()> {
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let network = StaticMlp::<2, 32, f32, Cpu>::new(&MlpConfig::default(), &Cpu::default(), &mut rng)?;
/// let range = GammaRange::for_levels(256);
/// let diffusion = Diffusion::new(VariancePreserving, Velocity, range);
/// let evaluator = Evaluator::new(ProbabilityFlow::new(&network, &diffusion)).with_divergence(Exact);
/// let rows = evaluator.log_prob(&[0.1, -0.2, 0.7, 0.0], range.min())?;
/// assert!(rows.iter().all(|row| row.log_density.is_finite()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Evaluator<'a, E, D, N, S, P> {
    pub(super) flow: ProbabilityFlow<'a, E, D, N, S, P>,
    pub(super) divergence: Box<dyn Divergence>,
    pub(super) seed: u64,
    pub(super) draws: usize,
    pub(super) importance_samples: usize,
    pub(super) replicate: Replicate,
    pub(super) conditioning: Conditioning<'a>,
}

impl<'a, E: Real, D: Kernels<E>, N: Network<E, D>, S: NoiseSchedule, P: Parameterization>
    Evaluator<'a, E, D, N, S, P>
{
    /// One draw an image, one Rademacher probe, seed 0.
    pub fn new(flow: ProbabilityFlow<'a, E, D, N, S, P>) -> Self {
        Self {
            flow,
            divergence: Box::new(Hutchinson::default()),
            seed: 0,
            draws: 1,
            importance_samples: 1,
            replicate: Replicate::default(),
            conditioning: None,
        }
    }

    /// The same with another divergence.
    #[must_use]
    pub fn with_divergence(self, divergence: impl Divergence + 'static) -> Self {
        Self { divergence: Box::new(divergence), ..self }
    }

    /// The same for rows with these conditioning numbers, the first row's first: see [`Conditioning`].
    #[must_use]
    pub fn with_conditioning(self, conditioning: Conditioning<'a>) -> Self {
        Self { conditioning, ..self }
    }

    /// The same with another seed.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The same with the mean of `draws` bounds an image, each from `importance_samples` draws of
    /// its own (`K` of the K-sample bound; 1 for the single-draw bound).
    ///
    /// # Errors
    /// When either is 0.
    pub fn with_draws(self, draws: usize, importance_samples: usize) -> Result<Self> {
        for (name, count) in [("draws", draws), ("importance_samples", importance_samples)] {
            if count == 0 {
                return Err(Error::value(name, count, "at least 1"));
            }
        }
        Ok(Self { draws, importance_samples, ..self })
    }

    /// The same with other draws or other probes, to see how much they matter: see [`budget`](crate::budget).
    #[must_use]
    pub fn with_replicate(self, replicate: Replicate) -> Self {
        Self { replicate, ..self }
    }

    /// The flow.
    pub fn flow(&self) -> &ProbabilityFlow<'a, E, D, N, S, P> {
        &self.flow
    }

    /// The name of a draw of a row.
    pub(super) fn key(&self, row: usize, draw: usize) -> DrawKey {
        DrawKey { seed: self.seed, row, draw: self.replicate.draw * self.importance_samples + draw }
    }

    /// Where the probes of a draw come from.
    pub(super) fn probe_seed(&self, key: DrawKey, purpose: Purpose) -> ProbeSeed {
        key.bytes_of_set(purpose, self.replicate.probe)
    }
}

impl<E: Real, D: Kernels<E>, N: Network<E, D>, S: NoiseSchedule, P: Parameterization>
    Evaluator<'_, E, D, N, S, P>
{
    /// `log p(z)` in nats of each row of continuous data at noise level `from`, as a density over `z`.
    ///
    /// # Shapes
    /// `z`: `rows x dims`, row-major; one result a row.
    ///
    /// # Errors
    /// Numbers that are not whole rows, a level outside the diffusion's range, or a solver that
    /// cannot take these steps. A row that fails is no error: its log-density is NaN and its
    /// report says why.
    pub fn log_prob(&self, z: &[f64], from: Gamma) -> Result<Vec<RowDensity>>
    where
        N: Jvp<E, D>,
        D: Kernels<f64>,
    {
        self.log_prob_given(z, from, self.conditioning)
    }

    /// [`log_prob`](Self::log_prob) of rows with these conditioning numbers.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob), and unless each row has as many as the network takes.
    pub fn log_prob_given(
        &self,
        z: &[f64],
        from: Gamma,
        conditioning: Conditioning<'_>,
    ) -> Result<Vec<RowDensity>>
    where
        N: Jvp<E, D>,
        D: Kernels<f64>,
    {
        let (count, dims) = (self.flow.rows("z", z.len())?, self.flow.dims());
        self.flow.check_conditioning(count, conditioning)?;
        let rows: Vec<usize> = (0..count).collect();
        let draw = |row: usize, _: usize| Draw {
            z: z[row * dims..(row + 1) * dims].to_vec(),
            price: 0.0,
            seed: self.probe_seed(self.key(row, 0), Purpose::Probe),
        };
        let mut found = vec![None; count];
        self.solve_draws(from, (&rows, 1, conditioning), &draw, &mut |solved| {
            solved.iter().for_each(|(row, draws)| found[*row] = Some(draws[0].density));
            Ok(())
        })?;
        let mut densities = Vec::with_capacity(count);
        for density in found {
            densities.extend(density);
        }
        Ok(densities)
    }
}
