//! What is wrong with one key of a recipe, before the file and the line are known.

use serde::de;
use std::fmt::Display;

/// The name that stands for a part of a program (`Unnamed`, `OwnRows`), in every list of names.
const PROGRAM: &str = "program";

/// What a key holds and what it should hold.
///
/// It is the error type of [`super::de`], so that serde's own answers (unknown field, wrong type)
/// keep their parts instead of becoming prose.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FieldError {
    /// The key, relative to the value that was read; each container on the way up adds its part.
    pub(crate) key: String,
    /// What is there.
    pub(crate) found: String,
    /// What should be there.
    pub(crate) expected: String,
}

impl FieldError {
    pub(crate) fn new(key: impl Into<String>, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { key: key.into(), found: found.into(), expected: expected.into() }
    }

    /// The same error, seen from the table that holds it under `key`.
    pub(crate) fn under(self, key: &str) -> Self {
        Self { key: join(key, &self.key), ..self }
    }
}

/// Joins a key, or an index such as `[0]`, to the path of what holds it.
pub(crate) fn join(path: &str, key: &str) -> String {
    let dot = if path.is_empty() || key.is_empty() || key.starts_with('[') { "" } else { "." };
    format!("{path}{dot}{key}")
}

/// The known name nearest to `found`, if one is near enough to be what was meant.
pub(crate) fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let found = found.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&found, name), name))
        .filter(|&(distance, name)| {
            let part = found.len() >= 3 && (name.contains(&found) || found.contains(name));
            part || distance <= 2.max(name.len() / 3) && distance < name.len()
        })
        .min()
        .map(|(_, name)| name)
}

/// `"width" (nearest of blocks, width)`, or `one of blocks, width`.
pub(crate) fn one_of(found: &str, known: &[&str]) -> String {
    if known.is_empty() {
        return "no further key".to_owned();
    }
    let list = known.join(", ");
    match nearest(found, known.iter().copied()) {
        Some(name) if known.len() == 1 => format!("\"{name}\""),
        Some(name) => format!("\"{name}\" (the nearest of {list})"),
        None => format!("one of {list}"),
    }
}

/// The error of a table without `name`: the key that was meant to be it, if there is one.
pub(super) fn nameless<'a, E: de::Error>(mut keys: impl Iterator<Item = &'a String>) -> E {
    match keys.find(|key| nearest(key, ["name"]).is_some()) {
        Some(key) => E::unknown_field(key, &["name"]),
        None => E::missing_field("name"),
    }
}

/// serde's name of a type, as a user would say it.
fn plain(expected: &dyn de::Expected) -> String {
    let text = expected.to_string();
    match text.as_str() {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a sequence" => "an array".to_owned(),
        "a map" => "a table".to_owned(),
        other if other.starts_with("struct ") => "a table".to_owned(),
        other if other.starts_with("enum ") || other == "variant identifier" => {
            "a name, or a table with a name".to_owned()
        }
        _ => text,
    }
}

fn shown(found: de::Unexpected<'_>) -> String {
    match found {
        de::Unexpected::Map => "a table".to_owned(),
        de::Unexpected::Seq => "an array".to_owned(),
        other => other.to_string().replace('`', ""),
    }
}

impl Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: found {}, expected {}", self.key, self.found, self.expected)
    }
}

impl std::error::Error for FieldError {}

impl de::Error for FieldError {
    fn custom<T: Display>(message: T) -> Self {
        Self::new("", "a value that does not fit", message.to_string())
    }
    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new("", shown(found), plain(expected))
    }
    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new("", shown(found), plain(expected))
    }
    fn invalid_length(found: usize, expected: &dyn de::Expected) -> Self {
        Self::new("", format!("an array of {found}"), plain(expected))
    }
    fn unknown_field(found: &str, known: &'static [&'static str]) -> Self {
        Self::new(found, "an unknown key", one_of(found, known))
    }
    fn unknown_variant(found: &str, known: &'static [&'static str]) -> Self {
        // What stands for a part of a program is written by programs, never by hand.
        let by_hand: Vec<&str> = known.iter().copied().filter(|&name| name != PROGRAM).collect();
        Self::new("", format!("the unknown name \"{found}\""), one_of(found, &by_hand))
    }
    fn missing_field(field: &'static str) -> Self {
        Self::new(field, "nothing", "this key, which has no default")
    }
    fn duplicate_field(field: &'static str) -> Self {
        Self::new(field, "this key twice", "it once")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_is_what_was_meant() {
        let known = ["velocity", "noise", "data", "score"];
        assert_eq!(nearest("velocty", known), Some("velocity"));
        assert_eq!(nearest("nosie", known), Some("noise"));
        assert_eq!(nearest("Data", known), Some("data"));
        assert_eq!(nearest("importance_sampling", ["uniform", "importance"]), Some("importance"));
        assert_eq!(nearest("first", ["second_order", "first_order"]), Some("first_order"));
        assert_eq!(nearest("wavelet", known), None);
        assert_eq!(nearest("x", ["vp", "sp"]), None);
        assert_eq!(nearest("vpp", ["vp", "sp"]), Some("vp"));
    }
}
