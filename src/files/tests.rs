use super::fault_injection::{Then, counted, failing};
use super::*;

#[test]
fn replaces_and_leaves_nothing_beside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    write_atomically(&path, b"one").unwrap();
    write_atomically(&path, b"two").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn failure_leaves_the_target_and_nothing_beside() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("taken");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("kept"), b"x").unwrap();
    let error = write_atomically(&target, b"bytes").unwrap_err().to_string();
    assert!(error.contains("taken: cannot write: "), "{error}");
    assert!(target.join("kept").exists());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn every_step_that_fails_leaves_the_old_content_or_the_new() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/a.json");
    let write =
        |bytes: &[u8]| create_folder(path.parent().unwrap()).and_then(|()| write_atomically(&path, bytes));
    let (written, steps) = counted(|| write(b"old"));
    written.unwrap();
    // Two folders made and their entries synced; a file made, written, synced, renamed, and its entry synced.
    assert_eq!(steps, 2 * 2 + 5);
    let (written, steps) = counted(|| write(b"new"));
    written.unwrap();
    assert_eq!(steps, 5);
    for then in [Then::GoesOn, Then::Dies] {
        for at in 1..=steps {
            fs::write(&path, "old").unwrap();
            let error = failing(at, then, || write(b"new")).unwrap_err().to_string();
            assert!(error.ends_with("a.json: cannot write: the disk fails, as the test asked"), "{error}");
            let expected = if at < steps { "old" } else { "new" };
            assert_eq!(fs::read_to_string(&path).unwrap(), expected, "{at}");
            let left = fs::read_dir(path.parent().unwrap()).unwrap().count();
            assert_eq!(left, if then == Then::Dies && (2..steps).contains(&at) { 2 } else { 1 }, "{at}");
            remove_abandoned(path.parent().unwrap(), &|name| name == "a.json");
            assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        }
    }
}

#[test]
fn only_what_nobody_writes_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    let staged = Staged::write(&path, b"bytes").unwrap();
    for other in ["a.json.7.tmp", "b.json.7.tmp", "a.json.x.tmp", ".7.tmp", "a.json"] {
        fs::write(folder.path().join(other), other).unwrap();
    }
    remove_abandoned(folder.path(), &|name| name == "a.json");
    let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    let own = temporary(&path).file_name().unwrap().to_owned();
    let mut expected: Vec<std::ffi::OsString> =
        [".7.tmp", "a.json", "a.json.x.tmp", "b.json.7.tmp"].map(Into::into).into();
    expected.insert(2, own);
    expected.sort();
    assert_eq!(left, expected);
    staged.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"bytes");
}

#[test]
fn a_lock_is_one_processs() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(Lock::NAME), "99999999\n").unwrap();
    let lock = Lock::take(folder.path()).unwrap();
    let line = Lock::take(folder.path()).unwrap_err().to_string();
    let expected = format!("found process {} at work in it, expected one that no other ", std::process::id());
    assert!(line.contains(&expected), "{line}");
    drop(lock);
    assert!(Lock::take(folder.path()).is_ok());
}

#[test]
fn a_field_comes_first_and_is_escaped() {
    let line = with_first_field("name", "a\"b", r#"{"b":1}"#);
    assert_eq!(line, r#"{"name":"a\"b","b":1}"#);
}
