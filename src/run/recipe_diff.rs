//! Whether two recipes train the same.

use crate::config::Recipe;
use crate::config::field_error::join;
use crate::error::Result;
use toml::Value;

/// What training does not read, and where it computes.
const FREE: [&str; 4] = ["log", "evaluation", "sample", "device"];
/// What a stage may change while it is trained: no step that was taken would have been another.
const FREE_OF_STAGE: [&str; 1] = ["on_non_finite"];

/// What may be trained otherwise than the run's recipe says when the run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing.
    Nothing,
    /// The steps of the last stage, and stages after it.
    Longer,
}

impl Change {
    /// What may change, in words.
    fn words(self, key: &str) -> &'static str {
        match self {
            Self::Nothing if key.starts_with("stage") => {
                " (--continue gives the last stage more steps, and adds stages)"
            }
            Self::Nothing => "",
            Self::Longer => {
                " (--continue changes the steps of the last stage, adds stages after it, and nothing else)"
            }
        }
    }
}

/// A key whose value is not the same.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RecipeDiff {
    pub(super) key: String,
    pub(super) old: String,
    pub(super) new: String,
    /// What may differ, in words.
    pub(super) allowed: &'static str,
}

/// The first key, in alphabetical order, at which `new` would train otherwise than `old`, beyond what `change` allows.
pub(super) fn first_diff(old: &Recipe, new: &Recipe, change: Change) -> Result<Option<RecipeDiff>> {
    let mut new = new.clone();
    if let (Change::Longer, Some(last)) = (change, old.stage.last()) {
        let at = old.stage.len() - 1;
        new.stage.truncate(old.stage.len());
        if let Some(stage) = new.stage.get_mut(at) {
            stage.steps = last.steps;
        }
    }
    let mut tables = Vec::new();
    for recipe in [old, &new] {
        let mut table = crate::config::ser::to_table(recipe)?;
        for section in FREE {
            table.remove(section);
        }
        for stage in table.get_mut("stage").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(stage) = stage.as_table_mut() {
                FREE_OF_STAGE.iter().for_each(|key| drop(stage.remove(*key)));
            }
        }
        tables.push(Value::Table(table));
    }
    let found = between("", Some(&tables[0]), Some(&tables[1]));
    Ok(found.map(|(key, old, new)| RecipeDiff { allowed: change.words(&key), key, old, new }))
}

/// The first key that differs, with both values.
pub(super) fn between(
    key: &str,
    old: Option<&Value>,
    new: Option<&Value>,
) -> Option<(String, String, String)> {
    match (old, new) {
        (Some(Value::Table(a)), Some(Value::Table(b))) => {
            let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
            names.sort_unstable();
            names.into_iter().find_map(|name| between(&join(key, name), a.get(name), b.get(name)))
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
            Some((key.to_owned(), shown(old), shown(new)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn the_first_of_several_differences_is_the_one_named() {
        let [old, new] = ["a = 1\nd = 1\n[c]\nx = [1, 2]", "a = 1\nb = 1\nd = 2\n[c]\nx = [1, 3]"]
            .map(|text| toml::Value::Table(text.parse().unwrap()));
        let first = |old, new| between("", Some(old), Some(new));
        let words = |key: &str, old: &str, new: &str| Some((key.into(), old.into(), new.into()));
        assert_eq!(first(&old, &new), words("b", "nothing", "1"));
        assert_eq!(first(&new, &old), words("b", "1", "nothing"));
        let mut fewer = new.clone();
        fewer.as_table_mut().unwrap().remove("b");
        assert_eq!(first(&old, &fewer), words("c.x[1]", "2", "3"));
    }
}
