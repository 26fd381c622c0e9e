//! The command line with the built-in names.

fn main() {}
