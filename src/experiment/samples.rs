//! Samples of a run, as an image and as rows.

use super::{sample_densities, together};
use crate::communicator::Ranks;
use crate::data::table::{Schema, write_csv, write_npy};
use crate::data::{ImageSet, Rows, Split};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::plot;
use crate::run::{Observer, Phase, RunFolder, Watched};
use std::ops::Range;
use std::path::PathBuf;

/// What is to be drawn, and by whom.
pub(super) struct Request<'a> {
    /// How many samples.
    pub(super) count: usize,
    /// Those that this rank draws.
    pub(super) own: Range<usize>,
    /// The conditions that were asked for by name.
    pub(super) conditions: &'a [(String, f64)],
    /// Whether log-densities are asked for.
    pub(super) log_prob: bool,
    pub(super) ranks: &'a Ranks,
}

/// Draws images and writes `samples.png`.
pub(super) fn of_images(
    run: &RunFolder,
    model: &Model,
    Request { count, own, conditions, log_prob, ranks }: Request<'_>,
    observer: &mut dyn Observer,
) -> Result<PathBuf> {
    let classes = run.recipe().data.conditions();
    let labels: Vec<u16> = match (classes, conditions) {
        (0, []) => Vec::new(),
        // Without a wish, of every class in turn.
        (_, []) => (0..count).map(|i| (i % classes) as u16).collect(),
        (1.., [(name, label)]) if name == "label" => {
            if label.fract() != 0.0 || !(0.0..classes as f64).contains(label) {
                let expected = format!("a class, 0 to {}", classes - 1);
                return Err(Error::value("condition \"label\"", label, expected));
            }
            vec![*label as u16; count]
        }
        (_, [(name, _), ..]) => {
            let expected = if classes == 0 { "none: the model has no conditions" } else { "label, once" };
            return Err(Error::value("condition", format!("\"{name}\""), expected));
        }
    };
    let (total, labels) = (own.len(), labels.get(own).unwrap_or_default());
    observer.start(&Phase { name: "sampling", unit: "images", done: 0, total: total as u64 })?;
    let (pixels, densities) = match log_prob {
        true => model.sample_with_log_prob(total, labels, &mut Watched::new(observer))?,
        false => {
            let drawn = model.sample(total, labels, &mut Watched::new(observer));
            (together::joined(ranks, drawn)?, Vec::new())
        }
    };
    observer.end()?;
    if !ranks.is_first() {
        return Ok(run.samples());
    }
    sample_densities::write(run, &densities, observer)?;
    let (name, shape) = (run.recipe().data.name(), model.shape().image());
    let set = ImageSet::new(name, Split::Test, shape, model.grid()?, pixels)?;
    plot::grid(&set)?.write(&run.samples())?;
    observer.samples(model.step(), &run.samples())?;
    Ok(run.samples())
}

/// Draws rows and writes `samples.csv` or, if `npy`, `samples.npy`, the conditions behind the columns; and in `samples.png` their corner plot beside the held-out rows.
pub(super) fn of_table(
    run: &RunFolder,
    model: &Model,
    held_out: Result<Rows>,
    schema: &Schema,
    Request { count, own, conditions: asked, log_prob, ranks }: Request<'_>,
    npy: bool,
    observer: &mut dyn Observer,
) -> Result<PathBuf> {
    let given = values(schema, asked)?;
    let held_out = match held_out {
        Ok(Rows::Table(held_out)) => Some(held_out),
        Ok(Rows::Images(_)) => None,
        // The rows are drawn all the same, unless they need its conditions.
        Err(error) if given.is_some() || schema.conditions().is_empty() => {
            observer.message(&format!("no plot of the samples beside the data: {error}"));
            None
        }
        Err(error) => return Err(error),
    };
    let total = own.len();
    observer.start(&Phase { name: "sampling", unit: "rows", done: 0, total: total as u64 })?;
    let (columns, conditions) = (schema.columns(), schema.conditions());
    // Where none are asked for, those of held-out rows, so that samples are as the data are.
    let given: Vec<f64> = match (given, &held_out) {
        (Some(given), _) => given.repeat(count),
        (None, None) => Vec::new(),
        (None, Some(data)) => {
            let mut given = Vec::with_capacity(count * conditions.len());
            for i in 0..count {
                given.extend_from_slice(data.conditions(i % data.rows.rows()));
            }
            given
        }
    };
    let own = &given[own.start * conditions.len()..own.end * conditions.len()];
    let (samples, densities) = match log_prob {
        true => model.sample_rows_with_log_prob(total, own, &mut Watched::new(observer))?,
        false => {
            let drawn = model.sample_rows(total, own, &mut Watched::new(observer));
            (together::joined(ranks, drawn)?, Vec::new())
        }
    };
    observer.end()?;
    let path = run.root().join(if npy { "samples.npy" } else { "samples.csv" });
    if !ranks.is_first() {
        return Ok(path);
    }
    sample_densities::write(run, &densities, observer)?;
    if let Some(held_out) = held_out {
        plot::corner(columns, held_out.rows.values(), &samples)?.write(&run.samples())?;
        observer.samples(model.step(), &run.samples())?;
    }
    let names: Vec<String> = columns.iter().chain(conditions).cloned().collect();
    let mut written = Vec::with_capacity(count * names.len());
    for i in 0..count {
        for (values, width) in [(&samples, columns.len()), (&given, conditions.len())] {
            written.extend_from_slice(&values[i * width..(i + 1) * width]);
        }
    }
    match npy {
        true => write_npy(&path, names.len(), &written),
        false => write_csv(&path, &names, &written),
    }?;
    Ok(path)
}

/// The condition's values in the schema's order, if there are conditions and they were asked for.
fn values(schema: &Schema, asked: &[(String, f64)]) -> Result<Option<Vec<f64>>> {
    let names = schema.conditions();
    if let Some((name, _)) = asked.iter().find(|(name, _)| !names.contains(name)) {
        let expected = match names {
            [] => "none: the model has no conditions".to_owned(),
            _ => format!("one of {}", names.join(", ")),
        };
        return Err(Error::value("condition", format!("\"{name}\""), expected));
    }
    if asked.is_empty() && !names.is_empty() {
        return Ok(None);
    }
    let mut values = Vec::with_capacity(names.len());
    for name in names {
        let refused = |found, expected| Error::value(format!("condition \"{name}\""), found, expected);
        let mut found = asked.iter().filter(|(own, _)| own == name);
        let Some((_, value)) = found.next() else {
            return Err(refused("nothing", "a value, as others are given"));
        };
        if found.next().is_some() {
            return Err(refused("two values", "one"));
        }
        values.push(*value);
    }
    Ok(Some(values))
}
