//! A pixel with a known distribution over its grey levels: the toy on which bounds are exact.

use crate::level::Level;
use crate::math::{LN_2_PI, log_sum_exp, normal_cdf};
use crate::pixels::PixelGrid;
use rand::Rng;

/// Noise scales beyond which a neighbouring level adds nothing: `e^{-800}` is 0.
const REACH: f64 = 40.0;

/// The probability of each grey level of one pixel.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixel {
    grid: PixelGrid,
    pmf: Vec<f64>,
}

impl Pixel {
    /// The distribution proportional to `mass` of the grey level.
    pub fn new(grid: PixelGrid, mass: impl Fn(f64) -> f64) -> Self {
        let masses: Vec<f64> = (0..grid.levels()).map(|k| mass(f64::from(k))).collect();
        let sum: f64 = masses.iter().sum();
        Self { grid, pmf: masses.into_iter().map(|mass| mass / sum).collect() }
    }

    /// Every grey level alike.
    pub fn flat(grid: PixelGrid) -> Self {
        Self::new(grid, |_| 1.0)
    }

    /// A normal density at the levels, of standard deviation `std` levels around level `centre`.
    pub fn bell(grid: PixelGrid, centre: f64, std: f64) -> Self {
        Self::new(grid, |k| (-0.5 * ((k - centre) / std).powi(2)).exp())
    }

    /// The probability of each grey level.
    pub fn pmf(&self) -> &[f64] {
        &self.pmf
    }

    /// The grey levels that are not too unlikely to matter, with their probability.
    pub fn likely(&self) -> impl Iterator<Item = (u16, f64)> + Clone {
        self.pmf.iter().enumerate().map(|(k, p)| (k as u16, *p)).filter(|(_, p)| *p > 1e-20)
    }

    /// The entropy in nats.
    pub fn entropy(&self) -> f64 {
        self.likely().map(|(_, p)| -p * p.ln()).sum()
    }

    /// A grey level.
    pub fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> u16 {
        let mut left: f64 = rng.r#gen();
        let found = self.pmf.iter().position(|p| {
            left -= p;
            left < 0.0
        });
        found.unwrap_or(self.pmf.len() - 1) as u16
    }

    /// `log p(z)` of `z = alpha x + sigma eps` at `level` in nats: the density that an ideal model has.
    pub fn log_density(&self, level: &Level, z: f64) -> f64 {
        let (alpha, sigma) = (level.alpha(), level.sigma());
        let reach = (REACH * sigma / (alpha * self.grid.bin_width())).ceil().min(f64::from(u16::MAX)) as u16;
        let nearest = self.grid.nearest(z / alpha);
        let last = (self.grid.levels() - 1) as u16;
        let window = nearest.saturating_sub(reach)..=nearest.saturating_add(reach).min(last);
        let terms = window.map(|k| {
            self.pmf[usize::from(k)].ln() - 0.5 * ((z - alpha * self.grid.centre(k)) / sigma).powi(2)
        });
        log_sum_exp(terms) - 0.5 * LN_2_PI - level.log_sigma()
    }

    /// The log of the ideal model's mass of the bin of level `k`, in nats: `log P(k)` where there is no
    /// decoder.
    pub fn log_bin_mass(&self, level: &Level, k: u16) -> f64 {
        let ratio = (-0.5 * level.gamma().0).exp();
        let below = |side: f64, j: u16| {
            let edge = self.grid.centre(k) + side * 0.5 * self.grid.bin_width();
            normal_cdf(ratio * (edge - self.grid.centre(j)))
        };
        self.likely().map(|(j, p)| p * (below(1.0, j) - below(-1.0, j))).sum::<f64>().ln()
    }
}
