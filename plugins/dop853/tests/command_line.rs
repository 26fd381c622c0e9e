//! This plugin's name and recipe on its own command line.
#![cfg(feature = "cli")]

idode::testkit::command_line_suite!(dop853, env!("CARGO_BIN_EXE_idode-dop853"), "recipes/two_pixel.toml");
