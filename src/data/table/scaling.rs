//! From the user's units to numbers of the size of 1, and back.

use super::rows::column_of;
use crate::error::{Error, Result};
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How the modelled columns are scaled.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Scale {
    /// `"standard"`: to mean 0 and standard deviation 1 on the training rows.
    #[default]
    Standard,
    /// `"none"`: as they are.
    None,
    /// `[s1, s2, ...]`: centred on the mean of the training rows and divided by these, one a column.
    By(Vec<f64>),
}

/// `x' = (x - shift) / scale`, column by column.
///
/// ```
/// let scaling = idode::data::table::Scaling::new(vec![1.0, 0.0], vec![2.0, 1000.0])?;
/// assert_eq!(scaling.forward(&[3.0, 500.0]), [1.0, 0.5]);
/// assert_eq!(scaling.inverse(&[1.0, 0.5]), [3.0, 500.0]);
/// assert_eq!(scaling.log_jacobian(), -2000f64.ln());
/// # Ok::<(), idode::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct Scaling {
    shift: Vec<f64>,
    scale: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    shift: Vec<f64>,
    scale: Vec<f64>,
}

impl TryFrom<Written> for Scaling {
    type Error = Error;

    fn try_from(Written { shift, scale }: Written) -> Result<Self> {
        Self::new(shift, scale)
    }
}

impl Scaling {
    /// The scaling of `shift.len()` columns.
    ///
    /// # Errors
    /// Unless there are as many scales as shifts, all are finite and the scales are above 0.
    pub fn new(shift: Vec<f64>, scale: Vec<f64>) -> Result<Self> {
        if scale.len() != shift.len() {
            let expected = format!("{}, one a column", shift.len());
            return Err(Error::value("number of scales", scale.len(), expected));
        }
        if let Some(j) = shift.iter().position(|m| !m.is_finite()) {
            return Err(Error::value(format!("shift of column {j}"), shift[j], "a finite number"));
        }
        if let Some(j) = scale.iter().position(|s| !(s.is_finite() && *s > 0.0)) {
            return Err(Error::value(format!("scale of column {j}"), scale[j], "a finite number above 0"));
        }
        Ok(Self { shift, scale })
    }

    /// The scaling that leaves `columns` columns as they are.
    pub fn identity(columns: usize) -> Self {
        Self { shift: vec![0.0; columns], scale: vec![1.0; columns] }
    }

    /// Means and standard deviations (over n, not n - 1) of the columns of row-major `values`.
    ///
    /// # Errors
    /// If a column is constant or its standard deviation is too large for a number.
    pub fn standard(columns: usize, values: &[f64]) -> Result<Self> {
        let of = |j: usize| moments(&column_of(values, columns, j));
        let (shift, scale) = (0..columns).map(of).unzip();
        Self::new(shift, scale)
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.shift.len()
    }

    /// What is subtracted from each column, in its unit.
    pub fn shift(&self) -> &[f64] {
        &self.shift
    }

    /// What each column is divided by, in its unit.
    pub fn scale(&self) -> &[f64] {
        &self.scale
    }

    /// `x' = (x - shift) / scale` of each row.
    pub fn forward(&self, rows: &[f64]) -> Vec<f64> {
        self.each(rows, |x, shift, scale| (x - shift) / scale)
    }

    /// `x = shift + scale x'` of each row.
    pub fn inverse(&self, rows: &[f64]) -> Vec<f64> {
        self.each(rows, |x, shift, scale| shift + scale * x)
    }

    /// `ln |dx'/dx| = -sum_j ln scale_j`, in nats a row: `ln p(x) = ln p'(x') + log_jacobian`.
    pub fn log_jacobian(&self) -> f64 {
        -self.scale.iter().map(|scale| scale.ln()).sum::<f64>()
    }

    fn each(&self, rows: &[f64], f: impl Fn(f64, f64, f64) -> f64) -> Vec<f64> {
        let mut scaled = Vec::with_capacity(rows.len());
        for row in rows.chunks(self.columns().max(1)) {
            for ((&x, &shift), &scale) in row.iter().zip(&self.shift).zip(&self.scale) {
                scaled.push(f(x, shift, scale));
            }
        }
        scaled
    }
}

/// Mean and standard deviation in two passes over deviations from the first value, in units of the largest
/// deviation: no square overflows, and a large mean costs no digits.
///
/// # Reference
/// Chan, Golub and LeVeque, "Algorithms for computing the sample variance" (1983), the corrected two-pass algorithm.
fn moments(values: &[f64]) -> (f64, f64) {
    let first = values.first().copied().unwrap_or(0.0);
    let n = values.len() as f64;
    let size = values.iter().map(|x| (x - first).abs()).fold(0.0, f64::max);
    if size == 0.0 {
        return (first, 0.0);
    }
    let deviations = values.iter().map(|x| (x - first) / size);
    let mean = deviations.clone().sum::<f64>() / n;
    let (sum, squares) = deviations.fold((0.0, 0.0), |(sum, squares), u| {
        let d = u - mean;
        (sum + d, squares + d * d)
    });
    (first + size * mean, size * ((squares - sum * sum / n) / n).max(0.0).sqrt())
}

impl Serialize for Scale {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Standard => serializer.serialize_str("standard"),
            Self::None => serializer.serialize_str("none"),
            Self::By(scales) => scales.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Scale {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Scale;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("\"standard\", \"none\" or an array of numbers")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Scale, E> {
                match name {
                    "standard" => Ok(Scale::Standard),
                    "none" => Ok(Scale::None),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Scale, A::Error> {
                let mut scales = Vec::new();
                while let Some(scale) = items.next_element()? {
                    scales.push(scale);
                }
                Ok(Scale::By(scales))
            }
        }

        deserializer.deserialize_any(Either)
    }
}
