//! The mean of draws, with its standard error.

/// Standard errors that a mean may be off: a law that holds is broken by chance with probability
/// 6e-7 a check, and by seeded draws never again once it passed.
pub const SIGMAS: f64 = 5.0;

/// The mean of independent draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// The mean.
    pub value: f64,
    /// Its standard error; infinite of fewer than two draws.
    pub error: f64,
}

impl Mean {
    /// The mean of `draws`.
    pub fn of(draws: &[f64]) -> Self {
        let n = draws.len() as f64;
        let value = draws.iter().sum::<f64>() / n;
        let squares: f64 = draws.iter().map(|x| (x - value).powi(2)).sum();
        let error = if draws.len() < 2 { f64::INFINITY } else { (squares / (n - 1.0) / n).sqrt() };
        Self { value, error }
    }

    /// How far the mean may be from its expectation: [`SIGMAS`] standard errors, and rounding.
    pub fn allowed(&self) -> f64 {
        SIGMAS * self.error + 1e-12 * (1.0 + self.value.abs())
    }
}
