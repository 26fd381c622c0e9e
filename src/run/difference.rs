//! Whether two recipes train the same.

use crate::config::Recipe;
use crate::config::fault::join;
use crate::error::Result;
use toml::Value;

/// What training does not read, and where it computes.
const FREE: [&str; 4] = ["log", "evaluation", "sample", "device"];

/// A key whose value is not the same.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference {
    pub(super) key: String,
    pub(super) old: String,
    pub(super) new: String,
}

/// The first key, in alphabetical order, at which `new` would train otherwise than `old`.
pub(super) fn first_difference(old: &Recipe, new: &Recipe) -> Result<Option<Difference>> {
    let mut tables = Vec::new();
    for recipe in [old, new] {
        let mut table = toml::Table::try_from(recipe)
            .map_err(|error| crate::error::Error::value("recipe", error, "values that TOML can hold"))?;
        for section in FREE {
            table.remove(section);
        }
        tables.push(Value::Table(table));
    }
    Ok(between("", Some(&tables[0]), Some(&tables[1])))
}

fn between(key: &str, old: Option<&Value>, new: Option<&Value>) -> Option<Difference> {
    match (old, new) {
        (Some(Value::Table(a)), Some(Value::Table(b))) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            keys.into_iter().find_map(|name| between(&join(key, name), a.get(name), b.get(name)))
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => (0..a.len().max(b.len()))
            .find_map(|index| between(&join(key, &format!("[{index}]")), a.get(index), b.get(index))),
        _ if old == new => None,
        _ => {
            let shown = |value: Option<&Value>| match value {
                None => "nothing".to_owned(),
                Some(Value::Table(_)) => "a table".to_owned(),
                Some(other) => other.to_string(),
            };
            Some(Difference { key: key.to_owned(), old: shown(old), new: shown(new) })
        }
    }
}
