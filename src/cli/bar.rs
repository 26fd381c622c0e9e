//! Progress on a terminal as a bar, elsewhere as a line now and then.

use crate::error::{Result, printable};
use crate::progress::StepMetrics;
use crate::run::{Observer, Phase};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The command line's view of long work, on standard error.
#[derive(Debug)]
pub struct Bar {
    bar: Option<ProgressBar>,
    phase: String,
    terminal: bool,
    last_line: Instant,
    /// The last VLB of rows that are not trained on.
    validation: Option<f64>,
}

impl Default for Bar {
    fn default() -> Self {
        Self::new()
    }
}

impl Bar {
    /// Nothing is shown until a phase begins.
    pub fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { bar: None, phase: String::new(), terminal, last_line: Instant::now(), validation: None }
    }

    /// Takes the bar away.
    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn update(&mut self, done: u64, text: String) {
        let Some(bar) = &self.bar else { return };
        bar.set_message(text);
        bar.set_position(done);
        if !self.terminal && self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            let eta = indicatif::HumanDuration(bar.eta());
            line(&format!(
                "{} {}/{} ({:.1}/s, eta {eta:#}) {}",
                self.phase,
                done,
                bar.length().unwrap_or(done),
                bar.per_sec(),
                bar.message()
            ));
        }
    }
}

fn line(text: &str) {
    // Nobody is left to tell if standard error is gone.
    let _ = writeln!(std::io::stderr(), "{}", printable(text));
}

impl Observer for Bar {
    fn start(&mut self, phase: &Phase<'_>) -> Result<()> {
        self.clear();
        let &Phase { name, unit, done, total } = phase;
        let bar = if self.terminal { ProgressBar::new(total) } else { ProgressBar::hidden() };
        bar.set_length(total);
        let template =
            format!("{{prefix}} {{wide_bar}} {{pos}}/{{len}} {unit} {{per_sec}} eta {{eta}} {{msg}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        bar.set_position(done);
        bar.reset_eta();
        self.phase = name.to_owned();
        self.last_line = Instant::now();
        self.bar = Some(bar);
        Ok(())
    }

    fn step(&mut self, step: &StepMetrics) -> Result<()> {
        self.validation = step.validation.as_ref().map(|found| found.vlb).or(self.validation);
        let validation = self.validation.map_or_else(String::new, |vlb| format!(" validation {vlb:.3}"));
        self.update(
            step.step,
            format!("loss {:.4} bits/dim {:.3}{validation}", step.loss, step.bits_per_dim),
        );
        Ok(())
    }

    fn advance(&mut self, done: u64, bits_per_dim: Option<f64>) {
        self.update(done, bits_per_dim.map_or_else(String::new, |bits| format!("bits/dim {bits:.3}")));
    }

    fn end(&mut self) -> Result<()> {
        self.clear();
        Ok(())
    }

    fn message(&mut self, text: &str) {
        match &self.bar {
            Some(bar) if self.terminal => bar.println(printable(text)),
            _ => line(text),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_is_known_without_a_terminal() {
        let mut bar = Bar::new();
        bar.terminal = false;
        bar.start(&Phase { name: "vlb", unit: "images", done: 0, total: 1000 }).unwrap();
        for done in 1..=10 {
            std::thread::sleep(Duration::from_millis(2));
            bar.advance(10 * done, Some(2.0));
        }
        let inner = bar.bar.clone().unwrap();
        assert_eq!(
            (inner.position(), inner.length(), inner.message().as_str()),
            (100, Some(1000), "bits/dim 2.000")
        );
        assert!(inner.per_sec() > 0.0);
        bar.end().unwrap();
        assert!(bar.bar.is_none());
    }
}
