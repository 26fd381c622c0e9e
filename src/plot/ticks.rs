//! Round numbers along an axis.

/// What stands along an axis, by position.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ticks {
    pub(super) labelled: Vec<(f64, String)>,
    pub(super) minor: Vec<f64>,
}

/// No axis has more steps than this between labelled ticks.
const MOST_STEPS: f64 = 8.0;

/// Every multiple of 1, 2 or 5 times a power of ten.
pub(super) fn linear_ticks(ends: (f64, f64)) -> Ticks {
    linear_ticks_of(ends, MOST_STEPS)
}

/// The same with at most `most_steps` steps, up to [`MOST_STEPS`].
pub(super) fn linear_ticks_of((low, high): (f64, f64), most_steps: f64) -> Ticks {
    let rough = (high - low) / most_steps;
    let power = 10_f64.powf(rough.log10().floor());
    let mut step = rough;
    for factor in [1.0, 2.0, 5.0, 10.0] {
        if factor * power >= rough {
            step = factor * power;
            break;
        }
    }
    let first = (low / step).ceil();
    // Rounding may leave the logarithm of a power of ten just below a whole number.
    let last_digit = (step * 1.001).log10().floor() as i32;
    let scientific = low.abs().max(high.abs()) >= 1e7 || last_digit < -5;
    let label = |value: f64| {
        if scientific && value == 0.0 {
            "0".to_owned()
        } else if scientific {
            let first_digit = (value.abs() * 1.001).log10().floor() as i32;
            format!("{value:.*e}", (first_digit - last_digit).clamp(0, 15) as usize)
        } else {
            grouped(&format!("{value:.*}", -last_digit.min(0) as usize))
        }
    };
    let mut labelled = Vec::new();
    for i in 0..11 {
        let value = (first + f64::from(i)) * step;
        if value > high || value.is_nan() {
            break;
        }
        // Adding zero turns a negative zero into zero.
        labelled.push((value, minus(&label(value + 0.0))));
    }
    Ticks { labelled, minor: Vec::new() }
}

/// Powers of ten; over few of them also twice and five times; over less than that linear ticks.
pub(super) fn log_ticks((low, high): (f64, f64)) -> Ticks {
    let (before, first, last) = (low.floor() as i32, low.ceil() as i32, high.floor() as i32);
    let decades = (last - first + 1).max(0);
    let factors: &[u8] = if decades >= 3 { &[1] } else { &[1, 2, 5] };
    let stride = (decades as usize).div_ceil(MOST_STEPS as usize).max(1) as i32;
    let within = |at: f64| (low..=high).contains(&at);
    let at = |factor: u8, decade: i32| f64::from(decade) + f64::from(factor).log10();
    let mut places: Vec<(f64, u8, i32)> = Vec::new();
    for decade in before..last + 1 {
        for &factor in factors {
            if decade.rem_euclid(stride) == 0 && within(at(factor, decade)) {
                places.push((at(factor, decade), factor, decade));
            }
        }
    }
    if places.len() < 3 {
        let mut ticks = linear_ticks((10_f64.powf(low), 10_f64.powf(high)));
        ticks.labelled.retain(|(value, _)| *value > 0.0);
        for (value, _) in &mut ticks.labelled {
            *value = value.log10();
        }
        return ticks;
    }
    let plain = low >= -3.05 && high < 5.0;
    let label = |factor: u8, decade: i32| match plain {
        true if decade < 0 => format!("{:.*}", -decade as usize, f64::from(factor) * 10_f64.powi(decade)),
        true => grouped(&format!("{:.0}", f64::from(factor) * 10_f64.powi(decade))),
        false => minus(&format!("{factor}e{decade}")),
    };
    let mut minor = Vec::new();
    if stride == 1 {
        for decade in before..last + 1 {
            for factor in 2..10 {
                if within(at(factor, decade)) {
                    minor.push(at(factor, decade));
                }
            }
        }
    } else {
        for decade in first..last + 1 {
            minor.push(f64::from(decade));
        }
    }
    let mut labelled = Vec::with_capacity(places.len());
    for (at, factor, decade) in places {
        labelled.push((at, label(factor, decade)));
    }
    Ticks { labelled, minor }
}

/// Commas between thousands, from 10,000 on.
pub(super) fn grouped(number: &str) -> String {
    let (whole, fraction) = number.split_at(number.find('.').unwrap_or(number.len()));
    if whole.trim_start_matches('-').len() < 5 {
        return number.to_owned();
    }
    let mut text = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if text.ends_with(|c: char| c.is_ascii_digit()) && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + fraction
}

/// A minus sign instead of a hyphen.
fn minus(number: &str) -> String {
    number.replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: Ticks) -> Vec<String> {
        ticks.labelled.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn linear_ticks_are_round() {
        assert_eq!(labels(linear_ticks((1.93, 2.41))), ["2.0", "2.1", "2.2", "2.3", "2.4"]);
        assert_eq!(labels(linear_ticks((-0.1, 0.11))), ["−0.10", "−0.05", "0.00", "0.05", "0.10"]);
        assert_eq!(labels(linear_ticks((0.0, 20_000.0))), ["0", "5000", "10,000", "15,000", "20,000"]);
        assert_eq!(
            labels(linear_ticks((0.0, 4e-7))),
            ["0", "5e−8", "1.0e−7", "1.5e−7", "2.0e−7", "2.5e−7", "3.0e−7", "3.5e−7", "4.0e−7"]
        );
        for (at, text) in linear_ticks((-7.3, 12.9)).labelled {
            assert_eq!(text.replace('−', "-").parse::<f64>().unwrap(), at);
        }
    }

    #[test]
    fn log_ticks_are_decades_or_finer() {
        assert_eq!(labels(log_ticks((-2.1, 1.0))), ["0.01", "0.1", "1", "10"]);
        assert_eq!(labels(log_ticks((0.8, 2.4))), ["10", "20", "50", "100", "200"]);
        assert_eq!(labels(log_ticks((-5.0, -2.0))), ["1e−5", "1e−4", "1e−3", "1e−2"]);
        assert_eq!(labels(log_ticks((-20.0, 0.0))).len(), 7);
        // Less than a decade: 2 to 3 in linear steps.
        let ticks = log_ticks((2_f64.log10(), 3_f64.log10()));
        assert_eq!(labels(ticks.clone()), ["2.0", "2.2", "2.4", "2.6", "2.8", "3.0"]);
        assert_eq!(ticks.labelled[1].0, 2.2_f64.log10());
        // 2 to 9 times a power of ten.
        assert_eq!(log_ticks((0.0, 3.0)).minor.len(), 3 * 8);
    }

    #[test]
    fn thousands_are_grouped() {
        for (number, text) in
            [("9999", "9999"), ("-9999.5", "-9999.5"), ("12345.25", "12,345.25"), ("-1234567", "-1,234,567")]
        {
            assert_eq!(grouped(number), text);
        }
    }
}
