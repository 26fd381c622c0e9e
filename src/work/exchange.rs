//! Runs from checkpoints of the published code, and back.

use super::networks::fresh;
use crate::config::Recipe;
use crate::data::Position;
use crate::error::{Error, Result};
use crate::flax::{Moments, TrainState, Tree, collect, load};
use crate::nn::{DynNetwork, count};
use crate::registry::{NetworkPlan, Registry};
use crate::run::RunFolder;
use crate::tensor;
use crate::train::{AdamW, Checkpoint, CheckpointState, save};
use dfdx::prelude::Cpu;
use std::collections::BTreeMap;
use std::path::Path;

/// Which parameters of a file are measured and sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Chosen {
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

/// Makes the run folder `out` of a Flax checkpoint or a safetensors file of the published code.
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
    chosen: Chosen,
) -> Result<Imported> {
    let recipe = super::data::resolved(recipe, registry)?;
    registry.check(&recipe)?;
    RunFolder::vacant(out)?;
    let shape = super::data::shape(&recipe)?;
    let state = TrainState::parse(path, Tree::load(path)?)?;
    let plan = registry.network(&recipe, shape)?;
    let network = fresh(&plan, recipe.seed, &Cpu::default())?;
    Import { path, recipe: &recipe, out, chosen, state, plan }.run(network)
}

struct Import<'a> {
    path: &'a Path,
    recipe: &'a Recipe,
    out: &'a Path,
    chosen: Chosen,
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
        if self.chosen == Chosen::Raw {
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
            stage: 0,
            stage_step: 0,
            optimizer_step: optimizer.steps(),
            seed: self.recipe.seed,
            position: Position { seed: self.recipe.seed, visited: 0 },
            seconds: 0.0,
            time_sampler: None,
            dequantizers: BTreeMap::new(),
            schema: super::source::table(self.recipe)?.map(|splits| splits.schema),
        };
        let run = RunFolder::create(self.out, self.recipe)?;
        let folder = run.checkpoints();
        std::fs::create_dir_all(&folder).map_err(Error::io(&folder, "create"))?;
        if let Some(layout) = layout {
            layout.save(run.imported())?;
        }
        save(&run.last_checkpoint(), &network, &optimizer, &state)?;
        Ok(Imported {
            step,
            parameters: count(&network),
            has_average: ema.is_some(),
            has_moments: moments.is_some(),
            network: state.network,
        })
    }
}

/// Writes the last checkpoint of a run to a new file that the published code reads: the whole state as Flax's msgpack,
/// or, where the name ends in `.safetensors`, the moving average of the parameters alone.
///
/// # Errors
/// A run without a checkpoint that can be used, or a file that is there already.
pub fn export(run: &RunFolder, registry: &Registry, path: &Path) -> Result<()> {
    if path.exists() {
        return Err(Error::format(path, "checkpoint", "a file", "a new one"));
    }
    let shape = super::data::shape(run.recipe())?;
    let last = run.last_checkpoint();
    let bytes = std::fs::read(&last).map_err(Error::io(&last, "read"))?;
    let checkpoint = Checkpoint::parse(&last, &bytes)?;
    let plan = registry.network(run.recipe(), shape)?;
    checkpoint.check_network(plan.description())?;
    let layout = run.imported();
    let layout = if layout.exists() { Some(Tree::load(&layout)?) } else { None };
    let network = fresh(&plan, run.recipe().seed, &Cpu::default())?;
    Export { checkpoint: &checkpoint, layout, path }.run(network)?.save(path)
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
