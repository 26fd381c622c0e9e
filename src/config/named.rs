//! A thing chosen by name, with settings that only its builder understands.

use super::field_error::nameless;
use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A name of the [`Registry`](crate::registry::Registry) and the settings of what it names.
///
/// In TOML it is a table, `{ name = "stratified", inner = "uniform" }`, or, without settings, the
/// bare name.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// The registered name.
    pub name: String,
    /// Every other key of the table.
    pub settings: toml::Table,
}

impl Named {
    /// The name without settings: each keeps its default.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), settings: toml::Table::new() }
    }

    /// Adds a setting.
    pub fn with(mut self, key: impl Into<String>, value: impl Into<toml::Value>) -> Self {
        self.settings.insert(key.into(), value.into());
        self
    }
}

impl From<Named> for toml::Value {
    fn from(named: Named) -> Self {
        let mut table = named.settings;
        table.insert("name".to_owned(), named.name.into());
        Self::Table(table)
    }
}

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1 + self.settings.len()))?;
        map.serialize_entry("name", &self.name)?;
        for (key, value) in &self.settings {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Named;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a name, or a table with a name")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Named, E> {
                Ok(Named::new(name))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named, A::Error> {
                let (mut name, mut settings) = (None, toml::Table::new());
                while let Some(key) = map.next_key::<String>()? {
                    if key == "name" {
                        name = Some(map.next_value()?);
                    } else {
                        settings.insert(key, map.next_value()?);
                    }
                }
                Ok(Named { name: name.ok_or_else(|| nameless::<A::Error>(settings.keys()))?, settings })
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
