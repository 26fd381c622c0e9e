//! What each command does.

use super::arguments::Command;
use super::exit::Exit;
use super::output::print;
use super::ranks::{self, Together};
use super::{Bar, Interrupt, Until, budget_table, comparison_table, ladder_table, list, new_plugin, table};
use crate::commands::{self, Case, Destination, EvaluateOptions, Imported, SampleOptions, Trained, Weights};
use crate::communicator::Ranks;
use crate::comparison::Reference;
use crate::config::{Device, Recipe};
use crate::error::{Error, Result};
use crate::registry::Registry;
use crate::result::Outcome;
use crate::run::{Observer, Observers, RunFolder, Shard};
use crate::tensor::Precision;
use std::path::{Path, PathBuf};
use std::time::Instant;

pub(super) fn execute(command: Command, registry: &Registry) -> Result<Exit> {
    let begun = Instant::now();
    set_threads(if let Command::Bench { threads, .. } = command { threads } else { None })?;
    let is_shared = match &command {
        Command::Train { dry_run, .. } => !dry_run,
        Command::Eval { by, shard, .. } => by.is_none() && shard.is_none(),
        Command::Bench { ranks, .. } => *ranks,
        _ => false,
    };
    if !is_shared {
        ranks::refuse_several()?;
    }
    match command {
        Command::Train { recipe, dry_run: true, device, .. } => dry_run(&recipe, device, registry),
        Command::Train { recipe, out, resume, longer, max_time, rank_limit, device, .. } => {
            let folder = longer
                .clone()
                .or(out)
                .unwrap_or_else(|| Path::new("runs").join(recipe.file_stem().unwrap_or(recipe.as_os_str())));
            let destination = match (longer.is_some(), resume) {
                (true, _) => Destination::Continue(folder),
                (false, true) => Destination::Resume(folder),
                (false, false) => Destination::New(folder),
            };
            let together = Together::begin(rank_limit)?;
            let until = max_time.map(|time| begun + time);
            let done = train(&together.ranks, &recipe, &destination, until, device, registry);
            together.end(done)
        }
        Command::Eval { subject, by: Some(run), budget, target, device, .. } => {
            evaluate_images(&run, &subject, EvaluateOptions { budget, target }, device, registry)
        }
        Command::Eval { subject, shard: Some(shard), device, .. } => {
            evaluate_shard(&subject, shard, device, registry)
        }
        Command::Eval { subject, budget, target, rank_limit, device, .. } => {
            let together = Together::begin(rank_limit)?;
            let done =
                evaluate(&together.ranks, &subject, EvaluateOptions { budget, target }, device, registry);
            together.end(done)
        }
        Command::Merge { run, parts, device } => merge(&run, &parts, device, registry),
        Command::Ladder { run, device } => ladder(&run, device, registry),
        Command::Sample { run, count, conditions, format, log_prob, device } => {
            let options = SampleOptions { count, conditions, npy: format == "npy", log_prob };
            sample(&run, options, device, registry)
        }
        Command::Report { run, out } => report(&run, out.as_deref(), registry),
        Command::Compare { runs, estimate, reference, json, out } => {
            compare(&runs, estimate.as_deref(), &reference, json, &out)
        }
        Command::Import { checkpoint, recipe, out, raw } => import(&checkpoint, &recipe, &out, raw, registry),
        Command::Export { run, checkpoint } => export(&run, &checkpoint, registry),
        Command::Bench { case, batch, json, kernels, precision, ranks, rank_limit, device, .. } => {
            let case = Case::named(&case)?;
            let case = batch.map_or(case, |rows| case.with_batch(rows));
            if kernels {
                return figures(&commands::bench_kernels(case, device)?, json);
            }
            if !ranks {
                return figures(&commands::bench(case, device, precision)?, json);
            }
            let together = Together::begin(rank_limit)?;
            let done = bench_ranks(&together.ranks, case, json, device, precision);
            together.end(done)
        }
        Command::List => print(&list::list(registry)).map(|()| Exit::Done),
        Command::NewPlugin { kind, name } => new_plugin(kind, &name),
    }
}

