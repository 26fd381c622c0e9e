//! Where an axis has its marks, and what they say.

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use std::ops::Range;

/// One axis as plotters wants it: equal steps of the placed value, marks of our own.
#[derive(Clone, Debug)]
pub(crate) struct Ruler {
    /// The placed values at the two ends; the first is smaller.
    pub(crate) ends: (f64, f64),
    /// The placed values that have a mark.
    pub(crate) marks: Vec<f64>,
    /// Whether the placed value is log10 of what the label says.
    pub(crate) log: bool,
}

impl Ranged for Ruler {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.ends.0) / (self.ends.1 - self.ends.0);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.marks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.ends.0..self.ends.1
    }
}

impl ValueFormatter<f64> for Ruler {
    fn format(value: &f64) -> String {
        label(*value)
    }

    fn format_ext(&self, value: &f64) -> String {
        if self.log {
            return label(10f64.powf(*value));
        }
        // All marks of an axis have as many decimals as the one that needs most.
        let decimals = |text: &str| text.split_once('.').map_or(0, |(_, d)| d.len());
        let most =
            self.marks.iter().map(|m| label(*m)).filter(|t| !t.contains('e')).map(|t| decimals(&t)).max();
        let (text, most) = (label(*value), most.unwrap_or(0));
        if text.contains('e') || decimals(&text) == most {
            return text;
        }
        let missing = most - decimals(&text).min(most);
        format!("{text}{}{}", if decimals(&text) == 0 { "." } else { "" }, "0".repeat(missing))
    }
}

/// Marks at 1, 2 or 5 times a power of ten, about `count` of them in `[low, high]`.
pub(crate) fn linear(low: f64, high: f64, count: usize) -> Vec<f64> {
    let rough = (high - low) / count.max(1) as f64;
    if rough <= 0.0 || !rough.is_finite() {
        return vec![low];
    }
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|s| *s >= rough * 0.999);
    let step = step.unwrap_or(10.0 * power);
    let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
    (first..=last).map(|i| i as f64 * step).collect()
}

/// Marks at powers of ten in `[10^low, 10^high]`, as exponents; below two decades also at 2 and 5.
pub(crate) fn decades(low: f64, high: f64, count: usize) -> Vec<f64> {
    let factors: &[f64] = if high - low < 2.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let every = (((high - low) / count.max(1) as f64).ceil() as i32).max(1);
    let exponents = (low.floor() as i32..=high.ceil() as i32).filter(|e| e % every == 0);
    let marks = exponents.flat_map(|e| factors.iter().map(move |f| f64::from(e) + f.log10()));
    marks.filter(|m| (low - 1e-9..=high + 1e-9).contains(m)).collect()
}

/// A number as short as it can be said: plain between 0.001 and 1,000,000, else with an exponent.
pub(crate) fn label(value: f64) -> String {
    let size = value.abs();
    if size < 1e-12 {
        "0".into()
    } else if (1e-3..1e6).contains(&size) {
        let decimals = (5 - size.log10().floor() as i32).clamp(0, 8) as usize;
        let text = format!("{value:.decimals$}");
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        thousands(text)
    } else {
        let text = format!("{value:.2e}");
        match text.split_once('e') {
            Some((m, e)) => format!("{}e{e}", m.trim_end_matches('0').trim_end_matches('.')),
            None => text,
        }
    }
}

fn thousands(text: &str) -> String {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(w, f)| (w, Some(f)));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |d| ("-", d));
    let mut out = String::from(sign);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 && digits.len() > 4 {
            out.push(',');
        }
        out.push(c);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_marks() {
        assert_eq!(linear(0.0, 10.0, 5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(linear(1.9, 3.1, 6), [2.0, 2.2, 2.4000000000000004, 2.6, 2.8000000000000003, 3.0]);
        assert_eq!(linear(3.0, 3.0, 5), [3.0]);
    }

    #[test]
    fn log_marks() {
        assert_eq!(decades(0.0, 3.0, 5), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(decades(0.5, 1.5, 5), [5f64.log10(), 1.0, 1.0 + 2f64.log10()]);
        assert_eq!(decades(-12.0, 0.0, 4), [-12.0, -9.0, -6.0, -3.0, 0.0]);
    }

    #[test]
    fn marks_of_one_axis_have_equal_decimals() {
        let ruler = Ruler { ends: (6.75, 7.2), marks: vec![6.8, 6.9, 7.0], log: false };
        let texts: Vec<String> = ruler.marks.iter().map(|m| ruler.format_ext(m)).collect();
        assert_eq!(texts, ["6.8", "6.9", "7.0"]);
        let whole = Ruler { ends: (0.0, 2e6), marks: vec![0.0, 1e6, 2e6], log: false };
        assert_eq!(whole.format_ext(&1e6), "1e6");
    }

    #[test]
    fn labels() {
        for (value, text) in [
            (0.0, "0"),
            (2.4000000000000004, "2.4"),
            (-0.05, "-0.05"),
            (0.001, "0.001"),
            (1500.0, "1500"),
            (250_000.0, "250,000"),
            (1e6, "1e6"),
            (2.5e-7, "2.5e-7"),
        ] {
            assert_eq!(label(value), text);
        }
    }
}
