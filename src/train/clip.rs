//! Clipping of gradients by what their norms have been.

use std::collections::VecDeque;

/// A limit on the gradient's norm that follows the norms: their `quantile` over the last `window` steps, this one
/// included.
///
/// With `n` norms kept, the limit is the `ceil(quantile n)`-th smallest, so that nothing is clipped before
/// `n > 1 / (1 - quantile)`.
///
/// # Reference
/// Seetharaman, Wichern, Pardo and Le Roux, "AutoClip" (arXiv 2007.14469), algorithm 1, over a window.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantileClip {
    quantile: f64,
    window: usize,
    norms: VecDeque<f64>,
}

impl QuantileClip {
    /// The limit that goes on after `norms`, the earliest first; only the last `window` count.
    ///
    /// `quantile` is meant to lie in `(0, 1)`, and `window` to be at least 1.
    pub fn new(quantile: f64, window: usize, norms: &[f64]) -> Self {
        let window = window.max(1);
        let kept = norms[norms.len().saturating_sub(window)..].iter().copied();
        Self { quantile, window, norms: kept.collect() }
    }

    /// Goes on after other norms.
    pub fn restart(&mut self, norms: &[f64]) {
        *self = Self::new(self.quantile, self.window, norms);
    }

    /// The limit of a step whose gradient has this norm.
    pub fn limit(&mut self, norm: f64) -> f64 {
        if self.norms.len() == self.window {
            self.norms.pop_front();
        }
        self.norms.push_back(norm);
        let mut sorted: Vec<f64> = self.norms.iter().copied().collect();
        let rank = (self.quantile * sorted.len() as f64).ceil() as usize;
        let index = rank.clamp(1, sorted.len()) - 1;
        *sorted.select_nth_unstable_by(index, f64::total_cmp).1
    }

    /// The norms that are kept, the earliest first.
    pub fn norms(&self) -> Vec<f64> {
        self.norms.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_quantile_of_the_window() {
        let mut clip = QuantileClip::new(0.75, 4, &[]);
        let limits: Vec<f64> = [3.0, 9.0, 1.0, 2.0, 8.0, 7.0].map(|norm| clip.limit(norm)).into();
        // Of {3}, {3 9}, {3 9 1}, {3 9 1 2}, {9 1 2 8}, {1 2 8 7}: the 1st, 2nd, 3rd, 3rd, 3rd, 3rd smallest.
        assert_eq!(limits, [3.0, 9.0, 9.0, 3.0, 8.0, 7.0]);
        assert_eq!(clip.norms(), [1.0, 2.0, 8.0, 7.0]);
    }

    #[test]
    fn it_goes_on_from_its_norms() {
        let norms: Vec<f64> = (0..50).map(|i| f64::from(i * 29 % 50) + 0.1).collect();
        let mut whole = QuantileClip::new(0.9, 20, &[]);
        let limits: Vec<f64> = norms.iter().map(|&norm| whole.limit(norm)).collect();
        for stop in [0, 1, 19, 20, 33] {
            let mut first = QuantileClip::new(0.9, 20, &[]);
            let before: Vec<f64> = norms[..stop].iter().map(|&norm| first.limit(norm)).collect();
            assert_eq!(before, limits[..stop]);
            let mut second = QuantileClip::new(0.9, 20, &first.norms());
            let rest: Vec<f64> = norms[stop..].iter().map(|&norm| second.limit(norm)).collect();
            assert_eq!(rest, limits[stop..], "{stop}");
        }
    }
}