fn train(
    ranks: &Ranks,
    path: &Path,
    destination: &Destination,
    until: Option<Instant>,
    device: Option<Device>,
    registry: &Registry,
) -> Result<Exit> {
    let recipe = commands::resolved(&Recipe::load(path)?.on(device), registry)?;
    let folder = destination.path();
    registry.check(&recipe)?;
    let mut bar = Bar::new();
    let mut observers = Observers::new().and(Interrupt::listen()?);
    if ranks.is_first() {
        destination.check(&recipe)?;
        observers = observers.and(&mut bar);
    }
    if let Some(until) = until {
        observers = observers.and(Until(until));
    }
    let trained = commands::train_together(ranks, &recipe, registry, destination, &mut observers)?;
    drop(observers);
    match trained {
        // Rank 0 shows what was found.
        Trained::Finished(outcome) if !ranks.is_first() => Ok(measured(&outcome)),
        Trained::Interrupted { .. } if !ranks.is_first() => Ok(Exit::Interrupted),
        Trained::Finished(outcome) => {
            let tables = table(&outcome) + &budget_table(&outcome);
            print(&format!("{tables}\n{}\n", folder.display()))?;
            Ok(measured(&outcome))
        }
        Trained::Interrupted { step } => {
            let launcher = match ranks.size() {
                1 => String::new(),
                size => format!("mpirun -n {size} "),
            };
            bar.message(&format!(
                "stopped after step {step}, with a checkpoint; continue with: {launcher}{} train {} --out {} --resume{}",
                shell(&program()),
                shell(path),
                shell(folder),
                match device {
                    None => String::new(),
                    // Each of them has its own.
                    Some(Device::Cuda(_)) if ranks.size() > 1 => " --device cuda".to_owned(),
                    Some(device) => format!(" --device {device}"),
                }
            ));
            Ok(Exit::Interrupted)
        }
    }
}

/// Whether every image has a value.
fn measured(outcome: &Outcome) -> Exit {
    if outcome.is_whole() { Exit::Done } else { Exit::NoValue }
}

fn evaluate(
    ranks: &Ranks,
    path: &Path,
    options: EvaluateOptions,
    device: Option<Device>,
    registry: &Registry,
) -> Result<Exit> {
    let run = RunFolder::open(path)?.on(device);
    if !ranks.is_first() {
        let outcome = commands::evaluate_together(ranks, &run, registry, options, &mut Interrupt::listen()?)?;
        return Ok(measured(&outcome));
    }
    let outcome = watched(|observer| commands::evaluate_together(ranks, &run, registry, options, observer))?;
    shown(&outcome, &run.result())
}

fn evaluate_shard(path: &Path, shard: Shard, device: Option<Device>, registry: &Registry) -> Result<Exit> {
    let run = RunFolder::open(path)?.on(device);
    let written = watched(|observer| commands::evaluate_shard(&run, registry, shard, observer))?;
    print(&format!("{}\n", written.display()))?;
    Ok(Exit::Done)
}

fn evaluate_images(
    path: &Path,
    images: &Path,
    options: EvaluateOptions,
    device: Option<Device>,
    registry: &Registry,
) -> Result<Exit> {
    let run = RunFolder::open(path)?.on(device);
    let (outcome, place) =
        watched(|observer| commands::evaluate_images(&run, registry, images, options, observer))?;
    let exit = shown(&outcome, &place.result())?;
    print(&format!("{}\n", place.table().display()))?;
    Ok(exit)
}

fn merge(path: &Path, parts: &[PathBuf], device: Option<Device>, registry: &Registry) -> Result<Exit> {
    let run = RunFolder::open(path)?.on(device);
    let outcome = watched(|observer| commands::merge(&run, registry, parts, observer))?;
    shown(&outcome, &run.result())
}

/// Measures with a bar, until the end is asked for.
fn watched<T>(measure: impl FnOnce(&mut dyn Observer) -> Result<T>) -> Result<T> {
    let mut bar = Bar::new();
    let measured = measure(&mut Observers::new().and(&mut bar).and(Interrupt::listen()?));
    if let Err(Error::Interrupted) = measured {
        bar.message("stopped; what was found is kept: the same command goes on");
    }
    measured
}

/// Prints what was found, and where it is.
fn shown(outcome: &Outcome, path: &Path) -> Result<Exit> {
    let tables = table(outcome) + &budget_table(outcome);
    print(&format!("{tables}\n{}\n", path.display()))?;
    Ok(measured(outcome))
}

fn ladder(path: &Path, device: Option<Device>, registry: &Registry) -> Result<Exit> {
    let run = RunFolder::open(path)?.on(device);
    let found = commands::ladder(&run, registry, &mut Bar::new())?;
    let files = format!("{}\n{}", run.ladder().display(), run.ladder_plot().display());
    print(&format!("{}\n{files}\n", ladder_table(&found)))?;
    Ok(Exit::Done)
}

fn sample(path: &Path, options: SampleOptions, device: Option<Device>, registry: &Registry) -> Result<Exit> {
    let run = RunFolder::open(path)?.on(device);
    let written = commands::sample(&run, registry, &options, &mut Bar::new())?;
    let densities =
        if options.log_prob { format!("{}\n", run.sample_densities().display()) } else { String::new() };
    print(&format!("{}\n{densities}", written.display()))?;
    Ok(Exit::Done)
}

