//! Sorting by indices: one sort for all types, and nothing large is moved.

use std::cmp::Ordering;

/// The indices below `len` in an order, of those that are equal the lower first.
pub(crate) fn ordered(len: usize, order: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..len).collect();
    indices.sort_by(|&a, &b| order(a, b));
    indices
}

#[cfg(test)]
mod tests {
    use super::ordered;

    #[test]
    fn what_is_equal_keeps_its_order() {
        let names = ["b", "a", "b", "a"];
        assert_eq!(ordered(4, &|i, j| names[i].cmp(names[j])), [1, 3, 0, 2]);
        assert_eq!(ordered(0, &|_, _| unreachable!()), [0; 0]);
    }
}
