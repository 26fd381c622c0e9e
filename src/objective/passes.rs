//! The passes through the network that the objectives of one batch share.

use super::matching::sum_rows;
use super::{Matching, Objective, Probes, RowLosses, Term};
use crate::error::{Error, Result};
use crate::nn::{Jvp, Network, Pass, SecondJvp};
use crate::tensor::{Dual, Kernels, Real, RowCoefficients};
use dfdx::prelude::*;

type Taped<S, E, D> = Tensor<S, E, D, OwnedTape<E, D>>;

/// A network at one batch of regression problems: its output and its derivatives, each computed when an objective first
/// asks, and what has been learned of each term.
///
/// What is asked for taped carries an empty tape: the operations that lead to it are kept here, once, and
/// [`evaluate`](Self::evaluate) joins them to the losses. Dropout drops the same units in every pass.
///
/// # Shapes
/// States, directions and derivatives: the network's `(batch, ...)`; numbers per row: `(batch,)`.
pub struct Passes<'a, 'p, E: Real, D: Kernels<E>, N: Network<E, D>> {
    network: &'a N,
    reference: Option<&'a N>,
    problem: &'a Matching<N::Batch, E, D>,
    pass: &'a mut Pass<'p>,
    probes: &'a mut dyn Probes,
    tape: OwnedTape<E, D>,
    output: Option<Tensor<N::Batch, E, D>>,
    residual: Option<Tensor<N::Batch, E, D>>,
    terms: Vec<Term>,
}

impl<E: Real, D: Kernels<E>, N: Network<E, D>> std::fmt::Debug for Passes<'_, '_, E, D, N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passes").field("pass", &self.pass).field("terms", &self.terms).finish_non_exhaustive()
    }
}

/// An objective's losses on one batch, with what training reports of it.
#[derive(Debug)]
pub struct Losses<E: Real, D: Kernels<E>> {
    /// The loss of each row in nats, with the tape that leads to the parameters.
    pub rows: RowLosses<E, D>,
    /// The first-order loss of each row in nats, whether it is minimised or not.
    pub first_order: Vec<f64>,
    /// The high-order terms, in the order in which they were computed.
    pub terms: Vec<Term>,
}

impl<'a, 'p, E: Real, D: Kernels<E>, N: Network<E, D>> Passes<'a, 'p, E, D, N> {
    /// The passes of `network` on `problem`; `probes` gives the directions of sliced objectives.
    pub fn new(
        network: &'a N,
        problem: &'a Matching<N::Batch, E, D>,
        pass: &'a mut Pass<'p>,
        probes: &'a mut dyn Probes,
    ) -> Self {
        let (tape, terms) = (OwnedTape::default(), Vec::new());
        Self { network, reference: None, problem, pass, probes, tape, output: None, residual: None, terms }
    }

    /// Takes everything that no gradient goes through (the residual and the lower orders' estimates in high-order
    /// targets, the second factor of a product of probes) from another network: a frozen copy, say.
    #[must_use]
    pub fn with_reference(self, reference: &'a N) -> Self {
        Self { reference: Some(reference), ..self }
    }

    /// The losses of `objective`.
    ///
    /// # Errors
    /// As [`Objective::terms`].
    pub fn evaluate<O: Objective<E, D, N> + ?Sized>(mut self, objective: &O) -> Result<Losses<E, D>> {
        let losses = objective.terms(&mut self)?;
        let first_order = self.problem.weights();
        let squares = self.squared_residual();
        let first_order = first_order.as_slice().iter().zip(squares).map(|(w, s)| w * s).collect();
        let (losses, tape) = losses.split_tape();
        Ok(Losses { rows: losses.put_tape(tape.merge(self.tape)), first_order, terms: self.terms })
    }