fn report(path: &Path, out: Option<&Path>, registry: &Registry) -> Result<Exit> {
    let written = crate::report::report(&RunFolder::open(path)?, registry, out)?;
    print(&format!("{}\n", written.display()))?;
    Ok(Exit::Done)
}

fn compare(
    runs: &[PathBuf],
    estimate: Option<&str>,
    references: &[String],
    json: bool,
    png_path: &Path,
) -> Result<Exit> {
    let references = references.iter().map(|name| Reference::named(name)).collect::<Result<Vec<_>>>()?;
    let found = commands::compare(runs, estimate, &references)?;
    let drawn = match commands::scatter(&found)? {
        Some(png) => {
            png.write(png_path)?;
            format!("\n{}\n", png_path.display())
        }
        None => String::new(),
    };
    let text = if json { json_line(&found)? } else { comparison_table(&found) + &drawn };
    print(&text)?;
    Ok(Exit::Done)
}

fn import(from: &Path, recipe: &Path, out: &Path, raw: bool, registry: &Registry) -> Result<Exit> {
    let weights = if raw { Weights::Raw } else { Weights::Average };
    let found = commands::import(from, &Recipe::load(recipe)?, registry, out, weights)?;
    let average = match (raw, found.has_average) {
        (true, _) => "the raw parameters are measured and sampled",
        (false, true) => "the moving average is measured and sampled",
        (false, false) => "no moving average in the file: the parameters themselves are measured and sampled",
    };
    let moments = match found.has_moments {
        true => "the optimizer's moments go on",
        false => "no optimizer moments in the file: they start at zero",
    };
    let Imported { network, parameters, step, .. } = &found;
    print(&format!(
        "{network}\n{parameters} parameters of step {step}\n{average}\n{moments}\n{}\n",
        out.display()
    ))?;
    Ok(Exit::Done)
}

fn export(run: &Path, to: &Path, registry: &Registry) -> Result<Exit> {
    commands::export(&RunFolder::open(run)?, registry, to)?;
    print(&format!("{}\n", to.display()))?;
    Ok(Exit::Done)
}

fn dry_run(path: &Path, device: Option<Device>, registry: &Registry) -> Result<Exit> {
    print(&commands::dry_run(&Recipe::load(path)?.on(device), registry)?.to_string())?;
    Ok(Exit::Done)
}

/// Makes this thread one of `threads`, by default as many as the machine has, that share the work: one that stands by
/// would be woken after every piece of it.
///
/// # Errors
/// If so many cannot be started. A program that has set up its threads keeps them.
fn set_threads(threads: Option<u16>) -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0).into()).use_current_thread();
    match (pool.build_global(), threads) {
        (Err(error), Some(threads)) => Err(Error::value("threads", threads, error.to_string())),
        _ => Ok(()),
    }
}

fn figures(figures: &(impl serde::Serialize + std::fmt::Display), json: bool) -> Result<Exit> {
    print(&if json { json_line(figures)? } else { figures.to_string() })?;
    Ok(Exit::Done)
}

fn bench_ranks(ranks: &Ranks, case: Case, json: bool, device: Device, precision: Precision) -> Result<Exit> {
    let figures = commands::bench_ranks(ranks, case, device, precision)?;
    if ranks.is_first() {
        print(&if json { json_line(&figures)? } else { figures.to_string() })?;
    }
    Ok(Exit::Done)
}

/// A value as one line of JSON.
fn json_line(value: &impl serde::Serialize) -> Result<String> {
    let text = serde_json::to_string(value)
        .map_err(|error| Error::format("figures", "content", error, "values that JSON can hold"))?;
    Ok(text + "\n")
}

fn new_plugin(kind: new_plugin::Kind, name: &str) -> Result<Exit> {
    let folder = new_plugin::create(Path::new(""), kind, name)?;
    print(&format!("{}: write the formula into src/lib.rs, then: cargo test\n", folder.display()))?;
    Ok(Exit::Done)
}

/// The name of this binary, which a plugin has of its own.
fn program() -> PathBuf {
    let path = std::env::current_exe().unwrap_or_default();
    path.file_stem().map_or_else(|| PathBuf::from("idode"), PathBuf::from)
}

/// A path as a shell takes it back.
fn shell(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_survive_the_shell() {
        assert_eq!(shell(Path::new("runs/a-1.toml")), "runs/a-1.toml");
        assert_eq!(shell(Path::new("my runs/it's")), r"'my runs/it'\''s'");
    }
}
