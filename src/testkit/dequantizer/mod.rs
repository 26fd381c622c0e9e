//! The laws of a [`Dequantizer`].

mod bounds;
mod pixel;
mod resume;

pub use bounds::{bound, more_draws};
pub use pixel::Pixel;
pub use resume::resume;

use super::statistics::Mean;
use super::{Law, Verdict};
use crate::dequantization::{Dequantizer, Draw};
use crate::pixels::PixelGrid;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fmt;

crate::__idode_laws! { dequantizer __idode_table }

/// A dequantizer, and the images that it takes.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The dequantizer.
    pub dequantizer: &'a dyn Dequantizer,
    /// Makes the same one, before it has learned anything.
    pub make: &'a dyn Fn() -> Box<dyn Dequantizer>,
    /// The grid of its pixels.
    pub grid: PixelGrid,
    /// The number of dimensions of an image: a few.
    pub dims: usize,
}

impl fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dequantizer, grid, dims, .. } = self;
        write!(f, "Subject {{ dequantizer: {dequantizer:?}, grid: {grid:?}, dims: {dims} }}")
    }
}

/// Draws an average is taken over.
const DRAWS: usize = 20_000;

impl Subject<'_> {
    fn law(&self, name: &'static str) -> Law {
        Law::new("dequantizer", name, self.dequantizer)
    }

    /// Images at both ends, in the middle, and two that are drawn.
    fn images(&self) -> Vec<Vec<u16>> {
        let last = (self.grid.levels() - 1) as u16;
        let mut rng = ChaCha8Rng::seed_from_u64(20);
        let mut drawn = || (0..self.dims).map(|_| rng.gen_range(0..=last)).collect();
        vec![vec![0; self.dims], vec![last; self.dims], vec![last / 2; self.dims], drawn(), drawn()]
    }

    /// Draws of one image.
    fn draws(&self, image: &[u16], seed: u64, count: usize) -> Vec<Draw> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..count).map(|_| self.dequantizer.draw(image, &mut rng)).collect()
    }
}

/// `exp(log_q)` integrates to 1 and is the density of the draws: over a box that holds most of them,
/// `E[1 / q]` is the box's volume.
///
/// # Errors
/// The first image where it is not, to five standard errors.
pub fn normalized(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("normalized");
    for image in subject.images() {
        let pilot = subject.draws(&image, 21, 2000);
        // From the 2nd to the 98th percentile of each coordinate: inside the support, unless it has a gap.
        let box_of = |i: usize| {
            let mut values: Vec<f64> = pilot.iter().map(|draw| draw.z[i]).collect();
            values.sort_by(f64::total_cmp);
            (values[values.len() / 50], values[values.len() - 1 - values.len() / 50])
        };
        let sides: Vec<(f64, f64)> = (0..subject.dims).map(box_of).collect();
        let log_volume: f64 = sides.iter().map(|(low, high)| (high - low).ln()).sum();
        let weight = |draw: Draw| {
            let inside = draw.z.iter().zip(&sides).all(|(z, (low, high))| (low..=high).contains(&z));
            if inside { (-draw.log_q - log_volume).exp() } else { 0.0 }
        };
        let draws: Vec<f64> = subject.draws(&image, 22, DRAWS).into_iter().map(weight).collect();
        let mean = Mean::of(&draws);
        let place = format_args!("image {image:?}, mass of a box / mass that log_q gives it");
        law.close(place, mean.value, 1.0, mean.allowed())?;
    }
    Ok(())
}

/// The entropy, where it is given, is `-E log q`.
///
/// # Errors
/// The first image where it is not, to five standard errors.
pub fn entropy(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("entropy");
    let Some(stated) = subject.dequantizer.entropy(subject.dims) else { return Ok(()) };
    for image in subject.images() {
        let draws: Vec<f64> = subject.draws(&image, 23, DRAWS).into_iter().map(|draw| -draw.log_q).collect();
        let mean = Mean::of(&draws);
        let place = format_args!("image {image:?}, entropy in nats");
        law.close(place, stated, mean.value, mean.allowed())?;
    }
    Ok(())
}

/// The same seed gives the same draw, bit for bit, another seed another; a draw has the image's shape, a finite
/// log-density and a decoder's term that is no log-probability above 0.
///
/// # Errors
/// The first draw where one of it fails.
pub fn reproducible(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("reproducible");
    for image in subject.images() {
        let [one, two, other] = [30, 30, 31].map(|seed| subject.draws(&image, seed, 100));
        for (i, (one, two)) in one.iter().zip(&two).enumerate() {
            let place = format!("image {image:?}, draw {i}");
            law.holds(&place, one == two, format_args!("{two:?}"), format_args!("{one:?}, as before"))?;
            law.holds(&place, one.z.len() == subject.dims, one.z.len(), subject.dims)?;
            let finite = one.log_q.is_finite() && one.z.iter().all(|z| z.is_finite());
            law.holds(&place, finite, format_args!("{one:?}"), "finite numbers")?;
            law.at_most(format_args!("{place}, log P(x | z)"), one.log_decoder, 0.0, 1e-9)?;
        }
        law.holds(format_args!("image {image:?}, another seed"), one != other, "the same draws", "others")?;
    }
    Ok(())
}
