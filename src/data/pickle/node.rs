//! What a pickle is made of: values, and the few names that may be among them.

use crate::data::element::Element;

/// A value; others within it are indices into the list of values.
#[derive(Debug)]
pub(crate) enum Node {
    None,
    Bool(bool),
    Integer(i64),
    Float,
    Bytes(Vec<u8>),
    Text(String),
    List(Vec<usize>),
    Tuple(Vec<usize>),
    Dict(Vec<(usize, usize)>),
    Name(Name),
    /// A type of elements, if it is one of numbers.
    Dtype(Option<Element>),
    /// An array: its type, if one of numbers, its shape, whether the first axis runs fastest, and the index of its bytes.
    Array {
        element: Option<Element>,
        shape: Vec<usize>,
        column_major: bool,
        data: usize,
    },
}

/// A name that may be in a pickle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// The array type: an argument of `Reconstruct` only.
    NdArray,
    /// An empty array, to be filled by a state.
    Reconstruct,
    /// An array from its bytes, type, shape and order.
    FromBuffer,
    /// A type of elements.
    Dtype,
    /// A number with a type of elements.
    Scalar,
    /// Bytes written as Latin-1 text, as Python 3 writes them in protocol 2.
    Encode,
}
