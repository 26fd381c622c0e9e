//! Where the random numbers of an evaluation come from.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What names one draw: nothing else reaches its generators, so results do not depend on batches,
/// threads or what was drawn before.
///
/// The ChaCha8 key is `(seed, row, draw, purpose)`, four 64-bit little-endian words; probes of a [`Replicate`] have their set's number in
/// the upper half of the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrawKey {
    /// The seed of the whole evaluation.
    pub seed: u64,
    /// The index of the image, row or sample.
    pub row: usize,
    /// The index of the draw of that row.
    pub draw: usize,
}

/// Which of a row's draws, and which probes, an evaluation uses: the default is the first of both, which are an estimate's own.
///
/// Replicates with one draw of a row in common but other probes differ by their probes alone; those with other draws are independent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replicate {
    /// Draws begin with this one, where each is a K-sample bound: draw `i` of the evaluation is number `K (draw + i)` and those after it.
    pub draw: usize,
    /// The set of probes.
    pub probe: usize,
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
    /// Noise levels and noise of the information-estimation identity.
    Estimation,
}

impl DrawKey {
    /// The key of the generator for `purpose`.
    pub fn bytes(self, purpose: Purpose) -> [u8; 32] {
        self.bytes_of_set(purpose, 0)
    }

    /// The key of the generator of a set of probes; set 0 is [`bytes`](Self::bytes).
    pub(crate) fn bytes_of_set(self, purpose: Purpose, set: usize) -> [u8; 32] {
        let last = (set as u64) << 32 | purpose as u64;
        let words = [self.seed, self.row as u64, self.draw as u64, last];
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

    /// No set of probes is another's, nor another purpose's.
    #[test]
    fn sets_of_probes_are_apart() {
        let key = DrawKey { seed: 3, row: 5, draw: 1 };
        let purposes = [Purpose::Dequantization, Purpose::Probe, Purpose::SecondProbe, Purpose::Prior];
        let keys: Vec<[u8; 32]> =
            (0..3).flat_map(|set| purposes.map(|purpose| key.bytes_of_set(purpose, set))).collect();
        assert!(keys.iter().enumerate().all(|(i, key)| !keys[..i].contains(key)));
        assert_eq!(key.bytes_of_set(Purpose::Probe, 0), key.bytes(Purpose::Probe));
    }
}
