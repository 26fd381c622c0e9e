//! The order in which training sees images: a function of a seed and a position.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// An endless sequence of epochs, each a permutation of `0..count` of its own.
///
/// The sequence is a function of the seed and the position alone, so a run that stopped goes on where it was.
#[derive(Clone, Debug)]
pub struct Order {
    count: usize,
    seed: u64,
    position: u64,
    epoch: Option<(u64, Vec<usize>)>,
}

impl Order {
    /// The order of `count` images from a seed, at `position` images from its start.
    pub fn new(count: usize, seed: u64, position: u64) -> Self {
        Self { count, seed, position, epoch: None }
    }

    /// How many images were taken.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The indices of the next `batch` images.
    pub fn next_batch(&mut self, batch: usize) -> Vec<usize> {
        (0..batch).map(|_| self.next_index()).collect()
    }

    fn next_index(&mut self) -> usize {
        let count = self.count.max(1) as u64;
        let epoch = self.position / count;
        if self.epoch.as_ref().is_none_or(|(current, _)| *current != epoch) {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
            rng.set_stream(epoch);
            let mut indices: Vec<usize> = (0..self.count).collect();
            indices.shuffle(&mut rng);
            self.epoch = Some((epoch, indices));
        }
        let at = (self.position % count) as usize;
        self.position += 1;
        self.epoch.as_ref().map_or(0, |(_, indices)| indices[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_epoch_is_a_permutation_of_its_own() {
        let mut order = Order::new(10, 3, 0);
        let (mut first, mut second) = (order.next_batch(10), order.next_batch(10));
        assert_ne!(first, second);
        first.sort_unstable();
        second.sort_unstable();
        assert_eq!(first, (0..10).collect::<Vec<_>>());
        assert_eq!(second, first);
    }

    #[test]
    fn goes_on_where_it_was() {
        let mut whole = Order::new(7, 5, 0);
        let expected = whole.next_batch(40);
        let mut order = Order::new(7, 5, 0);
        let mut found = order.next_batch(17);
        found.extend(Order::new(7, 5, order.position()).next_batch(23));
        assert_eq!(found, expected);
    }

    #[test]
    fn value_stability() {
        assert_eq!(Order::new(6, 1, 0).next_batch(9), [4, 1, 5, 0, 2, 3, 2, 1, 3]);
    }
}
