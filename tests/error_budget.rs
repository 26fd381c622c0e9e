//! The parts of an error budget against the exact ones, at a small size; `examples/08_error_budget.rs` has the full one.

#[allow(dead_code)]
#[path = "../examples/08_error_budget.rs"]
mod example;

use example::World;
use idode::budget::Design;
use idode::error::Result;

/// The standard error of the data's part is 8% of it at this many images, and 14% at 200.
const IMAGES: usize = 600;

/// Within 20% of the exact standard deviations, with one draw of an image and with several.
#[test]
fn parts_are_the_exact_standard_deviations() -> Result<()> {
    let world = World::new()?;
    let truth = world.truth();
    for draws in [1, 3] {
        let (mean, budget) = world.budget(1, IMAGES, draws, Design { images: 48, draws: 4, probes: 3 })?;
        let single = ((IMAGES * draws) as f64).sqrt();
        let parts = [
            ("data", truth.data / (IMAGES as f64).sqrt(), budget.data),
            ("dequantization", truth.dequantization / single, budget.dequantization),
            ("probe", truth.probe / single, budget.probe),
        ];
        for (name, exact, found) in parts {
            let found = found.unwrap_or(f64::NAN);
            assert!((found / exact - 1.0).abs() < 0.2, "{draws} draws, {name}: {found}, exactly {exact}");
        }
        let total = budget.total.unwrap_or(f64::NAN);
        assert!(budget.solver.is_some_and(|solver| solver.abs() < 0.1 * total), "{budget:?}");
        assert!((mean - truth.mean).abs() < 3.0 * total, "{mean} +- {total}, exactly {}", truth.mean);
    }
    Ok(())
}

#[test]
fn two_totals_cover_the_truth() -> Result<()> {
    let covered = World::new()?.covered(40, 32, Design { images: 8, draws: 2, probes: 2 })?;
    // 38 in expectation; 34 to 40 has all but a hundredth of a binomial distribution with 0.95.
    assert!((34..=40).contains(&covered), "{covered} of 40");
    Ok(())
}
