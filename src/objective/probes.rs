//! Where the random directions of high-order objectives come from.

use rand::{Rng, RngCore};
use std::collections::VecDeque;

/// A source of probes: vectors with independent entries of mean 0 and variance 1.
///
/// The objectives' expectations hold for Rademacher entries, `v_i = +-1`; every generator of random numbers is a source
/// of those. [`Given`] gives chosen ones, so that an expectation can be taken by a finite sum.
pub trait Probes {
    /// The next `numbers` entries: a probe for each row of a batch, row after row.
    fn draw(&mut self, numbers: usize) -> Vec<f64>;
}

impl<R: RngCore> Probes for R {
    fn draw(&mut self, numbers: usize) -> Vec<f64> {
        (0..numbers).map(|_| if self.r#gen() { 1.0 } else { -1.0 }).collect()
    }
}

/// Probes that were chosen, each for every row alike; zeros once they are used up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given(VecDeque<Vec<f64>>);

impl Given {
    /// These probes, in the order in which an objective asks for them.
    pub fn new(probes: impl IntoIterator<Item = Vec<f64>>) -> Self {
        Self(probes.into_iter().collect())
    }
}

impl Probes for Given {
    fn draw(&mut self, numbers: usize) -> Vec<f64> {
        let probe = self.0.pop_front().unwrap_or_default();
        if probe.is_empty() {
            return vec![0.0; numbers];
        }
        probe.iter().copied().cycle().take(numbers).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn value_stability() {
        let found = ChaCha8Rng::seed_from_u64(3).draw(8);
        assert_eq!(found, [-1.0, 1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0]);
    }

    #[test]
    fn given_ones_come_in_order_for_every_row() {
        let mut given = Given::new([vec![1.0, -1.0], vec![0.5, 2.0]]);
        assert_eq!(given.draw(4), [1.0, -1.0, 1.0, -1.0]);
        assert_eq!(given.draw(2), [0.5, 2.0]);
        assert_eq!(given.draw(2), [0.0, 0.0]);
    }
}
