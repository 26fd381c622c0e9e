//! Sampling: a draw from the prior, carried through the ODE to the least noise, and decoded.

use crate::dequantization::decode_row;
use crate::divergence::Divergence;
use crate::error::{Error, Result};
use crate::level::Level;
use crate::likelihood::{Conditioning, DrawKey, ProbabilityFlow, Purpose};
use crate::nn::{Jvp, Network};
use crate::parameterization::Parameterization;
use crate::pixels::PixelGrid;
use crate::progress::Progress;
use crate::schedule::NoiseSchedule;
use crate::solver::{HostState, RowReport, RowStatus, Solution};
use crate::tensor::{Kernels, Real};

/// Draws samples.
///
/// Sample `i` comes from the generator named by `(seed, i)`, whatever the batch size and however
/// many samples are drawn.
#[derive(Debug)]
pub struct Sampler<'a, E, D, N, S, P> {
    flow: ProbabilityFlow<'a, E, D, N, S, P>,
    seed: u64,
    first: usize,
    conditioning: Conditioning<'a>,
}

/// What was drawn.
///
/// # Shapes
/// `z`: `samples x dims`, row-major; the others one entry a sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    dims: usize,
    level: Level,
    z: Vec<f64>,
    log_density: Option<Vec<f64>>,
    reports: Vec<RowReport>,
}

/// How far the way back from one sample to the prior misses where it came from: the solver's error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WayBack {
    /// The largest distance of a coordinate from the prior's draw; NaN where a solve failed.
    pub state: f64,
    /// The difference of the log-densities of the two ways, in nats; NaN where a solve failed.
    pub log_density_nats: f64,
}

/// One sample's log-density: a line of `sample_densities.csv`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleRecord {
    /// The number of the sample, which with the seed names its draws.
    pub index: usize,
    /// `log p(x)` in nats, of the same solve as the sample.
    pub log_prob: f64,
    /// Evaluations of that solve.
    pub evaluations: u32,
    /// What the way back misses.
    pub back: WayBack,
}

/// How far the way back from samples to the prior misses where they came from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// The largest distance of a coordinate from the prior's draw.
    pub state: f64,
    /// The largest difference of the log-densities of the two ways, in nats.
    pub log_density_nats: f64,
    /// The samples that were compared: those whose two solves both finished.
    pub samples: usize,
    /// The samples that were not.
    pub failures: usize,
}

impl Agreement {
    /// The largest of the errors of samples.
    pub fn of(all: impl IntoIterator<Item = WayBack>) -> Self {
        let none = Self { state: 0.0, log_density_nats: 0.0, samples: 0, failures: 0 };
        all.into_iter().fold(none, |found, back| match back.state.is_finite() {
            true => Self {
                state: found.state.max(back.state),
                log_density_nats: found.log_density_nats.max(back.log_density_nats),
                samples: found.samples + 1,
                ..found
            },
            false => Self { failures: found.failures + 1, ..found },
        })
    }
}

impl Samples {
    /// The states at the least noise; a sample that failed stands where its solve ended.
    pub fn z(&self) -> &[f64] {
        &self.z
    }

    /// `log p(z)` of each sample in nats, from the same solve, NaN where it failed; where it was asked for.
    pub fn log_density(&self) -> Option<&[f64]> {
        self.log_density.as_deref()
    }

    /// How each solve went.
    pub fn reports(&self) -> &[RowReport] {
        &self.reports
    }

    /// The number of samples whose solve failed.
    pub fn failures(&self) -> usize {
        self.reports.iter().filter(|report| report.status != RowStatus::Finished).count()
    }

    /// The grey levels that the decoder finds most likely, `samples x dims`.
    pub fn pixels(&self, grid: PixelGrid) -> Vec<u16> {
        decode_row(grid, &self.level, &self.z)
    }

    /// The states as data, `z / alpha`: for data that is not pixels.
    pub fn data(&self) -> Vec<f64> {
        self.z.iter().map(|z| z / self.level.alpha()).collect()
    }

