//! What dequantizers have learned while a model was trained.

use crate::config::Named;
use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// What dequantizers have learned: each state under the [`key`] of its name and settings.
pub(crate) type States = BTreeMap<String, String>;

/// A dequantizer's name and settings in one line: a recipe may list others when its run goes on.
pub(crate) fn key(named: &Named) -> Result<String> {
    serde_json::to_string(named)
        .map_err(|error| Error::value("evaluation.dequantizers", error, "settings that JSON can hold"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_settings_does_not_lose_what_was_learned() {
        let [one, other] = [["gamma", "rate"], ["rate", "gamma"]]
            .map(|keys| keys.into_iter().fold(Named::new("learned"), |named, key| named.with(key, -11)));
        let expected = r#"{"name":"learned","gamma":-11,"rate":-11}"#;
        assert_eq!([key(&one).unwrap(), key(&other).unwrap()], [expected, expected]);
    }
}
