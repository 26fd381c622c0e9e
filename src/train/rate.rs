//! The learning rate over a stage.

/// What the rate does after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RateDecay {
    /// It stays.
    Constant,
    /// Half a cosine, down to this fraction of the peak at the last step.
    Cosine {
        /// The last step's rate over the peak.
        final_rate: f64,
    },
}

/// A learning rate that rises linearly over `warmup` steps and then follows `decay`.
///
/// # Reference
/// Loshchilov and Hutter, "SGDR" (arXiv 1608.03983), equation 5, for the cosine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// The largest rate.
    pub peak: f64,
    /// The steps of the rise.
    pub warmup: u64,
    /// What follows it.
    pub decay: RateDecay,
    /// The steps of the stage.
    pub steps: u64,
}

impl Rate {
    /// The rate of step `step`, counted from 1.
    pub fn at(&self, step: u64) -> f64 {
        if step <= self.warmup {
            return self.peak * step as f64 / self.warmup as f64;
        }
        match self.decay {
            RateDecay::Constant => self.peak,
            RateDecay::Cosine { final_rate } => {
                let done = (step - self.warmup) as f64 / (self.steps - self.warmup).max(1) as f64;
                let fall = 0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos());
                self.peak * (final_rate + (1.0 - final_rate) * fall)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_and_falls() {
        let rate = Rate { peak: 2.0, warmup: 4, decay: RateDecay::Cosine { final_rate: 0.25 }, steps: 12 };
        assert_eq!(rate.at(1), 0.5);
        assert_eq!(rate.at(4), 2.0);
        assert!((rate.at(8) - 1.25).abs() < 1e-12);
        assert!((rate.at(12) - 0.5).abs() < 1e-12);
        assert_eq!(Rate { decay: RateDecay::Constant, ..rate }.at(12), 2.0);
    }
}
