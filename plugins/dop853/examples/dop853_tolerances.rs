//! Accuracy and cost beside the built-in order 5(4), on the diffusion ODE of Gaussian data, whose solution is known.
//!
//! ```text
//! cargo run --release -p idode-dop853 --example dop853_tolerances
//! ```

use idode::error::Result;
use idode::solver::{ExplicitRk, HostState, OdeSolver, Stepping, Tolerances, integrate, tables};
use idode_dop853::DOP853;

/// The data's standard deviation.
const DEVIATION: f64 = 0.1;

/// The variance of `z` at `gamma`, variance preserving.
fn variance(gamma: f64) -> f64 {
    let alpha2 = 1.0 / (1.0 + gamma.exp());
    alpha2 * DEVIATION * DEVIATION + 1.0 - alpha2
}

fn main() -> Result<()> {
    // z' = sigma^2/2 (1/v - 1) z, with the log-density's divergence beside it.
    let mut field = |_: &[usize], gamma: &[f64], z: &HostState| {
        z.map_rows(|i, z, out| {
            let rate = 0.5 / (1.0 + (-gamma[i]).exp()) * (1.0 / variance(gamma[i]) - 1.0);
            out[0] = rate * z[0];
            rate
        })
    };
    let (from, to): (f64, f64) = (-13.3, 5.0);
    let stretch = (variance(to) / variance(from)).sqrt();
    let methods: [(&str, &dyn OdeSolver<HostState>); 2] =
        [("dormand_prince", &ExplicitRk::new(&tables::DORMAND_PRINCE)), ("dop853", &DOP853)];
    println!("tolerance  method          evaluations  error of z  error of log p in nats");
    for exponent in [-3, -5, -7, -9, -11] {
        let size = 10f64.powi(exponent);
        let tolerances = Tolerances { relative: size, absolute: size, log_density: 100.0 * size };
        for (name, method) in methods {
            let start = HostState::from_rows(&[[0.07]]).with_log_density(vec![0.0])?;
            let stepping = Stepping::adaptive(tolerances);
            let solution = integrate(method, &mut field, start, from, to, &stepping)?;
            let z = (solution.y.values()[0] - 0.07 * stretch).abs();
            let log_p = (solution.y.log_density().map_or(f64::NAN, |log_p| log_p[0]) - stretch.ln()).abs();
            println!("{size:9.0e}  {name:14}  {:11}  {z:10.1e}  {log_p:22.1e}", solution.rows[0].evaluations);
        }
    }
    Ok(())
}
