//! Trees in files: safetensors, or Flax's msgpack.

use super::{Tree, decode, encode, safetensors};
use crate::error::{Error, Result};
use crate::files::write_atomically;
use std::path::Path;

impl Tree {
    /// Reads a file: safetensors if its name ends so, else Flax's msgpack.
    ///
    /// # Errors
    /// If the file cannot be read, is truncated or corrupt, is longer than its content, or holds an array that is
    /// not whole.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        read(path.as_ref())
    }

    /// Writes a file, all of it or nothing, in the format that [`load`](Self::load) would read it in.
    ///
    /// # Errors
    /// If the file cannot be written, or its format has no room for a leaf.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write(path.as_ref(), self)
    }
}

fn read(path: &Path) -> Result<Tree> {
    let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
    if is_safetensors(path) { safetensors::parse(path, &bytes) } else { decode::parse(path, &bytes) }
}

fn write(path: &Path, tree: &Tree) -> Result<()> {
    let bytes =
        if is_safetensors(path) { safetensors::bytes(path, tree)? } else { encode::bytes(path, tree)? };
    write_atomically(path, &bytes)
}

/// Whether a file's name says that it is safetensors.
fn is_safetensors(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "safetensors")
}