    /// The regression problem.
    pub fn problem(&self) -> &'a Matching<N::Batch, E, D> {
        self.problem
    }

    /// The number of dimensions of a row.
    pub fn dims(&self) -> usize {
        self.network.dims()
    }

    /// The network's output `F1`, taped.
    pub fn output(&mut self) -> Taped<N::Batch, E, D> {
        if let Some(output) = &self.output {
            return output.retaped();
        }
        self.pass.rewind();
        let output = self.network.forward(self.problem.input().leaky_traced(), self.pass);
        let output = self.keep(output);
        self.output = Some(output.clone());
        output.retaped()
    }

    /// The residual `r = F - F1`, without a gradient.
    pub fn residual(&mut self) -> Tensor<N::Batch, E, D> {
        if let Some(residual) = &self.residual {
            return residual.clone();
        }
        let output = match self.reference {
            Some(reference) => {
                self.pass.rewind();
                reference.forward(self.problem.input(), self.pass)
            }
            None => self.output().split_tape().0,
        };
        let residual = self.problem.target.clone() - output;
        self.residual = Some(residual.clone());
        residual
    }

    /// `|r|^2` of each row.
    pub fn squared_residual(&mut self) -> Vec<f64> {
        if self.residual.is_none() && self.reference.is_none() {
            let output = self.output().split_tape().0;
            return host(&D::distances(output, &self.problem.target));
        }
        host(&sum_rows(self.residual().square()))
    }

    /// A probe for each row.
    pub fn probe(&mut self) -> Tensor<N::Batch, E, D> {
        let shape = *self.problem.z.shape();
        let entries: Vec<E> = self.probes.draw(shape.num_elements()).into_iter().map(E::of).collect();
        self.network.device().upload(&entries, shape)
    }

    /// The unit vector of dimension `index`, for every row.
    pub fn unit(&self, index: usize) -> Tensor<N::Batch, E, D> {
        let shape = *self.problem.z.shape();
        let mut entries = vec![E::of(0.0); shape.num_elements()];
        entries.iter_mut().skip(index).step_by(self.dims()).for_each(|entry| *entry = E::of(1.0));
        self.network.device().upload(&entries, shape)
    }

    /// `dF1/dz v`, taped.
    pub fn along(&mut self, v: &Tensor<N::Batch, E, D>) -> Taped<N::Batch, E, D>
    where
        N: Jvp<E, D>,
    {
        self.pass.rewind();
        let z = Dual::new(self.problem.input().leaky_traced(), self.seen(v).retaped());
        let f = self.network.jvp(z, self.pass);
        let (output, tangent) = (self.keep(f.value), self.keep(f.tangent));
        self.output.get_or_insert(output);
        tangent.retaped()
    }

    /// `dF1/dz v` without a gradient.
    pub fn fixed_along(&mut self, v: &Tensor<N::Batch, E, D>) -> Tensor<N::Batch, E, D>
    where
        N: Jvp<E, D>,
    {
        self.pass.rewind();
        let network = self.reference.unwrap_or(self.network);
        network.jvp(Dual::new(self.problem.input(), self.seen(v)), self.pass).tangent
    }

    /// `d^2 F1/dz^2 [v, w]`, taped.
    pub fn along_both(
        &mut self,
        v: &Tensor<N::Batch, E, D>,
        w: &Tensor<N::Batch, E, D>,
    ) -> Taped<N::Batch, E, D>
    where
        N: SecondJvp<E, D>,
    {
        self.pass.rewind();
        let f = self.network.second_jvp(self.twice(self.problem.input().leaky_traced(), v, w), self.pass);
        let output = self.keep(f.value.value);
        self.output.get_or_insert(output);
        self.keep(f.value.tangent);
        self.keep(f.tangent.value);
        self.keep(f.tangent.tangent).retaped()
    }

    /// `dF1/dz v` and `d^2 F1/dz^2 [v, w]` without a gradient.
    pub fn fixed_along_both(
        &mut self,
        v: &Tensor<N::Batch, E, D>,
        w: &Tensor<N::Batch, E, D>,
    ) -> [Tensor<N::Batch, E, D>; 2]
    where
        N: SecondJvp<E, D>,
    {
        self.pass.rewind();
        let network = self.reference.unwrap_or(self.network);
        let f = network.second_jvp(self.twice(self.problem.input(), v, w), self.pass);
        [f.value.tangent, f.tangent.tangent]
    }

    /// The sum of `terms` for the indices below `count`.
    ///
    /// # Errors
    /// If there are none, and as `term`.
    pub fn total(
        &mut self,
        count: usize,
        mut term: impl FnMut(&mut Self, usize) -> Result<RowLosses<E, D>>,
    ) -> Result<RowLosses<E, D>> {
        let mut sum = None;
        for index in 0..count {
            let own = term(self, index)?;
            sum = Some(match sum {
                Some(sum) => own + sum,
                None => own,
            });
        }
        sum.ok_or_else(|| Error::value("dimensions of a row", 0, "at least 1"))
    }

    /// Notes what an objective has found.
    pub fn report(&mut self, term: Term) {
        self.terms.push(term);
    }

    /// A direction of `z` as one of the network's input `c_in z`.
    fn seen(&self, v: &Tensor<N::Batch, E, D>) -> Tensor<N::Batch, E, D> {
        self.problem.scaled_input(v)
    }

    /// The input with tangents `v` and `w`.
    #[allow(clippy::type_complexity)]
    fn twice<T: Tape<E, D> + 'static>(
        &self,
        z: Tensor<N::Batch, E, D, T>,
        v: &Tensor<N::Batch, E, D>,
        w: &Tensor<N::Batch, E, D>,
    ) -> Dual<Dual<Tensor<N::Batch, E, D, T>>> {
        let none = self.network.device().zeros_like(v.shape());
        let inner = Dual::new(z, self.seen(v).retaped());
        Dual::new(inner, Dual::new(self.seen(w).retaped(), none.retaped()))
    }

    /// Keeps a tensor's tape here and gives the tensor.
    fn keep<S: Shape>(&mut self, x: Taped<S, E, D>) -> Tensor<S, E, D> {
        let (x, tape) = x.split_tape();
        self.tape = std::mem::take(&mut self.tape).merge(tape);
        x
    }
}

/// `u . v` of each row.
pub(super) fn dot_rows<S: Shape, E: Real, D: Kernels<E>, T: Tape<E, D> + 'static>(
    u: Tensor<S, E, D, T>,
    v: &Tensor<S, E, D>,
) -> Tensor<(usize,), E, D, T> {
    sum_rows(u * v.clone())
}

/// A number per row on the host.
pub(super) fn host<E: Real, D: Kernels<E>, T>(x: &Tensor<(usize,), E, D, T>) -> Vec<f64> {
    x.as_vec().into_iter().map(Real::to64).collect()
}

/// The problem's weights, divided by a number.
pub(super) fn coefficients<S: Shape, E: Real, D: Kernels<E>>(
    problem: &Matching<S, E, D>,
    divisor: f64,
) -> Vec<f64> {
    let mut weights = problem.weights().as_slice().to_vec();
    for weight in &mut weights {
        *weight /= divisor;
    }
    weights
}

/// A number per row from the problem's scalars.
pub(super) fn per_row<S: Shape, E: Real, D: Kernels<E>>(
    problem: &Matching<S, E, D>,
    f: impl Fn(&crate::diffusion::Coefficients) -> f64,
) -> RowCoefficients {
    RowCoefficients::new(problem.rows.iter().map(f).collect())
}
