//! From a tree to Flax's msgpack.

use super::decode::{ARRAY, CHUNKED, SCALAR};
use super::{Array, Tree};
use crate::error::{Error, Result};
use rmpv::Value;
use std::path::Path;

/// Flax cuts arrays of more bytes than this.
const CHUNK: usize = 1 << 30;

/// The file's content.
pub(super) fn bytes(path: &Path, tree: &Tree) -> Result<Vec<u8>> {
    written(path, &value(path, tree, CHUNK)?)
}

fn written(path: &Path, value: &Value) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value)
        .map_err(|error| Error::format(path, "content", error, "values that msgpack can hold"))?;
    Ok(bytes)
}

fn value(path: &Path, tree: &Tree, chunk: usize) -> Result<Value> {
    Ok(match tree {
        Tree::Branch(parts) => {
            let mut entries = Vec::with_capacity(parts.len());
            for (name, part) in parts {
                entries.push((Value::from(name.as_str()), value(path, part, chunk)?));
            }
            Value::Map(entries)
        }
        Tree::Array(array) if array.bytes().len() > chunk => chunked(path, array, chunk)?,
        Tree::Array(array) => extension(path, ARRAY, array.shape(), array.dtype(), array.bytes())?,
        Tree::Scalar(array) => extension(path, SCALAR, array.shape(), array.dtype(), array.bytes())?,
        Tree::Plain(value) => value.clone(),
    })
}

fn extension(path: &Path, code: i8, shape: &[usize], dtype: &str, bytes: &[u8]) -> Result<Value> {
    let shape = shape.iter().map(|&side| Value::from(side)).collect();
    let parts = vec![Value::Array(shape), Value::from(dtype), Value::Binary(bytes.to_vec())];
    Ok(Value::Ext(code, written(path, &Value::Array(parts))?))
}

fn chunked(path: &Path, array: &Array, chunk: usize) -> Result<Value> {
    let size = array.bytes().len() / array.shape().iter().product::<usize>().max(1);
    let piece = (chunk / size).max(1) * size;
    let (mut sides, mut chunks) = (Vec::new(), Vec::new());
    for (i, &side) in array.shape().iter().enumerate() {
        sides.push((Value::from(i.to_string()), Value::from(side)));
    }
    for (i, bytes) in array.bytes().chunks(piece).enumerate() {
        let part = extension(path, ARRAY, &[bytes.len() / size], array.dtype(), bytes)?;
        chunks.push((Value::from(i.to_string()), part));
    }
    Ok(Value::Map(vec![
        (Value::from(CHUNKED), Value::from(true)),
        (Value::from("shape"), Value::Map(sides)),
        (Value::from("chunks"), Value::Map(chunks)),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn chunks_are_put_together_again() {
        let values: Vec<f32> = (0..15u8).map(f32::from).collect();
        let array = Array::float32(vec![3, 5], &values).unwrap();
        let step = Array::new("int64", vec![], 9i64.to_le_bytes().into()).unwrap();
        let parts = [("kernel", Tree::Array(array)), ("step", Tree::Scalar(step))];
        let whole = Tree::Branch(parts.map(|(name, part)| (name.to_owned(), part)).into());
        let path = Path::new("f");
        for chunk in [1, 4, 7, 20, 59, 60] {
            let value = value(path, &whole, chunk).unwrap();
            let is_cut = value["kernel"].is_map();
            assert_eq!(is_cut, chunk < 60, "{chunk}");
            let bytes = written(path, &value).unwrap();
            assert_eq!(super::super::decode::parse(path, &bytes).unwrap(), whole, "{chunk}");
        }
        let empty = Tree::Branch(BTreeMap::from([("a".to_owned(), Tree::Branch(BTreeMap::new()))]));
        assert_eq!(super::super::decode::parse(path, &bytes(path, &empty).unwrap()).unwrap(), empty);
    }
}
