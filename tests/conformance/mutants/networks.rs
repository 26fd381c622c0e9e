//! Broken networks.

use super::{Mutant, mutants};
use dfdx::prelude::*;
use idode::nn::{Jvp, Network, Pass};
use idode::tensor::Dual;
use idode::testkit::Verdict;

/// `F(z) = tanh(z) + t` in two dimensions, but for what its numbers do.
#[derive(Debug)]
struct Faulty {
    device: Cpu,
    /// What the value of `jvp` and its tangent are multiplied with.
    value: f64,
    tangent: f64,
    /// How much of the other rows' sum is added.
    leak: f64,
}

fn sound() -> Faulty {
    Faulty { device: Cpu::default(), value: 1.0, tangent: 1.0, leak: 0.0 }
}

impl Faulty {
    fn values(&self, z: &[f64], times: &[f64]) -> Vec<f64> {
        let sum: f64 = z.iter().sum();
        z.iter().enumerate().map(|(i, z)| z.tanh() + times[i / 2] + self.leak * (sum - z)).collect()
    }
}

impl Network<f64, Cpu> for Faulty {
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

impl Jvp<f64, Cpu> for Faulty {
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

fn verdict(faulty: &Faulty, law: &dyn Fn(&Faulty) -> Verdict) -> Verdict {
    law(faulty)
}

#[test]
fn the_unbroken_one_passes() -> Verdict {
    idode::testkit::network::all(&sound())
}

pub(super) fn mutants() -> Vec<Mutant> {
    mutants! { network, verdict;
        value: "another value with the tangent" => Faulty { value: 1.0 + 1e-9, ..sound() };
        jvp: "a tangent that is off by one in ten thousand" => Faulty { tangent: 1.0001, ..sound() };
        jvp: "the sign of the tangent" => Faulty { tangent: -1.0, ..sound() };
        rows: "a whiff of the other rows" => Faulty { leak: 1e-8, ..sound() };
    }
}
