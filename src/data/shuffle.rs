//! The order of training: a fresh permutation every epoch, resumable at any position.

use crate::error::{Error, Result};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// One look at one image: which image, and in which epoch.
///
/// The epoch matters only to what draws anew each time an image is seen: random crops, augmentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Visit {
    /// The image, counted from 0.
    pub index: usize,
    /// The epoch, counted from 0.
    pub epoch: u64,
}

impl Visit {
    /// A generator of this visit's own draws, for one `purpose`: the same wherever and whenever it is made.
    pub fn generator(self, seed: u64, purpose: &str) -> ChaCha8Rng {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&(self.index as u64).to_le_bytes());
        key[16..24].copy_from_slice(&self.epoch.to_le_bytes());
        for (byte, name) in key[24..].iter_mut().zip(purpose.bytes()) {
            *byte = name;
        }
        ChaCha8Rng::from_seed(key)
    }
}

impl From<usize> for Visit {
    /// The image in epoch 0, as evaluation sees it.
    fn from(index: usize) -> Self {
        Self { index, epoch: 0 }
    }
}

/// Everything that the order depends on besides the number of images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The seed of the order.
    pub seed: u64,
    /// How many images were visited so far, over all epochs.
    pub visited: u64,
}

/// An endless order of visits: in each epoch every image once, in an order drawn from (seed, epoch).
#[derive(Clone, Debug)]
pub struct Shuffle {
    images: usize,
    position: Position,
    // The permutation of the epoch that the position lies in; empty until it is asked for.
    order: Vec<u32>,
}

impl Shuffle {
    /// The order of `images` images from its beginning.
    ///
    /// # Errors
    /// Unless `1 <= images <= 2^32 - 1`.
    pub fn new(images: usize, seed: u64) -> Result<Self> {
        Self::resume(images, Position { seed, visited: 0 })
    }

    /// The order of `images` images from `position` on.
    ///
    /// # Errors
    /// Unless `1 <= images <= 2^32 - 1`.
    pub fn resume(images: usize, position: Position) -> Result<Self> {
        if images == 0 || u32::try_from(images).is_err() {
            return Err(Error::value("images", images, "1 to 4294967295"));
        }
        Ok(Self { images, position, order: Vec::new() })
    }

    /// Where the order stands: [`Shuffle::resume`] from here continues it.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The epoch of the next visit, counted from 0.
    pub fn epoch(&self) -> u64 {
        self.position.visited / self.images as u64
    }

    /// The next `rows` visits; they may run over the end of an epoch.
    pub fn next_batch(&mut self, rows: usize) -> Vec<Visit> {
        self.by_ref().take(rows).collect()
    }
}

fn permutation(images: usize, seed: u64, epoch: u64) -> Vec<u32> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(epoch);
    let mut order: Vec<u32> = (0..images as u32).collect();
    order.shuffle(&mut generator);
    order
}

impl Iterator for Shuffle {
    type Item = Visit;

    fn next(&mut self) -> Option<Visit> {
        let epoch = self.epoch();
        let offset = (self.position.visited % self.images as u64) as usize;
        if offset == 0 || self.order.is_empty() {
            self.order = permutation(self.images, self.position.seed, epoch);
        }
        self.position.visited += 1;
        Some(Visit { index: self.order[offset] as usize, epoch })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indices(visits: &[Visit]) -> Vec<usize> {
        visits.iter().map(|v| v.index).collect()
    }

    #[test]
    fn every_epoch_is_a_fresh_permutation() {
        let mut shuffle = Shuffle::new(100, 3).unwrap();
        let (first, second) = (shuffle.next_batch(100), shuffle.next_batch(100));
        assert!(first.iter().all(|v| v.epoch == 0) && second.iter().all(|v| v.epoch == 1));
        assert_ne!(indices(&first), indices(&second));
        for epoch in [first, second] {
            let mut sorted = indices(&epoch);
            sorted.sort_unstable();
            assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        }
    }

    #[test]
    fn resuming_anywhere_continues_the_same_order() {
        let all = Shuffle::new(7, 5).unwrap().next_batch(30);
        for stop in 0..30 {
            let mut before = Shuffle::new(7, 5).unwrap();
            assert_eq!(before.next_batch(stop), all[..stop]);
            let mut after = Shuffle::resume(7, before.position()).unwrap();
            assert_eq!(after.next_batch(30 - stop), all[stop..], "stopped at {stop}");
        }
    }

    #[test]
    fn seeds_differ() {
        let order = |seed| indices(&Shuffle::new(50, seed).unwrap().next_batch(50));
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }

    #[test]
    fn no_images_is_an_error() {
        assert!(Shuffle::new(0, 0).is_err());
    }

    #[test]
    fn value_stability() {
        let mut shuffle = Shuffle::new(5, 42).unwrap();
        assert_eq!(indices(&shuffle.next_batch(10)), [0, 2, 4, 3, 1, 2, 4, 1, 0, 3]);
    }
}