    /// A record of each sample, with `volume` nats added to its log-density: none of samples without one.
    pub(crate) fn records(&self, back: &[WayBack], volume: f64) -> Vec<SampleRecord> {
        let mut records = Vec::with_capacity(back.len());
        let densities = self.log_density.as_deref().unwrap_or_default();
        for (index, ((log_density, report), back)) in
            densities.iter().zip(&self.reports).zip(back).enumerate()
        {
            let (log_prob, evaluations) = (log_density + volume, report.evaluations);
            records.push(SampleRecord { index, log_prob, evaluations, back: *back });
        }
        records
    }

    fn extend(&mut self, solution: Solution<HostState>) {
        self.z.extend_from_slice(solution.y.values());
        if let (Some(all), Some(new)) = (&mut self.log_density, solution.y.log_density()) {
            let rows = new.iter().zip(&solution.rows);
            all.extend(rows.map(|(value, report)| match report.status {
                RowStatus::Finished => *value,
                RowStatus::Failed(_) => f64::NAN,
            }));
        }
        self.reports.extend(solution.rows);
    }
}

impl<'a, E: Real, D: Kernels<E>, N: Network<E, D>, S: NoiseSchedule, P: Parameterization>
    Sampler<'a, E, D, N, S, P>
{
    /// Samples of `flow` with this seed.
    pub fn new(flow: ProbabilityFlow<'a, E, D, N, S, P>, seed: u64) -> Self {
        Self { flow, seed, first: 0, conditioning: None }
    }

    /// The same from sample `first` of the seed on.
    #[must_use]
    pub fn with_first(self, first: usize) -> Self {
        Self { first, ..self }
    }

    /// The same of samples with these conditioning numbers, the first sample's first: see [`Conditioning`].
    #[must_use]
    pub fn with_conditioning(self, conditioning: Conditioning<'a>) -> Self {
        Self { conditioning, ..self }
    }

    /// The conditioning numbers of some samples.
    fn given(&self, samples: &std::ops::Range<usize>) -> Conditioning<'a> {
        let each = self.flow.network().conditions();
        self.conditioning.map(|all| &all[samples.start * each..samples.end * each])
    }

    /// The flow.
    pub fn flow(&self) -> &ProbabilityFlow<'a, E, D, N, S, P> {
        &self.flow
    }

    /// Draws `count` samples. No derivative of the network is taken.
    ///
    /// # Errors
    /// A solver that cannot take these steps. A sample that fails is no error: its report says
    /// why.
    pub fn sample(&self, count: usize, progress: &mut dyn Progress) -> Result<Samples>
    where
        D: Kernels<f64>,
    {
        let range = self.flow.diffusion().range();
        self.flow.check_conditioning(count, self.conditioning)?;
        let mut samples = self.none(count, false);
        for block in self.blocks(count) {
            let given = self.given(&block);
            let start = HostState::new(self.flow.dims(), self.prior_draws(block))?;
            samples.extend(self.flow.transport(start, range.max(), range.min(), given)?);
            progress.advance_or_end(samples.reports.len() as u64, None)?;
        }
        Ok(samples)
    }

    fn none(&self, count: usize, with_density: bool) -> Samples {
        let diffusion = self.flow.diffusion();
        Samples {
            dims: self.flow.dims(),
            level: diffusion.level(diffusion.range().min()),
            z: Vec::with_capacity(count * self.flow.dims()),
            log_density: with_density.then(|| Vec::with_capacity(count)),
            reports: Vec::with_capacity(count),
        }
    }

    fn blocks(&self, count: usize) -> impl Iterator<Item = std::ops::Range<usize>> + use<E, D, N, S, P> {
        let batch = self.flow.batch();
        (0..count).step_by(batch).map(move |first| first..count.min(first + batch))
    }

    fn key(&self, sample: usize) -> DrawKey {
        DrawKey { seed: self.seed, row: self.first + sample, draw: 0 }
    }

    /// The prior's draws of these samples, row by row.
    fn prior_draws(&self, samples: std::ops::Range<usize>) -> Vec<f64> {
        let (prior, dims) = (self.flow.diffusion().prior(), self.flow.dims());
        let mut draws = Vec::with_capacity(samples.len() * dims);
        for i in samples {
            draws.extend_from_slice(&prior.sample(dims, &mut self.key(i).rng(Purpose::Prior)));
        }
        draws
    }
}

