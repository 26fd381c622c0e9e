//! What a file holds: arrays under names under names.

use super::Array;
use rmpv::Value;
use std::collections::BTreeMap;

/// A tree of arrays, as Flax's `to_state_dict` makes of a state.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// Named parts.
    Branch(BTreeMap<String, Tree>),
    /// An array.
    Array(Array),
    /// A NumPy scalar, which is not an array of no axes.
    Scalar(Array),
    /// A number, a string or nothing, as Python has them.
    Plain(Value),
}

impl Tree {
    /// The part called `name` of a branch.
    pub fn get(&self, name: &str) -> Option<&Tree> {
        match self {
            Self::Branch(parts) => parts.get(name),
            _ => None,
        }
    }

    /// Every array and scalar with its path, parts joined by `/`.
    pub fn arrays(&self) -> BTreeMap<String, &Array> {
        let mut found = BTreeMap::new();
        self.walk("", &mut |path, leaf| {
            if let Self::Array(array) | Self::Scalar(array) = leaf {
                found.insert(path.to_owned(), array);
            }
        });
        found
    }

    /// Visits every leaf, and every branch without parts, with its path.
    pub(super) fn walk<'a>(&'a self, path: &str, visit: &mut dyn FnMut(&str, &'a Tree)) {
        match self {
            Self::Branch(parts) if !parts.is_empty() => {
                for (name, part) in parts {
                    part.walk(&join(path, name), visit);
                }
            }
            leaf => visit(path, leaf),
        }
    }

    /// Puts a leaf at a path; gives it back if another leaf is in the way.
    pub(super) fn insert(&mut self, path: &str, leaf: Tree) -> Option<Tree> {
        let Self::Branch(parts) = self else { return Some(leaf) };
        match path.split_once('/') {
            Some((first, rest)) => {
                let part = parts.entry(first.to_owned()).or_insert_with(|| Self::Branch(BTreeMap::new()));
                part.insert(rest, leaf)
            }
            None if parts.contains_key(path) => Some(leaf),
            None => {
                parts.insert(path.to_owned(), leaf);
                None
            }
        }
    }
}

/// The path of a part.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}
