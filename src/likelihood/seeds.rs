//! Where the random numbers of an evaluation come from.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What names one draw: nothing else reaches its generators, so results do not depend on batches,
/// threads or what was drawn before.
///
/// The ChaCha8 key is `(seed, row, draw, purpose)`, four 64-bit little-endian words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrawKey {
    /// The seed of the whole evaluation.
    pub seed: u64,
    /// The index of the image, row or sample.
    pub row: usize,
    /// The index of the draw of that row.
    pub draw: usize,
}

/// What a generator is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The dequantizer's noise.
    Dequantization,
    /// The divergence's probes.
    Probe,
    /// Probes of a second solve from the same point, which shows their noise.
    SecondProbe,
    /// The VLB's noise levels and noise.
    Levels,
    /// The prior's draw of a sample.
    Prior,
}

impl DrawKey {
    /// The key of the generator for `purpose`.
    pub fn bytes(self, purpose: Purpose) -> [u8; 32] {
        let words = [self.seed, self.row as u64, self.draw as u64, purpose as u64];
        let mut bytes = [0; 32];
        for (to, word) in bytes.chunks_exact_mut(8).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// The generator for `purpose`.
    pub fn rng(self, purpose: Purpose) -> ChaCha8Rng {
        ChaCha8Rng::from_seed(self.bytes(purpose))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn value_stability() {
        let key = DrawKey { seed: 3, row: 5, draw: 1 };
        let found: Vec<u32> = [Purpose::Dequantization, Purpose::Probe, Purpose::Prior]
            .map(|purpose| key.rng(purpose).r#gen())
            .to_vec();
        assert_eq!(found, [1593732341, 958264486, 1748141730]);
    }
}
