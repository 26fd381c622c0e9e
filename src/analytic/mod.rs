//! Data whose diffusion is known exactly: Gaussians and Gaussian mixtures, in f64.
//!
//! For `x` from a Gaussian mixture and `z = alpha x + sigma eps`, all that a diffusion ODE learns or integrates has a closed
//! form: the density of `z` at every level, `F* = E[F | z]` of any parameterization, and its derivatives, with the target's
//! conditional moments that they are proportional to. Objectives, divergences and likelihoods are tested against them, here and
//! in other crates.
//!
//! ```
//! use idode::analytic::GaussianMixture;
//! use idode::level::{Gamma, Level};
//! use idode::parameterization::Affine;
//!
//! # fn main() -> idode::error::Result<()> {
//! let data = GaussianMixture::scalar(&[(0.4, -1.0, 0.1), (0.6, 0.5, 0.3)])?;
//! let level = Level::new(Gamma(0.0), -0.5 * 2f64.ln(), -0.25); // variance preserving: alpha = sigma
//! let noise = Affine { noise: 1.0, state: 0.0 };
//!
//! let marginal = data.at(&level);
//! let point = marginal.point(&[0.3])?;
//! let exact = point.target(noise); // E[eps | z], its Jacobian and the gradient of its trace
//! let mse = point.posterior(noise).covariance().trace(); // E[|eps - E[eps | z]|^2 | z]
//! assert!((level.sigma() * exact.trace() - (1.0 - mse)).abs() < 1e-12);
//! # Ok(())
//! # }
//! ```

mod cubature;
mod entropy;
mod flow;
mod gaussian;
mod jet;
mod marginal;
mod mixture;
mod mixture_table;
mod model;
mod moments;
mod net;
mod perturbation;
mod quadrature;
mod rademacher;
mod target;

pub use flow::FlowMap;
pub use gaussian::Gaussian;
pub use jet::Jet;
pub use marginal::{Marginal, Point};
pub use mixture::GaussianMixture;
pub use mixture_table::{Draws, MixtureTable};
pub use model::Model;
/// The linear algebra that this module's types are made of.
pub use nalgebra;
pub use net::AnalyticNet;
pub use perturbation::Perturbation;
pub(crate) use quadrature::trapezoid_nodes;
pub use rademacher::Rademacher;

use crate::error::{Error, Result};
use nalgebra::DVector;

/// The scalar product: of views, as products of matrices take it.
fn dot(a: &DVector<f64>, b: &DVector<f64>) -> f64 {
    a.column(0).dot(&b.column(0))
}

/// The row `values` as a vector of `dim` finite numbers.
fn row(name: &str, values: &[f64], dim: usize) -> Result<DVector<f64>> {
    if values.len() != dim {
        return Err(Error::value(format!("length of {name}"), values.len(), dim.to_string()));
    }
    match values.iter().position(|v| !v.is_finite()) {
        Some(i) => Err(Error::value(format!("{name}[{i}]"), values[i], "a finite number")),
        None => Ok(DVector::from_column_slice(values)),
    }
}
