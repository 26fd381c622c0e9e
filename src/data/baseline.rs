//! What a model of images must beat.

use crate::data::dataset::ImageSet;
use crate::data::source::ImageSource;
use crate::error::{Error, Result};
use crate::math::Moments;
use nalgebra::DMatrix;
use std::f64::consts::TAU;

/// A baseline's value on a test split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Baseline {
    /// Mean over the test images, in bits/dim.
    pub bits_per_dim: f64,
    /// Standard error of that mean over the test images, in bits/dim; NaN of a single image.
    pub standard_error: f64,
    /// The number of test images.
    pub images: usize,
}

/// Every pixel on its own: the code length of `test` under the level frequencies of `train`.
///
/// `p_j(k) = (n_jk + 1/2) / (n + L/2)` for pixel `j` and level `k`, with `n_jk` counted on the training
/// images; the value is the mean over test images of `-(1/d) sum_j log2 p_j(x_j)`.
///
/// # Errors
/// If the sets differ in shape or in the number of levels.
///
/// # Reference
/// The added 1/2: R. Krichevsky and V. Trofimov, "The performance of universal encoding", 1981.
pub(crate) fn independent_pixels(train: &ImageSet, test: &ImageSet) -> Result<Baseline> {
    if train.shape() != test.shape() {
        return Err(Error::value("shape of the test images", test.shape(), train.shape().to_string()));
    }
    let levels = train.grid().levels();
    if levels != test.grid().levels() {
        return Err(Error::value("levels of the test images", test.grid().levels(), levels.to_string()));
    }
    let (d, levels) = (train.shape().dims(), levels as usize);
    let mut counts = vec![0u32; d * levels];
    for row in train.rows() {
        for (j, &k) in row.iter().enumerate() {
            counts[j * levels + usize::from(k)] += 1;
        }
    }
    let total = train.images() as f64 + 0.5 * levels as f64;
    let bits: Vec<f64> = counts.iter().map(|&n| -((f64::from(n) + 0.5) / total).log2()).collect();
    let per_image = test.rows().map(|row| {
        row.iter().enumerate().map(|(j, &k)| bits[j * levels + usize::from(k)]).sum::<f64>() / d as f64
    });
    let values: Vec<f64> = per_image.collect();
    let moments = Moments::of(&values);
    Ok(Baseline {
        bits_per_dim: moments.mean,
        standard_error: moments.standard_error(),
        images: moments.count,
    })
}

/// A normal distribution of the mean and covariance of `train`: the mean over `test` of its negative log-density, in nats a row; none where
/// the covariance is singular.
///
/// # Shapes
/// Both `rows x dims`, row-major.
pub(crate) fn normal(dims: usize, train: &[f64], test: &[f64]) -> Option<f64> {
    let rows = |values: &[f64]| DMatrix::from_row_slice(values.len() / dims, dims, values);
    let (train, test) = (rows(train), rows(test));
    let mean = train.row_mean();
    let centred = |mut rows: DMatrix<f64>| {
        rows.row_iter_mut().for_each(|mut row| row -= &mean);
        rows
    };
    let (n, train) = (train.nrows() as f64, centred(train));
    // Columns of different units: their correlations are what has to be positive definite.
    let scales: Vec<f64> = train.column_iter().map(|column| (column.norm_squared() / n).sqrt()).collect();
    let scaled = |mut rows: DMatrix<f64>| {
        rows.column_iter_mut().zip(&scales).for_each(|(mut column, scale)| column /= *scale);
        rows
    };
    let train = scaled(train);
    let cholesky = ((train.transpose() * &train) / n).cholesky()?;
    let log_det: f64 = cholesky.l().diagonal().iter().map(|x| 2.0 * x.ln()).sum();
    let units: f64 = scales.iter().map(|scale| scale.ln()).sum();
    let test = scaled(centred(test));
    let squares: f64 =
        test.row_iter().map(|row| row.dot(&cholesky.solve(&row.transpose()).transpose())).sum();
    let nats = 0.5 * (squares / test.nrows() as f64 + log_det + dims as f64 * TAU.ln()) + units;
    nats.is_finite().then_some(nats)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::digits;
    use crate::data::shape::ImageShape;
    use crate::data::source::Split;
    use crate::pixels::PixelGrid;

    #[test]
    fn digits() {
        let (train, test) = (digits::load(Split::Train).unwrap(), digits::load(Split::Test).unwrap());
        let b = independent_pixels(&train, &test).unwrap();
        // Computed once with another program (NumPy): equal to rounding of sums of 297 x 64 terms.
        assert!((b.bits_per_dim - 2.3642868318393377).abs() < 1e-12, "{b:?}");
        assert!((b.standard_error - 0.011286297816806271).abs() < 1e-12, "{b:?}");
        assert_eq!(b.images, 297);
    }

    #[test]
    fn two_levels_by_hand() {
        let set = |pixels| {
            let (shape, grid) = (ImageShape::new(1, 1, 1), PixelGrid::new(2).unwrap());
            ImageSet::new("coin", Split::Train, shape, grid, pixels).unwrap()
        };
        // Counts 3 and 0: p(0) = 3.5 / 4, p(1) = 0.5 / 4; one image of each.
        let b = independent_pixels(&set(vec![0, 0, 0]), &set(vec![0, 1])).unwrap();
        let (zero, one) = (-(3.5f64 / 4.0).log2(), 3.0);
        assert!((b.bits_per_dim - 0.5 * (zero + one)).abs() < 1e-15);
        assert!((b.standard_error - 0.5 * (one - zero)).abs() < 1e-15);
        let one = independent_pixels(&set(vec![0]), &set(vec![0])).unwrap();
        assert!(one.bits_per_dim.is_finite() && one.standard_error.is_nan());
    }

    #[test]
    fn normal_is_the_entropy_of_its_own_rows() {
        // Of its own rows a maximum-likelihood normal distribution costs 1/2 ln det(2 pi e S) nats.
        let rows = [0.0, 0.0, 2.0, 1000.0, 2.0, -1000.0, 4.0, 400.0, -3.0, 250.0];
        let found = normal(2, &rows, &rows).unwrap();
        let n = 5.0;
        let mean = [1.0, 130.0];
        let (mut a, mut b, mut c) = (0.0, 0.0, 0.0);
        for row in rows.chunks(2) {
            let [x, y] = [row[0] - mean[0], row[1] - mean[1]];
            (a, b, c) = (a + x * x / n, b + x * y / n, c + y * y / n);
        }
        let expected = 0.5 * (a * c - b * b).ln() + 1.0 + TAU.ln();
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        assert!(normal(2, &[1.0, 2.0, 2.0, 4.0, 3.0, 6.0], &[1.0, 2.0]).is_none());
    }
}
