//! The same steps with a smaller error.

use super::evaluation::{Adaptive, Fixed, Stepping};

impl Stepping {
    /// Steps whose error is smaller by about a factor of ten, `times` times over: every tolerance a tenth and room for four times the steps,
    /// or twice as many fixed steps.
    #[must_use]
    pub fn finer(&self, times: u32) -> Self {
        match self {
            Self::Adaptive(adaptive) => {
                let tenth = |tolerance: f64| tolerance / 10f64.powi(times as i32);
                Self::Adaptive(Adaptive {
                    relative: tenth(adaptive.relative),
                    absolute: tenth(adaptive.absolute),
                    log_density: tenth(adaptive.log_density),
                    max_steps: adaptive
                        .max_steps
                        .saturating_mul(4u64.saturating_pow(times))
                        .min(1_000_000_000),
                    controller: adaptive.controller,
                })
            }
            Self::Fixed(fixed) => {
                let steps = fixed.steps.saturating_mul(2u64.saturating_pow(times)).min(1_000_000_000);
                Self::Fixed(Fixed { steps })
            }
        }
    }
}

/// As a recipe has it.
impl std::fmt::Display for Stepping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Adaptive(Adaptive { relative, absolute, log_density, .. }) => write!(
                f,
                "relative = {relative:.0e}, absolute = {absolute:.0e}, log_density = {log_density:.0e}"
            ),
            Self::Fixed(Fixed { steps }) => write!(f, "steps = {steps}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tolerance_falls() {
        let adaptive = Stepping::Adaptive(Adaptive::default());
        let text = "relative = 1e-7, absolute = 1e-7, log_density = 1e-5";
        assert_eq!(adaptive.finer(2).to_string(), text);
        assert_eq!(adaptive.finer(0), adaptive);
        assert_eq!(Stepping::Fixed(Fixed { steps: 25 }).finer(2).to_string(), "steps = 100");
    }
}
