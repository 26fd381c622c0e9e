//! The crate's public face as a list, `public-api.txt`: a change to it is a change to that file.
//!
//! rustdoc writes the face as JSON, which is unstable: it runs with `RUSTC_BOOTSTRAP=1`, and it alone, since that variable in cargo's
//! environment would build the dependencies anew. So this program is cargo's rustdoc for that one call, and calls the real one.

use crate::target;
use public_api::Builder;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::{env, fs};

/// The listing.
const FILE: &str = "public-api.txt";

/// The version of rustdoc's JSON that the crate `public-api` of this workspace reads.
const FORMAT: u64 = 57;

/// In the environment, this program is called as rustdoc, and this names the real one.
const RUSTDOC: &str = "IDODE_RUSTDOC";

/// The real rustdoc, where cargo called this program as rustdoc.
pub(crate) fn as_rustdoc() -> Option<ExitCode> {
    let rustdoc = env::var_os(RUSTDOC)?;
    let status = Command::new(rustdoc).args(env::args_os().skip(1)).env("RUSTC_BOOTSTRAP", "1").status();
    let done = status.is_ok_and(|status| status.success());
    Some(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes the listing.
pub(crate) fn write(cargo: &OsString) -> Result<(), String> {
    let listing = listing(cargo)?.ok_or("the listing is not written")?;
    fs::write(FILE, listing).map_err(|error| format!("{FILE}: {error}"))
}

/// Compares the public face with the listing, and names the lines that differ.
pub(crate) fn compare(cargo: &OsString) -> Result<(), String> {
    eprintln!("== public face: cargo doc as JSON, compared with {FILE}");
    let Some(now) = listing(cargo)? else { return Ok(()) };
    let before = fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
    let [before, now]: [BTreeSet<&str>; 2] = [&before, &now].map(|text| text.lines().collect());
    let gone = before.difference(&now).map(|line| format!("- {line}\n"));
    let new = now.difference(&before).map(|line| format!("+ {line}\n"));
    let lines: String = gone.chain(new).collect();
    if lines.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the public face is not that of {FILE}:\n{lines}if it should change, run: cargo xtask public-api"
    ))
}

/// Every public item, a line each; none where rustdoc's JSON is of another version.
fn listing(cargo: &OsString) -> Result<Option<String>, String> {
    let json = json(cargo)?;
    let text = fs::read_to_string(&json).map_err(|error| format!("{}: {error}", json.display()))?;
    let found: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let version = found["format_version"].as_u64();
    if version != Some(FORMAT) {
        let found = version.map_or("none".to_owned(), |version| version.to_string());
        eprintln!(
            "== public face: not compared: rustdoc here writes format {found}, and public-api reads {FORMAT}"
        );
        return Ok(None);
    }
    let api = Builder::from_rustdoc_json(json)
        .sorted(true)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .map_err(|error| error.to_string())?;
    Ok(Some(api.items().map(|item| format!("{item}\n")).collect()))
}

/// The library's documentation as JSON.
fn json(cargo: &OsString) -> Result<PathBuf, String> {
    let own = env::current_exe().map_err(|error| error.to_string())?;
    // Another check may have built this program again; Linux then calls the file that runs deleted, and the new one is in its place.
    let own = own.to_string_lossy().trim_end_matches(" (deleted)").to_owned();
    let rustdoc = env::var_os("RUSTDOC").unwrap_or_else(|| "rustdoc".into());
    let status = Command::new(cargo)
        .args(["doc", "--quiet", "--package", "idode", "--lib", "--no-deps", "--features", "testkit"])
        .env("RUSTDOC", own)
        .env(RUSTDOC, rustdoc)
        .env("RUSTDOCFLAGS", "-Z unstable-options --output-format json")
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(format!("cargo doc failed ({status})")),
        Err(error) => return Err(format!("cannot run cargo: {error}")),
    }
    let target = target::folder(cargo)?;
    // A build for a named target has a folder of its own.
    let folder =
        env::var_os("CARGO_BUILD_TARGET").map_or_else(|| target.clone(), |triple| target.join(triple));
    Ok(folder.join("doc/idode.json"))
}
