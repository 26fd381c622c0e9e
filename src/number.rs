//! Numbers that cannot be wrong: settings whose type says what they may be.

use crate::error::{Error, Result};
use serde::de::{self, Deserialize, Deserializer, Unexpected};

/// A positive, finite number.
///
/// As the type of a setting it needs no check: what a recipe holds is refused where it is read, with the key, what was
/// found and "a positive number". In Rust, [`positive!`](crate::positive) makes one of a constant when it is compiled,
/// and [`Positive::new`] of any number.
///
/// ```
/// use idode::number::Positive;
/// use idode::positive;
///
/// #[derive(serde::Deserialize)]
/// struct Settings {
///     q: Positive,
/// }
///
/// assert_eq!(positive!(1.5).get(), 1.5);
/// assert!(toml::from_str::<Settings>("q = 2").is_ok());
/// assert!(toml::from_str::<Settings>("q = -2").is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, serde::Serialize)]
#[serde(transparent)]
pub struct Positive(f64);

/// What it is, in messages.
const EXPECTED: &str = "a positive number";

impl Positive {
    /// `value`, if it is positive and finite.
    pub const fn of(value: f64) -> Option<Self> {
        if value > 0.0 && value < f64::INFINITY { Some(Self(value)) } else { None }
    }

    /// `value`, which messages call `name`.
    ///
    /// # Errors
    /// Unless it is positive and finite.
    pub fn new(name: &str, value: f64) -> Result<Self> {
        Self::of(value).ok_or_else(|| Error::value(name, value, EXPECTED))
    }

    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Positive {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(deserializer)?;
        let found = value.to_string();
        Self::of(value).ok_or_else(|| de::Error::invalid_value(Unexpected::Other(&found), &EXPECTED))
    }
}

/// A [`Positive`](crate::number::Positive) constant; one that is not positive does not compile.
///
/// ```compile_fail
/// idode::positive!(-1.5);
/// ```
#[macro_export]
macro_rules! positive {
    ($value:expr) => {
        const {
            match $crate::number::Positive::of($value) {
                ::core::option::Option::Some(positive) => positive,
                ::core::option::Option::None => ::core::panic!("not a positive number"),
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_positive_numbers_are_taken() {
        for good in [f64::MIN_POSITIVE, 5e-324, 0.5, 1.0, f64::MAX] {
            assert_eq!(Positive::of(good).map(Positive::get), Some(good));
        }
        for bad in [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Positive::of(bad), None, "{bad}");
            let line = Positive::new("q", bad).expect_err("refused").to_string();
            assert_eq!(line, format!("q = {bad}: expected a positive number"));
        }
        assert_eq!(positive!(0.25).get(), 0.25);
    }

    #[test]
    fn it_is_written_as_the_number_and_read_back() {
        let table = toml::toml! { a = 2 };
        let read: std::collections::BTreeMap<String, Positive> = table.try_into().expect("a number");
        assert_eq!(toml::to_string(&read).expect("TOML"), "a = 2.0\n");
    }
}
