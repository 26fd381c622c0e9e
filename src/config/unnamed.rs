//! What a program has put into its run and a recipe cannot name.

use super::Named;
use serde::{Deserialize, Serialize};

/// A part that a program made of a type without a name. A recipe that has one was written by that program; it is read, but nothing can be
/// built of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unnamed {
    /// The type, or what the program calls the part.
    pub of: String,
}

impl Unnamed {
    /// A part of type `T`.
    pub fn of<T: ?Sized>() -> Self {
        Self { of: std::any::type_name::<T>().to_owned() }
    }
}

/// Rows that a program gave its run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnRows {
    /// What the program calls them.
    pub of: String,
    /// Height, width and channels, of images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<[usize; 3]>,
    /// Grey levels, of images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub levels: Option<u32>,
    /// Columns, of a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<usize>,
    /// The numbers that each row is conditioned on.
    #[serde(default)]
    pub conditions: usize,
}

/// How the name of a part without one begins.
const UNNAMED: &str = "program: ";

impl Named {
    /// Stands for a part that has no name: what the program calls it, or its type.
    pub(crate) fn unnamed(part: &str) -> Self {
        Self::new(format!("{UNNAMED}{part}"))
    }

    /// What the program calls the part, if it has no name.
    pub(crate) fn without_name(&self) -> Option<&str> {
        self.name.strip_prefix(UNNAMED)
    }
}
