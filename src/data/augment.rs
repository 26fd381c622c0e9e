//! Training images turned, mirrored and recoloured, with a number that tells the network so.
//!
//! # Reference
//! i-DODE (arXiv 2305.03935), CIFAR-10 with augmentation; its published code, as that of VDM (arXiv
//! 2107.00630), feeds the network 1 for an image that any step was chosen for, else 0.

use crate::data::shape::ImageShape;
use crate::data::shuffle::Visit;
use crate::error::{Error, Result};
use rand::Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

/// Which steps may be taken; each one that is allowed is chosen for half of the visits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// Mirror left and right.
    pub flip: bool,
    /// Turn by one, two or three quarters, each as often.
    pub quarter_turns: bool,
    /// Put the channels in a random order, any of them as often.
    pub permute_channels: bool,
}

impl Augmentation {
    /// Checks that every allowed step does something to images of `shape`, and keeps them in that shape.
    ///
    /// # Errors
    /// If quarter turns meet an image that is not square, or permutations one of a single channel.
    pub fn check(&self, shape: ImageShape) -> Result<()> {
        self.misfit(shape).map_or(Ok(()), |(step, expected)| {
            Err(Error::value(format!("augmentation.{step}"), format!("true for images of {shape}"), expected))
        })
    }

    /// The first step that does not fit images of `shape`, and the images that it fits.
    pub(crate) fn misfit(&self, shape: ImageShape) -> Option<(&'static str, &'static str)> {
        if self.quarter_turns && shape.height != shape.width {
            Some(("quarter_turns", "square images"))
        } else if self.permute_channels && shape.channels == 1 {
            Some(("permute_channels", "images of more than one channel"))
        } else {
            None
        }
    }

    /// Changes one image in place and gives its conditioning number, 0 or 1.
    ///
    /// The draws depend on `seed` and the visit alone. The number is 1 if any step was chosen, be it a
    /// permutation that changes nothing.
    ///
    /// # Errors
    /// As [`Augmentation::check`]; also if `image` has not `shape.dims()` values.
    pub fn apply(&self, seed: u64, visit: Visit, shape: ImageShape, image: &mut [u16]) -> Result<f32> {
        self.check(shape)?;
        if image.len() != shape.dims() {
            return Err(Error::value("values of the image", image.len(), shape.dims().to_string()));
        }
        // All draws are made whatever is allowed, so that one step's draws do not depend on another's.
        let mut generator = visit.generator(seed, "augment");
        let chosen: [bool; 3] = generator.r#gen();
        let turns = generator.gen_range(1..4);
        let mut order: Vec<usize> = (0..shape.channels).collect();
        order.shuffle(&mut generator);
        let [flipped, turned, permuted] =
            [self.flip && chosen[0], self.quarter_turns && chosen[1], self.permute_channels && chosen[2]];
        if flipped {
            flip(shape, image);
        }
        if turned {
            (0..turns).for_each(|_| quarter_turn(shape, image));
        }
        if permuted {
            permute(&order, image);
        }
        Ok(if flipped || turned || permuted { 1.0 } else { 0.0 })
    }

    /// Changes the images of a batch in place and gives their conditioning numbers.
    ///
    /// # Shapes
    /// `rows`: `visits.len() * dims`; the numbers: `visits.len()`.
    ///
    /// # Errors
    /// As [`Augmentation::apply`]; also unless there is one image for each visit.
    pub fn apply_batch(
        &self,
        seed: u64,
        visits: &[Visit],
        shape: ImageShape,
        rows: &mut [u16],
    ) -> Result<Vec<f32>> {
        let d = shape.dims();
        if rows.len() != visits.len() * d {
            return Err(Error::value("values of the batch", rows.len(), (visits.len() * d).to_string()));
        }
        let images = rows.chunks_exact_mut(d.max(1));
        let mut numbers = Vec::with_capacity(visits.len());
        for (&visit, image) in visits.iter().zip(images) {
            numbers.push(self.apply(seed, visit, shape, image)?);
        }
        Ok(numbers)
    }
}

