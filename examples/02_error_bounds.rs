//! The error of second- and third-order matching against its bound, as a network's first-order error grows.
//!
//! ```text
//! cargo run --release --example 02_error_bounds
//! ```
//!
//! The data are a mixture of three Gaussians in two dimensions, so that every conditional expectation is exact. The network is
//! the exact one less a wave of known size. For each size: the root mean square, over states, of the error of the
//! minimisers of the high-order objectives, and of its bound. Writes `runs/error_bounds.png`.

use idode::analytic::nalgebra::{DMatrix, DVector};
use idode::analytic::{Gaussian, GaussianMixture, Model, Perturbation};
use idode::bounds::{self, LowerOrders};
use idode::error::{Error, Result};
use idode::level::Gamma;
use idode::parameterization::{Affine, Parameterization, ParameterizationExt, Velocity};
use idode::plot::{Axis, Plot};
use idode::schedule::{NoiseSchedule, VariancePreserving};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::path::Path;

const STATES: usize = 200;
/// The training excess of the second line: how far an estimate is from the minimiser of its objective.
const EXCESS: f64 = 0.03;

/// Root mean squares over states.
#[derive(Clone, Copy, Debug, Default)]
struct Sides {
    second: (f64, f64),
    second_with_excess: (f64, f64),
    third: (f64, f64),
}

fn mixture() -> Result<GaussianMixture> {
    let component = |mean: [f64; 2], covariance: [f64; 4]| {
        Gaussian::new(&mean, DMatrix::from_row_slice(2, 2, &covariance))
    };
    GaussianMixture::new([
        (0.4, component([-1.0, 0.2], [0.2, 0.1, 0.1, 0.3])?),
        (0.3, component([0.8, 1.0], [0.1, -0.05, -0.05, 0.2])?),
        (0.3, component([0.4, -1.0], [0.3, 0.0, 0.0, 0.05])?),
    ])
}

/// Both sides of every bound for errors of one size.
fn sides(data: &GaussianMixture, size: f64) -> Result<Sides> {
    let level = VariancePreserving.level(Gamma(-1.0));
    let target: Affine = Velocity.target(&level);
    let (second, third) = (Velocity.second_order(&level), Velocity.third_order(&level));
    let sigma = level.sigma();
    // The same wave and the same states at every size.
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let model = Model::perturbed(data.clone(), Perturbation::random(2, size, 2.0, &mut rng)?)?;
    let excess = DMatrix::from_fn(2, 2, |i, j| if i == j { EXCESS / 2f64.sqrt() } else { 0.0 });
    let marginal = data.at(&level);
    let mut sum = Sides::default();
    let add = |sum: &mut (f64, f64), sides: (f64, f64)| {
        sum.0 += sides.0 * sides.0 / STATES as f64;
        sum.1 += sides.1 * sides.1 / STATES as f64;
    };
    for _ in 0..STATES {
        let (z, _) = marginal.sample(&mut rng);
        let point = marginal.point(z.as_slice())?;
        let (exact, network) = (point.target(target), model.jets(&level, target, z.as_slice())?.remove(0));
        let delta = &exact.value - &network.value;
        let nodes = point.posterior(target).cubature()?;
        let identity = DMatrix::identity(2, 2) * second.identity;
        // The minimiser of the second-order objective: the target's conditional mean.
        let minimiser = nodes.iter().fold(identity, |mean, (weight, f)| {
            let r = f - &network.value;
            mean + &r * r.transpose() * (second.outer * *weight)
        });
        let truth = &exact.jacobian * sigma;
        add(&mut sum.second, ((&minimiser - &truth).norm(), bounds::second_order(target, delta.norm(), 0.0)));
        let estimate = &minimiser + &excess;
        let error = &estimate - &truth;
        add(&mut sum.second_with_excess, (error.norm(), bounds::second_order(target, delta.norm(), EXCESS)));
        // The minimiser of the third-order objective, given that estimate.
        let minimiser = nodes.iter().fold(DVector::zeros(2), |mean: DVector<f64>, (weight, f)| {
            let r = f - &network.value;
            let linear = third.linear * 4.0 + third.trace * estimate.trace();
            let target = &r * (third.cubic * r.norm_squared() + linear) + &estimate * &r * third.jacobian;
            mean + target * *weight
        });
        let truth = &exact.trace_gradient * sigma.powi(2);
        let lower = LowerOrders { first: delta.norm(), jacobian: error.norm(), trace: error.trace().abs() };
        add(&mut sum.third, ((minimiser - truth).norm(), bounds::third_order(target, lower, 0.0)));
    }
    let root = |(a, b): (f64, f64)| (a.sqrt(), b.sqrt());
    Ok(Sides {
        second: root(sum.second),
        second_with_excess: root(sum.second_with_excess),
        third: root(sum.third),
    })
}

fn main() -> Result<()> {
    let data = mixture()?;
    println!("first-order   second order         with excess {EXCESS}      third order, given that");
    println!("error         error     bound      error     bound       error     bound");
    let sizes: Vec<f64> = (0..=16).map(|i| 10f64.powf(-2.0 + f64::from(i) / 8.0)).collect();
    let mut all = Vec::new();
    for &size in &sizes {
        let s = sides(&data, size)?;
        let [a, b, c] = [s.second, s.second_with_excess, s.third];
        println!(
            "{size:<12.4}  {:.2e}  {:.2e}   {:.2e}  {:.2e}    {:.2e}  {:.2e}",
            a.0, a.1, b.0, b.1, c.0, c.1
        );
        all.push(s);
    }
    let of = |f: fn(&Sides) -> f64| sizes.iter().copied().zip(all.iter().map(f)).collect::<Vec<_>>();
    let path = Path::new("runs/error_bounds.png");
    std::fs::create_dir_all("runs").map_err(Error::io(Path::new("runs"), "create"))?;
    Plot::new(
        "High-order matching: error and bound",
        Axis::log("size of the first-order error (a coordinate)"),
        Axis::log("error, root mean square over states"),
    )
    .line("second order", of(|s| s.second.0))
    .dashed("its bound, with equality", of(|s| s.second.1))
    .line(format!("second order, excess {EXCESS}"), of(|s| s.second_with_excess.0))
    .dashed("its bound", of(|s| s.second_with_excess.1))
    .line("third order, given that estimate", of(|s| s.third.0))
    .dashed("its bound", of(|s| s.third.1))
    .draw()?
    .write(path)?;
    println!("wrote {}", path.display());
    Ok(())
}
