//! What was trained, and the numbers of its likelihood.

use super::html::Html;
use super::source::Source;
use crate::data::{ImageShape, Rows};
use crate::files::read_json;
use crate::plot::{self as draw, Axis, Plot, Png};
use crate::result::{Estimate, images};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:.4}") } else { "-".to_owned() }
}

/// The value of an estimate and its standard error, in its own unit.
fn value(estimate: &Estimate) -> (f64, f64) {
    match (estimate.nats_per_row, estimate.nats_per_row_standard_error) {
        (Some(nats), error) => (nats, error.unwrap_or(f64::NAN)),
        (None, _) => (estimate.bits_per_dim, estimate.standard_error),
    }
}

/// The title and the numbers that one wants first.
pub(super) fn head(name: &str, source: &Source<'_>) -> Html {
    let recipe = source.run.recipe();
    let card = |value: String, what: String| {
        Html::of_class(
            "div",
            "card",
            Html::all(&[Html::tag("b", Html::text(&value)), Html::tag("span", Html::text(&what))]),
        )
    };
    let mut cards = Vec::new();
    if let Some(outcome) = &source.outcome {
        for estimate in &outcome.estimates {
            let (mean, error) = value(estimate);
            let what = format!("{}, {} +- {}", estimate.name, estimate.unit(), number(error));
            cards.push(card(number(mean), what));
        }
        if let Some(baseline) = &outcome.baseline {
            let mean = baseline.nats_per_row.unwrap_or(baseline.bits_per_dim);
            cards.push(card(number(mean), format!("{}, the simplest model", baseline.name)));
        }
    }
    let lead = format!(
        "A diffusion ODE trained by maximum likelihood on \"{}\": network \"{}\", schedule \"{}\", parameterization \"{}\".",
        recipe.data.name(),
        recipe.network.name,
        recipe.schedule.name,
        recipe.parameterization.name
    );
    Html::all(&[
        Html::tag("h1", Html::text(name)),
        Html::of_class("p", "lead", Html::text(&lead)),
        match source.outcome {
            Some(_) => Html::of_class("div", "big", Html::all(&cards)),
            None => Html::missing("not measured yet: result.json is not there"),
        },
    ])
}

pub(super) fn what(source: &Source<'_>) -> Html {
    let recipe = source.run.recipe();
    let mut facts = vec![
        ("folder", source.run.root().display().to_string()),
        ("data", recipe.data.name().to_owned()),
        ("row", recipe.row_shape().map_or_else(|error| error.to_string(), |shape| shape.to_string())),
        ("network", recipe.network.name.clone()),
        (
            "parameters",
            source.parameters.map_or_else(|| "not known by name".to_owned(), |count| count.to_string()),
        ),
        ("seed", recipe.seed.to_string()),
    ];
    for (what, precision) in [("trained in", recipe.precision), ("measured in", recipe.evaluation.precision)]
    {
        if !precision.is_f32() {
            facts.push((what, precision.to_string()));
        }
    }
    for (index, stage) in recipe.stage.iter().enumerate() {
        let text = format!(
            "{}: {}, {} steps of {} x {} rows, learning rate {}",
            index,
            stage.objective.name(),
            stage.steps,
            stage.accumulation,
            stage.batch,
            stage.learning_rate
        );
        facts.push(("stage", text));
    }
    if let Some(validation) = &recipe.validation {
        let text = format!(
            "{} rows of the training split, every {} steps; the best by their VLB is what was measured",
            validation.images, validation.every
        );
        facts.push(("validation", text));
    }
    if let Some(outcome) = &source.outcome {
        facts.push(("measured", format!("{} split, weights of step {}", outcome.data.split, outcome.step)));
        facts.push(("held-out rows", in_words(&outcome.data.fingerprint)));
    }
    for (key, of) in recipe.unnamed() {
        facts.push(("of a program", format!("{key}: {of}")));
    }
    Html::facts(&facts)
}

/// A value of `result.json` for a reader: `columns x, y; rows 300`, `images 297; shape 8x8x1`.
fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let mut said = Vec::with_capacity(items.len());
            for item in items {
                said.push(in_words(item));
            }
            said.join(", ")
        }
        Value::Object(entries) => {
            if let Ok(shape) = ImageShape::deserialize(value) {
                return shape.to_string();
            }
            let mut said = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                let words = in_words(value);
                if !words.is_empty() {
                    said.push(format!("{key} {words}"));
                }
            }
            said.join("; ")
        }
        other => other.to_string(),
    }
}

pub(super) fn curves(source: &Source<'_>) -> Html {
    let metrics = &source.metrics;
    if !metrics.iter().any(|step| draw::is_drawn(step.bits_per_dim)) {
        return Html::missing("no step with a finite number is in metrics.jsonl yet");
    }
    let mut references = Vec::new();
    if let Some(outcome) = &source.outcome {
        if let Some(baseline) = &outcome.baseline {
            references.push((baseline.name.clone(), baseline.bits_per_dim));
        }
        for estimate in &outcome.estimates {
            references.push((format!("test, {}", estimate.name), estimate.bits_per_dim));
        }
    }
    let (mut norm, mut rate) = (Vec::with_capacity(metrics.len()), Vec::with_capacity(metrics.len()));
    for step in metrics {
        norm.push((step.step as f64, step.gradient_norm));
        rate.push((step.step as f64, step.learning_rate));
    }
    let norms =
        Plot::new("Gradient norm and learning rate", Axis::linear("training step"), Axis::log("size"))
            .line("gradient norm, before clipping", norm)
            .line("learning rate", rate)
            .draw();
    let skipped = metrics.last().map_or(0, |step| step.skipped);
    let said = match skipped {
        0 => Html::default(),
        count => {
            Html::line(&format!("{count} steps were passed over, as a loss or gradient was not finite."))
        }
    };
    Html::all(&[
        Html::drawn(
            draw::curve(metrics, &references),
            "bits/dim over training",
            "The VLB of the rows of each logged step with its moving mean, what was measured on validation rows, and the result on the test split.",
        ),
        Html::drawn(
            norms,
            "gradient norm and learning rate",
            "The norm of each logged step's gradient, and its learning rate.",
        ),
        said,
    ])
}

