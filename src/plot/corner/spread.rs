//! One column of data and samples: what part of it is shown, and its histograms.

use crate::data::table::regular_step;
use crate::error::{Error, Result};
use crate::plot::Axis;

/// How far an axis may reach beyond the quartiles, in distances between them: 5.9 standard deviations of a normal
/// from its mean, so that only tails that are heavier are cut.
const REACH: f64 = 4.0;

/// How far samples may widen an axis to each side, as a fraction of what the data take.
const WIDENING: f64 = 0.5;

/// The least and the most bars of a histogram.
const BARS: (f64, f64) = (12.0, 48.0);

/// A histogram of a grid's values has a bar for each of them, or for equally many, if there are at most this many.
const MOST_GRID_POINTS: f64 = 2000.0;

/// A column.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    pub(super) name: String,
    /// Data and samples, row by row.
    pub(super) values: [Vec<f64>; 2],
    /// The ends of the axis.
    pub(super) ends: (f64, f64),
    bars: Bars,
}

/// Neighbouring intervals of one width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bars {
    pub(super) start: f64,
    pub(super) width: f64,
    pub(super) count: usize,
}

impl Spread {
    pub(super) fn new(name: &str, data: Vec<f64>, samples: Vec<f64>) -> Result<Self> {
        let axis = Axis::linear(name);
        let sorted = |values: &[f64]| {
            let mut sorted = values.to_vec();
            sorted.retain(|&x| axis.position(x).is_some());
            sorted.sort_by(f64::total_cmp);
            sorted
        };
        let (of_data, of_samples) = (sorted(&data), sorted(&samples));
        let Some((mut low, mut high)) = central(&of_data) else {
            return Err(Error::value(
                format!("column \"{name}\" of the data"),
                "no finite value",
                "at least one",
            ));
        };
        let shown = of_data.iter().copied().filter(|x| (low..=high).contains(x));
        let step = regular_step(shown).filter(|step| (high - low) / step <= MOST_GRID_POINTS);
        let lowest = low;
        if let Some((low_end, high_end)) = central(&of_samples) {
            let most = WIDENING * (high - low);
            (low, high) = (low.min(low_end.max(low - most)), high.max(high_end.min(high + most)));
        }
        let half_step = step.map_or(0.0, |step| 0.5 * step);
        let ends = axis.ends(&[low - half_step, high + half_step])?;
        let bars = Bars::new(&of_data, ends, step.map(|step| (lowest, step)));
        Ok(Self { name: name.to_owned(), values: [data, samples], ends, bars })
    }

    /// Where `value` lies between the ends, from 0 to 1, if it does.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        let (low, high) = self.ends;
        (low..=high).contains(&value).then(|| (value - low) / (high - low))
    }

    /// The densities of data and samples, per bar, and the bars.
    pub(super) fn histograms(&self) -> (Bars, [Vec<f64>; 2]) {
        (self.bars, [self.bars.densities(&self.values[0]), self.bars.densities(&self.values[1])])
    }
}

/// From the least to the greatest of sorted values, but not far beyond the quartiles.
fn central(sorted: &[f64]) -> Option<(f64, f64)> {
    let last = sorted.len().checked_sub(1)?;
    let quantile = |q: f64| sorted[(q * last as f64).round() as usize];
    let (low, high) = (quantile(0.25), quantile(0.75));
    let reach = REACH * (high - low);
    Some(match (reach > 0.0, quantile(0.01) < quantile(0.99)) {
        (true, _) => (sorted[0].max(low - reach), sorted[last].min(high + reach)),
        // More than half of the values are one.
        (false, true) => (quantile(0.01), quantile(0.99)),
        (false, false) => (sorted[0], sorted[last]),
    })
}

