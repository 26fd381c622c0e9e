//! What a density of times is worth, by the losses that were measured.

use super::Losses;
use crate::level::Gamma;

/// One bin of noise levels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BinReport {
    /// The middle of the bin.
    pub gamma: Gamma,
    /// The density there, per unit of gamma.
    pub pdf: f64,
    /// The decayed count of its losses.
    pub losses: f64,
    /// Their mean, in nats per unit of gamma; 0 where there is none.
    pub mean: f64,
    /// The root of their mean square: what the density of least variance is proportional to.
    pub root_mean_square: f64,
    /// How many equal losses would say as much about the mean: `(sum L)^2 / sum L^2`, at most `losses`.
    pub effective_samples: f64,
}

/// What a density is worth.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostics {
    /// The variance of one row's `L / pdf` over that of uniform times; NaN until every bin has a loss.
    pub variance_ratio: f64,
    /// The same for the best density there is: what is left to gain is the quotient of the two.
    pub best_variance_ratio: f64,
    /// Every bin, by rising gamma.
    pub bins: Vec<BinReport>,
}

impl Diagnostics {
    /// What the density `pdf` is worth, by `losses`.
    ///
    /// With `m_i` and `q_i` a bin's mean and mean square of `L` and `w` its width, the integral is `I = sum_i w m_i` and
    /// the variance of a row `sum_i w q_i / pdf_i - I^2`; least is `(sum_i w sqrt(q_i))^2 - I^2`.
    ///
    /// # Reference
    /// The variance and its least value are importance sampling's; arXiv 2107.00630, section 5.1, lowers the same variance.
    pub fn new(losses: &Losses, pdf: impl Fn(Gamma) -> f64) -> Self {
        let width = losses.range().width() / losses.bins().len() as f64;
        let report = |(i, bin): (usize, &super::BinLosses)| BinReport {
            gamma: losses.middle(i),
            pdf: pdf(losses.middle(i)),
            losses: bin.count,
            mean: bin.mean(),
            root_mean_square: bin.mean_square().sqrt(),
            effective_samples: bin.effective(),
        };
        let bins: Vec<BinReport> = losses.bins().iter().enumerate().map(report).collect();
        let total = |f: &dyn Fn(&BinReport) -> f64| bins.iter().map(|bin| width * f(bin)).sum::<f64>();
        let integral = total(&|bin| bin.mean);
        let variance = |pdf: &dyn Fn(&BinReport) -> f64| {
            total(&|bin| bin.root_mean_square.powi(2) / pdf(bin)) - integral * integral
        };
        let uniform = variance(&|_| 1.0 / losses.range().width());
        let least = total(&|bin| bin.root_mean_square).powi(2) - integral * integral;
        let known = bins.iter().all(|bin| bin.losses > 0.0);
        let ratio = |variance: f64| if known { variance / uniform } else { f64::NAN };
        Self { variance_ratio: ratio(variance(&|bin| bin.pdf)), best_variance_ratio: ratio(least), bins }
    }
}
