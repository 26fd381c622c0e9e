//! Where a recipe was read from, so that a message can name the file and the line.

use super::field_error::{FieldError, join};
use crate::error::{Error, Result};
use litemap::LiteMap;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// The file a recipe came from and the line of each of its keys; empty for one composed in Rust.
///
/// It is part of no comparison: every source equals every other.
#[derive(Clone, Default)]
pub struct Source {
    path: Option<PathBuf>,
    lines: LiteMap<String, usize>,
}

impl PartialEq for Source {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Source").field(&self.path).finish()
    }
}

impl Source {
    /// Parses `text` and notes the line of each key.
    pub(super) fn parse(path: &Path, text: &str) -> Result<(Self, toml::Table)> {
        let syntax = |error: &toml::de::Error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
            Error::format(path, format!("line {line}"), format!("bad TOML ({message})"), "a TOML document")
        };
        let document = DeTable::parse(text).map_err(|error| syntax(&error))?;
        let mut lines = LiteMap::new();
        note_table(text, "", document.get_ref(), &mut lines);
        let table = text.parse().map_err(|error| syntax(&error))?;
        Ok((Self { path: Some(path.to_owned()), lines }, table))
    }

    /// The file, unless the recipe was composed in Rust.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The line of a dotted key, or of the innermost table that is there.
    fn line(&self, key: &str) -> Option<usize> {
        let mut rest = key;
        loop {
            if let Some(&line) = self.lines.get(rest) {
                return Some(line);
            }
            rest = &rest[..rest.rfind(['.', '['])?];
        }
    }

    /// The key of the name of what `key` chooses: itself where it holds the bare name.
    pub(crate) fn name_key(&self, key: &str) -> String {
        let name = join(key, "name");
        if self.path.is_none() || self.lines.contains_key(&name) { name } else { key.to_owned() }
    }

    /// The error that `key` holds `found` where `expected` is allowed.
    pub fn error(&self, key: &str, found: impl ToString, expected: impl Into<String>) -> Error {
        self.error_at(key, found.to_string(), expected.into())
    }

    fn error_at(&self, key: &str, found: String, expected: String) -> Error {
        let Some(path) = &self.path else { return Error::value(key, found, expected) };
        let what = match self.line(key) {
            Some(line) => format!("line {line}, {key}"),
            None => key.to_owned(),
        };
        Error::format(path, what, found, expected)
    }

    /// The error for a error whose key is complete.
    pub(crate) fn field_error(&self, error: FieldError) -> Error {
        self.error(&error.key, error.found, error.expected)
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count()
}

fn note_table(text: &str, path: &str, table: &DeTable<'_>, lines: &mut LiteMap<String, usize>) {
    for (key, value) in table {
        let name = join(path, key.get_ref());
        lines.insert(name.clone(), line_of(text, key.span().start));
        note_value(text, &name, value.get_ref(), lines);
    }
}

fn note_value(text: &str, path: &str, value: &DeValue<'_>, lines: &mut LiteMap<String, usize>) {
    match value {
        DeValue::Table(table) => note_table(text, path, table, lines),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let name = join(path, &format!("[{index}]"));
                lines.insert(name.clone(), line_of(text, item.span().start));
                note_value(text, &name, item.get_ref(), lines);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found() {
        let text = "seed = 1\n[time]\nname = 'a'\ninner = { name = 'b' }\n\n[[stage]]\nsteps = 2\n[[stage]]\nbatch = 3\n";
        let (source, _) = Source::parse(Path::new("r.toml"), text).unwrap();
        for (key, line) in [
            ("seed", 1),
            ("time", 2),
            ("time.name", 3),
            ("time.inner.name", 4),
            ("time.inner.missing", 4),
            ("stage[0].steps", 7),
            ("stage[1]", 8),
            ("stage[1].batch", 9),
        ] {
            assert_eq!(source.line(key), Some(line), "{key}");
        }
        assert_eq!(source.line("data.name"), None);
        let error = source.error("stage[1].batch", 3, "4").to_string();
        assert_eq!(error, "r.toml: line 9, stage[1].batch: found 3, expected 4");
    }

    #[test]
    fn bad_toml_is_one_line() {
        let error = Source::parse(Path::new("r.toml"), "seed = 1\nname = \n").unwrap_err().to_string();
        assert!(error.starts_with("r.toml: line 2: found bad TOML ("), "{error}");
        assert_eq!(error.lines().count(), 1);
    }
}
