//! From Flax's msgpack to a tree.

use super::tree::join;
use super::{Array, Tree};
use crate::error::{Error, Result};
use rmpv::decode::read_value_ref;
use rmpv::{Value, ValueRef};
use std::collections::BTreeMap;
use std::path::Path;

/// The extension types of arrays and of NumPy scalars.
pub(super) const ARRAY: i8 = 1;
pub(super) const SCALAR: i8 = 3;
/// The key that tells an array in chunks from a branch.
pub(super) const CHUNKED: &str = "__msgpack_chunked_array__";

/// Reads a whole file.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Tree> {
    let mut rest = bytes;
    let value = read_value_ref(&mut rest).map_err(|error| {
        let offset = bytes.len() - rest.len();
        let found = format!("{} ({} bytes)", one_line(&error.to_string()), bytes.len());
        Error::format(path, format!("byte {offset}"), found, "a whole Flax checkpoint (msgpack)")
    })?;
    if !rest.is_empty() {
        let found = format!("{} more bytes", rest.len());
        return Err(Error::format(path, format!("byte {}", bytes.len() - rest.len()), found, "the end"));
    }
    if !matches!(value, ValueRef::Map(_)) {
        return Err(Error::format(path, "content", kind(&value), "a Flax checkpoint, a msgpack map"));
    }
    tree(path, "", value)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn kind(value: &ValueRef<'_>) -> &'static str {
    match value {
        ValueRef::Nil => "nil",
        ValueRef::Boolean(_) => "a boolean",
        ValueRef::Integer(_) => "an integer",
        ValueRef::F32(_) | ValueRef::F64(_) => "a number",
        ValueRef::String(_) => "a string",
        ValueRef::Binary(_) => "bytes",
        ValueRef::Array(_) => "an array",
        ValueRef::Map(_) => "a map",
        ValueRef::Ext(..) => "an extension",
    }
}

fn tree(path: &Path, name: &str, value: ValueRef<'_>) -> Result<Tree> {
    match value {
        ValueRef::Map(entries) => {
            let mut parts = BTreeMap::new();
            for (key, value) in entries {
                let Some(key) = text(&key) else {
                    return Err(Error::format(path, format!("key in {name:?}"), kind(&key), "a string"));
                };
                let part = join(name, key);
                if parts.insert(key.to_owned(), tree(path, &part, value)?).is_some() {
                    return Err(Error::format(path, part, "this key twice", "it once"));
                }
            }
            if parts.contains_key(CHUNKED) { chunked(path, name, parts) } else { Ok(Tree::Branch(parts)) }
        }
        ValueRef::Ext(ARRAY, bytes) => array(path, name, bytes).map(Tree::Array),
        ValueRef::Ext(SCALAR, bytes) => array(path, name, bytes).map(Tree::Scalar),
        ValueRef::Ext(other, _) => {
            let expected = format!("{ARRAY} (array) or {SCALAR} (scalar)");
            Err(Error::format(path, name, format!("extension type {other}"), expected))
        }
        other => Ok(Tree::Plain(other.to_owned())),
    }
}

fn text<'a>(value: &ValueRef<'a>) -> Option<&'a str> {
    match value {
        ValueRef::String(text) => text.into_str(),
        ValueRef::Binary(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

/// `[shape, type, bytes]` as a msgpack document of its own.
fn array(path: &Path, name: &str, mut bytes: &[u8]) -> Result<Array> {
    let wrong = |found: &str| {
        Error::format(path, name, found, "an array: [shape, type, as many bytes as these two say]")
    };
    let value = read_value_ref(&mut bytes).map_err(|_| wrong("corrupt msgpack"))?;
    let ValueRef::Array(parts) = &value else { return Err(wrong(kind(&value))) };
    let [ValueRef::Array(shape), dtype, ValueRef::Binary(data)] = &parts[..] else {
        return Err(wrong("other parts"));
    };
    let Some(dtype) = text(dtype) else { return Err(wrong("other parts")) };
    let mut sides = Vec::with_capacity(shape.len());
    for side in shape {
        let side = side.as_u64().and_then(|side| usize::try_from(side).ok());
        sides.push(side.ok_or_else(|| wrong("other parts"))?);
    }
    Array::new(dtype, sides.clone(), data.to_vec())
        .ok_or_else(|| wrong(&format!("{dtype} of shape {sides:?} in {} bytes", data.len())))
}

/// Takes the parts of branch `key` that are called 0, 1 and so on, if all of its parts are.
fn numbered(parts: &mut BTreeMap<String, Tree>, key: &str) -> Option<Vec<Tree>> {
    let Tree::Branch(of) = parts.get_mut(key)? else { return None };
    let mut found = Vec::with_capacity(of.len());
    for i in 0..of.len() {
        let part = of.get_mut(&i.to_string())?;
        found.push(std::mem::replace(part, Tree::Plain(Value::Nil)));
    }
    Some(found)
}

/// An array above 2^30 bytes, which Flax cuts in pieces.
fn chunked(path: &Path, name: &str, mut parts: BTreeMap<String, Tree>) -> Result<Tree> {
    let wrong = || Error::format(path, name, "a corrupt array in chunks", "its shape and all of its chunks");
    let (Some(sides), Some(chunks)) = (numbered(&mut parts, "shape"), numbered(&mut parts, "chunks")) else {
        return Err(wrong());
    };
    let mut shape = Vec::with_capacity(sides.len());
    for side in sides {
        let Tree::Plain(side) = side else { return Err(wrong()) };
        shape.push(side.as_u64().and_then(|side| usize::try_from(side).ok()).ok_or_else(wrong)?);
    }
    let (mut dtype, mut bytes) = (None, Vec::new());
    for chunk in chunks {
        let Tree::Array(chunk) = chunk else { return Err(wrong()) };
        if dtype.get_or_insert_with(|| chunk.dtype().to_owned()) != chunk.dtype() {
            return Err(wrong());
        }
        bytes.extend_from_slice(chunk.bytes());
    }
    Array::new(&dtype.unwrap_or_default(), shape, bytes).map(Tree::Array).ok_or_else(wrong)
}
