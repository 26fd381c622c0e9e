//! Which columns of a file are modelled, and which condition them.

use crate::error::{Error, Result};
use std::path::Path;

/// How many names a message lists.
const LISTED: usize = 20;

/// Columns by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// The modelled columns, in the order of the model; empty for all that are not conditions.
    pub columns: Vec<String>,
    /// The columns that condition them.
    pub conditions: Vec<String>,
}

/// The chosen columns as indices into a file's.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Picked {
    pub(super) columns: Vec<usize>,
    pub(super) conditions: Vec<usize>,
}

impl Choice {
    /// Finds the chosen columns among the `names` of the file at `path`.
    pub(super) fn pick(&self, path: &Path, names: &[String]) -> Result<Picked> {
        let wrong = |name: &str, found: &str, expected: &str| {
            Error::format(path, format!("column \"{name}\""), found, expected)
        };
        if let Some((i, name)) = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
            return Err(wrong(name, &format!("it again as column {i}"), "names that differ"));
        }
        let index = |name: &String| {
            let found = names.iter().position(|other| other == name);
            found.ok_or_else(|| wrong(name, "none of that name", &known(name, names)))
        };
        let indices = |chosen: &[String]| -> Result<Vec<usize>> {
            let mut indices = Vec::with_capacity(chosen.len());
            for name in chosen {
                indices.push(index(name)?);
            }
            Ok(indices)
        };
        let conditions = indices(&self.conditions)?;
        let columns = match self.columns.is_empty() {
            true => (0..names.len()).filter(|i| !conditions.contains(i)).collect(),
            false => indices(&self.columns)?,
        };
        let all = [&columns[..], &conditions].concat();
        if let Some((_, &twice)) = all.iter().enumerate().find(|&(i, column)| all[..i].contains(column)) {
            let expected = "one of columns and condition to name it, once";
            return Err(wrong(&names[twice], "it chosen twice", expected));
        }
        if columns.is_empty() {
            return Err(Error::format(
                path,
                "columns",
                "conditions only",
                "at least one column that is modelled",
            ));
        }
        Ok(Picked { columns, conditions })
    }
}

/// The names that are there, the nearest first if one is near.
fn known(name: &str, names: &[String]) -> String {
    let mut list = names.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > LISTED {
        list += &format!(" and {} more", names.len() - LISTED);
    }
    let distance = |other: &&String| strsim::damerau_levenshtein(name, other);
    match names.iter().min_by_key(distance) {
        Some(near) if distance(&near) <= (near.len() / 3).max(1) && near.len() > 1 => {
            format!("\"{near}\" (the nearest of {list})")
        }
        _ => format!("one of {list}"),
    }
}
