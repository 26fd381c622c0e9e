//! What the losses at each noise level have been.

use crate::error::{Error, Result};
use crate::level::{Gamma, GammaRange};
use serde::{Deserialize, Serialize};

/// The losses of one bin of noise levels, an older loss counting less: each is weighed with the memory to the number
/// of losses after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BinLosses {
    /// The decayed count.
    pub count: f64,
    /// The decayed sum, in nats per unit of gamma.
    pub sum: f64,
    /// The decayed sum of squares.
    pub squares: f64,
}

impl BinLosses {
    /// The mean loss; 0 where there is none.
    pub fn mean(&self) -> f64 {
        over(self.sum, self.count)
    }

    /// The mean of the squared losses; 0 where there is none.
    pub fn mean_square(&self) -> f64 {
        over(self.squares, self.count)
    }

    /// How many equal losses would say as much about the mean: `(sum L)^2 / sum L^2`, at most the count.
    pub fn effective(&self) -> f64 {
        over(self.sum * self.sum, self.squares)
    }
}

fn over(total: f64, count: f64) -> f64 {
    if count > 0.0 { total / count } else { 0.0 }
}

/// Losses per unit of gamma in equal bins of a range: of each bin the decayed count, sum and sum of squares.
///
/// A loss `L` in bin `i` makes `n_i <- m n_i + 1`, `s_i <- m s_i + L` and `q_i <- m q_i + L^2` with the memory `m`, so that
/// a bin remembers its last `1 / (1 - m)` losses or so, however rarely it is visited.
#[derive(Clone, Debug, PartialEq)]
pub struct Losses {
    range: GammaRange,
    memory: f64,
    bins: Vec<BinLosses>,
}

impl Losses {
    /// No loss yet in any of `bins` bins (at least one) of `range`.
    pub fn new(range: GammaRange, bins: usize, memory: f64) -> Self {
        Self { range, memory, bins: vec![BinLosses::default(); bins.max(1)] }
    }

    /// Losses that were counted elsewhere, none of which counts less, in bins (at least one) of `range`.
    pub(crate) fn of(range: GammaRange, bins: Vec<BinLosses>) -> Self {
        match bins.is_empty() {
            true => Self::new(range, 1, 1.0),
            false => Self { range, memory: 1.0, bins },
        }
    }

    /// The range of levels.
    pub fn range(&self) -> GammaRange {
        self.range
    }

    /// Every bin, by rising gamma.
    pub fn bins(&self) -> &[BinLosses] {
        &self.bins
    }

    /// The middle of a bin.
    pub fn middle(&self, bin: usize) -> Gamma {
        self.range.at((bin as f64 + 0.5) / self.bins.len() as f64)
    }

    /// Takes in a loss measured at `gamma`; one whose square is not finite says nothing.
    pub fn observe(&mut self, gamma: Gamma, loss: f64) {
        if !(loss * loss).is_finite() {
            return;
        }
        let last = self.bins.len() - 1;
        let bin = &mut self.bins[((self.range.fraction(gamma) * (last + 1) as f64) as usize).min(last)];
        let BinLosses { count, sum, squares } = *bin;
        let memory = self.memory;
        *bin = BinLosses {
            count: memory * count + 1.0,
            sum: memory * sum + loss,
            squares: memory * squares + loss * loss,
        };
    }

    /// Every number in one line, exactly.
    pub fn state(&self) -> String {
        let mut words = Vec::with_capacity(3 * self.bins.len());
        for bin in &self.bins {
            for number in [bin.count, bin.sum, bin.squares] {
                words.push(number.to_string());
            }
        }
        words.join(" ")
    }

    /// Takes up what [`state`](Self::state) gave, bit for bit.
    ///
    /// # Errors
    /// Unless it is the numbers of as many bins, finite, counts and squares not negative; then nothing was changed.
    pub fn restore(&mut self, state: &str) -> Result<()> {
        let bins = bins(state).filter(|bins| bins.len() == self.bins.len());
        self.bins = bins.ok_or_else(|| {
            let expected = format!("{} finite numbers, three a bin", 3 * self.bins.len());
            Error::value("time sampler's state", state, expected)
        })?;
        Ok(())
    }
}

/// The bins of a state, if it is one.
fn bins(state: &str) -> Option<Vec<BinLosses>> {
    let mut numbers = Vec::new();
    for word in state.split(' ') {
        numbers.push(word.parse::<f64>().ok().filter(|number| number.is_finite())?);
    }
    let mut bins = Vec::with_capacity(numbers.len() / 3);
    for three in numbers.chunks(3) {
        let &[count, sum, squares] = three else { return None };
        if count < 0.0 || squares < 0.0 {
            return None;
        }
        bins.push(BinLosses { count, sum, squares });
    }
    Some(bins)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn losses() -> Losses {
        let mut losses = Losses::new(GammaRange::for_levels(256), 4, 0.5);
        for (fraction, loss) in [(0.0, 2.0), (0.1, 4.0), (0.6, -1.0), (1.0, 1e-3), (0.1, 1.0 / 3.0)] {
            losses.observe(losses.range().at(fraction), loss);
        }
        losses
    }

    #[test]
    fn an_older_loss_counts_less() {
        let losses = losses();
        let first = losses.bins()[0];
        let (third, decayed) = (1.0 / 3.0, [0.25, 0.5, 1.0]);
        assert_eq!(first.count, decayed.iter().sum::<f64>());
        assert_eq!(first.sum, 0.5 * (0.5 * 2.0 + 4.0) + third);
        assert_eq!(first.squares, 0.5 * (0.5 * 4.0 + 16.0) + third * third);
        assert_eq!((first.mean(), first.mean_square()), (first.sum / 1.75, first.squares / 1.75));
        assert!(first.effective() > 0.0 && first.effective() <= first.count);
        assert_eq!(losses.bins()[1], BinLosses::default());
        assert_eq!((losses.bins()[1].mean(), losses.bins()[1].effective()), (0.0, 0.0));
        assert_eq!((losses.bins()[2].sum, losses.bins()[3].count), (-1.0, 1.0));
        assert_eq!(losses.middle(1), losses.range().at(0.375));
    }

    #[test]
    fn a_loss_without_a_finite_square_says_nothing() {
        let mut other = losses();
        for loss in [f64::NAN, f64::INFINITY, 1e200] {
            other.observe(other.range().at(0.3), loss);
        }
        assert_eq!(other, losses());
    }

    #[test]
    fn a_state_is_restored_bit_for_bit_and_a_corrupt_one_changes_nothing() {
        let losses = losses();
        let state = losses.state();
        let fresh = || Losses::new(losses.range(), 4, 0.5);
        let mut other = fresh();
        other.restore(&state).expect("its own state");
        assert_eq!(other, losses);
        let short = state.rsplit_once(' ').expect("many numbers").0;
        let words = ["", "x", "1 2 3", short, &format!("{state} 1"), &format!("{state} x"), "\n"];
        let numbers = ["NaN", "inf", "-1", "1e999"].map(|bad| format!("{short} {bad}"));
        for bad in words.into_iter().chain(numbers.iter().map(String::as_str)) {
            let line = other.restore(bad).expect_err("refused").to_string();
            assert!(line.ends_with("expected 12 finite numbers, three a bin"), "{line}");
            assert_eq!(other, losses, "{bad}");
        }
        assert!(Losses::new(losses.range(), 5, 0.5).restore(&state).is_err());
    }
}
