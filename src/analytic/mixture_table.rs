//! A mixture as the columns of a table, in units of their own, whose means may move with conditions.

use crate::analytic::{Gaussian, GaussianMixture};
use crate::error::{Error, Result};
use crate::math::log_sum_exp;
use nalgebra::{DMatrix, DVector};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// Rows `x = shift + scale u`, column by column, with `u | y ~ sum_k w_k N(m_k + S_k y, C_k)` and `y ~ N(0, I)`.
///
/// Its density is exact in the units of the columns: it is what a model of such a table is measured against.
///
/// ```
/// use idode::analytic::MixtureTable;
///
/// # fn main() -> idode::error::Result<()> {
/// let truth = MixtureTable::five_columns()?;
/// let draws = truth.draw(1000, 0);
/// let (entropy, standard_error) = truth.entropy(20_000, 1)?; // nats a row
/// let nats = draws.rows.chunks(5).map(|row| truth.log_density(row, &[])).sum::<Result<f64, _>>()? / -1000.0;
/// assert!((nats - entropy).abs() < 0.3 && standard_error < 0.02);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MixtureTable {
    mixture: GaussianMixture,
    /// `S_k`, d x c.
    slopes: Vec<DMatrix<f64>>,
    shift: Vec<f64>,
    scale: Vec<f64>,
}

/// Rows of a [`MixtureTable`], row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Draws {
    /// The values `x`, `d` a row.
    pub rows: Vec<f64>,
    /// The conditions `y`, `c` a row.
    pub conditions: Vec<f64>,
}

impl MixtureTable {
    /// The mixture itself: no conditions, `shift` 0 and `scale` 1.
    pub fn new(mixture: GaussianMixture) -> Self {
        let d = mixture.dim();
        let slopes = vec![DMatrix::zeros(d, 0); mixture.components().len()];
        Self { mixture, slopes, shift: vec![0.0; d], scale: vec![1.0; d] }
    }

    /// The same mixture whose mean `k` moves by `slopes[k] y` (d x c).
    ///
    /// # Errors
    /// Unless there is a matrix of `d` rows a component, all with as many columns and finite.
    pub fn moved_by(self, slopes: Vec<DMatrix<f64>>) -> Result<Self> {
        let components = self.mixture.components().len();
        if slopes.len() != components {
            return Err(Error::value(
                "number of slopes",
                slopes.len(),
                format!("{components}, one a component"),
            ));
        }
        let shape = (self.dim(), slopes[0].ncols());
        if let Some((k, slope)) = slopes.iter().enumerate().find(|(_, slope)| slope.shape() != shape) {
            let found = format!("{} x {}", slope.nrows(), slope.ncols());
            return Err(Error::value(format!("slope {k}"), found, format!("{} x {}", shape.0, shape.1)));
        }
        if let Some(k) = slopes.iter().position(|slope| !slope.iter().all(|s| s.is_finite())) {
            return Err(Error::value(format!("slope {k}"), "one that is not finite", "finite numbers"));
        }
        Ok(Self { slopes, ..self })
    }

    /// The same table in other units: column `j` becomes `shift[j] + scale[j] x_j`.
    ///
    /// # Errors
    /// Unless there is one finite shift and one positive finite scale a column.
    pub fn in_units(self, shift: &[f64], scale: &[f64]) -> Result<Self> {
        let d = self.dim();
        for (what, values, least) in [("shift", shift, f64::NEG_INFINITY), ("scale", scale, 0.0)] {
            if values.len() != d {
                return Err(Error::value(format!("length of {what}"), values.len(), d.to_string()));
            }
            if let Some(j) = values.iter().position(|v| !(v.is_finite() && *v > least)) {
                return Err(Error::value(
                    format!("{what}[{j}]"),
                    values[j],
                    "a finite number, scales above 0",
                ));
            }
        }
        let moved = |j: usize| shift[j] + scale[j] * self.shift[j];
        let shift = (0..d).map(moved).collect();
        let scale = self.scale.iter().zip(scale).map(|(old, new)| old * new).collect();
        Ok(Self { shift, scale, ..self })
    }

