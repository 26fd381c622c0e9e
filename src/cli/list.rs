//! `idode list`: every name by kind.

use crate::registry::{Builders, Entry, Registry};
use std::fmt::Write;

/// Every name of the registry with its formula and reference, a paragraph a kind.
pub(super) fn list(registry: &Registry) -> String {
    let mut text = String::new();
    section(&mut text, &registry.schedules, "[schedule]");
    section(&mut text, &registry.parameterizations, "[parameterization]");
    section(&mut text, &registry.time_samplers, "[time]");
    section(&mut text, &registry.dequantizers, "[evaluation] dequantizers");
    section(&mut text, &registry.solvers, "[evaluation] and [sample] solver");
    section(&mut text, &registry.networks, "[network]");
    text
}

fn section<I, O>(text: &mut String, builders: &Builders<I, O>, place: &str) {
    let mut entries = Vec::new();
    for entry in builders.entries() {
        entries.push(entry);
    }
    write_section(text, builders.kind(), &entries, place);
}

fn write_section(text: &mut String, kind: &str, entries: &[(&str, Entry)], place: &str) {
    let width = entries.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let gap = if text.is_empty() { "" } else { "\n" };
    // Writing to a string does not fail.
    let _ = writeln!(text, "{gap}{kind}s ({place})");
    for (name, Entry { formula, reference }) in entries {
        let _ = writeln!(text, "  {name:width$}  {formula}\n  {:width$}    {reference}", "");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_formula_and_reference_below_each_other() {
        let registry = Registry::default();
        let text = list(&registry);
        let sp = "noise schedules ([schedule])\n  sp      ln alpha = -ln(1 + e^(gamma/2))";
        assert!(text.starts_with(sp), "{text}");
        assert!(text.contains("\n  vp      ") && text.contains("\n            arXiv 2006.11239\n"), "{text}");
        assert!(text.contains("\n\nparameterizations ([parameterization])\n"), "{text}");
        for (name, entry) in registry.solvers.entries() {
            assert!(text.contains(&format!("  {name}")) && text.contains(entry.reference), "{name}");
        }
        assert!(text.lines().all(|line| line.len() <= 120), "{text}");
    }
}
