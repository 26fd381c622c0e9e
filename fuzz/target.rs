//! One run of a target: the bytes as a file, read. An error is as good as a value; a panic is neither.

#[path = "readers.rs"]
mod readers;

/// Reads `bytes` as a file of this kind.
pub fn run(kind: &str, bytes: &[u8]) {
    let Some((_, read)) = readers::READERS.iter().find(|(name, _)| *name == kind) else { return };
    let Ok(folder) = tempfile::tempdir() else { return };
    let name = match kind {
        "png" => "a.png",
        "jpeg" => "a.jpg",
        other => other,
    };
    let path = folder.path().join(name);
    if std::fs::write(&path, bytes).is_ok()
        && let Err(error) = read(&path)
    {
        let line = error.to_string();
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}