    /// Three correlated components in five columns whose units differ by factors of up to 1e6.
    ///
    /// # Errors
    /// None: its numbers are fixed.
    pub fn five_columns() -> Result<Self> {
        let component = |seed: u64, mean: [f64; 5]| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let factor = DMatrix::from_fn(5, 5, |_, _| 0.3 * rng.sample::<f64, _>(StandardNormal));
            let covariance = &factor * factor.transpose() + DMatrix::identity(5, 5) * 0.15;
            Gaussian::new(&mean, (&covariance + covariance.transpose()) * 0.5)
        };
        let parts = [
            (0.5, component(1, [-1.2, 0.0, 0.8, 0.0, -0.5])?),
            (0.3, component(2, [1.0, 1.1, -0.6, 0.7, 0.0])?),
            (0.2, component(3, [0.9, -1.4, -0.4, -0.9, 1.2])?),
        ];
        let mixture = GaussianMixture::new(parts)?;
        let (shift, scale) = ([0.02, -3.0, 1000.0, 50_000.0, 0.0], [1e-3, 1.0, 20.0, 1000.0, 0.3]);
        Self::new(mixture).in_units(&shift, &scale)
    }

    /// Two components in two columns whose means move apart with one condition.
    ///
    /// # Errors
    /// None: its numbers are fixed.
    pub fn two_columns_given_one() -> Result<Self> {
        let narrow = Gaussian::new(&[-0.7, 0.2], DMatrix::from_row_slice(2, 2, &[0.2, 0.1, 0.1, 0.3]))?;
        let wide = Gaussian::new(&[0.8, -0.3], DMatrix::from_row_slice(2, 2, &[0.4, -0.15, -0.15, 0.25]))?;
        let mixture = GaussianMixture::new([(0.6, narrow), (0.4, wide)])?;
        let slopes = vec![
            DMatrix::from_column_slice(2, 1, &[0.9, -0.5]),
            DMatrix::from_column_slice(2, 1, &[-0.4, 0.8]),
        ];
        Self::new(mixture).moved_by(slopes)?.in_units(&[10.0, -200.0], &[0.5, 40.0])
    }

    /// The number of columns `d`.
    pub fn dim(&self) -> usize {
        self.mixture.dim()
    }

    /// The number of conditions `c`.
    pub fn conditions(&self) -> usize {
        self.slopes[0].ncols()
    }

    /// `rows` independent draws of a row and its conditions; the same seed draws the same ones.
    pub fn draw(&self, rows: usize, seed: u64) -> Draws {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut draws = Draws { rows: Vec::with_capacity(rows * self.dim()), conditions: Vec::new() };
        for _ in 0..rows {
            let y = DVector::from_fn(self.conditions(), |_, _| rng.sample::<f64, _>(StandardNormal));
            let (k, u) = self.mixture.sample_with_component(&mut rng);
            let u = u + &self.slopes[k] * &y;
            draws.rows.extend(
                u.iter().zip(&self.shift).zip(&self.scale).map(|((u, shift), scale)| shift + scale * u),
            );
            draws.conditions.extend(y.iter());
        }
        draws
    }

    /// `ln p(row | y)`, in nats a row of the columns' units.
    ///
    /// # Errors
    /// Unless `row` has `d` finite entries and `y` has `c`.
    pub fn log_density(&self, row: &[f64], y: &[f64]) -> Result<f64> {
        let row = super::row("row", row, self.dim())?;
        let y = super::row("y", y, self.conditions())?;
        let u = row.map_with_location(|j, _, x| (x - self.shift[j]) / self.scale[j]);
        let parts = self.mixture.components().iter().zip(self.mixture.weights()).zip(&self.slopes);
        let joint: Vec<f64> = parts
            .map(|((part, w), slope)| w.ln() + part.log_density_and_score(&(&u - slope * &y)).0)
            .collect();
        Ok(log_sum_exp(joint) - self.scale.iter().map(|scale| scale.ln()).sum::<f64>())
    }

    /// The entropy `-E[ln p(x | y)]` over rows and conditions, by the mean of `draws` draws, and the standard error
    /// of that mean; both in nats a row.
    ///
    /// # Errors
    /// Unless there are at least 2 draws.
    pub fn entropy(&self, draws: usize, seed: u64) -> Result<(f64, f64)> {
        if draws < 2 {
            return Err(Error::value("draws", draws, "at least 2"));
        }
        let Draws { rows, conditions } = self.draw(draws, seed);
        let (d, c) = (self.dim(), self.conditions());
        let mut nats = Vec::with_capacity(draws);
        for i in 0..draws {
            nats.push(-self.log_density(&rows[i * d..(i + 1) * d], &conditions[i * c..(i + 1) * c])?);
        }
        let n = draws as f64;
        let mean = nats.iter().sum::<f64>() / n;
        let squares: f64 = nats.iter().map(|value| (value - mean).powi(2)).sum();
        Ok((mean, (squares / (n - 1.0) / n).sqrt()))
    }
}
