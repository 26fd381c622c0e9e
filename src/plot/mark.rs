//! How a series looks.

/// How a series looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A line, with a dot at every point if there are few.
    Line,
    /// Faint dots.
    Dots,
    /// A dashed line.
    Dashed,
    /// Thin lines without dots.
    Bars,
}
