//! The probability flow: a network, its diffusion, and how the ODE is solved.

use super::field::Drift;
use super::state::TensorState;
use crate::diffusion::Diffusion;
use crate::divergence::{Divergence, ProbeSeed};
use crate::error::{Error, Result};
use crate::level::Gamma;
use crate::nn::{Jvp, Network};
use crate::parameterization::Parameterization;
use crate::schedule::NoiseSchedule;
use crate::solver::{
    AnyState, ExplicitRk, HostState, OdeSolver, RowReport, RowStatus, Solution, Stepping, integrate, tables,
};
use crate::tensor::{Kernels, Real};
use std::marker::PhantomData;

/// Where a solve keeps its states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum States {
    /// In the host's memory.
    Host,
    /// As tensors on the network's device: only numbers of whole rows come to the host while a solve runs.
    Device,
}

/// Carries rows, with or without their log-density, from one noise level to another.
///
/// Rows are independent: nothing here depends on which rows share a batch.
#[derive(Debug)]
pub struct ProbabilityFlow<'a, E, D, N, S, P> {
    network: &'a N,
    diffusion: &'a Diffusion<S, P>,
    pub(super) solver: Box<dyn OdeSolver<AnyState>>,
    pub(super) stepping: Stepping,
    batch: usize,
    states: States,
    device: PhantomData<fn() -> (E, D)>,
}

/// The log-density of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowDensity {
    /// `log p(z)` in nats; NaN where the solve failed.
    pub log_density: f64,
    /// How the solve went.
    pub report: RowReport,
}

impl RowDensity {
    /// Whether the solve reached the prior.
    pub fn finished(&self) -> bool {
        self.report.status == RowStatus::Finished
    }
}

/// The conditioning numbers of rows, as many for each as the network has [`conditions`](Network::conditions); it sees 0 without.
pub type Conditioning<'c> = Option<&'c [f64]>;

impl<'a, E: Real, D: Kernels<E>, N: Network<E, D>, S: NoiseSchedule, P: Parameterization>
    ProbabilityFlow<'a, E, D, N, S, P>
{
    /// The flow with Dormand-Prince 5(4), adaptive, in batches of 64 rows, with its states in the device's memory.
    pub fn new(network: &'a N, diffusion: &'a Diffusion<S, P>) -> Self {
        Self {
            network,
            diffusion,
            solver: Box::new(ExplicitRk::new(&tables::DORMAND_PRINCE)),
            stepping: Stepping::default(),
            batch: 64,
            states: if <D as Kernels<E>>::ON_HOST { States::Host } else { States::Device },
            device: PhantomData,
        }
    }

    /// The same with another solver and its steps in gamma.
    #[must_use]
    pub fn with_solver(self, solver: impl OdeSolver<AnyState> + 'static, stepping: Stepping) -> Self {
        Self { solver: Box::new(solver), stepping, ..self }
    }

    /// The same with another number of rows in one solve and in one call of the network.
    ///
    /// # Errors
    /// When it is 0.
    pub fn with_batch(self, batch: usize) -> Result<Self> {
        if batch == 0 {
            return Err(Error::value("batch", batch, "at least 1"));
        }
        Ok(Self { batch, ..self })
    }

    /// The same with its states elsewhere.
    #[must_use]
    pub fn with_states(self, states: States) -> Self {
        Self { states, ..self }
    }

    /// The network.
    pub fn network(&self) -> &'a N {
        self.network
    }

    /// The diffusion.
    pub fn diffusion(&self) -> &'a Diffusion<S, P> {
        self.diffusion
    }

    /// The number of dimensions of a row.
    pub fn dims(&self) -> usize {
        self.network.dims()
    }

    /// The number of rows of one solve and of one call of the network.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// How many rows of the network's shape `len` numbers are.
    ///
    /// # Errors
    /// Unless they are whole rows.
    pub(crate) fn rows(&self, name: &str, len: usize) -> Result<usize> {
        let dims = self.dims();
        if dims == 0 || !len.is_multiple_of(dims) {
            let expected = format!("whole rows of {dims}, the network's shape");
            return Err(Error::value(name, format!("{len} numbers"), expected));
        }
        Ok(len / dims)
    }

    /// Refuses a level outside the diffusion's range: the network was never trained there.
    pub(crate) fn check_level(&self, gamma: Gamma) -> Result<()> {
        let range = self.diffusion.range();
        // A level that was computed from another side of a formula may miss the end by rounding.
        let slack = 1e-12 * range.width();
        if !(range.min().0 - slack..=range.max().0 + slack).contains(&gamma.0) {
            let expected = format!("a level of the range [{}, {}]", range.min(), range.max());
            return Err(Error::value("gamma", gamma, expected));
        }
        Ok(())
    }

    fn check(&self, y: &HostState, ends: [Gamma; 2], conditioning: Conditioning<'_>) -> Result<usize> {
        ends.iter().try_for_each(|&gamma| self.check_level(gamma))?;
        if y.dims() != self.dims() {
            return Err(Error::value("dimensions of a row", y.dims(), self.dims().to_string()));
        }
        let rows = y.values().len() / y.dims();
        self.check_conditioning(rows, conditioning)?;
        Ok(rows)
    }

    /// Refuses conditioning numbers that are not as many for each row as the network takes.
    pub(crate) fn check_conditioning(&self, rows: usize, conditioning: Conditioning<'_>) -> Result<()> {
        let each = self.network.conditions();
        match conditioning {
            Some(numbers) if numbers.len() != rows * each => {
                let found = format!("{} numbers", numbers.len());
                Err(Error::value("conditioning", found, format!("{each} for each of {rows} rows")))
            }
            _ => Ok(()),
        }
    }

    /// A state where this flow keeps them.
    pub(super) fn begin(&self, start: HostState) -> AnyState
    where
        D: Kernels<f64>,
    {
        match self.states {
            States::Host => AnyState::new(start),
            States::Device => AnyState::new(TensorState::upload(&start, self.network.device())),
        }
    }

    /// Brings a state to the host.
    pub(super) fn download(y: &AnyState) -> Result<HostState>
    where
        D: Kernels<f64>,
    {
        match (y.get::<HostState>(), y.get::<TensorState<D>>()) {
            (Some(y), _) => Ok(y.clone()),
            (_, Some(y)) => y.download(),
            _ => Err(Error::value("solution", "another state", "that of the solve's start")),
        }
    }

    /// Brings a solution to the host.
    fn end(solution: Solution<AnyState>) -> Result<Solution<HostState>>
    where
        D: Kernels<f64>,
    {
        Ok(Solution { y: Self::download(&solution.y)?, rows: solution.rows })
    }

    /// Carries rows from one level to another; a log-density they have stays as it is.
    ///
    /// # Errors
    /// Levels outside the diffusion's range, rows of another shape, a conditioning of another
    /// length, or a solver that cannot take these steps. A row that fails is no error.
    pub fn transport(
        &self,
        start: HostState,
        from: Gamma,
        to: Gamma,
        conditioning: Conditioning<'_>,
    ) -> Result<Solution<HostState>>
    where
        D: Kernels<f64>,
    {
        self.check(&start, [from, to], conditioning)?;
        let mut drift = Drift::new(self.network, self.diffusion, self.batch).with_conditioning(conditioning);
        Self::end(integrate(&self.solver, &mut drift, self.begin(start), from.0, to.0, &self.stepping)?)
    }
}