impl<E: Real, D: Kernels<E> + Kernels<f64>, N: Jvp<E, D>, S: NoiseSchedule, P: Parameterization>
    Sampler<'_, E, D, N, S, P>
{
    /// Draws `count` samples with their log-density in the same solve: it begins at the prior's and
    /// falls by the integral of the drift's divergence on the way down. The samples differ from
    /// those of [`sample`](Self::sample) by the solver's error only: the log-density has a say in its steps.
    ///
    /// # Errors
    /// As [`sample`](Self::sample).
    pub fn sample_with_log_density(
        &self,
        count: usize,
        divergence: &dyn Divergence,
        progress: &mut dyn Progress,
    ) -> Result<Samples> {
        let (range, prior, dims) =
            (self.flow.diffusion().range(), self.flow.diffusion().prior(), self.flow.dims());
        self.flow.check_conditioning(count, self.conditioning)?;
        let mut samples = self.none(count, true);
        for block in self.blocks(count) {
            let seeds: Vec<_> = block.clone().map(|i| self.key(i).bytes(Purpose::Probe)).collect();
            let given = self.given(&block);
            let z = self.prior_draws(block);
            let log_density = z.chunks_exact(dims).map(|z| prior.log_density(z)).collect();
            let start = HostState::new(dims, z)?.with_log_density(log_density)?;
            let (from, to) = (range.max(), range.min());
            samples.extend(self.flow.transport_density(start, from, to, divergence, &seeds, given)?);
            progress.advance_or_end(samples.reports.len() as u64, None)?;
        }
        Ok(samples)
    }

    /// Carries samples that this sampler drew with their log-density back to the prior, with the same
    /// probes, and compares both ends. What is left is the solver's error; and the noise of a divergence that learns from
    /// where a solve begins, as [`HutchPlusPlus`](crate::divergence::HutchPlusPlus) does.
    ///
    /// # Errors
    /// Samples without a log-density or of another shape, and as [`sample`](Self::sample).
    pub fn way_back(&self, samples: &Samples, divergence: &dyn Divergence) -> Result<Vec<WayBack>> {
        let (dims, prior) = (self.flow.dims(), self.flow.diffusion().prior());
        let Some(down) = samples.log_density() else {
            let expected = "samples drawn with their log-density";
            return Err(Error::value("samples", "no log-density", expected));
        };
        if samples.dims != dims {
            return Err(Error::value("dimensions of a sample", samples.dims, dims.to_string()));
        }
        self.flow.check_conditioning(down.len(), self.conditioning)?;
        let end = self.flow.diffusion().range().max();
        let mut found = Vec::with_capacity(down.len());
        for block in self.blocks(down.len()) {
            let seeds: Vec<_> = block.clone().map(|i| self.key(i).bytes(Purpose::Probe)).collect();
            let z = samples.z[block.start * dims..block.end * dims].to_vec();
            let (start, from) = (HostState::new(dims, z)?, samples.level.gamma());
            let given = self.given(&block);
            let back = self.flow.transport_density(start, from, end, divergence, &seeds, given)?;
            let draws = self.prior_draws(block.clone());
            let change = back.y.log_density().unwrap_or_default();
            let rows = back.y.iter().zip(draws.chunks_exact(dims)).zip(change).zip(&back.rows);
            for (i, (((there, draw), change), report)) in block.zip(rows) {
                if samples.reports[i].status != RowStatus::Finished || report.status != RowStatus::Finished {
                    found.push(WayBack { state: f64::NAN, log_density_nats: f64::NAN });
                    continue;
                }
                let distance = there.iter().zip(draw).map(|(a, b)| (a - b).abs());
                let up = prior.log_density(there) - change;
                let log_density_nats = (up - down[i]).abs();
                found.push(WayBack { state: distance.fold(0.0, f64::max), log_density_nats });
            }
        }
        Ok(found)
    }

    /// The largest errors of the [`way_back`](Self::way_back).
    ///
    /// # Errors
    /// As there.
    pub fn agreement(&self, samples: &Samples, divergence: &dyn Divergence) -> Result<Agreement> {
        Ok(Agreement::of(self.way_back(samples, divergence)?))
    }
}
