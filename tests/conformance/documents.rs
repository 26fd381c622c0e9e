//! The laws in the traits' documentation are the kit's, one to one and in its order.

use idode::testkit::{dequantizer, network, parameterization, per_coordinate, schedule, solver, time};
use std::fs;
use std::path::Path;

/// The names in the "# Laws" lists of a file, in order.
fn documented(file: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
    let text = fs::read_to_string(path).unwrap();
    let mut names = Vec::new();
    let mut in_laws = false;
    for line in text.lines().map(str::trim_start) {
        match line.strip_prefix("///") {
            Some(document) if document.trim().starts_with("# ") => in_laws = document.trim() == "# Laws",
            Some(document) if in_laws => {
                names.extend(
                    document
                        .trim()
                        .strip_prefix("- `")
                        .and_then(|rest| rest.split_once('`'))
                        .map(|(name, _)| name.to_owned()),
                );
            }
            Some(_) => {}
            None => in_laws = false,
        }
    }
    names
}

#[test]
fn laws_have_one_name() {
    let rooms: [(&str, &[&str]); 6] = [
        ("schedule/mod.rs", schedule::LAWS),
        ("parameterization/mod.rs", parameterization::LAWS),
        ("time/mod.rs", time::LAWS),
        ("dequantization/mod.rs", dequantizer::LAWS),
        ("dequantization/per_coordinate.rs", per_coordinate::LAWS),
        ("solver/mod.rs", solver::LAWS),
    ];
    for (file, laws) in rooms {
        assert_eq!(documented(file), laws, "{file}");
    }
    // Of two traits, `Network` and `Jvp`.
    let mut networks = documented("nn/network.rs");
    let mut laws = network::LAWS.to_vec();
    networks.sort_unstable();
    laws.sort_unstable();
    assert_eq!(networks, laws);
}

/// CONTRIBUTING.md lists the laws of each suite.
#[test]
fn contributors_are_told_every_law() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("CONTRIBUTING.md")).unwrap();
    let suites: [(&str, &[&str]); 7] = [
        ("schedule_suite", schedule::LAWS),
        ("parameterization_suite", parameterization::LAWS),
        ("time_sampler_suite", time::LAWS),
        ("dequantizer_suite", dequantizer::LAWS),
        ("per_coordinate_suite", per_coordinate::LAWS),
        ("solver_suite", solver::LAWS),
        ("network_suite", network::LAWS),
    ];
    for (suite, laws) in suites {
        let (_, after) = text.split_once(&format!("(`{suite}!`): ")).expect(suite);
        let list: String = after.chars().take_while(|c| *c != ';').collect();
        let listed: Vec<&str> = list
            .split('`')
            .enumerate()
            .filter(|(i, part)| i % 2 == 1 && !part.contains(char::is_whitespace))
            .map(|(_, part)| part)
            .take(laws.len())
            .collect();
        assert_eq!(listed, laws, "{suite}");
    }
}
