//! What the ranks of a run do together, each on a part of the rows. Rank 0 writes the run's folder, which the others must see; of theirs is
//! only the shard that they measure.

use crate::communicator::Ranks;
use crate::config::{Device, Recipe};
use crate::error::{Error, Result};
use crate::run::{Found, Observer};
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
