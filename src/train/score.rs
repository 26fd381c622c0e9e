//! The score that a network predicts.

use crate::diffusion::Diffusion;
use crate::error::{Error, Result};
use crate::level::Gamma;
use crate::nn::{Network, Pass};
use crate::parameterization::Parameterization;
use crate::schedule::NoiseSchedule;
use crate::tensor::{Kernels, Real};

/// The score of a diffusion model at noise level `gamma`, `grad_z log p(z) = -eps^/sigma = -(F^ - b z) / (a sigma)`.
///
/// # Shapes
/// `z`: whole rows of the network's dimensions, one after the other; so is the answer.
///
/// # Errors
/// If the numbers are no whole rows of the network.
pub fn network_score<E: Real, D: Kernels<E>, N: Network<E, D>, S: NoiseSchedule, P: Parameterization>(
    network: &N,
    diffusion: &Diffusion<S, P>,
    gamma: Gamma,
    z: &[f64],
) -> Result<Vec<f64>> {
    let (dims, at) = (network.dims(), diffusion.coefficients(gamma));
    if dims == 0 || !z.len().is_multiple_of(dims) {
        return Err(Error::value("z", format!("{} numbers", z.len()), format!("whole rows of {dims}")));
    }
    let rows = z.len() / dims;
    let input: Vec<E> = z.iter().map(|z| E::of(at.input_scale * z)).collect();
    let input = network.device().upload(&input, network.batch(rows));
    let output = network.forward(input, &mut Pass::eval(&vec![at.time; rows])).as_vec();
    let score = |(f, z): (E, &f64)| -(f.to64() - at.b * z) / (at.a * at.sigma);
    Ok(output.into_iter().zip(z).map(score).collect())
}