fn flip(shape: ImageShape, image: &mut [u16]) {
    for line in image.chunks_exact_mut(shape.width * shape.channels) {
        line.reverse();
        line.chunks_exact_mut(shape.channels).for_each(<[u16]>::reverse);
    }
}

/// One quarter turn counter-clockwise of a square image.
fn quarter_turn(shape: ImageShape, image: &mut [u16]) {
    let (side, c) = (shape.width, shape.channels);
    let before = image.to_vec();
    for y in 0..side {
        for x in 0..side {
            let (to, from) = ((y * side + x) * c, (x * side + side - 1 - y) * c);
            image[to..to + c].copy_from_slice(&before[from..from + c]);
        }
    }
}

fn permute(order: &[usize], image: &mut [u16]) {
    for pixel in image.chunks_exact_mut(order.len()) {
        let before = pixel.to_vec();
        pixel.iter_mut().zip(order).for_each(|(value, &from)| *value = before[from]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: ImageShape = ImageShape { height: 2, width: 2, channels: 3 };

    fn image() -> Vec<u16> {
        (0..12).collect()
    }

    #[test]
    fn each_step_moves_what_it_should() {
        let mut a = image();
        flip(SHAPE, &mut a);
        assert_eq!(a, [3, 4, 5, 0, 1, 2, 9, 10, 11, 6, 7, 8]);
        let mut a = image();
        quarter_turn(SHAPE, &mut a);
        assert_eq!(a, [3, 4, 5, 9, 10, 11, 0, 1, 2, 6, 7, 8]);
        (0..3).for_each(|_| quarter_turn(SHAPE, &mut a));
        assert_eq!(a, image());
        let mut a = image();
        permute(&[2, 0, 1], &mut a);
        assert_eq!(a[..6], [2, 0, 1, 5, 3, 4]);
    }

    #[test]
    fn the_number_says_whether_any_step_was_chosen() {
        let all = Augmentation { flip: true, quarter_turns: true, permute_channels: true };
        let n = 4000;
        let visits: Vec<Visit> = (0..n).map(Visit::from).collect();
        let mut rows = image().repeat(n);
        let flags = all.apply_batch(1, &visits, SHAPE, &mut rows).unwrap();
        for (flag, row) in flags.iter().zip(rows.chunks(12)) {
            assert!(*flag == 1.0 || row == image(), "a changed image has the number 1");
        }
        // Each of three steps is chosen with probability 1/2, so 7/8 of the numbers are 1: three
        // standard errors of a share of 4,000.
        let share = flags.iter().sum::<f32>() / n as f32;
        assert!((share - 0.875).abs() < 3.0 * (0.875f32 * 0.125 / n as f32).sqrt(), "{share}");
        let mut same = image().repeat(n);
        assert_eq!(flags, all.apply_batch(1, &visits, SHAPE, &mut same).unwrap());
        assert_eq!(rows, same);
    }

    #[test]
    fn nothing_allowed_changes_nothing() {
        let mut a = image();
        for index in 0..50 {
            let flag = Augmentation::default().apply(1, index.into(), SHAPE, &mut a).unwrap();
            assert_eq!(flag, 0.0);
        }
        assert_eq!(a, image());
    }

    #[test]
    fn a_turn_needs_a_square_and_a_permutation_channels() {
        let permutations = Augmentation { permute_channels: true, ..Default::default() };
        assert!(permutations.check(SHAPE).is_ok() && permutations.check(ImageShape::new(2, 2, 1)).is_err());
        let turns = Augmentation { quarter_turns: true, ..Default::default() };
        let wide = ImageShape::new(1, 2, 1);
        let line = turns.apply(1, 0.into(), wide, &mut [0, 0]).unwrap_err().to_string();
        assert_eq!(line, "augmentation.quarter_turns = true for images of 1x2x1: expected square images");
    }
}