pub(super) fn estimates(source: &Source<'_>) -> Html {
    let Some(outcome) = &source.outcome else {
        return Html::missing("not measured yet: idode eval writes result.json");
    };
    let (mut rows, mut budgets) = (Vec::new(), Vec::new());
    for estimate in &outcome.estimates {
        let (mean, error) = value(estimate);
        rows.push(vec![
            estimate.name.clone(),
            format!("{} {}", number(mean), estimate.unit()),
            number(error),
            number(estimate.bits_per_dim),
            images(estimate.images, estimate.failures),
            format!("{:.1}", estimate.evaluations_per_image),
        ]);
        if let Some(budget) = &estimate.budget {
            let mut row = vec![estimate.name.clone()];
            for part in [budget.data, budget.dequantization, budget.probe, budget.solver, budget.total] {
                row.push(part.map_or_else(|| "-".to_owned(), |part| format!("{part:.5}")));
            }
            budgets.push(row);
        }
    }
    let header = ["estimate", "mean", "standard error", "bits/dim", "rows", "evaluations a row"];
    let mut pieces = vec![
        Html::table(&header, &rows),
        Html::line(
            "Each is a bound on, or an estimate of, the negative log-likelihood of held-out rows: lower is better. The standard error is that of the mean over rows.",
        ),
    ];
    if !budgets.is_empty() {
        let header = ["error budget", "data", "dequantization", "probe", "solver", "total"];
        pieces.push(Html::table(&header, &budgets));
    }
    if !outcome.stages.is_empty() {
        let mut lines = Vec::with_capacity(outcome.stages.len());
        for stage in &outcome.stages {
            lines.push(Html::tag("li", Html::text(&stage.to_string())));
        }
        pieces.push(Html::tag("ul", Html::all(&lines)));
    }
    Html::all(&pieces)
}

pub(super) fn ladder(source: &Source<'_>) -> Html {
    let path = source.run.ladder();
    if !path.exists() {
        return match &source.held_out {
            Ok(Rows::Table(_)) => Html::missing("rows of a table have none"),
            _ => Html::missing("not measured: idode ladder does"),
        };
    }
    let found = read_json::<Value>(&path, "a ladder").ok();
    let rungs = found.as_ref().and_then(|found| found.get("rungs")?.as_array());
    let Some(rungs) = rungs else { return Html::missing("ladder.json cannot be read") };
    let text = |rung: &Value, key: &str| match &rung[key] {
        Value::String(text) => text.clone(),
        Value::Number(found) if found.is_f64() => number(found.as_f64().unwrap_or(f64::NAN)),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let keys = ["name", "importance_samples", "bits_per_dim", "standard_error", "images"];
    let mut rows = Vec::with_capacity(rungs.len());
    for rung in rungs {
        let mut row = Vec::with_capacity(keys.len());
        for key in keys {
            row.push(text(rung, key));
        }
        rows.push(row);
    }
    let mut said = Vec::new();
    let violations = found.as_ref().and_then(|found| found.get("violations")?.as_array());
    for line in violations.map_or(&[][..], Vec::as_slice) {
        if let Some(line) = line.as_str() {
            said.push(Html::missing(line));
        }
    }
    let drawn = Html::drawn(
        Png::read(&source.run.ladder_plot()),
        "ladder of bounds",
        "Every bound on the same images.",
    );
    let header = ["bound", "K", "bits/dim", "standard error", "images"];
    Html::all(&[Html::table(&header, &rows), Html::all(&said), drawn])
}

pub(super) fn cost(source: &Source<'_>) -> Html {
    let duration = |seconds: f64| {
        let rounded = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let whole = rounded.as_secs();
        match whole {
            0..=119 => format!("{seconds:.1} s"),
            120..=7199 => format!("{} min {} s", whole / 60, whole % 60),
            _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
        }
    };
    let mut facts = Vec::new();
    if let Some(last) = source.metrics.last() {
        facts.push(("training", format!("{} for {} steps", duration(last.seconds), last.step)));
    }
    for estimate in source.outcome.as_ref().map_or(&[][..], |outcome| &outcome.estimates) {
        let text = format!("{} for {} rows", duration(estimate.seconds), estimate.images + estimate.failures);
        facts.push(("measuring", format!("{}: {text}", estimate.name)));
    }
    if let Some(parameters) = source.parameters {
        // Parameters, gradients, two moments and the moving average, of four bytes each.
        let mib = (5 * 4 * parameters) as f64 / f64::from(1 << 20);
        facts.push((
            "state of training",
            format!("{mib:.1} MiB: parameters, gradients, moments, moving average"),
        ));
    }
    Html::facts(&facts)
}
