//! Order conditions: one equation per rooted tree.
//!
//! A method has order `p` when `sum_i b_i Phi_i(tree) = 1 / density(tree)` for every rooted tree
//! with at most `p` nodes, where `Phi_i(tree)` is the product over the root's subtrees `s` of
//! `sum_j a_ij Phi_j(s)`, which is `c_i` for a leaf, and the density is the number of nodes times the subtrees' densities.
//!
//! # Reference
//! Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, section II.2.

use std::fmt;

/// A rooted tree: the subtrees of its root, in descending order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tree(Vec<Tree>);

/// An order condition and by how much a method misses it.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    /// The tree that the condition belongs to.
    pub tree: Tree,
    /// `sum_i b_i Phi_i(tree) - 1 / density(tree)`.
    pub residual: f64,
}

impl Tree {
    /// The number of nodes.
    pub(crate) fn nodes(&self) -> u32 {
        1 + self.0.iter().map(Tree::nodes).sum::<u32>()
    }

    /// The number of nodes times the densities of the root's subtrees.
    pub(crate) fn density(&self) -> f64 {
        self.0.iter().fold(f64::from(self.nodes()), |product, subtree| product * subtree.density())
    }

    /// `Phi_i(tree)` for each stage `i`.
    fn stage_weights(&self, a: &[&[f64]], c: &[f64]) -> Vec<f64> {
        let mut product = vec![1.0; c.len()];
        for subtree in &self.0 {
            let factors = if subtree.0.is_empty() {
                c.to_vec()
            } else {
                let inner = subtree.stage_weights(a, c);
                a.iter().map(|row| row.iter().zip(&inner).map(|(a, x)| a * x).sum()).collect()
            };
            product.iter_mut().zip(factors).for_each(|(product, factor)| *product *= factor);
        }
        product
    }
}

/// As nested brackets: `[]` has one node, `[[]]` two.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[")?;
        self.0.iter().try_for_each(|subtree| write!(f, "{subtree}"))?;
        write!(f, "]")
    }
}

/// Every rooted tree with `nodes` nodes, each once.
pub(crate) fn trees(nodes: u32) -> Vec<Tree> {
    if nodes == 0 {
        return Vec::new();
    }
    let mut pool = Vec::new();
    for fewer in 1..nodes {
        pool.append(&mut trees(fewer));
    }
    let mut found = Vec::new();
    forests(&pool, nodes - 1, &mut Vec::new(), &mut found);
    found
}

/// Adds a tree for every way to choose subtrees from `pool`, repeats allowed, with `left` nodes.
fn forests(pool: &[Tree], left: u32, chosen: &mut Vec<Tree>, found: &mut Vec<Tree>) {
    if left == 0 {
        found.push(Tree(chosen.clone()));
        return;
    }
    for (i, tree) in pool.iter().enumerate() {
        if tree.nodes() <= left {
            chosen.push(tree.clone());
            forests(&pool[i..], left - tree.nodes(), chosen, found);
            chosen.pop();
        }
    }
}

/// The conditions for `order`, with the residuals of the method with stages `a` at the times `c`
/// (the row sums of `a`) and weights `b`.
pub(crate) fn residuals(a: &[&[f64]], b: &[f64], c: &[f64], order: u32) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for nodes in 1..=order {
        for tree in trees(nodes) {
            let phi = tree.stage_weights(a, c);
            let sum: f64 = b.iter().zip(&phi).map(|(b, x)| b * x).sum();
            conditions.push(Condition { residual: sum - 1.0 / tree.density(), tree });
        }
    }
    conditions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_trees_as_known() {
        // The sequence of rooted trees: 1, 1, 2, 4, 9, 20, 48.
        let counts: Vec<usize> = (0..=7).map(|n| trees(n).len()).collect();
        assert_eq!(counts, [0, 1, 1, 2, 4, 9, 20, 48]);
    }

    #[test]
    fn densities_of_chains_and_bushes() {
        let chain = trees(4).into_iter().map(|t| t.density()).fold(0.0, f64::max);
        let bush = trees(4).into_iter().map(|t| t.density()).fold(f64::INFINITY, f64::min);
        assert_eq!((chain, bush), (24.0, 4.0));
    }

    #[test]
    fn the_midpoint_method_has_order_two_and_no_more() {
        let a: &[&[f64]] = &[&[], &[0.5]];
        let residuals: Vec<f64> =
            residuals(a, &[0.0, 1.0], &[0.0, 0.5], 3).into_iter().map(|c| c.residual.abs()).collect();
        assert_eq!(&residuals[..2], [0.0, 0.0]);
        assert!(residuals[2..].iter().all(|r| *r > 0.05));
    }
}
