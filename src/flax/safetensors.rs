//! Safetensors whose tensor names are paths in a tree.

use super::{Array, Tree};
use crate::error::{Error, Result};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::path::Path;

/// The types that both sides have.
const TYPES: &[(Dtype, &str)] = &[
    (Dtype::BOOL, "bool"),
    (Dtype::I8, "int8"),
    (Dtype::U8, "uint8"),
    (Dtype::I16, "int16"),
    (Dtype::U16, "uint16"),
    (Dtype::F16, "float16"),
    (Dtype::BF16, "bfloat16"),
    (Dtype::I32, "int32"),
    (Dtype::U32, "uint32"),
    (Dtype::F32, "float32"),
    (Dtype::I64, "int64"),
    (Dtype::U64, "uint64"),
    (Dtype::F64, "float64"),
];

/// Reads a whole file.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Tree> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| {
        let found = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        Error::format(path, "content", found, "a whole safetensors file")
    })?;
    let mut tree = Tree::Branch(BTreeMap::new());
    for (name, view) in file.iter() {
        let dtype = TYPES.iter().find(|(dtype, _)| *dtype == view.dtype());
        let array =
            dtype.and_then(|(_, dtype)| Array::new(dtype, view.shape().to_vec(), view.data().to_vec()));
        let Some(array) = array else {
            return Err(Error::format(path, name, format!("{:?}", view.dtype()), "a type that NumPy has"));
        };
        if tree.insert(name, Tree::Array(array)).is_some() {
            return Err(Error::format(path, name, "an array and a part of that name", "one of them"));
        }
    }
    Ok(tree)
}

/// The file's content.
pub(super) fn bytes(path: &Path, tree: &Tree) -> Result<Vec<u8>> {
    let arrays = tree.arrays();
    let mut views = Vec::new();
    for (name, array) in &arrays {
        let dtype = TYPES.iter().find(|(_, dtype)| *dtype == array.dtype());
        let view =
            dtype.and_then(|(dtype, _)| TensorView::new(*dtype, array.shape().to_vec(), array.bytes()).ok());
        let Some(view) = view else {
            return Err(Error::format(path, name, array, "a type that safetensors has"));
        };
        views.push((name.as_str(), view));
    }
    safetensors::serialize(views, None)
        .map_err(|error| Error::format(path, "content", error, "tensors that safetensors can hold"))
}
