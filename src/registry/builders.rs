//! The names of one kind, each with its builder, formula and reference.

use crate::config::field_error::{join, one_of};
use crate::config::{Named, Source, de};
use crate::error::{Error, Result};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// What `idode list` says about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The formula, in one line of plain text.
    pub formula: &'static str,
    /// Where it is from: paper and equation, or section.
    pub reference: &'static str,
}

/// The settings of what has none: any key is an error.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// What a builder is given besides its own settings.
#[derive(Debug)]
pub struct Context<'a, I, O> {
    /// What everything of this kind may need.
    pub inputs: &'a I,
    builders: &'a Builders<I, O>,
    source: &'a Source,
    key: &'a str,
}

impl<I, O> Context<'_, I, O> {
    /// Builds another of the same kind: what a wrapper such as `stratified` holds under `key`.
    ///
    /// # Errors
    /// As [`Builders::build`].
    pub fn build(&self, key: &str, named: &Named) -> Result<O> {
        self.builders.build(named, self.inputs, self.source, &join(self.key, key))
    }
}

type Builder<I, O> = Arc<dyn Fn(&Named, &Context<'_, I, O>) -> Result<O> + Send + Sync>;

/// Names of one kind: builders from settings and inputs `I` to the trait object `O`.
pub struct Builders<I, O> {
    kind: &'static str,
    /// In the order of their names.
    entries: Vec<(String, Entry, Builder<I, O>)>,
}

impl<I, O> Clone for Builders<I, O> {
    fn clone(&self) -> Self {
        Self { kind: self.kind, entries: self.entries.clone() }
    }
}

impl<I, O> std::fmt::Debug for Builders<I, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builders").field("kind", &self.kind).field("names", &self.names()).finish()
    }
}

impl<I, O> Builders<I, O> {
    pub(super) fn new(kind: &'static str) -> Self {
        Self { kind, entries: Vec::new() }
    }

    /// What the names stand for: "noise schedule", "ODE solver", ...
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Every name in alphabetical order.
    pub fn names(&self) -> Vec<&str> {
        self.entries.iter().map(|(name, ..)| name.as_str()).collect()
    }

    /// Every name with its formula and reference, in alphabetical order.
    pub fn entries(&self) -> impl Iterator<Item = (&str, Entry)> {
        self.entries.iter().map(|(name, entry, _)| (name.as_str(), *entry))
    }

    pub(super) fn add<C: DeserializeOwned>(
        &mut self,
        name: &str,
        entry: Entry,
        build: impl Fn(C, &Context<'_, I, O>) -> Result<O> + Send + Sync + 'static,
    ) {
        let builder: Builder<I, O> = Arc::new(move |named, context| {
            let settings = de::from_table(&named.settings)
                .map_err(|error| context.source.field_error(error.under(context.key)))?;
            build(settings, context)
        });
        let own = (name.to_owned(), entry, builder);
        match self.place(name) {
            Ok(at) => self.entries[at] = own,
            Err(at) => self.entries.insert(at, own),
        }
    }

    /// Where a name is, or would be.
    fn place(&self, name: &str) -> std::result::Result<usize, usize> {
        self.entries.binary_search_by(|(own, ..)| own.as_str().cmp(name))
    }

    /// Builds what `named` names; `key` is where the recipe holds it, for messages.
    ///
    /// # Errors
    /// A name that is not registered, settings that its builder does not know, or values that it
    /// does not take.
    pub fn build(&self, named: &Named, inputs: &I, source: &Source, key: &str) -> Result<O> {
        let Ok(at) = self.place(&named.name) else {
            if let Some(own) = named.without_name() {
                let found = format!("the {} \"{own}\" of a program", self.kind);
                return Err(source.error(&source.name_key(key), found, "one that a registry has a name for"));
            }
            return Err(self.unknown(&named.name, source, key));
        };
        let (.., builder) = &self.entries[at];
        builder(named, &Context { inputs, builders: self, source, key }).map_err(|error| match error {
            Error::Value { name, found, expected } => {
                let own = [named.name.as_str(), self.kind];
                source.error(&complete(key, &own, name), found, expected)
            }
            other => other,
        })
    }

    fn unknown(&self, found: &str, source: &Source, key: &str) -> Error {
        let names = self.names();
        let expected =
            if names.is_empty() { "a name: none is registered".to_owned() } else { one_of(found, &names) };
        source.error(&source.name_key(key), format!("the unknown {} \"{found}\"", self.kind), expected)
    }
}

/// The dotted key of a setting that a builder calls by its bare name, by `name.setting` or
/// `kind.setting`, or, where a wrapper passes on what it holds, by the whole key.
fn complete(key: &str, own: &[&str], setting: String) -> String {
    let after = |prefix: &str| setting.strip_prefix(prefix)?.strip_prefix('.');
    if after(key).is_some() {
        return setting;
    }
    join(key, own.iter().find_map(|prefix| after(prefix)).unwrap_or(&setting))
}
