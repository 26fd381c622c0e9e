//! Python pickles of plain data and NumPy arrays, read without executing anything.
//!
//! A pickle is a program for a stack machine that may call any function of Python. This reader knows
//! containers, numbers, strings and bytes, and by name the few functions that rebuild a NumPy array;
//! whatever else a pickle names is refused before anything is built from it.
//!
//! # Reference
//! Python's `pickletools` (opcodes of protocols 2 to 5).

mod machine;
mod node;
mod numpy;
mod opcodes;
mod read;
#[cfg(test)]
mod tests;

use crate::data::array::Array;
use crate::error::{Error, Result};
use machine::Machine;
use node::Node;
use read::Reader;
use std::io::Read;
use std::path::Path;

/// The plain data of a pickle.
#[derive(Debug)]
pub(crate) struct Pickle {
    nodes: Vec<Node>,
    root: usize,
}

impl Pickle {
    /// Reads a whole file; `entry` is what errors call it.
    ///
    /// # Errors
    /// If the pickle is truncated or corrupt, asks for anything but plain data and arrays, or is
    /// followed by more bytes.
    pub(crate) fn read(path: &Path, entry: &str, reader: &mut dyn Read) -> Result<Self> {
        let (nodes, root) = Machine::new(Reader::new(path, entry, reader)).run()?;
        Ok(Self { nodes, root })
    }

    /// The array under `key` of the dictionary that the pickle is, and its bytes.
    ///
    /// # Errors
    /// If the pickle is no dictionary, or holds no array of numbers there.
    pub(crate) fn array(&self, path: &Path, entry: &str, key: &str) -> Result<(Array, &[u8])> {
        let wrong =
            |found| Err(Error::format(path, format!("{entry}: key {key:?}"), found, "an array of numbers"));
        match self.value(path, entry, key)? {
            Some(Node::Array { element, shape, column_major, data }) => {
                match (element, self.nodes.get(*data)) {
                    (&Some(element), Some(Node::Bytes(bytes))) => {
                        Ok((Array { element, shape: shape.clone(), column_major: *column_major }, bytes))
                    }
                    _ => wrong("an array of other values"),
                }
            }
            Some(_) => wrong("no array"),
            None => wrong("nothing"),
        }
    }

    /// The whole numbers under `key`, a list or an array of one axis; nothing if the key is not there.
    ///
    /// # Errors
    /// If the pickle is no dictionary, or something else is there.
    pub(crate) fn labels(&self, path: &Path, entry: &str, key: &str) -> Result<Option<Vec<u16>>> {
        let what = format!("{entry}: key {key:?}");
        let wrong = |found: &str| Error::format(path, what.clone(), found, "whole numbers from 0 to 65535");
        match self.value(path, entry, key)? {
            None => Ok(None),
            Some(Node::List(items)) => {
                let mut labels = Vec::with_capacity(items.len());
                for &id in items {
                    let Node::Integer(n) = self.nodes[id] else {
                        return Err(wrong("a list of other values"));
                    };
                    labels.push(u16::try_from(n).map_err(|_| wrong(&n.to_string()))?);
                }
                Ok(Some(labels))
            }
            Some(Node::Array { .. }) => {
                let (array, mut bytes) = self.array(path, entry, key)?;
                array.labels(path, &what, &mut bytes).map(Some)
            }
            Some(_) => Err(wrong("no list")),
        }
    }

    fn value(&self, path: &Path, entry: &str, key: &str) -> Result<Option<&Node>> {
        let Some(Node::Dict(pairs)) = self.nodes.get(self.root) else {
            return Err(Error::format(path, entry, "no dictionary", format!("a dictionary with {key:?}")));
        };
        let is_key = |id: usize| match &self.nodes[id] {
            Node::Bytes(b) => b == key.as_bytes(),
            Node::Text(t) => t == key,
            _ => false,
        };
        Ok(pairs.iter().rev().find(|(k, _)| is_key(*k)).map(|(_, v)| &self.nodes[*v]))
    }
}
