//! This plugin's name and recipe on its own command line.
#![cfg(feature = "cli")]

// Run in the root of the repository: the path of the parameters in the recipe is seen from there.
idode::testkit::command_line_suite!(
    learned,
    env!("CARGO_BIN_EXE_idode-learned"),
    "plugins/learned/recipes/two_pixel.toml",
    concat!(env!("CARGO_MANIFEST_DIR"), "/../..")
);
