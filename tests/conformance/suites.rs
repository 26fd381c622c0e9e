//! The suites as a plugin uses them.

use dfdx::prelude::Cpu;
use idode::dequantization::{TruncatedNormal, UniformBin};
use idode::level::{Gamma, GammaRange, Level};
use idode::nn::{MlpConfig, StaticMlp};
use idode::parameterization::Velocity;
use idode::pixels::PixelGrid;
use idode::schedule::{NoiseSchedule, StraightPath, VariancePreserving};
use idode::solver::{ExplicitRk, tables};
use idode::testkit::network::randomized;
use idode::time::{Cosine, Stratified, Uniform};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn range() -> GammaRange {
    GammaRange::new(-13.3, 5.0).unwrap()
}

fn grid() -> PixelGrid {
    PixelGrid::new(17).unwrap()
}

fn vp() -> Level {
    VariancePreserving.level(Gamma(-7.0))
}

fn mlp() -> StaticMlp<2, 16, f64, Cpu> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    randomized(&StaticMlp::new(&MlpConfig::default(), &Cpu::default(), &mut rng).unwrap(), 2)
}

idode::testkit::schedule_suite!(straight_path, StraightPath);
idode::testkit::schedule_suite!(on_a_range, VariancePreserving, range());
// Of each schedule: N F is the path's derivative.
idode::testkit::parameterization_suite!(velocity, Velocity, |level: &Level, x, eps| {
    let (signal, noise) = (level.dlog_alpha() * level.alpha(), level.dlog_sigma() * level.sigma());
    (signal * x + noise * eps) / signal.hypot(noise)
});
idode::testkit::time_sampler_suite!(cosine, Stratified(Cosine::new(range())));
idode::testkit::time_sampler_suite!(
    pinned,
    Uniform::new(range()),
    [-5.934512354933281, -11.82897812658499, -2.3829486888921565]
);
idode::testkit::dequantizer_suite!(truncated_normal, TruncatedNormal::new(grid(), vp()), grid(), 2);
idode::testkit::dequantizer_suite!(uniform, UniformBin::new(grid(), vp()), grid(), 1);
idode::testkit::per_coordinate_suite!(per_coordinate, TruncatedNormal::new(grid(), vp()), grid());
idode::testkit::solver_suite!(rk4, ExplicitRk::new(&tables::RK4));
idode::testkit::network_suite!(mlp_network, mlp());
