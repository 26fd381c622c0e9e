//! Settings as TOML: first their content, then the text or table of it. So what serde derives for a
//! type is compiled once, and not once for each of the four serializers that TOML's text and table have.

use crate::error::{Error, Result};
use serde::Serialize;
use serde_content::{Serializer, Value};

/// The settings as text, keys in the order of the type's fields.
pub(crate) fn to_text(settings: &impl Serialize) -> Result<String> {
    toml::to_string(&content(settings)?).map_err(refused)
}

/// The settings as a table, keys sorted.
pub(crate) fn to_table(settings: &impl Serialize) -> Result<toml::Table> {
    toml::Table::try_from(content(settings)?).map_err(refused)
}

fn content(settings: &impl Serialize) -> Result<Value<'static>> {
    Serializer::new().human_readable().serialize(settings).map_err(refused)
}

fn refused(error: impl std::fmt::Display) -> Error {
    Error::value("recipe", error.to_string().replace('\n', " "), "values that TOML can hold")
}
