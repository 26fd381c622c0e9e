//! The laws of a plugin's binary, on the binary of the crate itself, and what they say of broken ones.
#![cfg(all(feature = "cli", unix))]

use idode::testkit::Verdict;
use idode::testkit::command_line::{self, Subject};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// A recipe that names a built-in as a plugin's recipe names what the plugin adds.
const RECIPE: &str = "tests/data/noise.toml";

/// A law.
type Check = fn(&Subject<'_>) -> Verdict;

fn subject<'a>(binary: &'a str, name: &'a str, recipe: &'a str) -> Subject<'a> {
    Subject { name, binary, folder: env!("CARGO_MANIFEST_DIR"), recipe }
}

/// One after the other: a script that is being written while another thread starts a process cannot be run.
#[test]
fn the_laws_hold_and_each_rejects_its_mutant() {
    let own = subject(env!("CARGO_BIN_EXE_idode"), "noise", RECIPE);
    assert_eq!(command_line::all(&own), Ok(()));
    every_law_rejects_its_mutant();
    what_is_not_there_is_named();
}

/// Each law rejects a binary that is broken: a shell script around the right one, by what it does to the arguments.
fn every_law_rejects_its_mutant() {
    const RIGHT: &str = "exec \"$IDODE\" \"$@\"";
    let mutants = [
        ("listed", "a list without the name", "\"$IDODE\" \"$@\" | grep -v '  noise '", "no such name"),
        ("recipe", "a complaint", "echo careful >&2; exec \"$IDODE\" \"$@\"", "exit code 0 and \"careful\""),
        ("misspelt", "any name will do", "exit 0", "exit code 0 and \"\""),
        ("trained", "nothing is trained", "exit 0", "result.json"),
        (
            "trained",
            "another measurement",
            "\"$IDODE\" \"$@\" && if [ $1 = eval ]; then sed -i 's/\"bits_per_dim\": /&1/' \"$2/result.json\"; fi",
            ", as before",
        ),
        (
            "resumed",
            "a run that goes on anew",
            "case \"$*\" in *--resume)\nrm -r \"$4\"\nsed -i 's/^seed = 0/seed = 1/' \"$2\"\n\
             \"$IDODE\" train \"$2\" --out \"$4\"\n\
             sed -i 's/^seed = 1/seed = 0/' \"$2\";;\n*) exec \"$IDODE\" \"$@\";; esac",
            "another checkpoint from byte ",
        ),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let script = |body: &str| {
        let path = folder.path().join(format!("{:x}", body.len()));
        let text = format!("#!/bin/sh\nIDODE={}\n{body}\n", env!("CARGO_BIN_EXE_idode"));
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("permissions");
        path.to_str().expect("UTF-8").to_owned()
    };
    let laws: [(&str, Check); 5] = [
        ("listed", command_line::listed),
        ("recipe", command_line::recipe),
        ("misspelt", command_line::misspelt),
        ("trained", command_line::trained),
        ("resumed", command_line::resumed),
    ];
    assert!(laws.iter().map(|(name, _)| *name).eq(command_line::LAWS.iter().copied()));
    assert_eq!(command_line::listed(&subject(&script(RIGHT), "noise", RECIPE)), Ok(()));
    for (name, law) in laws {
        let own: Vec<_> = mutants.iter().filter(|mutant| mutant.0 == name).collect();
        assert!(!own.is_empty(), "the law `{name}` has no mutant");
        for (_, bug, body, said) in own {
            let violation = law(&subject(&script(body), "noise", RECIPE)).expect_err(bug);
            let line = violation.to_string();
            assert!(violation.law == name && line.contains(said), "{bug}: {line}");
            assert_eq!(line.lines().count(), 1, "{bug}: {line}");
        }
    }
}

fn what_is_not_there_is_named() {
    let own = env!("CARGO_BIN_EXE_idode");
    let line = |verdict: Verdict| verdict.expect_err("a violation").to_string();
    let found = line(command_line::recipe(&subject("no/such/binary", "noise", RECIPE)));
    assert!(found.starts_with("command line law `recipe`: \"noise\" at train --dry-run "), "{found}");
    let found = line(command_line::misspelt(&subject(own, "noise", "no/such/recipe.toml")));
    assert!(found.contains("no/such/recipe.toml") && found.ends_with("expected a recipe"), "{found}");
    let found = line(command_line::misspelt(&subject(own, "nothing", RECIPE)));
    assert!(found.contains("a recipe without it, expected the name \"nothing\""), "{found}");
}
