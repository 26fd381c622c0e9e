//! The guide's pages: their links, their recipes and the commands they show.
#![allow(clippy::unwrap_used, clippy::panic)]
#![cfg(feature = "cli")]

use idode::config::Recipe;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Every page with its text, and README.md, which links into the guide.
fn pages() -> Vec<(PathBuf, String)> {
    let listed = fs::read_dir(Path::new(ROOT).join("docs/src")).unwrap();
    let mut paths: Vec<PathBuf> = listed.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.push(Path::new(ROOT).join("README.md"));
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// The fenced blocks of a page: what stands after the fence, and the text.
fn blocks(text: &str) -> Vec<(String, String)> {
    let parts: Vec<&str> = text.split("\n```").collect();
    assert!(!parts.len().is_multiple_of(2), "a fence is open");
    let block = |part: &&str| part.split_once('\n').map(|(kind, body)| (kind.to_owned(), body.to_owned()));
    parts.iter().skip(1).step_by(2).filter_map(block).collect()
}

/// The targets of links, outside blocks, that are no addresses.
fn links(text: &str) -> Vec<String> {
    let prose: Vec<&str> = text.split("\n```").step_by(2).collect();
    let targets =
        prose.iter().flat_map(|part| part.split("](").skip(1).filter_map(|rest| rest.split_once(')')));
    let targets = targets.map(|(target, _)| target.split('#').next().unwrap_or_default().to_owned());
    targets.filter(|target| !target.is_empty() && !target.contains("://")).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut count = 0;
    for (path, text) in pages() {
        for link in links(&text) {
            assert!(path.parent().unwrap().join(&link).exists(), "{}: {link}", path.display());
            count += 1;
        }
    }
    assert!(count > 20, "{count} links");
}

#[test]
fn the_summary_has_every_page_once() {
    let folder = Path::new(ROOT).join("docs/src");
    let mut listed = links(&fs::read_to_string(folder.join("SUMMARY.md")).unwrap());
    listed.push("SUMMARY.md".to_owned());
    listed.sort();
    let own = pages().into_iter().filter(|(path, _)| path.parent() == Some(&folder));
    let mut names: Vec<String> =
        own.map(|(path, _)| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(listed, names);
}

#[test]
fn whole_recipes_are_recipes() {
    let mut count = 0;
    for (path, text) in pages() {
        for (kind, body) in blocks(&text).iter().filter(|(kind, _)| kind.starts_with("toml,recipe")) {
            let recipe = Recipe::parse(&path, body).unwrap_or_else(|error| panic!("{kind}: {error}"));
            <idode::registry::Registry>::default()
                .check(&recipe)
                .unwrap_or_else(|error| panic!("{kind}: {error}"));
            count += 1;
        }
    }
    assert!(count >= 3, "{count} recipes");
}

/// What is typed after `idode ` or `cargo run ... -- ` in blocks and in `code`.
fn commands(text: &str) -> Vec<Vec<String>> {
    let spans = text.split('`').flat_map(str::lines);
    let command = |line: &str| {
        let line = line.trim().trim_start_matches("$ ").split(" #").next()?.to_owned();
        let (before, words) = match line.strip_prefix("idode ") {
            Some(words) => ("", words),
            None => line.strip_prefix("cargo run ")?.split_once(" -- ")?,
        };
        // What an example takes is its own.
        if before.contains("--example") {
            return None;
        }
        Some(words.replace(['[', ']'], " ").split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    };
    spans.filter_map(command).collect()
}

#[test]
fn every_command_and_option_shown_exists() {
    let mut helps = BTreeMap::<String, String>::new();
    let mut count = 0;
    for (path, text) in pages() {
        for words in commands(&text) {
            let name = words.first().unwrap().clone();
            let help = helps.entry(name.clone()).or_insert_with(|| {
                let output =
                    Command::new(env!("CARGO_BIN_EXE_idode")).args([&name, "--help"]).output().unwrap();
                assert!(output.status.success(), "{}: no command {name}", path.display());
                String::from_utf8(output.stdout).unwrap()
            });
            for option in words.iter().filter(|word| word.starts_with("--")) {
                let known = help.split_whitespace().any(|word| word.trim_end_matches(',') == option);
                assert!(known, "{}: idode {}: no option {option}", path.display(), words.join(" "));
            }
            count += 1;
        }
    }
    assert!(count > 15, "{count} commands");
}

#[test]
fn what_an_include_names_is_there() {
    let mut count = 0;
    for (path, text) in pages() {
        for rest in text.split("{{#include ").skip(1) {
            let named = rest.split_once("}}").unwrap().0;
            let (file, anchor) = named.split_once(':').map_or((named, None), |(file, a)| (file, Some(a)));
            let included = fs::read_to_string(path.parent().unwrap().join(file)).unwrap();
            for mark in ["ANCHOR", "ANCHOR_END"] {
                let found = |anchor| included.matches(&format!("// {mark}: {anchor}\n")).count();
                assert_eq!(anchor.map_or(1, found), 1, "{file}: {mark}");
            }
            count += 1;
        }
    }
    assert!(count > 0);
}

/// The cells of the page on ranks are those of its formulas, with the parameters and operations that the program counts.
#[test]
fn the_model_of_ranks_on_paper_is_its_formula() {
    let counted = |recipe: &str| -> [f64; 2] {
        let path = Path::new(ROOT).join("recipes").join(recipe);
        let mut command = Command::new(env!("CARGO_BIN_EXE_idode"));
        let output = command.arg("train").arg(path).arg("--dry-run").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        let number = |start: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(start)).unwrap().trim();
            line.split(' ').next().unwrap().parse::<f64>().unwrap()
        };
        [number("parameters"), number("forward, an image")]
    };
    let [cifar, imagenet] = ["cifar10_vp.toml", "imagenet32_new_vp.toml"].map(counted);
    let text = fs::read_to_string(Path::new(ROOT).join("docs/src/ranks.md")).unwrap();
    for said in [
        format!("{:.1} million parameters", cifar[0] / 1e6),
        format!("{:.1} million (ImageNet-32", imagenet[0] / 1e6),
    ] {
        assert!(text.contains(&said), "{said}");
    }
    assert!(text.contains(&format!("are {:.2} times as many", imagenet[1] / cifar[1])));
    // A link's bytes a second, the seconds of a message, and those of a step of 128 images of CIFAR-10.
    let (link, message, step) = (50e9, 10e-6, 0.597);
    let mut count = 0;
    for line in
        text.lines().filter(|line| line.starts_with("| CIFAR-10,") || line.starts_with("| ImageNet-32,"))
    {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [parameters, operations] = if cells[0].starts_with("CIFAR") { cifar } else { imagenet };
        let [gpus, rows]: [f64; 2] = [cells[1], cells[2]].map(|cell| cell.parse().unwrap());
        let compute = step * rows / 128.0 * operations / cifar[1];
        let sum = 2.0 * (gpus - 1.0) / gpus * 4.0 * parameters / link + 2.0 * gpus.log2() * message;
        for (cell, value) in cells[3..].iter().zip([compute, sum, compute / (compute + sum)]) {
            let decimals = cell.split_once('.').unwrap().1.len();
            assert_eq!(**cell, format!("{value:.decimals$}"), "{line}");
        }
        count += 1;
    }
    assert_eq!(count, 6);
}
