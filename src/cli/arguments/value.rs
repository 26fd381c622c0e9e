//! What the text of an argument means.

use super::super::ranks;
use crate::config::Device;
use crate::run::Shard;
use crate::tensor::Precision;
use std::num::NonZeroU16;
use std::time::Duration;

/// A number above 0.
pub(super) fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err(format!("\"{text}\": expected a number above 0, such as 0.002")),
    }
}

/// How many samples.
pub(super) fn count(text: &str) -> Result<u64, String> {
    match text.parse::<u64>() {
        Ok(value) if !(1..=1_000_000).contains(&value) => Err(format!("{value} is not in 1..=1000000")),
        Ok(value) => Ok(value),
        Err(error) => Err(error.to_string()),
    }
}

/// How many threads.
pub(super) fn threads(text: &str) -> Result<u16, String> {
    match text.parse::<i64>().map(|value| (value, u16::try_from(value))) {
        Ok((_, Ok(value))) if (1..=1024).contains(&value) => Ok(value),
        Ok((value, _)) => Err(format!("{value} is not in 1..=1024")),
        Err(error) => Err(error.to_string()),
    }
}

/// The images of a batch.
pub(super) fn batch(text: &str) -> Result<NonZeroU16, String> {
    text.parse::<NonZeroU16>().map_err(|error| error.to_string())
}

/// A part of an evaluation.
pub(super) fn shard(text: &str) -> Result<Shard, String> {
    text.parse::<Shard>().map_err(|error| error.to_string())
}

/// A device; `cuda` is the GPU of this process among those of its machine.
pub(super) fn device(text: &str) -> Result<Device, String> {
    match text {
        "cuda" => Ok(Device::Cuda(ranks::local_rank())),
        _ => text.parse::<Device>().map_err(|error| error.to_string()),
    }
}

/// A precision by its name in recipes.
pub(super) fn precision(text: &str) -> Result<Precision, String> {
    let all = [Precision::F32, Precision::Tf32];
    let found = all.iter().find(|precision| precision.to_string() == text);
    found.copied().ok_or_else(|| format!("\"{text}\": expected f32 or tf32"))
}

/// A time.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| error.to_string())
}

/// A time that is not over at once.
pub(super) fn limit(text: &str) -> Result<Duration, String> {
    match time(text)? {
        Duration::ZERO => Err(format!("\"{text}\": expected a time above 0, such as 10m")),
        time => Ok(time),
    }
}

/// A condition by name.
pub(super) fn condition(text: &str) -> Result<(String, f64), String> {
    let expected = || format!("\"{text}\": expected NAME=VALUE with a finite number, such as y=1.5");
    let (name, value) = text.rsplit_once('=').ok_or_else(expected)?;
    match value.trim().parse::<f64>() {
        Ok(value) if value.is_finite() => Ok((name.to_owned(), value)),
        _ => Err(expected()),
    }
}
