//! The laws of a [`PerCoordinate`] dequantizer, to rounding where those of a whole image are statistics.

use super::quadrature::adaptive;
use super::{Law, Verdict};
use crate::dequantization::{PerCoordinate, decode};
use crate::pixels::PixelGrid;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

crate::__idode_laws! { per_coordinate __idode_table }

/// A dequantizer of single coordinates, and the grid of its pixels.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The dequantizer.
    pub dequantizer: &'a dyn PerCoordinate,
    /// The grid of its pixels.
    pub grid: PixelGrid,
}

/// How far an integral may be off, beside the rounding of `z` where bins are narrow.
const ACCURACY: f64 = 1e-8;

/// Draws of each grey level.
const DRAWS: usize = 2000;

impl Subject<'_> {
    fn law(&self, name: &'static str) -> Law {
        Law::new("per-coordinate dequantizer", name, self.dequantizer)
    }

    /// Grey levels at both ends and between.
    fn levels(&self) -> [u16; 4] {
        let last = (self.grid.levels() - 1) as u16;
        [0, last / 3, last / 2, last]
    }

    /// The integral of `f(log q)` over the bin of level `k` and twelve noise scales, and its rounding.
    fn integral(&self, k: u16, f: impl Fn(f64) -> f64) -> (f64, f64) {
        let start = self.dequantizer.start();
        let middle = start.alpha() * self.grid.centre(k);
        let bin = start.alpha() * self.grid.bin_width();
        let half = 0.75 * bin + 12.0 * start.sigma();
        let integrand = |z| f(self.dequantizer.log_density(k, z));
        (adaptive(middle - half, middle + half, 1e-11, &integrand), 1e-14 / bin)
    }
}

/// `exp(log_density)` integrates to 1 over the bin and twelve noise scales around it.
///
/// # Errors
/// The first grey level where it does not.
pub fn normalized(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("normalized");
    subject.levels().into_iter().try_for_each(|k| {
        let (found, rounding) = subject.integral(k, f64::exp);
        law.close(format_args!("grey level {k}, integral of q"), found, 1.0, ACCURACY + rounding)
    })
}

/// `entropy_per_dim` is the integral of `-q log q`.
///
/// # Errors
/// The first grey level where it is not.
pub fn entropy(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("entropy");
    let stated = subject.dequantizer.entropy_per_dim();
    subject.levels().into_iter().try_for_each(|k| {
        let weighed = |log_q: f64| if log_q == f64::NEG_INFINITY { 0.0 } else { -log_q * log_q.exp() };
        let (expected, rounding) = subject.integral(k, weighed);
        let allowed = 10.0 * (ACCURACY + rounding) * (1.0 + expected.abs());
        law.close(format_args!("grey level {k}, entropy in nats"), stated, expected, allowed)
    })
}

/// A draw has a finite log-density, and is decoded to its own grey level wherever the decoder is sure of it.
///
/// # Errors
/// The first draw where one of it fails.
pub fn support(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("support");
    let mut rng = ChaCha8Rng::seed_from_u64(50);
    for k in subject.levels() {
        for i in 0..DRAWS {
            let z = subject.dequantizer.draw_one(k, &mut rng);
            let log_q = subject.dequantizer.log_density(k, z);
            let place = format_args!("grey level {k}, draw {i}, log q of z = {z}");
            law.holds(place, log_q.is_finite(), log_q, "a finite number")?;
            if subject.dequantizer.log_decoder(k, z) == 0.0 {
                let found = decode(subject.grid, &subject.dequantizer.start(), z);
                let place = format_args!("grey level {k}, draw {i}, the bin that holds z = {z}");
                law.holds(place, found == k, found, format_args!("{k}, or a decoder's term"))?;
            }
        }
    }
    Ok(())
}
