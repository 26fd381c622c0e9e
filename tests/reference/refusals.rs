//! What is no case is not passed over.

use super::case::{Array, Case, folder};
use super::place::{Numbers, Place};
use super::{cases, check};

fn case(kind: &str) -> Case {
    let mut all = cases(&folder()).unwrap();
    let found = all.iter().position(|case| case.config.kind == kind).unwrap();
    all.swap_remove(found)
}

fn refused(case: &Case) -> String {
    check(case, Place::of(Numbers::Single)).unwrap_err().to_string()
}

#[test]
fn unknown_kinds_and_shapes_fail() {
    let mut other = case("time");
    other.config.kind = "spectrum".into();
    assert_eq!(refused(&other), "unknown kind \"spectrum\"");

    let mut other = case("sample");
    other.config.image = Some([0, 8, 3]);
    assert!(refused(&other).starts_with("shape of an image = [0, 8, 3]: expected "));

    let mut other = case("sample");
    other.config.image = None;
    assert_eq!(refused(&other), "a case without the shape of its images");

    let mut other = case("sample");
    other.config.sm_n_embd = 48;
    assert!(refused(&other).starts_with("network.width = 48: expected "));

    // Parameters of another width.
    let mut other = case("sample");
    other.config.sm_n_embd = 64;
    assert!(refused(&other).contains(", expected ["), "{}", refused(&other));
}

#[test]
fn answers_fail_where_they_are_wrong_missing_or_unknown() {
    let mut other = case("time");
    other.arrays.get_mut("out/gamma").unwrap().values[7] += 2e-9;
    assert!(refused(&other).starts_with("out/gamma: differs by 2.0e-9"));

    let mut other = case("time");
    other.arrays.remove("out/normalizer").unwrap();
    assert_eq!(refused(&other), "out/normalizer: not in the case");

    let mut other = case("time");
    other.arrays.insert("out/entropy".into(), Array { shape: vec![1], values: vec![0.0] });
    assert_eq!(refused(&other), "out/entropy: an answer of an unknown name");
}

#[test]
fn files_that_are_no_case_fail() {
    let folder = tempfile::tempdir().unwrap();
    assert!(cases(folder.path()).unwrap_err().to_string().ends_with(": no case"));
    let name = case("sample").config.params.unwrap();
    std::fs::copy(super::case::folder().join(&name), folder.path().join(&name)).unwrap();
    let error = cases(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with("neither a case nor the parameters of one"), "{error}");
    std::fs::write(folder.path().join("cut.safetensors"), [9, 0, 0]).unwrap();
    assert!(cases(folder.path()).unwrap_err().to_string().contains("cut.safetensors"));
}
