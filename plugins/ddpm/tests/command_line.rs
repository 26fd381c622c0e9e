//! This plugin's name and recipe on its own command line.
#![cfg(feature = "cli")]

idode::testkit::command_line_suite!(ddpm, env!("CARGO_BIN_EXE_idode-ddpm"), "recipes/digits.toml");
