//! This plugin's name and recipes on its own command line.
#![cfg(feature = "cli")]

/// Run in the root of the repository: the path of the parameters in one of the recipes is seen from there.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

idode::testkit::command_line_suite!(
    learned,
    env!("CARGO_BIN_EXE_idode-learned"),
    "plugins/learned/recipes/two_pixel.toml",
    ROOT
);

/// Noise that is trained with the model: its state is in the checkpoints.
mod together {
    use super::ROOT;

    idode::testkit::command_line_suite!(
        learned,
        env!("CARGO_BIN_EXE_idode-learned"),
        "plugins/learned/recipes/together.toml",
        ROOT
    );
}