impl Bars {
    /// Bars that cover the ends of an axis: as wide as Freedman and Diaconis advise, or whole steps around the points
    /// of a grid, one of which is given with its step.
    fn new(sorted: &[f64], ends: (f64, f64), grid: Option<(f64, f64)>) -> Self {
        let last = sorted.len() - 1;
        let quantile = |q: f64| sorted[(q * last as f64).round() as usize];
        let advised = 2.0 * (quantile(0.75) - quantile(0.25)) / (sorted.len() as f64).cbrt();
        let span = ends.1 - ends.0;
        let width = advised.clamp(span / BARS.1, span / BARS.0);
        let (start, width) = match grid {
            Some((point, step)) => {
                let width = step * (width / step).round().max(1.0);
                let first = point - 0.5 * step;
                (first - ((first - ends.0) / width).ceil() * width, width)
            }
            None => (ends.0, span / (span / width).round()),
        };
        Self { start, width, count: ((ends.1 - start) / width - 1e-9).ceil().max(1.0) as usize }
    }

    /// The density of all values in each bar.
    fn densities(self, values: &[f64]) -> Vec<f64> {
        let mut counts = vec![0.0; self.count];
        for value in values {
            let bar = ((value - self.start) / self.width).floor();
            if bar >= 0.0 && bar < self.count as f64 {
                counts[bar as usize] += 1.0;
            }
        }
        let all = values.len().max(1) as f64;
        for count in &mut counts {
            *count /= all * self.width;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_heavy_tails_are_cut() {
        let ramp: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!(central(&ramp), Some((0.0, 100.0)));
        let mut heavy = ramp.clone();
        heavy[100] = 1e6;
        assert_eq!(central(&heavy), Some((0.0, 275.0)));
        let mut zeros = vec![0.0; 90];
        zeros.extend((1..=10).map(f64::from));
        assert_eq!(central(&zeros), Some((0.0, 9.0)));
        assert_eq!(central(&[2.0; 7]), Some((2.0, 2.0)));
        assert_eq!(central(&[]), None);
    }

    #[test]
    fn samples_widen_an_axis_by_half_at_most() {
        // On no grid, for which an axis has half a step more.
        let data: Vec<f64> = (0..=100).map(|i| f64::from(i) + 0.1 * f64::from(i).sin()).collect();
        let ends = |samples: Vec<f64>| Spread::new("a", data.clone(), samples).unwrap().ends;
        let alone = ends(vec![]);
        assert!((alone.0 + 3.0).abs() < 0.1 && (alone.1 - 103.0).abs() < 0.1, "{alone:?}");
        let (low, high) = ends(vec![-20.0, 10.0, f64::NAN, 1e9, 1e9]);
        assert!((-26.0..-20.0).contains(&low) && (150.0..160.0).contains(&high), "{low} {high}");
    }

    #[test]
    fn densities_are_of_all_values() {
        let bars = Bars { start: 0.0, width: 0.5, count: 2 };
        assert_eq!(bars.densities(&[0.1, 0.2, 0.7, 5.0, f64::NAN]), [2.0 / 2.5, 1.0 / 2.5]);
        assert_eq!(bars.densities(&[]), [0.0, 0.0]);
    }

    #[test]
    fn bars_stand_around_the_points_of_a_grid() {
        let ages: Vec<f64> = (0..1000).map(|i| f64::from(i * i % 61)).collect();
        let (bars, [data, _]) = Spread::new("age", ages, vec![]).unwrap().histograms();
        assert!(bars.width >= 1.0 && bars.width.fract() == 0.0, "{bars:?}");
        assert_eq!((bars.start - 0.5).fract(), 0.0, "{bars:?}");
        assert!((data.iter().sum::<f64>() * bars.width - 1.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_finite_is_an_error() {
        let error = Spread::new("a", vec![f64::NAN], vec![1.0]).unwrap_err().to_string();
        assert_eq!(error, "column \"a\" of the data = no finite value: expected at least one");
        assert_eq!(Spread::new("a", vec![0.0], vec![]).unwrap().ends, (-1.0, 1.0));
    }
}
