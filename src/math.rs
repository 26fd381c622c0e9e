//! Scalar functions that stay accurate in their tails. Everything here is `f64` on the host.

use num_dual::DualNum;
use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

/// `ln(2 pi)`.
pub const LN_2_PI: f64 = 1.837_877_066_409_345_3;

/// `ln(1 + e^x)`, for floats and dual numbers, without overflow and without losing small values.
pub fn softplus<N: DualNum<Primitive = f64> + Copy>(x: N) -> N {
    if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

/// `1 / (1 + e^-x)`, relatively accurate in both tails.
pub fn sigmoid(x: f64) -> f64 {
    if x > 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// `ln sum_i e^{x_i}`; minus infinity of nothing.
pub fn log_sum_exp(x: impl IntoIterator<Item = f64> + Clone) -> f64 {
    let top = x.clone().into_iter().fold(f64::NEG_INFINITY, f64::max);
    if top.is_infinite() {
        return top;
    }
    top + x.into_iter().map(|v| (v - top).exp()).sum::<f64>().ln()
}

/// The mean of some numbers and how far it can be trusted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moments {
    /// How many there are.
    pub(crate) count: usize,
    /// NaN of none.
    pub(crate) mean: f64,
    /// The unbiased variance of one; NaN of fewer than two.
    pub(crate) variance: f64,
}

impl Moments {
    /// In two passes: nothing cancels.
    pub(crate) fn of(values: &[f64]) -> Self {
        let count = values.len();
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self { count, mean, variance: if count < 2 { f64::NAN } else { squares / (count as f64 - 1.0) } }
    }

    /// The standard error of the mean; NaN of fewer than two.
    pub(crate) fn standard_error(&self) -> f64 {
        (self.variance / self.count as f64).sqrt()
    }
}

/// The standard normal's cumulative distribution, relatively accurate in the lower tail.
/// The upper tail is `normal_cdf(-x)`.
pub fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

/// The standard normal's quantile given both tails, `lower + upper = 1`: relatively accurate in
/// each, because the smaller one is inverted.
pub fn normal_quantile(lower: f64, upper: f64) -> f64 {
    if lower > upper {
        return -normal_quantile(upper, lower);
    }
    -SQRT_2 * statrs::function::erf::erfc_inv(2.0 * lower)
}

/// The nodes of 8-point Gauss-Legendre quadrature on `[-1, 1]`, in order.
pub(crate) const NODES: [f64; 8] = [
    -0.960_289_856_497_536_2,
    -0.796_666_477_413_626_7,
    -0.525_532_409_916_329,
    -0.183_434_642_495_649_8,
    0.183_434_642_495_649_8,
    0.525_532_409_916_329,
    0.796_666_477_413_626_7,
    0.960_289_856_497_536_2,
];

/// The weights that belong to [`NODES`].
pub(crate) const WEIGHTS: [f64; 8] = [
    0.101_228_536_290_376_26,
    0.222_381_034_453_374_47,
    0.313_706_645_877_887_3,
    0.362_683_783_378_362,
    0.362_683_783_378_362,
    0.313_706_645_877_887_3,
    0.222_381_034_453_374_47,
    0.101_228_536_290_376_26,
];

/// The integral of `f` from `from` to `to`, by Gauss-Legendre quadrature of 8 points in each of
/// `panels` equal parts (exact on polynomials of degree 15).
pub fn integrate(from: f64, to: f64, panels: usize, mut f: impl FnMut(f64) -> f64) -> f64 {
    let half = 0.5 * (to - from) / panels as f64;
    (0..panels)
        .map(|i| {
            let middle = from + half * (2 * i + 1) as f64;
            let sum: f64 = NODES.iter().zip(WEIGHTS).map(|(x, w)| w * f(middle + half * x)).sum();
            half * sum
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quadrature_is_exact_on_degree_15() {
        let value = integrate(-1.0, 2.0, 1, |x| x.powi(15) - 3.0 * x.powi(14));
        let exact = (2f64.powi(16) - 1.0) / 16.0 - (2f64.powi(15) + 1.0) / 5.0;
        assert!((value / exact - 1.0).abs() < 1e-14, "{value} {exact}");
    }

    #[test]
    fn normal_quantile_inverts_its_cdf_in_both_tails() {
        for i in -350..=350 {
            let x = f64::from(i) / 10.0;
            let found = normal_quantile(normal_cdf(x), normal_cdf(-x));
            assert!((found - x).abs() <= 4e-15 * x.abs().max(0.5), "{x}: {found}");
        }
    }

    #[test]
    fn softplus_keeps_both_tails() {
        assert_eq!(softplus(-40.0), (-40f64).exp());
        assert_eq!(softplus(800.0), 800.0);
        assert!((softplus(0.0) - 2f64.ln()).abs() < 1e-16);
        assert!((sigmoid(-40.0) / (-40f64).exp() - 1.0).abs() < 1e-15);
        assert_eq!((sigmoid(800.0), sigmoid(-800.0)), (1.0, 0.0));
        assert!((softplus(num_dual::Dual64::new(40.0, 1.0)).eps - 1.0).abs() < 1e-16);
    }

    #[test]
    fn log_sum_exp_of_large_and_of_nothing() {
        assert!((log_sum_exp([1000.0, 1000.0]) - 1000.0 - 2f64.ln()).abs() < 1e-12);
        assert_eq!(log_sum_exp([]), f64::NEG_INFINITY);
        assert_eq!(log_sum_exp([f64::NEG_INFINITY, 0.0]), 0.0);
    }
}
