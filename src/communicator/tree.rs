//! The order in which terms are added, which depends on their number alone.

/// A sum of terms that come one after another, added as the leaves of one binary tree: see [`communicator`](super).
///
/// At most one partial sum is kept for each binary digit of the number of terms.
#[derive(Clone, Debug)]
pub(crate) struct Tree<T, F> {
    add: F,
    /// Sums of 2^k terms, from the largest k.
    partial: Vec<(u32, T)>,
}

impl<T, F: FnMut(T, T) -> T> Tree<T, F> {
    /// The sum of no terms yet; `add` adds two.
    pub(crate) fn new(add: F) -> Self {
        Self { add, partial: Vec::new() }
    }

    /// Adds the next term.
    pub(crate) fn push(&mut self, term: T) {
        let (mut height, mut sum) = (0, term);
        while let Some((_, before)) = self.partial.pop_if(|(own, _)| *own == height) {
            (height, sum) = (height + 1, (self.add)(before, sum));
        }
        self.partial.push((height, sum));
    }

    /// The sum, if there were terms.
    pub(crate) fn sum(mut self) -> Option<T> {
        let (_, mut sum) = self.partial.pop()?;
        while let Some((_, before)) = self.partial.pop() {
            sum = (self.add)(before, sum);
        }
        Some(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_the_leaves_of_one_tree() {
        let sum = |terms: &str| {
            let mut tree = Tree::new(|a: String, b: String| format!("({a}{b})"));
            terms.chars().for_each(|term| tree.push(term.to_string()));
            tree.sum()
        };
        assert_eq!(sum("abcdef").as_deref(), Some("(((ab)(cd))(ef))"));
        assert_eq!(sum("abc").as_deref(), Some("((ab)c)"));
        assert_eq!(sum(""), None);
    }
}
