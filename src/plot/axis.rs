//! An axis: what it means, how it is scaled, and what part of it is shown.

use super::ticks::{Ticks, linear_ticks, log_ticks};
use crate::error::{Error, Result};

/// Beyond this a difference of two values may overflow.
const LARGEST: f64 = 1e300;

/// Room beyond the data at each end, as a fraction of their span.
const ROOM: f64 = 0.03;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Linear,
    Log,
}

/// An axis of a [`Plot`](super::Plot).
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    label: String,
    scale: Scale,
    range: Option<(f64, f64)>,
}

impl Axis {
    /// A linear axis that shows all of the data; the label should name the unit.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Linear, range: None }
    }

    /// A logarithmic axis that shows all of the data above zero.
    pub fn log(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Log, range: None }
    }

    /// Shows `low` to `high`, whatever the data.
    #[must_use]
    pub fn between(self, low: f64, high: f64) -> Self {
        Self { range: Some((low, high)), ..self }
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// Where `value` lies, or nothing if the axis has no place for it.
    pub(super) fn position(&self, value: f64) -> Option<f64> {
        let drawable = value.abs() < LARGEST; // false for NaN
        match self.scale {
            Scale::Linear => drawable.then_some(value),
            Scale::Log => (drawable && value > 0.0).then(|| value.log10()),
        }
    }

    /// The positions of both ends, given the positions of the data.
    pub(super) fn ends(&self, data: &[f64]) -> Result<(f64, f64)> {
        if let Some((low, high)) = self.range {
            return match (self.position(low), self.position(high)) {
                (Some(a), Some(b)) if a < b => Ok((a, b)),
                _ => {
                    let expected = match self.scale {
                        Scale::Linear => "a finite low end below a finite high end",
                        Scale::Log => "a finite low end above zero and below a finite high end",
                    };
                    Err(Error::value(
                        format!("axis \"{}\"", self.label),
                        format!("{low} to {high}"),
                        expected,
                    ))
                }
            };
        }
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for &at in data {
            (low, high) = (low.min(at), high.max(at));
        }
        if low > high {
            return Err(Error::value(
                format!("axis \"{}\"", self.label),
                "nothing that can be drawn",
                "at least one point",
            ));
        }
        let span = high - low;
        let size = low.abs().max(high.abs());
        // Values that are equal, up to rounding, get a neighbourhood of their own size.
        let room = match self.scale {
            _ if span > 1e-9 * size => ROOM * span,
            Scale::Linear if size > 0.0 => 0.1 * size,
            Scale::Linear => 1.0,
            Scale::Log => 0.5,
        };
        Ok((low - room, high + room))
    }

    pub(super) fn ticks(&self, ends: (f64, f64)) -> Ticks {
        match self.scale {
            Scale::Linear => linear_ticks(ends),
            Scale::Log => log_ticks(ends),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_hold_the_data() {
        let linear = Axis::linear("x");
        let (low, high) = linear.ends(&[0.0, 10.0]).unwrap();
        assert!((low + 0.3).abs() < 1e-12 && (high - 10.3).abs() < 1e-12, "{low} {high}");
        assert_eq!(linear.ends(&[0.0, 0.0]).unwrap(), (-1.0, 1.0));
        assert_eq!(Axis::log("x").ends(&[3.0]).unwrap(), (2.5, 3.5));
        assert_eq!(linear.between(1.0, 2.0).ends(&[0.0]).unwrap(), (1.0, 2.0));
    }

    #[test]
    fn no_place_for_what_is_not_finite() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e301] {
            assert_eq!(Axis::linear("x").position(bad), None);
            assert_eq!(Axis::log("x").position(bad), None);
        }
        assert_eq!(Axis::log("x").position(0.0), None);
        assert_eq!(Axis::log("x").position(1000.0), Some(3.0));
    }

    #[test]
    fn impossible_ends_are_errors() {
        let message = |axis: Axis| axis.ends(&[]).unwrap_err().to_string();
        assert_eq!(
            message(Axis::linear("loss")),
            "axis \"loss\" = nothing that can be drawn: expected at least one point"
        );
        assert!(
            message(Axis::linear("x").between(1.0, 1.0))
                .starts_with("axis \"x\" = 1 to 1: expected a finite")
        );
        assert!(message(Axis::log("x").between(0.0, 1.0)).contains("above zero"));
    }
}
