//! Broken networks.

use super::{Mutant, mutants};
use dfdx::prelude::*;
use idode::nn::{Jvp, ModeNetwork, Network, Parameters, Pass, Role, Visit};
use idode::tensor::{Dual, Kernels, Mode};
use idode::testkit::Verdict;
use std::cell::Cell;

/// `F(z) = tanh(z) + t` in two dimensions, but for what its numbers do.
#[derive(Debug)]
struct Broken {
    device: Cpu,
    /// What the value of `jvp` and its tangent are multiplied with.
    value: f64,
    tangent: f64,
    /// How much of the other rows' sum is added.
    leak: f64,
}

fn sound() -> Broken {
    Broken { device: Cpu::default(), value: 1.0, tangent: 1.0, leak: 0.0 }
}

impl Broken {
    fn values(&self, z: &[f64], times: &[f64]) -> Vec<f64> {
        let sum: f64 = z.iter().sum();
        z.iter().enumerate().map(|(i, z)| z.tanh() + times[i / 2] + self.leak * (sum - z)).collect()
    }
}

impl Network<f64, Cpu> for Broken {
    type Batch = (usize, Const<2>);

    fn batch(&self, rows: usize) -> Self::Batch {
        (rows, Const)
    }

    fn device(&self) -> &Cpu {
        &self.device
    }

    fn forward<T: Tape<f64, Cpu> + 'static>(
        &self,
        z: Tensor<Self::Batch, f64, Cpu, T>,
        pass: &mut Pass<'_>,
    ) -> Tensor<Self::Batch, f64, Cpu, T> {
        let (z, tape) = z.split_tape();
        self.device.tensor_from_vec(self.values(&z.as_vec(), pass.times), *z.shape()).put_tape(tape)
    }
}

impl Jvp<f64, Cpu> for Broken {
    fn jvp<T: Tape<f64, Cpu> + 'static>(
        &self,
        z: Dual<Tensor<Self::Batch, f64, Cpu, T>>,
        pass: &mut Pass<'_>,
    ) -> Dual<Tensor<Self::Batch, f64, Cpu, T>> {
        let ((value, tape), (tangent, other)) = (z.value.split_tape(), z.tangent.split_tape());
        let (numbers, shape) = (value.as_vec(), *value.shape());
        let f = self.values(&numbers, pass.times).into_iter().map(|f| self.value * f).collect();
        let slope = |(z, v): (&f64, f64)| self.tangent * (1.0 - z.tanh().powi(2)) * v;
        let df = numbers.iter().zip(tangent.as_vec()).map(slope).collect();
        Dual::new(
            self.device.tensor_from_vec(f, shape).put_tape(tape),
            self.device.tensor_from_vec(df, shape).put_tape(other),
        )
    }
}

/// `F(z) = sin(W z) + c` in two dimensions with one condition, in any mode, but for one bug.
#[derive(Clone, Debug)]
struct Odd {
    device: Cpu,
    weight: Tensor<(usize, usize), f64, Cpu>,
    bug: Option<Bug>,
    calls: Cell<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bug {
    Second,
    Condition,
    Name,
    Draw,
    Portable,
}

fn odd(bug: Option<Bug>) -> Odd {
    let device = Cpu::default();
    let weight = device.tensor_from_vec(vec![0.8, -0.3, 0.5, 1.1], (2, 2));
    Odd { device, weight, bug, calls: Cell::new(0) }
}

impl ModeNetwork<f64, Cpu> for Odd {
    type Batch = (usize, usize);

    fn batch(&self, rows: usize) -> Self::Batch {
        (rows, 2)
    }

    fn device(&self) -> &Cpu {
        &self.device
    }

    fn conditions(&self) -> usize {
        1
    }

    fn apply<M: Mode<f64, Cpu>>(&self, z: M::Of<Self::Batch>, pass: &mut Pass<'_>) -> M::Of<Self::Batch> {
        let rows = pass.times.len();
        let all: f64 = (0..rows).flat_map(|row| pass.conditions_of(row)).sum();
        let own = |row: usize| pass.conditions_of(row).first().copied().unwrap_or(0.0);
        let leaked = |row: usize| if self.bug == Some(Bug::Condition) { all } else { own(row) };
        let shift: Vec<f64> = (0..rows).flat_map(|row| [leaked(row); 2]).collect();
        let shift = self.device.upload(&shift, (rows, 2)).retaped::<M::Tape>();
        let f = M::shift_rows(M::sin(M::linear(z, &self.weight, None)), shift);
        self.calls.set(self.calls.get() + 1);
        let mode = std::any::type_name::<M>();
        match self.bug {
            Some(Bug::Second) if mode.matches("Forward<").count() == 2 => M::scale(f, 1.0001),
            Some(Bug::Draw) => M::offset(f, 1e-3 * f64::from(self.calls.get())),
            Some(Bug::Portable) if mode.contains("Composed<") => M::scale(f, 1.0001),
            _ => f,
        }
    }
}

impl Parameters<f64, Cpu> for Odd {
    fn parameters(&mut self, prefix: &str, visit: &mut Visit<'_, f64, Cpu>) {
        visit(&format!("{prefix}weight"), Role::Weight, &mut self.weight);
        if self.bug == Some(Bug::Name) {
            visit(&format!("{prefix}weight"), Role::Weight, &mut self.weight);
        }
    }
}

fn verdict<N>(network: &N, law: &dyn Fn(&N) -> Verdict) -> Verdict {
    law(network)
}

#[test]
fn the_unbroken_ones_pass() -> Verdict {
    idode::testkit::network::value(&sound())?;
    idode::testkit::network::jvp(&sound())?;
    idode::testkit::network::rows(&sound())?;
    idode::testkit::network::all(&odd(None))
}

pub(super) fn mutants() -> Vec<Mutant> {
    let mut mutants = mutants! { network, verdict;
        value: "another value with the tangent" => Broken { value: 1.0 + 1e-9, ..sound() };
        jvp: "a tangent that is off by one in ten thousand" => Broken { tangent: 1.0001, ..sound() };
        jvp: "the sign of the tangent" => Broken { tangent: -1.0, ..sound() };
        rows: "a whiff of the other rows" => Broken { leak: 1e-8, ..sound() };
    };
    mutants.extend(mutants! { network, verdict;
        second_jvp: "another function under two tangents" => odd(Some(Bug::Second));
        conditions: "the conditions of all rows for each" => odd(Some(Bug::Condition));
        parameters: "a name that comes twice" => odd(Some(Bug::Name));
        evaluation: "a number that changes from call to call" => odd(Some(Bug::Draw));
        devices: "another function without a device's own kernels" => odd(Some(Bug::Portable));
    });
    mutants
}
