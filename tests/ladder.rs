//! The ladder of bounds on data whose probabilities are known, with the network that they make exact.

use idode::analytic::nalgebra::DMatrix;
use idode::analytic::{AnalyticNet, Gaussian as Normal, GaussianMixture, Model};
use idode::data::{Split, TwoPixel, two_pixel};
use idode::dequantization::{Dequantizer, Gaussian, TruncatedNormal, UniformBin, nats_to_bits_per_dim};
use idode::diffusion::Diffusion;
use idode::divergence::Exact;
use idode::error::Result;
use idode::ladder::{IMMSE, Rung, violations};
use idode::level::GammaRange;
use idode::likelihood::{Evaluator, ProbabilityFlow};
use idode::parameterization::Velocity;
use idode::pixels::PixelGrid;
use idode::progress::Silent;
use idode::schedule::VariancePreserving;
use idode::solver::{ExplicitRk, Stepping, Tolerances, tables};
use idode::time::Uniform;
use std::f64::consts::{E, TAU};

const IMAGES: usize = 24;
const SAMPLES: [usize; 2] = [1, 5];

/// Weight, means, standard deviations and correlation of the set's components, in levels.
const COMPONENTS: [(f64, [f64; 2], [f64; 2], f64); 3] = [
    (0.5, [84.0, 96.0], [16.0, 20.0], 0.6),
    (0.3, [168.0, 168.0], [22.0, 14.0], -0.5),
    (0.2, [150.0, 72.0], [14.0, 18.0], 0.0),
];

/// The set's mixture as a density over `[-1, 1]^2`: bins are small beside it.
fn mixture() -> Result<GaussianMixture> {
    let bin = 2.0 / f64::from(two_pixel::LEVELS);
    let components = COMPONENTS.map(|(weight, mean, sd, correlation)| {
        let sd = sd.map(|sd| bin * sd);
        let both = correlation * sd[0] * sd[1];
        let covariance = DMatrix::from_row_slice(2, 2, &[sd[0] * sd[0], both, both, sd[1] * sd[1]]);
        Normal::new(&mean.map(|level| bin * (level + 0.5) - 1.0), covariance).map(|normal| (weight, normal))
    });
    GaussianMixture::new(components.into_iter().collect::<Result<Vec<_>>>()?)
}

/// Every rung is above the exact value, in order, by what its noise leaves.
#[test]
fn the_ladder_brackets_the_exact_entropy() -> Result<()> {
    let truth = TwoPixel::new();
    let grid = PixelGrid::new(two_pixel::LEVELS)?;
    let range = GammaRange::for_levels(two_pixel::LEVELS);
    let diffusion = Diffusion::new(VariancePreserving, Velocity, range);
    let network = AnalyticNet::<2, _, _>::new(Model::exact(mixture()?), diffusion)?;
    let images = truth.sample(IMAGES, 5, Split::Test)?;
    let exact: Vec<f64> = images.rows().map(|row| -0.5 * truth.log2_prob(row).unwrap_or(f64::NAN)).collect();
    let evaluator = || {
        let tolerances = Tolerances { relative: 1e-5, absolute: 1e-5, log_density: 1e-3 };
        let flow = ProbabilityFlow::new(&network, &diffusion)
            .with_solver(ExplicitRk::new(&tables::DORMAND_PRINCE), Stepping::adaptive(tolerances));
        Evaluator::new(flow).with_divergence(Exact)
    };
    let bits = |nats: f64| nats_to_bits_per_dim(nats, 2);
    let vlb = evaluator().vlb(images.pixels(), grid, 64, &Uniform::new(range), &mut Silent)?.records;
    let immse = evaluator().immse(images.pixels(), grid, 64, &mut Silent)?.records;
    let mut rungs = vec![
        Rung {
            integrals: vlb.iter().map(|record| bits(record.diffusion_nats)).collect(),
            ..Rung::new("vlb", 1, vlb.iter().map(|record| record.bits_per_dim).collect())
        },
        Rung {
            integrals: immse.iter().map(|record| bits(record.integral_nats)).collect(),
            ..Rung::new(IMMSE, 1, immse.iter().map(|record| record.bits_per_dim).collect())
        },
    ];
    let start = diffusion.level(range.min());
    let dequantizers: [(&str, Box<dyn Dequantizer>); 3] = [
        (
            "ode_uniform",
            Box::new(UniformBin::new(grid, diffusion.level(UniformBin::default_gamma(two_pixel::LEVELS)))),
        ),
        ("ode_truncated_normal", Box::new(TruncatedNormal::new(grid, start))),
        ("ode_gaussian", Box::new(Gaussian::new(grid, start))),
    ];
    for (name, dequantizer) in &dequantizers {
        for k in SAMPLES {
            let found =
                evaluator().with_draws(1, k)?.bits_per_dim(images.pixels(), dequantizer, &mut Silent)?;
            let values = found.records.iter().map(|record| record.bits_per_dim).collect();
            rungs.push(Rung::new(name, k as u64, values));
        }
    }
    assert_eq!(violations(&rungs, Some(&exact)), [""; 0], "{rungs:?}");
    // The network's density is flat over a bin, so a bound of one draw lacks what its noise is narrower than a bin, in bits/dim, and nothing
    // if it fills the bin.
    let narrower = (grid.bin_width() / (start.sigma() / start.alpha())).log2() - 0.5 * (TAU * E).log2();
    for rung in &rungs {
        let above = rung.values.iter().zip(&exact).map(|(value, exact)| value - exact).collect();
        let Rung { bits_per_dim: left, standard_error, .. } = Rung::new("", 1, above);
        println!("{:<28} {left:+.4} +- {standard_error:.4}", rung.label());
        match (rung.name.as_str(), rung.importance_samples) {
            ("ode_uniform", _) => assert!(left.abs() < 0.03, "{}: {left}", rung.label()),
            // The cut at three standard deviations changes the noise's entropy by less than this.
            (_, 1) => {
                let off = (left - narrower).abs();
                assert!(off < 4.0 * standard_error + 0.03, "{}: {left} +- {standard_error}", rung.label());
            }
            // Between the bound of one draw and the exact value.
            _ => assert!(left < narrower + 3.0 * standard_error, "{}: {left}", rung.label()),
        }
    }
    // What a K-sample bound without its -ln K would be.
    let lacking = rungs.iter_mut().rfind(|rung| rung.importance_samples == 5);
    let Some(lacking) = lacking else { unreachable!("a rung of five samples") };
    let without: Vec<f64> = lacking.values.iter().map(|value| value - bits(5f64.ln())).collect();
    *lacking = Rung::new("ode_gaussian", 5, without);
    let lines = violations(&rungs, Some(&exact));
    assert!(
        lines.len() == 1 && lines[0].starts_with("ode_gaussian, K = 5: below the exact value"),
        "{lines:?}"
    );
    Ok(())
}
