//! The Rust blocks of the guide's pages, as doc tests: compiled here alone, so that a package does without `docs/`.

/// A run in types.
#[doc = include_str!("../docs/src/types.md")]
mod types {}

/// The extension points.
#[doc = include_str!("../docs/src/extending.md")]
mod extending {}

/// Likelihoods and what their numbers mean.
#[doc = include_str!("../docs/src/numbers.md")]
mod numbers {}
