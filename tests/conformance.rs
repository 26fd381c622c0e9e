//! Conformance: every built-in meets every law, every law rejects a mutant, and everything composes.

#![allow(clippy::unwrap_used, clippy::panic)]

mod conformance {
    mod built_in;
    mod compositions;
    mod documents;
    mod mutants;
    mod strategies;
    mod suites;
}
