//! What the ranks of a run do together, each on a part of the rows. Rank 0 writes the run's folder, which the others must see; of theirs is
//! only the shard that they measure.

use super::{EvaluateOptions, Experiment, journal};
use crate::communicator::Ranks;
use crate::config::{Device, Recipe};
use crate::error::{Error, Result};
use crate::files;
use crate::registry::ComputeDevice;
use crate::result::Outcome;
use crate::run::{Found, Observer, Observers, RunFolder, Shard};
use serde_json::Value;
use std::path::PathBuf;

/// Tells the other ranks that this one lives whenever work asks whether it should stop.
#[derive(Debug)]
pub(super) struct Alive<'a>(pub(super) &'a Ranks);

impl Observer for Alive<'_> {
    fn stop(&self) -> Option<String> {
        // Whoever has ended is met by the next thing that is done together.
        let _ = self.0.alive();
        None
    }
}

/// The work of a rank: whatever ends it is told to the others.
///
/// # Errors
/// Those of the work.
pub(super) fn all_told<T>(ranks: &Ranks, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let done = work();
    if let Err(why) = &done
        && !matches!(why, Error::Interrupted)
    {
        ranks.leave(why);
    }
    done
}

/// Refuses stages whose accumulation steps cannot be dealt to the ranks.
///
/// # Errors
/// The first such stage.
pub(super) fn check_dealt(recipe: &Recipe, ranks: &Ranks) -> Result<()> {
    for (index, stage) in recipe.stage.iter().enumerate() {
        if let Err(expected) = ranks.deal(stage.accumulation) {
            let key = format!("stage[{index}].accumulation");
            return Err(recipe.source.error(&key, stage.accumulation, expected));
        }
    }
    Ok(())
}

/// Checks that all ranks run one version of one recipe on the same data.
///
/// # Errors
/// Which rank has something else.
pub(super) fn agree(ranks: &Ranks, recipe: &Recipe, fingerprint: &Value) -> Result<()> {
    if ranks.size() == 1 {
        return Ok(());
    }
    ranks.agree(&[
        ("version of idode", env!("CARGO_PKG_VERSION").to_owned()),
        // Each has a device of its own.
        ("recipe", recipe.clone().on(Some(Device::Cpu)).to_toml()?),
        ("training data", fingerprint.to_string()),
    ])
}

/// The checkpoint that rank 0 has found, on every rank.
///
/// # Errors
/// If a rank is gone.
pub(super) fn shared(ranks: &Ranks, from: Option<Found>) -> Result<Option<Found>> {
    if ranks.size() == 1 {
        return Ok(from);
    }
    let bytes = ranks.broadcast(from.as_ref().map(|found| found.bytes.clone()))?;
    if ranks.is_first() || bytes.is_empty() {
        return Ok(from);
    }
    Ok(Some(Found { path: PathBuf::from("the checkpoint of rank 0"), bytes, corrupt: Vec::new() }))
}

/// What a rank's part of the work gave, where no rank was asked to end; then all of them end.
///
/// # Errors
/// Those of the part, and [`Error::Interrupted`] if any was.
pub(super) fn unless_interrupted<T>(ranks: &Ranks, done: Result<T>) -> Result<T> {
    if ranks.size() == 1 {
        return done;
    }
    if !matches!(done, Ok(_) | Err(Error::Interrupted)) {
        return done;
    }
    match ranks.any(done.is_err())? {
        true => Err(Error::Interrupted),
        false => done,
    }
}

impl<D: ComputeDevice> Experiment<D> {
    /// Measures a run whose parts all ranks have. The rows are dealt by their index, and what is written has the bytes of one process.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate), or if a rank is gone.
    pub(super) fn measured_together(
        &self,
        run: &RunFolder,
        options: EvaluateOptions,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        let ranks = &self.ranks;
        let size = ranks.size();
        let observer = &mut Observers::new().and(Alive(ranks)).and(observer);
        if size == 1 {
            let _lock = journal::waited_for(run, observer)?;
            return self.measured(run, options, observer);
        }
        let shards = (1..=size).map(|part| Shard::new(part, size)).collect::<Result<Vec<_>>>()?;
        let own = self.evaluate_shard(run, shards[ranks.rank()], observer).map(drop);
        unless_interrupted(ranks, own)?;
        let whole = ranks.is_first().then(|| {
            let paths: Vec<PathBuf> = shards.iter().map(|shard| run.place_of_shard(*shard).log()).collect();
            let _lock = journal::waited_for(run, observer)?;
            let outcome = self.merged(run, &paths, options, observer)?;
            paths.iter().try_for_each(|path| files::remove(path)).map(|()| outcome)
        });
        let whole = whole.transpose();
        let whole = unless_interrupted(ranks, whole)?;
        whole.map_or_else(|| Outcome::read(&run.result()), Ok)
    }
}
