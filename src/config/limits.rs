//! What a number of a recipe may be, one function a kind of limit.

use super::field_error::FieldError;
use std::fmt::Display;

fn must(holds: bool, key: &str, found: impl Display, expected: &str) -> Result<(), FieldError> {
    if holds { Ok(()) } else { Err(FieldError::new(key, found.to_string(), expected)) }
}

/// How many of something: at least 1, and small enough for any machine's arithmetic.
pub(super) fn count(key: &str, value: u64) -> Result<(), FieldError> {
    must((1..=1_000_000_000).contains(&value), key, value, "1 to 1000000000")
}

/// A number that is not above a limit of its own.
pub(super) fn at_most(key: &str, value: u64, limit: u64) -> Result<(), FieldError> {
    must(value <= limit, key, value, &format!("1 to {limit}"))
}

/// A number of grey levels, at most as many as the files have.
pub(super) fn levels(key: &str, value: u32, most: u32) -> Result<(), FieldError> {
    must((2..=most).contains(&value), key, value, &format!("2 to {most}"))
}

/// A seed, which TOML's integers must hold.
pub(super) fn seed(key: &str, value: u64) -> Result<(), FieldError> {
    must(i64::try_from(value).is_ok(), key, value, "0 to 2^63 - 1")
}

/// A finite number above 0.
pub(super) fn positive(key: &str, value: f64) -> Result<(), FieldError> {
    must(value.is_finite() && value > 0.0, key, value, "a finite number above 0")
}

/// A finite number of 0 or more.
pub(super) fn not_negative(key: &str, value: f64) -> Result<(), FieldError> {
    must(value.is_finite() && value >= 0.0, key, value, "a finite number, 0 or more")
}

/// A number in `[0, 1)`.
pub(super) fn fraction(key: &str, value: f64) -> Result<(), FieldError> {
    must((0.0..1.0).contains(&value), key, value, "at least 0 and below 1")
}
