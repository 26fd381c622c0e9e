//! What a case's answers differ by.

use super::case::{Case, Result};

/// The comparison of one case.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    case: &'a Case,
    compared: Vec<Compared>,
    notes: Vec<String>,
}

#[derive(Debug)]
struct Compared {
    name: String,
    error: f64,
    /// Of the largest entry, or of the scale that was given.
    relative: f64,
    /// Beyond what is allowed.
    fails: bool,
}

/// How much an answer may differ.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Allowed {
    /// This part of the array's largest entry.
    OfLargest(f64),
    /// This part of a scale.
    Of { scale: f64, part: f64 },
    /// This much.
    Absolute(f64),
}

impl<'a> Report<'a> {
    pub(crate) fn of(case: &'a Case) -> Self {
        Self { case, compared: Vec::new(), notes: Vec::new() }
    }

    /// Compares the answer `name` of the case with ours.
    pub(crate) fn compare(&mut self, name: &str, ours: &[f64], allowed: Allowed) -> Result<()> {
        let theirs = self.case.values(name)?;
        if ours.len() != theirs.len() {
            return Err(format!("{name}: {} numbers, expected {}", ours.len(), theirs.len()).into());
        }
        let scale = theirs.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        let mut error: f64 = 0.0;
        for (a, b) in ours.iter().zip(theirs) {
            let own = (a - b).abs();
            // `f64::max` would drop a NaN.
            error = if own.is_nan() || error.is_nan() { f64::NAN } else { own.max(error) };
        }
        let of = |scale: f64| if error == 0.0 { 0.0 } else { error / scale };
        let (relative, within) = match allowed {
            Allowed::OfLargest(part) => (of(scale), of(scale) <= part),
            Allowed::Of { scale, part } => (of(scale), of(scale) <= part),
            Allowed::Absolute(most) => (of(scale), error <= most),
        };
        let fails = !within;
        self.compared.push(Compared { name: name.to_owned(), error, relative, fails });
        Ok(())
    }

    /// Adds words to the case's line.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Says that an answer is not ours to reproduce, and why.
    pub(crate) fn set_aside(&mut self, name: &str, why: String) -> Result<()> {
        self.case.array(name)?;
        self.compared.push(Compared { name: name.to_owned(), error: 0.0, relative: 0.0, fails: false });
        self.note(why);
        Ok(())
    }

    /// The case's line, or what fails.
    pub(crate) fn finish(self) -> Result<String> {
        let forgotten = self.case.arrays.keys().find(|name| {
            !name.starts_with("in/")
                && !name.starts_with("draw/")
                && !self.compared.iter().any(|compared| compared.name == **name)
        });
        if let Some(name) = forgotten {
            return Err(format!("{name}: an answer of an unknown name").into());
        }
        let failures: Vec<String> = self
            .compared
            .iter()
            .filter(|compared| compared.fails)
            .map(|c| {
                format!("{}: differs by {:.1e}, {:.1e} of the largest entry", c.name, c.error, c.relative)
            })
            .collect();
        if !failures.is_empty() {
            return Err(failures.join("\n    ").into());
        }
        let worst = self.compared.iter().max_by(|a, b| a.relative.total_cmp(&b.relative));
        let worst = worst.ok_or("no answers in the case")?;
        let notes: String = self.notes.iter().map(|note| format!("; {note}")).collect();
        Ok(format!("{:.1e} ({}){notes}", worst.relative, worst.name))
    }
}
