//! `candidates.json`: what computed each operation of a run on a CUDA device, so that the same does when the run goes on, is measured or sampled.

use super::{Observer, RunFolder};
use crate::error::{Error, Result};
use crate::files::{indented_json, read_json, write_atomically};
use crate::registry::ComputeDevice;
use crate::tensor::Choices;
use std::path::{Path, PathBuf};

/// What is chosen, by time too, for devices of one name; nothing if the file is not there.
fn read(path: &Path) -> Result<Option<Choices>> {
    let expected = "a device's name, and own, cudnn, patches or portable for each of its operations";
    match read_json(path, expected) {
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        choices => choices.map(Some),
    }
}

impl RunFolder {
    /// Has a device compute as the run was computed on one of its name, where it has several ways.
    ///
    /// # Errors
    /// If the file is there and holds something else.
    pub(crate) fn keep_choices<D: ComputeDevice>(&self, device: &D) -> Result<()> {
        if device.choices().is_none() {
            return Ok(());
        }
        if let Some(choices) = read(&self.choices())? {
            device.keep(&choices);
        }
        Ok(())
    }
}

/// Writes what a device has chosen: before each checkpoint, which must not be ahead of it, and at the end of each phase.
#[derive(Debug)]
pub(crate) struct ChoicesWriter<'a, D> {
    path: PathBuf,
    device: &'a D,
    written: Option<Choices>,
}

impl<'a, D: ComputeDevice> ChoicesWriter<'a, D> {
    /// Of a run on a device.
    pub(crate) fn of(run: &RunFolder, device: &'a D) -> Self {
        Self { path: run.choices(), device, written: None }
    }

    fn write(&mut self) -> Result<()> {
        let choices = self.device.choices().filter(|choices| !choices.is_empty());
        if choices.is_none() || choices == self.written {
            return Ok(());
        }
        write_atomically(&self.path, indented_json(&self.path, &choices)?.as_bytes())?;
        self.written = choices;
        Ok(())
    }
}

impl<D: ComputeDevice> Observer for ChoicesWriter<'_, D> {
    fn checkpoint(&mut self, _: u64) -> Result<()> {
        self.write()
    }

    fn end(&mut self) -> Result<()> {
        self.write()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_back_equal_or_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("candidates.json");
        assert_eq!(read(&path).unwrap(), None);
        let of = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read(&path).map_err(|error| error.to_string())
        };
        let text = "{\"device\":\"a card\",\"operations\":{\"3x3 convolution of 8x8, 3 to 32\":\"cudnn\"}}";
        let found = of(text).unwrap().unwrap();
        assert_eq!(serde_json::to_string(&found).unwrap(), text);
        for wrong in ["", "{", "[]", "{\"device\":\"a card\"}", &text.replace("cudnn", "best")] {
            let line = of(wrong).unwrap_err();
            let is_named = line.starts_with(&path.display().to_string()) && !line.contains('\n');
            assert!(is_named && line.contains("expected a device's name"), "{line}");
        }
    }
}
