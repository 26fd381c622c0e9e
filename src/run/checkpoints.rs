//! The checkpoints of a run: `last.safetensors`, the newest, and those before it as `step_000000000400.safetensors`.
//!
//! The newest is `last.safetensors`; where a crash has left none, it is the one of the largest step. Nothing points to a
//! checkpoint, so nothing can point to a wrong one. `best.safetensors` and every other name is left alone.

use crate::error::{Error, Result};
use crate::files::{self, Staged};
use std::path::{Path, PathBuf};

/// Writes the checkpoints of a run, and removes those that are too many.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    folder: PathBuf,
    keep: usize,
    last: Option<u64>,
}

impl Checkpoints {
    /// The name of the newest.
    pub(crate) const LAST: &str = "last.safetensors";

    /// The name of the best by validation.
    pub(crate) const BEST: &str = "best.safetensors";

    /// Of a folder, in which the newest `keep` stay; `last` is the step of a `last.safetensors` that is whole. One that is
    /// corrupt, or there without its step, is replaced by the first that is written.
    pub(crate) fn new(folder: PathBuf, keep: u64, last: Option<u64>) -> Self {
        Self { folder, keep: usize::try_from(keep).unwrap_or(usize::MAX), last }
    }

    /// Makes these bytes the newest checkpoint, of step `step`: all of it or nothing. What was the newest is kept by its
    /// step; what is too old is removed, and what is of a later step, which training has left to go on from an earlier one.
    ///
    /// # Errors
    /// If it cannot be written; the newest is then what it was.
    pub(crate) fn save(&mut self, step: u64, bytes: &[u8]) -> Result<()> {
        let last = self.folder.join(Checkpoints::LAST);
        files::create_folder(&self.folder)?;
        let staged = Staged::write(&last, bytes)?;
        match self.last.take().filter(|&before| before != step) {
            Some(before) => staged.commit_keeping(&self.folder.join(name(before)))?,
            None => staged.commit()?,
        }
        self.last = Some(step);
        for (of, path) in by_step(&self.folder)? {
            if of >= step {
                files::remove(&path)?;
            }
        }
        self.remove_old()
    }

    /// Makes these bytes the best checkpoint, before the newest that says so is saved: a crash between the two is trained over.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn save_best(&self, bytes: &[u8]) -> Result<()> {
        files::create_folder(&self.folder)?;
        files::write_atomically(&self.folder.join(Checkpoints::BEST), bytes)
    }

    /// Removes what is too old: also what a run should have removed that was ended before.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub(crate) fn remove_old(&self) -> Result<()> {
        let newest = self.last.iter().count();
        let old = by_step(&self.folder)?.into_iter().skip(self.keep.max(1) - newest);
        old.map(|(_, path)| path).try_for_each(|path| files::remove(&path))
    }
}

fn name(step: u64) -> String {
    format!("step_{step:012}.safetensors")
}

/// The earlier checkpoints with their steps, the newest first; none where there is no folder.
fn by_step(folder: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::io(folder, "read"))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io(folder, "read"))?.path();
        let text = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let step = text.strip_prefix("step_").and_then(|text| text.strip_suffix(".safetensors"));
        // Only a name as it is written here.
        if let Some(step) = step.and_then(|step| step.parse().ok()).filter(|&step| name(step) == text) {
            found.push(step);
        }
    }
    found.sort_unstable();
    let mut paths = Vec::with_capacity(found.len());
    for &step in found.iter().rev() {
        paths.push((step, folder.join(name(step))));
    }
    Ok(paths)
}

/// Every checkpoint of a folder, the newest first.
pub(super) fn newest_first(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let last = folder.join(Checkpoints::LAST);
    if last.exists() {
        found.push(last);
    }
    for (_, path) in by_step(folder)? {
        found.push(path);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Every file's name and content.
    fn content(folder: &Path) -> Vec<(String, String)> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut content: Vec<_> = entries
            .map(|path| {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                (name, fs::read_to_string(path).unwrap())
            })
            .collect();
        content.sort();
        content
    }

    fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
        pairs.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec()
    }

    #[test]
    fn the_newest_stay() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("checkpoints");
        let mut checkpoints = Checkpoints::new(root.clone(), 3, None);
        for step in [0, 5, 10, 15, 20] {
            checkpoints.save(step, step.to_string().as_bytes()).unwrap();
        }
        let two = [("step_000000000010.safetensors", "10"), ("step_000000000015.safetensors", "15")];
        assert_eq!(content(&root), pairs([("last.safetensors", "20"), two[0], two[1]]));
        let paths = newest_first(&root).unwrap();
        let names: Vec<_> = paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["last.safetensors", two[1].0, two[0].0]);

        // Another name stays, whatever is in it.
        for name in ["best.safetensors", "step_1.safetensors", "step_000000000001.txt"] {
            fs::write(root.join(name), name).unwrap();
        }
        // The same step again replaces; one alone is kept; steps that training left are removed.
        checkpoints.save(20, b"again").unwrap();
        Checkpoints::new(root.clone(), 1, None).save(12, b"12").unwrap();
        let left: Vec<String> = content(&root).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            left,
            ["best.safetensors", "last.safetensors", "step_000000000001.txt", "step_1.safetensors"]
        );
    }

    #[test]
    fn a_crash_leaves_a_newest_at_every_step() {
        use crate::files::fault_injection::{Then, counted, failing};
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("checkpoints");
        let begun = || {
            let _ = fs::remove_dir_all(&root);
            let mut checkpoints = Checkpoints::new(root.clone(), 2, None);
            [1, 2, 3].iter().for_each(|step| checkpoints.save(*step, step.to_string().as_bytes()).unwrap());
            checkpoints
        };
        let mut checkpoints = begun();
        let (saved, steps) = counted(|| checkpoints.save(4, b"4"));
        saved.unwrap();
        for then in [Then::GoesOn, Then::Dies] {
            for at in 1..=steps {
                let mut checkpoints = begun();
                let _ = failing(at, then, || checkpoints.save(4, b"4"));
                let newest = fs::read_to_string(&newest_first(&root).unwrap()[0]).unwrap();
                assert!(newest == "3" || newest == "4", "{at}: {newest}");
            }
        }
        assert!(newest_first(&folder.path().join("none")).unwrap().is_empty());
    }
}
