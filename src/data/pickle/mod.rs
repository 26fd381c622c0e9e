//! Python pickles of plain data and NumPy arrays, read without executing anything.
//!
//! A pickle is a program for a stack machine that may call any function of Python. This reader knows
//! containers, numbers, strings and bytes, and by name the few functions that rebuild a NumPy array;
//! whatever else a pickle names is refused before anything is built from it.
//!
//! # Reference
//! Python's `pickletools` (opcodes of protocols 2 to 5).

mod machine;
mod numpy;
mod opcodes;
mod read;
#[cfg(test)]
mod tests;

use crate::data::integers::IntegerType;
use crate::error::{Error, Result};
use machine::{Machine, Node};
use std::io::Read;
use std::path::Path;

/// The plain data of a pickle.
#[derive(Debug)]
pub(crate) struct Pickle {
    nodes: Vec<Node>,
    root: usize,
}

/// An array of integers within a pickle, row-major.
#[derive(Debug)]
pub(crate) struct PickledArray<'a> {
    pub(crate) integers: IntegerType,
    pub(crate) shape: &'a [usize],
    pub(crate) bytes: &'a [u8],
}

impl Pickle {
    /// Reads a whole file; `entry` is what errors call it.
    ///
    /// # Errors
    /// If the pickle is truncated or damaged, asks for anything but plain data and arrays, or is
    /// followed by more bytes.
    pub(crate) fn read(path: &Path, entry: &str, reader: &mut dyn Read) -> Result<Self> {
        let (nodes, root) = Machine::new(path, entry, reader).run()?;
        Ok(Self { nodes, root })
    }

    /// The array under `key` of the dictionary that the pickle is.
    ///
    /// # Errors
    /// If the pickle is no dictionary, or holds no array of integers there.
    pub(crate) fn array(&self, path: &Path, entry: &str, key: &str) -> Result<PickledArray<'_>> {
        let what = format!("{entry}: key {key:?}");
        let wrong = |found: &str, expected: &str| Error::format(path, what.clone(), found, expected);
        let Some(Node::Dict(pairs)) = self.nodes.get(self.root) else {
            return Err(Error::format(path, entry, "no dictionary", format!("a dictionary with {key:?}")));
        };
        let is_key = |id: usize| match &self.nodes[id] {
            Node::Bytes(b) => b == key.as_bytes(),
            Node::Text(t) => t == key,
            _ => false,
        };
        let value = pairs.iter().rev().find(|(k, _)| is_key(*k)).map(|(_, v)| &self.nodes[*v]);
        match value {
            Some(Node::Array { integers, shape, data }) => match (integers, self.nodes.get(*data)) {
                (Some(integers), Some(Node::Bytes(bytes))) => {
                    Ok(PickledArray { integers: *integers, shape, bytes })
                }
                _ => Err(wrong("an array of other values", "an array of integers")),
            },
            Some(_) => Err(wrong("no array", "an array of integers")),
            None => Err(wrong("nothing", "an array of integers")),
        }
    }
}
