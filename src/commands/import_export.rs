//! Runs from checkpoints of the published code, and back.

use crate::config::Recipe;
use crate::data::Position;
use crate::error::{Error, Result};
use crate::experiment::{resolved, table};
use crate::files::{self, Lock};
use crate::flax::{Moments, TrainState, Tree, collect, load};
use crate::nn::{DynNetwork, count};
use crate::registry::{NetworkPlan, Registry};
use crate::run::{Checkpoints, RunFolder, agree};
use crate::tensor;
use crate::train::{AdamW, Checkpoint, CheckpointState, encode};
use dfdx::prelude::Cpu;
use std::path::{Path, PathBuf};

/// Which parameters of a file are measured and sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weights {
    /// The moving average, if the file has one.
    #[default]
    Average,
    /// The parameters that training last changed.
    Raw,
}

/// What was found in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The training step.
    pub step: u64,
    /// The network, in words.
    pub network: String,
    /// The number of parameters.
    pub parameters: usize,
    /// Whether the file has a moving average of the parameters.
    pub has_average: bool,
    /// Whether the file has the optimizer's moments; without them they start at zero.
    pub has_moments: bool,
}

/// Makes the run folder `out` of a Flax checkpoint or a safetensors file of the published code: all of it or nothing.
///
/// The run can be measured and sampled, and trained further: the recipe's stages are what follows the file's step.
///
/// # Errors
/// A recipe or file that cannot be used, a folder that is not vacant, a parameter that is missing, of another shape, or
/// none of the network's: found before anything is written.
pub fn import(
    path: &Path,
    recipe: &Recipe,
    registry: &Registry,
    out: &Path,
    weights: Weights,
) -> Result<Imported> {
    let recipe = resolved(recipe, registry)?;
    registry.check(&recipe)?;
    RunFolder::vacant(out)?;
    let shape = recipe.row_shape()?;
    let state = TrainState::parse(path, Tree::load(path)?)?;
    let plan = registry.network(&recipe, shape)?;
    let network = plan.fresh(recipe.seed, &Cpu::default())?;
    Import { path, recipe: &recipe, out, weights, state, plan }.run(network)
}

struct Import<'a> {
    path: &'a Path,
    recipe: &'a Recipe,
    out: &'a Path,
    weights: Weights,
    state: TrainState,
    plan: NetworkPlan,
}

impl Import<'_> {
    fn run(self, mut network: DynNetwork<f32, Cpu>) -> Result<Imported> {
        let TrainState { step, params, ema, moments, layout } = self.state;
        load(self.path, "params", &params, &mut network)?;
        let mut average = network.clone();
        if let Some(ema) = &ema {
            load(self.path, "ema_params", ema, &mut average)?;
        }
        if self.weights == Weights::Raw {
            average = network.clone();
        }
        let optimizer = match &moments {
            None => AdamW::restored(0, step, AdamW::new(&average).moments().to_vec()),
            Some(Moments { count, mu, nu }) => {
                let flat = |part: &str, arrays| {
                    let mut copy = network.clone();
                    load(self.path, part, arrays, &mut copy).map(|()| AdamW::new(&copy))
                };
                let (mu, nu) = (flat("mu", mu)?, flat("nu", nu)?);
                let average = AdamW::new(&average);
                let parts = average.moments().iter().zip(mu.moments()).zip(nu.moments());
                let parts = parts.map(|(((name, ema), (_, mu)), (_, nu))| {
                    let (first, second, ema) = (mu.ema.clone(), nu.ema.clone(), ema.ema.clone());
                    (name.clone(), tensor::Moments { first, second, ema })
                });
                AdamW::restored(*count, step, parts.collect())
            }
        };
        let state = CheckpointState {
            network: self.plan.description().to_owned(),
            step,
            start: step,
            optimizer_step: optimizer.steps(),
            precision: self.recipe.precision,
            seed: self.recipe.seed,
            position: Position { seed: self.recipe.seed, visited: 0 },
            schema: table(self.recipe)?.map(|splits| splits.schema),
            ..CheckpointState::default()
        };
        let bytes = encode(&network, &optimizer, &state).map_err(|error| match error {
            Error::Diverged { what, .. } => {
                Error::format(self.path, what, "a number that is not finite", "finite numbers")
            }
            other => other,
        })?;
        let staging = Staging::beside(self.out)?;
        let (run, lock) = RunFolder::create(&staging.0, self.recipe)?;
        if let Some(layout) = layout {
            layout.save(run.imported())?;
        }
        Checkpoints::new(run.checkpoints(), self.recipe.log.keep, None).save(step, &bytes)?;
        run.begin()?;
        drop(lock);
        staging.become_run(self.out)?;
        Ok(Imported {
            step,
            parameters: count(&network),
            has_average: ema.is_some(),
            has_moments: moments.is_some(),
            network: state.network,
        })
    }
}

