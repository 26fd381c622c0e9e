//! The strategies, and what they are for: properties of whatever is drawn.

use idode::config::Named;
use idode::level::{GammaRange, Level};
use idode::parameterization::{Affine, Parameterization, ParameterizationExt};
use idode::pixels::PixelGrid;
use idode::registry::{Entry, NoSettings, Registry};
use idode::schedule::{NoiseScheduleExt, VariancePreserving};
use idode::solver::HostState;
use idode::testkit::parameterization::{self, Subject};
use idode::testkit::{strategies, usual_range};
use proptest::prelude::*;

/// One pair at every level.
#[derive(Debug)]
struct Constant(Affine);

impl Parameterization for Constant {
    fn target(&self, _: &Level) -> Affine {
        self.0
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any pair with `a` not 0 is a parameterization.
    #[test]
    fn any_pair_obeys(pair in strategies::affine()) {
        let formula = |level: &Level, x: f64, eps: f64| {
            (pair.noise + pair.state * level.sigma()) * eps + pair.state * level.alpha() * x
        };
        // Up to sigma = 12: where sigma is 148, one pair's b z can leave a eps no digits.
        let range = GammaRange::new(-16.0, 5.0).unwrap();
        let subject = Subject { parameterization: &Constant(pair), formula: &formula, range };
        let verdict = parameterization::all(&subject);
        prop_assert!(verdict.is_ok(), "{:?}", verdict);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// What built-ins are drawn with obeys the algebra at any level.
    #[test]
    fn built_ins_at_any_level(
        schedule in strategies::schedule(usual_range()),
        parameterization in strategies::parameterization(usual_range()),
        gamma in strategies::gamma(usual_range()),
        (x, eps) in (-1.0..1.0f64, -3.0..3.0f64),
    ) {
        prop_assert!(usual_range().contains(gamma));
        let level = schedule.level(gamma);
        let z = level.alpha() * x + level.sigma() * eps;
        let f = parameterization.output_from_noise(&level).apply(eps, z);
        prop_assert!((parameterization.noise(&level).apply(f, z) - eps).abs() < 1e-8);
        let own = schedule.drift(gamma);
        let error = parameterization.drift(&level).apply(f, z) - own.state * z - own.noise * eps;
        prop_assert!(error.abs() <= 1e-8 * level.sigma());
    }

    /// Levels, ranges and mixtures are what they say.
    #[test]
    fn what_is_drawn_is_valid(
        level in strategies::level(usual_range()),
        range in strategies::range(),
        mixture in strategies::mixture(1..=4usize),
        case in strategies::case(usual_range()),
    ) {
        prop_assert!(level.alpha() > 0.0 && level.sigma() > 0.0);
        prop_assert!(range.min() < range.max());
        prop_assert!((1..=4).contains(&mixture.dim()));
        prop_assert!((mixture.weights().iter().sum::<f64>() - 1.0).abs() < 1e-12);
        prop_assert_eq!(case.data.dim(), case.error.dim());
        prop_assert!(usual_range().contains(case.gamma));
    }

    /// A composition builds, on any range and grid.
    #[test]
    fn compositions_build(
        composition in strategies::composition(&Registry::<HostState>::default()),
        range in strategies::range(),
        levels in 2..=256u32,
    ) {
        let registry = Registry::<HostState>::default();
        let parts = composition.build(&registry, range, PixelGrid::new(levels).unwrap()).unwrap();
        prop_assert_eq!(parts.diffusion.range(), range);
        prop_assert_eq!(parts.time.range(), range);
        prop_assert!(range.contains(parts.dequantizer.level().gamma()));
        prop_assert!(parts.solver.order() >= 1);
    }
}

/// What a plugin registers is drawn beside the built-ins; draws are the same on every run.
#[test]
fn plugins_are_drawn_too() {
    let mut registry = Registry::<HostState>::default();
    let entry = Entry { formula: "ln alpha = -1/2 ln(1 + e^gamma)", reference: "this test" };
    registry.add_schedule("mine", entry, |_: NoSettings, _| Ok(VariancePreserving));
    let drawn = strategies::draws(&strategies::composition(&registry), 50);
    assert!(drawn.iter().any(|composition| composition.schedule == Named::new("mine")));
    assert_eq!(drawn, strategies::draws(&strategies::composition(&registry), 50));
}
