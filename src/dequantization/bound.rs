//! From the log-weights of single draws to bounds on `log P(x)`.

use crate::math::log_sum_exp;
use std::f64::consts::LN_2;

/// The mean of single-draw bounds, in nats: `(1/K) sum_k log w_k <= log P(x)` in expectation, with
/// `log w = log p(z0) + log P(x | z0) - log q(z0 | x)`. Every `K` has the same expectation.
/// NaN of no draws.
pub fn mean_of_draws(log_weights: &[f64]) -> f64 {
    log_weights.iter().sum::<f64>() / log_weights.len() as f64
}

/// The K-sample bound in nats, `ln((1/K) sum_k w_k)`: in expectation a bound on `log P(x)` that
/// only tightens with `K`, the number of draws given. NaN of no draws.
///
/// # Reference
/// Burda, Grosse, Salakhutdinov 2016, arXiv 1509.00519, equation 8 and theorem 1.
pub fn k_sample_bound(log_weights: &[f64]) -> f64 {
    if log_weights.is_empty() {
        return f64::NAN;
    }
    log_sum_exp(log_weights.iter().copied()) - (log_weights.len() as f64).ln()
}

/// Nats of a whole row, as bits per dimension: `nats / (dims ln 2)`. The sign is kept, so give it
/// a negative log-likelihood.
pub fn nats_to_bits_per_dim(nats: f64, dims: usize) -> f64 {
    nats / (dims as f64 * LN_2)
}
