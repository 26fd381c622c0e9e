//! Progress on a terminal as a bar, elsewhere as a line now and then.

use super::interrupt;
use crate::error::printable;
use crate::progress::{Progress, StepMetrics};
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
    until: Option<Instant>,
    said: bool,
}

impl Default for Bar {
    fn default() -> Self {
        Self::new()
    }
}

impl Bar {
    /// Nothing is shown until a phase begins.
    pub fn new() -> Self {
        Self::until(None)
    }

    /// The same, which asks the work to end at an instant.
    pub fn until(until: Option<Instant>) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { bar: None, phase: String::new(), terminal, last_line: Instant::now(), until, said: false }
    }

    /// What asks for the end, if anything does.
    fn reason(&self) -> Option<&'static str> {
        if interrupt::requested() {
            Some("finishing what is begun, to be continued later; Ctrl-C again ends at once")
        } else if self.until.is_some_and(|until| until <= Instant::now()) {
            Some("the time is over: finishing what is begun, to be continued later")
        } else {
            None
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
        if let Some(reason) = self.reason().filter(|_| !self.said) {
            self.said = true;
            self.message(reason);
        }
    }
}

fn line(text: &str) {
    // Nobody is left to tell if standard error is gone.
    let _ = writeln!(std::io::stderr(), "{}", printable(text));
}

impl Progress for Bar {
    fn begin(&mut self, phase: &str, unit: &str, done: u64, total: u64) {
        self.end();
        let bar = if self.terminal { ProgressBar::new(total) } else { ProgressBar::hidden() };
        bar.set_length(total);
        let template =
            format!("{{prefix}} {{wide_bar}} {{pos}}/{{len}} {unit} {{per_sec}} eta {{eta}} {{msg}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        bar.set_prefix(phase.to_owned());
        bar.set_position(done);
        bar.reset_eta();
        self.phase = phase.to_owned();
        self.last_line = Instant::now();
        self.bar = Some(bar);
    }

    fn step(&mut self, metrics: &StepMetrics) {
        self.update(metrics.step, format!("loss {:.4} bits/dim {:.3}", metrics.loss, metrics.bits_per_dim));
    }

    fn advance(&mut self, done: u64, bits_per_dim: Option<f64>) {
        self.update(done, bits_per_dim.map_or_else(String::new, |bits| format!("bits/dim {bits:.3}")));
    }

    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn message(&mut self, text: &str) {
        match &self.bar {
            Some(bar) if self.terminal => bar.println(printable(text)),
            _ => line(text),
        }
    }

    fn interrupted(&self) -> bool {
        self.reason().is_some()
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_is_known_without_a_terminal() {
        let mut bar = Bar::new();
        bar.terminal = false;
        bar.begin("vlb", "images", 0, 1000);
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
        bar.end();
        assert!(bar.bar.is_none());
    }
}
