//! The order in which terms are added, which depends on their number alone.

/// A sum of terms that come one after another, added as the leaves of one binary tree: see [`communicator`](super).
///
/// At most one partial sum is kept for each binary digit of the number of terms.
///
/// ```
/// use idode::communicator::Tree;
///
/// let mut tree = Tree::new(|a: String, b: String| format!("({a}{b})"));
/// "abcdef".chars().for_each(|term| tree.push(term.to_string()));
/// assert_eq!(tree.sum().as_deref(), Some("(((ab)(cd))(ef))"));
/// ```
#[derive(Clone, Debug)]
pub struct Tree<T, F> {
    add: F,
    /// Sums of 2^k terms, from the largest k.
    partial: Vec<(u32, T)>,
}

impl<T, F: FnMut(T, T) -> T> Tree<T, F> {
    /// The sum of no terms yet; `add` adds two.
    pub fn new(add: F) -> Self {
        Self { add, partial: Vec::new() }
    }

    /// Adds the next term.
    pub fn push(&mut self, term: T) {
        let (mut height, mut sum) = (0, term);
        while let Some((_, before)) = self.partial.pop_if(|(own, _)| *own == height) {
            (height, sum) = (height + 1, (self.add)(before, sum));
        }
        self.partial.push((height, sum));
    }

    /// The sum, if there were terms.
    pub fn sum(mut self) -> Option<T> {
        let (_, mut sum) = self.partial.pop()?;
        while let Some((_, before)) = self.partial.pop() {
            sum = (self.add)(before, sum);
        }
        Some(sum)
    }
}