/// A folder beside the one that it is to become, removed unless it does.
struct Staging(PathBuf);

impl Staging {
    /// Of this process; what others left, which were ended before their import was whole, is removed.
    fn beside(out: &Path) -> Result<Self> {
        let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        files::create_folder(parent)?;
        let name = out.file_name().unwrap_or_default();
        for entry in std::fs::read_dir(parent).map_err(Error::io(parent, "read"))? {
            let path = entry.map_err(Error::io(parent, "read"))?.path();
            let left = path.file_name().and_then(|left| left.to_str()).and_then(files::made_of);
            // Whoever is still at work in it has its lock.
            if left.is_some_and(|left| left == name) && path.is_dir() && Lock::take(&path).is_ok() {
                files::remove_folder(&path)?;
            }
        }
        Ok(Self(files::temporary(out)))
    }

    /// Becomes the folder `out`, where nothing is or what a run left that never began.
    fn become_run(self, out: &Path) -> Result<()> {
        let lock = out.exists().then(|| Lock::take(out)).transpose()?;
        RunFolder::vacant(out)?;
        if lock.is_some() {
            files::remove_folder(out)?;
        }
        files::rename(&self.0, out)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.0.exists() {
            // The first error is the one to report; what cannot be removed now is removed by the next import.
            let _ = files::remove_folder(&self.0);
        }
    }
}

/// Writes the checkpoint of a run (the last, or with validation the best) to a new file that the published code reads: the whole state as Flax's msgpack,
/// or, where the name ends in `.safetensors`, the moving average of the parameters alone.
///
/// # Errors
/// A run without a checkpoint that can be used, or a file that is there already.
pub fn export(run: &RunFolder, registry: &Registry, path: &Path) -> Result<()> {
    if path.exists() {
        return Err(Error::format(path, "checkpoint", "a file", "a new one"));
    }
    let shape = run.recipe().row_shape()?;
    let last = run.chosen_checkpoint()?;
    let bytes = std::fs::read(&last).map_err(Error::io(&last, "read"))?;
    let checkpoint = Checkpoint::parse(&last, &bytes)?;
    let plan = registry.network(run.recipe(), shape)?;
    agree(&last, &checkpoint, run.recipe(), plan.description())?;
    let layout = run.imported();
    let layout = if layout.exists() { Some(Tree::load(&layout)?) } else { None };
    let network = plan.fresh(run.recipe().seed, &Cpu::default())?;
    let tree = Export { checkpoint: &checkpoint, layout, path }.run(network)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().and_then(|name| name.to_str());
    files::remove_abandoned(folder, &|left| Some(left) == name);
    tree.save(path)
}

struct Export<'a> {
    checkpoint: &'a Checkpoint<'a>,
    layout: Option<Tree>,
    path: &'a Path,
}

impl Export<'_> {
    fn run(self, mut network: DynNetwork<f32, Cpu>) -> Result<Tree> {
        self.checkpoint.load("parameters", &mut network)?;
        let optimizer: AdamW<f32, Cpu> = self.checkpoint.optimizer(&network)?;
        let moments = optimizer.moments();
        let ema = collect(&network, Some(&|index| moments[index].1.ema.as_vec()));
        if self.path.extension().is_some_and(|extension| extension == "safetensors") {
            return Ok(TrainState::bare(ema));
        }
        let count = optimizer.steps();
        let moments = (count > 0).then(|| Moments {
            count,
            mu: collect(&network, Some(&|index| moments[index].1.first.as_vec())),
            nu: collect(&network, Some(&|index| moments[index].1.second.as_vec())),
        });
        let (step, params) = (self.checkpoint.state().step, collect(&network, None));
        Ok(TrainState { step, params, ema: Some(ema), moments, layout: self.layout }.into_tree())
    }
}
