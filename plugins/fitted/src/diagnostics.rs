//! What the fit is worth, from the losses that were measured.

use crate::{BINS, Fitted};
use idode::level::Gamma;
use idode::time::TimeSampler;

/// One bin of the density.
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
    /// The root of their mean square: what the density should be proportional to.
    pub root_mean_square: f64,
    /// How many equal losses would say as much about the mean: `(sum L)^2 / sum L^2`, at most `losses`.
    pub effective_samples: f64,
}

/// The whole fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostics {
    /// The variance of one row's `L / pdf` over that of uniform times; NaN until every bin has a loss.
    pub variance_ratio: f64,
    /// The same for the best density there is: what is left to gain is the quotient of the two.
    pub best_variance_ratio: f64,
    /// Every bin, by rising gamma.
    pub bins: Vec<BinReport>,
}

impl Fitted {
    /// What the density in use is worth, by the losses that were measured.
    ///
    /// With `m_i` and `q_i` a bin's mean and mean square of `L` and `w` its width, the integral is `I = sum_i w m_i` and
    /// the variance of a row `sum_i w q_i / pdf_i - I^2`; least is `(sum_i w sqrt(q_i))^2 - I^2`.
    pub fn diagnostics(&self) -> Diagnostics {
        let (range, width) = (self.range(), self.range().width() / BINS as f64);
        let bins: Vec<BinReport> = (self.bins.iter().enumerate())
            .map(|(i, &[losses, sum, square])| {
                let gamma = range.at((i as f64 + 0.5) / BINS as f64);
                let over = |total: f64, count: f64| if count > 0.0 { total / count } else { 0.0 };
                BinReport {
                    gamma,
                    pdf: self.pdf(gamma),
                    losses,
                    mean: over(sum, losses),
                    root_mean_square: over(square, losses).sqrt(),
                    effective_samples: over(sum * sum, square),
                }
            })
            .collect();
        let total = |f: &dyn Fn(&BinReport) -> f64| bins.iter().map(|bin| width * f(bin)).sum::<f64>();
        let integral = total(&|bin| bin.mean);
        let second_moment = |pdf: &dyn Fn(&BinReport) -> f64| {
            total(&|bin| bin.root_mean_square.powi(2) / pdf(bin)) - integral * integral
        };
        let uniform = second_moment(&|_| 1.0 / range.width());
        let least = total(&|bin| bin.root_mean_square).powi(2) - integral * integral;
        let known = bins.iter().all(|bin| bin.losses > 0.0);
        let ratio = |variance: f64| if known { variance / uniform } else { f64::NAN };
        Diagnostics {
            variance_ratio: ratio(second_moment(&|bin| bin.pdf)),
            best_variance_ratio: ratio(least),
            bins,
        }
    }
}
