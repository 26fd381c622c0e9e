//! Ticks along a range of positions, as the drawing library asks for them.

use super::clip::Point;
use super::ticks::Ticks;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use std::ops::Range;

/// The positions between two ends, and the ticks among them.
#[derive(Clone, Debug)]
pub(super) struct Ruler {
    ends: Point,
    ticks: Ticks,
}

impl Ruler {
    pub(super) fn new(ends: Point, ticks: &Ticks) -> Self {
        Self { ends, ticks: ticks.clone() }
    }
}

impl Ranged for Ruler {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (first, last): (i32, i32)) -> i32 {
        let fraction = (value - self.ends.0) / (self.ends.1 - self.ends.0);
        first + (fraction * f64::from(last - first)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            self.ticks.minor.clone()
        } else {
            self.ticks.labelled.iter().map(|tick| tick.0).collect()
        }
    }

    fn range(&self) -> Range<f64> {
        self.ends.0..self.ends.1
    }
}

impl ValueFormatter<f64> for Ruler {
    fn format_ext(&self, value: &f64) -> String {
        let tick = self.ticks.labelled.iter().find(|tick| tick.0 == *value);
        tick.map(|tick| tick.1.clone()).unwrap_or_default()
    }
}
