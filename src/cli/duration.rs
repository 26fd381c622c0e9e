//! Times as they are typed: `23h`, `90m`, `45s`, `1h30m`.

use crate::error::{Error, Result};
use std::time::Duration;

/// The units, from the longest, with their seconds.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Reads a time: whole numbers of days, hours, minutes and seconds, in that order.
///
/// # Errors
/// Anything else, and no time at all.
pub(super) fn parse(text: &str) -> Result<Duration> {
    let wrong =
        || Error::value("time", format!("\"{text}\""), "a time such as 23h, 90m, 45s or 1h30m, above 0");
    let (mut rest, mut seconds) = (text, 0u64);
    for (unit, of) in UNITS {
        if let Some((number, after)) = rest.split_once(unit) {
            let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
            let number: u64 = number.parse().ok().filter(|_| is_number).ok_or_else(wrong)?;
            seconds = number.checked_mul(of).and_then(|more| seconds.checked_add(more)).ok_or_else(wrong)?;
            rest = after;
        }
    }
    if rest.is_empty() && seconds > 0 { Ok(Duration::from_secs(seconds)) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let right = [("23h", 82_800), ("90m", 5_400), ("45s", 45), ("1h30m", 5_400), ("2d1s", 172_801)];
        for (text, seconds) in right {
            assert_eq!(parse(text).unwrap(), Duration::from_secs(seconds), "{text}");
        }
        let wrong =
            ["", "0s", "23", "h", "1.5h", "-1h", "+1h", "1m1h", "1h1h", "1 h", "1H", "99999999999999999d"];
        for text in wrong {
            let line = parse(text).unwrap_err().to_string();
            assert!(line.starts_with(&format!("time = \"{text}\": expected a time such as 23h")), "{line}");
        }
    }
}