impl<E: Real, D: Kernels<E> + Kernels<f64>, N: Jvp<E, D>, S: NoiseSchedule, P: Parameterization>
    ProbabilityFlow<'_, E, D, N, S, P>
{
    /// Carries rows and their log-density, 0 where they have none, from one level to another:
    /// `log p` falls by the integral of the drift's divergence. The probes of row `i` come from `seeds[i]`.
    ///
    /// # Errors
    /// As [`transport`](Self::transport), and when there is not one seed a row.
    pub fn transport_density(
        &self,
        start: HostState,
        from: Gamma,
        to: Gamma,
        divergence: &dyn Divergence,
        seeds: &[ProbeSeed],
        conditioning: Conditioning<'_>,
    ) -> Result<Solution<HostState>> {
        let rows = self.check(&start, [from, to], conditioning)?;
        if seeds.len() != rows {
            return Err(Error::value("probe seeds", seeds.len(), format!("{rows}, one a row")));
        }
        let start = match start.log_density() {
            Some(_) => start,
            None => start.with_log_density(vec![0.0; rows])?,
        };
        let mut drift = Drift::new(self.network, self.diffusion, self.batch)
            .with_conditioning(conditioning)
            .with_density(divergence.begin(self.dims(), seeds));
        Self::end(integrate(&self.solver, &mut drift, self.begin(start), from.0, to.0, &self.stepping)?)
    }

    /// `log p(z)` of rows at level `from`: the prior's log-density at the flow's end plus the
    /// integral of the divergence on the way there.
    ///
    /// # Errors
    /// As [`transport_density`](Self::transport_density).
    pub fn log_density(
        &self,
        z: Vec<f64>,
        from: Gamma,
        divergence: &dyn Divergence,
        seeds: &[ProbeSeed],
        conditioning: Conditioning<'_>,
    ) -> Result<Vec<RowDensity>> {
        self.rows("z", z.len())?;
        let start = HostState::new(self.dims(), z)?;
        let end = self.diffusion.range().max();
        let solution = self.transport_density(start, from, end, divergence, seeds, conditioning)?;
        let change = solution.y.log_density().unwrap_or_default();
        let rows = solution.rows.iter().zip(solution.y.iter()).zip(change);
        let mut found = Vec::with_capacity(solution.rows.len());
        for ((report, z), change) in rows {
            found.push(self.density(z, *change, report));
        }
        Ok(found)
    }

    /// The log-density of a row that ended at `z`, after it changed by so much.
    pub(super) fn density(&self, z: &[f64], change: f64, report: &RowReport) -> RowDensity {
        let log_density = match report.status {
            RowStatus::Finished => self.diffusion.prior().log_density(z) - change,
            RowStatus::Failed(_) => f64::NAN,
        };
        RowDensity { log_density, report: *report }
    }
}
