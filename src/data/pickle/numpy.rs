//! The few names that a pickled NumPy array refers to, and what each one builds.
//!
//! None of them is executed: each is a rule for what data to expect.

use super::node::{Name, Node};
use crate::data::element::Element;

/// The name, if it is one of those.
pub(crate) fn name(module: &str, function: &str) -> Option<Name> {
    Some(match (module, function) {
        ("numpy", "ndarray") => Name::NdArray,
        ("numpy", "dtype") => Name::Dtype,
        ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => Name::Reconstruct,
        ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => Name::Scalar,
        ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => Name::FromBuffer,
        ("_codecs", "encode") => Name::Encode,
        _ => return None,
    })
}

/// What `name(arguments)` builds; on arguments that are not as they should be, what was expected.
pub(crate) fn reduce(nodes: &[Node], name: Name, arguments: &[usize]) -> Result<Node, &'static str> {
    let node = |i: usize| arguments.get(i).and_then(|&id| nodes.get(id));
    match (name, node(0), node(1)) {
        (Name::Reconstruct, Some(Node::Name(Name::NdArray)), _) => {
            Ok(Node::Array { element: None, shape: Vec::new(), column_major: false, data: usize::MAX })
        }
        (Name::Dtype, Some(code), _) => {
            let code = text(code).ok_or("numpy.dtype of a type's name")?;
            Ok(Node::Dtype(Element::parse(&code)))
        }
        (Name::Encode, Some(Node::Text(text)), Some(encoding)) => {
            let wrong = "_codecs.encode of Latin-1 text";
            if !matches!(self::text(encoding).as_deref(), Some("latin1" | "latin-1")) {
                return Err(wrong);
            }
            let mut bytes = Vec::with_capacity(text.len());
            for c in text.chars() {
                bytes.push(u8::try_from(c).map_err(|_| wrong)?);
            }
            Ok(Node::Bytes(bytes))
        }
        (Name::FromBuffer, Some(Node::Bytes(bytes)), Some(Node::Dtype(element))) => {
            let (Some(Node::Tuple(sides)), Some(order)) = (node(2), node(3)) else {
                return Err("numpy._frombuffer of bytes, type, shape and order");
            };
            let column_major = match text(order).as_deref() {
                Some("C") => false,
                Some("F") => true,
                _ => return Err("an array in the order C or F"),
            };
            array(nodes, *element, sides, column_major, (arguments[0], bytes))
        }
        // Its value is of no use here; it may stand beside an array.
        (Name::Scalar, Some(Node::Dtype(_)), Some(_)) => Ok(Node::None),
        _ => Err("the arguments that NumPy writes"),
    }
}

/// What a state makes of an array or a type; on a state that is not as it should be, what was expected.
pub(crate) fn build(nodes: &[Node], target: &Node, state: &Node) -> Result<Node, &'static str> {
    let Node::Tuple(state) = state else { return Err("a tuple as state") };
    let node = |i: usize| state.get(i).and_then(|&id| nodes.get(id));
    match target {
        Node::Dtype(element) => {
            let order = node(1).and_then(text).ok_or("a byte order in the state of numpy.dtype")?;
            Ok(Node::Dtype(element.and_then(|t| t.with_order(&order))))
        }
        Node::Array { .. } => match (node(1), node(2), node(3), node(4)) {
            (Some(Node::Tuple(sides)), Some(Node::Dtype(element)), Some(Node::Bool(fortran)), Some(data)) => {
                let Node::Bytes(bytes) = data else { return Err("an array's values as bytes") };
                array(nodes, *element, sides, *fortran, (state[4], bytes))
            }
            _ => Err("shape, type, order and bytes as an array's state"),
        },
        _ => Err("an array or a type to give a state to"),
    }
}

fn array(
    nodes: &[Node],
    element: Option<Element>,
    sides: &[usize],
    column_major: bool,
    (data, bytes): (usize, &[u8]),
) -> Result<Node, &'static str> {
    let mut shape = Vec::with_capacity(sides.len());
    for &id in sides {
        let Some(Node::Integer(side)) = nodes.get(id) else { return Err("a shape of lengths") };
        shape.push(usize::try_from(*side).map_err(|_| "a shape of lengths")?);
    }
    if let Some(element) = element {
        let size = shape.iter().try_fold(element.bytes(), |n, &s| n.checked_mul(s));
        if size != Some(bytes.len()) {
            return Err("as many bytes as the array's shape and type say");
        }
    }
    Ok(Node::Array { element, shape, column_major, data })
}

fn text(node: &Node) -> Option<String> {
    match node {
        Node::Text(t) => Some(t.clone()),
        Node::Bytes(b) => String::from_utf8(b.clone()).ok(),
        _ => None,
    }
}
