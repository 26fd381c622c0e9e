//! The text of the kernels, and the types that each takes.

use std::collections::BTreeMap;
use std::sync::OnceLock;

const FILES: [&str; 11] = [
    include_str!("source/kernel.h"),
    include_str!("source/elementwise.cu"),
    include_str!("source/sums.cu"),
    include_str!("source/group_norm.cu"),
    include_str!("source/winograd.cu"),
    include_str!("source/patches.cu"),
    include_str!("source/layout.cu"),
    include_str!("source/attention.cu"),
    include_str!("source/update.cu"),
    include_str!("source/rows.cu"),
    include_str!("source/waves.cu"),
];

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Address,
    Int,
    Index,
    Bits,
    Float,
    Double,
}

/// All kernels as one source.
pub(super) fn text() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| FILES.concat())
}

/// The types of the parameters of each kernel.
pub(super) fn kernels() -> &'static BTreeMap<&'static str, Vec<Kind>> {
    static KERNELS: OnceLock<BTreeMap<&'static str, Vec<Kind>>> = OnceLock::new();
    KERNELS.get_or_init(|| text().split("\nKERNEL ").skip(1).filter_map(declaration).collect())
}

fn declaration(text: &'static str) -> Option<(&'static str, Vec<Kind>)> {
    let (name, rest) = text.split_once('(')?;
    let kinds =
        rest.split_once(')')?.0.split(',').map(|parameter| match parameter.split_whitespace().next() {
            _ if parameter.contains('*') => Some(Kind::Address),
            Some("int") => Some(Kind::Int),
            Some("index") => Some(Kind::Index),
            Some("bits") => Some(Kind::Bits),
            Some("float") => Some(Kind::Float),
            Some("double") => Some(Kind::Double),
            _ => None,
        });
    Some((name.trim(), kinds.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_has_a_declaration_that_is_read() {
        assert_eq!(kernels().len(), text().matches("\nKERNEL ").count());
        let (address, int) = (Kind::Address, Kind::Int);
        assert_eq!(kernels()["norm_slabs"], [address, address, address, int, int, int, int]);
        assert_eq!(kernels()["masked"][2..6], [Kind::Index, Kind::Bits, Kind::Bits, Kind::Float]);
    }
}
