//! What the ranks of a run do together, each on a part of the rows. Rank 0 writes the run's folder, which the others must see; of theirs is
//! only the shard that they measure.

use crate::communicator::Ranks;
use crate::config::{Device, Recipe};
use crate::error::{Error, Result};
use crate::run::Observer;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::ops::Range;
use std::path::PathBuf;

/// Tells the other ranks that this one lives whenever work asks whether it should stop, and asks for the end when one of them is gone.
#[derive(Debug)]
pub(super) struct Alive<'a>(pub(super) &'a Ranks);

impl Observer for Alive<'_> {
    fn stop(&self) -> Option<String> {
        // The next thing that is done together gives it as an error.
        self.0.alive().err().map(|why| why.to_string())
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

/// Checks that all ranks are one program with one recipe, on one kind of device, and have these alike.
///
/// # Errors
/// Which rank has something else.
pub(super) fn agree(ranks: &Ranks, recipe: &Recipe, on: Vec<(&str, String)>) -> Result<()> {
    if ranks.size() == 1 {
        return Ok(());
    }
    let program = std::env::current_exe().and_then(std::fs::read).map(|bytes| {
        let hash = Sha256::digest(bytes);
        hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    });
    let device = if recipe.device == Device::Cpu { "cpu" } else { "cuda" };
    let mut all = vec![
        ("version of idode", env!("CARGO_PKG_VERSION").to_owned()),
        ("sha256 of the program", program.unwrap_or_default()),
        // Each has one of its own.
        ("recipe", recipe.clone().on(Some(Device::Cpu)).to_toml()?),
        ("kind of device", device.to_owned()),
    ];
    all.extend(on);
    ranks.agree(&all)
}

/// The checkpoint that rank 0 has found, on every rank: its path there, and its content.
///
/// # Errors
/// If a rank is gone.
pub(super) fn checkpoint(
    ranks: &Ranks,
    found: Option<(PathBuf, Vec<u8>)>,
) -> Result<Option<(PathBuf, Vec<u8>)>> {
    if ranks.size() == 1 {
        return Ok(found);
    }
    let (path, bytes) = found.unzip();
    let bytes = ranks.broadcast(bytes)?;
    let path = path.unwrap_or_else(|| PathBuf::from("the checkpoint of rank 0"));
    Ok((!bytes.is_empty()).then_some((path, bytes)))
}

/// What rank 0's work gave, on every rank, where no rank was asked to end.
///
/// # Errors
/// Those of the work, [`Error::Interrupted`] if a rank was asked to end, and if one is gone.
pub(super) fn of_first<T: Serialize + DeserializeOwned>(
    ranks: &Ranks,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let done = unless_interrupted(ranks, ranks.is_first().then(work).transpose())?;
    if ranks.size() > 1 {
        let unreadable = |error: serde_json::Error| Error::value("what rank 0 found", error, "JSON");
        let text = done.as_ref().map(serde_json::to_vec).transpose().map_err(unreadable)?;
        let text = ranks.broadcast(text)?;
        if done.is_none() {
            return serde_json::from_slice(&text).map_err(unreadable);
        }
    }
    done.ok_or(Error::Interrupted)
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

/// Which of `count` samples this rank draws: of all ranks one after the other.
pub(super) fn share(ranks: &Ranks, count: usize) -> Range<usize> {
    let of = |rank: usize| rank * count / ranks.size();
    of(ranks.rank())..of(ranks.rank() + 1)
}

/// What all ranks have, one after the other, on every rank, where no rank was asked to end.
///
/// # Errors
/// Those of the own part, [`Error::Interrupted`] if a rank was asked to end, and if one is gone.
pub(super) fn joined<T: Serialize + DeserializeOwned>(ranks: &Ranks, own: Result<Vec<T>>) -> Result<Vec<T>> {
    let own = unless_interrupted(ranks, own)?;
    if ranks.size() == 1 {
        return Ok(own);
    }
    let unreadable = |error: serde_json::Error| Error::value("samples of a rank", error, "JSON");
    let all = ranks.gather(serde_json::to_vec(&own).map_err(unreadable)?)?;
    let parts = all.iter().map(|part| serde_json::from_slice::<Vec<T>>(part).map_err(unreadable));
    Ok(parts.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}
