//! What training reports of a high-order term.

/// A high-order term of an objective on one batch, before its weight in a sum.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// The order of the derivative of the log-density that it matches: 2 or 3.
    pub order: u8,
    /// Its name: `trace`, `jacobian`, `trace_gradient`.
    pub name: &'static str,
    /// Its loss on each row, in nats. It does not fall to 0: the target's variance given the state stays in it.
    pub losses: Vec<f64>,
    /// Each row's estimate less its target, for a scalar target, times the root of the row's coefficient: its square is of
    /// the size of the loss.
    pub errors: Option<Vec<f64>>,
}

impl Term {
    /// Appends the rows of `next`, the same objective's terms on further rows.
    pub(crate) fn extend(terms: &mut Vec<Self>, next: Vec<Self>) {
        if terms.is_empty() {
            *terms = next;
            return;
        }
        for (term, next) in terms.iter_mut().zip(next) {
            term.losses.extend(next.losses);
            if let (Some(errors), Some(next)) = (&mut term.errors, next.errors) {
                errors.extend(next);
            }
        }
    }

    /// The mean loss over rows, in nats.
    pub fn loss(&self) -> f64 {
        self.losses.iter().sum::<f64>() / self.losses.len() as f64
    }

    /// An unbiased estimate, in nats, of the part of the excess that all states of a level have in common. The excess is the
    /// loss above its least possible value; the estimate is the mean product of the errors of two rows at neighbouring levels.
    ///
    /// Rows are independent given their levels, so the mean product of their errors is that of their levels' mean errors,
    /// and the target's variance is not in it. By Jensen's inequality it is at most the excess; near 0 it says that no
    /// level's mean is off. A single batch's value is noisy and may be negative. `None` without scalar errors, or
    /// for fewer than two rows.
    pub fn common_excess(&self, gammas: &[f64]) -> Option<f64> {
        let errors =
            self.errors.as_ref().filter(|errors| errors.len() > 1 && errors.len() == gammas.len())?;
        let mut rows: Vec<usize> = (0..errors.len()).collect();
        rows.sort_by(|&i, &j| gammas[i].total_cmp(&gammas[j]));
        let products = rows.windows(2).map(|pair| errors[pair[0]] * errors[pair[1]]);
        Some(products.sum::<f64>() / (rows.len() - 1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_distr::StandardNormal;

    #[test]
    fn common_excess_is_the_squared_mean_error() {
        // Errors of mean 0.5 and variance 1: the loss is 1.25, the excess 0.25. 20,000 products, two neighbours share a
        // row: the standard error is about sqrt((1 + 4 * 0.25) / 20000) = 0.01.
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let errors: Vec<f64> = (0..20_000).map(|_| 0.5 + rng.sample::<f64, _>(StandardNormal)).collect();
        let gammas: Vec<f64> = errors.iter().map(|_| rng.r#gen()).collect();
        let losses = errors.iter().map(|e| e * e).collect();
        let term = Term { order: 2, name: "trace", losses, errors: Some(errors) };
        let excess = term.common_excess(&gammas).expect("errors");
        assert!((excess - 0.25).abs() < 0.04, "{excess}");
        assert!((term.loss() - 1.25).abs() < 0.05);
        assert_eq!(term.common_excess(&gammas[1..]), None);
    }
}
