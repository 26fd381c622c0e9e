//! The published code's training state.

use super::tree::join;
use super::{Array, Tree};
use crate::error::{Error, Result};
use rmpv::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// The published code's name of the network, which ours does not have.
const NETWORK: &str = "score_model";

/// Arrays by our names of the parameters.
pub type Arrays = BTreeMap<String, Array>;

/// The state of optax's AdamW.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// The number of updates.
    pub count: u64,
    /// The moving average of the gradient.
    pub mu: Arrays,
    /// The moving average of the squared gradient.
    pub nu: Arrays,
}

/// What a file of the published code holds.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainState {
    /// Optimizer steps.
    pub step: u64,
    /// The parameters.
    pub params: Arrays,
    /// Their moving average.
    pub ema: Option<Arrays>,
    /// The optimizer's state, if the file has it.
    pub moments: Option<Moments>,
    /// Everything else: the file's tree with nothing where the arrays above were.
    pub layout: Option<Tree>,
}

impl TrainState {
    /// The state in a file's tree: the whole state of training, or the parameters alone.
    ///
    /// # Errors
    /// If `params` is missing, or a part of the state is not what it should be.
    pub fn parse(path: &Path, mut tree: Tree) -> Result<Self> {
        if tree.get(NETWORK).is_some() {
            let params = arrays(path, "", tree)?;
            return Ok(Self { step: 0, params, ema: None, moments: None, layout: None });
        }
        let Tree::Branch(parts) = &mut tree else {
            return Err(Error::format(path, "content", "no branch", "step, params, ema_params, opt_state"));
        };
        let Some(params) = take(parts, "params") else {
            let names: Vec<&str> = parts.keys().take(8).map(String::as_str).collect();
            let expected = format!("params, or {NETWORK}");
            return Err(Error::format(path, "content", format!("{names:?}"), expected));
        };
        let params = arrays(path, "params", params)?;
        let ema = take(parts, "ema_params").map(|ema| arrays(path, "ema_params", ema)).transpose()?;
        let step = match parts.get("step") {
            Some(step) => count(path, "step", step)?,
            None => 0,
        };
        let moments = match parts.get_mut("opt_state") {
            Some(optimizer) => moments(path, "opt_state", optimizer)?,
            None => None,
        };
        Ok(Self { step, params, ema, moments, layout: Some(tree) })
    }

    /// The tree of a file that the published code reads; without a layout, as that code writes it today.
    pub(crate) fn into_tree(self) -> Tree {
        let bare = |layout: &Tree| self.moments.is_some() && !has_moments(layout);
        let mut layout = self.layout.filter(|layout| !bare(layout)).unwrap_or_else(published);
        let params = branch(self.params);
        if let Tree::Branch(parts) = &mut layout {
            if let Some(step) = parts.get_mut("step") {
                set_count(step, self.step);
            }
            if let Some(optimizer) = parts.get_mut("opt_state") {
                if let Some(moments) = self.moments {
                    put_moments(optimizer, moments.count, &branch(moments.mu), &branch(moments.nu));
                } else if has_moments(optimizer) {
                    let zeros = zeros(&params);
                    put_moments(optimizer, 0, &zeros, &zeros);
                }
            }
            if let Some(ema) = self.ema {
                parts.insert("ema_params".to_owned(), branch(ema));
            }
            parts.insert("params".to_owned(), params);
        }
        layout
    }

    /// The tree of one set of parameters alone.
    pub fn bare(arrays: Arrays) -> Tree {
        branch(arrays)
    }
}

/// `optax.adamw` with a mask and a number as rate: moments, the mask's own state, and nothing.
fn published() -> Tree {
    let zero = || Array::new("int32", vec![], vec![0; 4]).map_or(Tree::Plain(Value::from(0)), Tree::Array);
    let empty = || Tree::Branch(BTreeMap::new());
    let nil = || Tree::Plain(Value::Nil);
    let of = |parts: Vec<(&str, Tree)>| {
        let mut branch = BTreeMap::new();
        for (name, part) in parts {
            branch.insert(name.to_owned(), part);
        }
        Tree::Branch(branch)
    };
    let adam = of(vec![("count", zero()), ("mu", nil()), ("nu", nil())]);
    let optimizer = of(vec![("0", adam), ("1", of(vec![("inner_state", empty())])), ("2", empty())]);
    of(vec![("ema_params", nil()), ("opt_state", optimizer), ("params", nil()), ("step", zero())])
}

/// Takes a part out and leaves nothing in its place.
fn take(parts: &mut BTreeMap<String, Tree>, name: &str) -> Option<Tree> {
    match parts.get_mut(name) {
        Some(Tree::Plain(Value::Nil)) | None => None,
        Some(part) => Some(std::mem::replace(part, Tree::Plain(Value::Nil))),
    }
}

/// The arrays of a branch by our names.
fn arrays(path: &Path, name: &str, tree: Tree) -> Result<Arrays> {
    let mut found = BTreeMap::new();
    let mut pending = vec![(String::new(), tree)];
    while let Some((own, tree)) = pending.pop() {
        match tree {
            Tree::Branch(parts) => {
                for (part, tree) in parts {
                    pending.push((join(&own, &part), tree));
                }
            }
            Tree::Array(array) => {
                let short = own.strip_prefix(NETWORK).and_then(|rest| rest.strip_prefix('/'));
                let Some(short) = short else {
                    let expected = format!("parameters of {NETWORK} alone");
                    return Err(Error::format(path, join(name, &own), array, expected));
                };
                found.insert(short.to_owned(), array);
            }
            Tree::Scalar(_) | Tree::Plain(_) => {
                return Err(Error::format(path, join(name, &own), "no array", "an array"));
            }
        }
    }
    Ok(found)
}

/// The branch of arrays by the published names.
fn branch(arrays: Arrays) -> Tree {
    let mut tree = Tree::Branch(BTreeMap::new());
    for (name, array) in arrays {
        // Our names are paths of which none leads through another.
        let _ = tree.insert(&join(NETWORK, &name), Tree::Array(array));
    }
    tree
}

fn zeros(tree: &Tree) -> Tree {
    match tree {
        Tree::Branch(parts) => {
            let mut of = BTreeMap::new();
            for (name, part) in parts {
                of.insert(name.clone(), zeros(part));
            }
            Tree::Branch(of)
        }
        Tree::Array(array) => {
            let zeros = vec![0; array.bytes().len()];
            Array::new(array.dtype(), array.shape().to_vec(), zeros).map_or(tree.clone(), Tree::Array)
        }
        other => other.clone(),
    }
}

fn count(path: &Path, name: &str, tree: &Tree) -> Result<u64> {
    let found = match tree {
        Tree::Array(array) | Tree::Scalar(array) => array.count(),
        Tree::Plain(value) => value.as_u64(),
        Tree::Branch(_) => None,
    };
    found.ok_or_else(|| Error::format(path, name, "no count", "a whole number, 0 or more"))
}

fn set_count(tree: &mut Tree, count: u64) {
    let changed = match tree {
        Tree::Array(array) => array.with_count(count).map(Tree::Array),
        Tree::Scalar(array) => array.with_count(count).map(Tree::Scalar),
        Tree::Plain(_) => Some(Tree::Plain(Value::from(count))),
        Tree::Branch(_) => None,
    };
    if let Some(changed) = changed {
        *tree = changed;
    }
}

/// Takes the first state of Adam out of the optimizer's, however deep its chain.
fn moments(path: &Path, name: &str, tree: &mut Tree) -> Result<Option<Moments>> {
    let Tree::Branch(parts) = tree else { return Ok(None) };
    if is_adam(parts)
        && let (Some(mu), Some(nu)) = (take(parts, "mu"), take(parts, "nu"))
    {
        let missing = Tree::Plain(Value::Nil);
        let count = count(path, &join(name, "count"), parts.get("count").unwrap_or(&missing))?;
        let mu = arrays(path, &join(name, "mu"), mu)?;
        return Ok(Some(Moments { count, mu, nu: arrays(path, &join(name, "nu"), nu)? }));
    }
    for (part, tree) in parts {
        if let Some(found) = moments(path, &join(name, part), tree)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn is_adam(parts: &BTreeMap<String, Tree>) -> bool {
    parts.contains_key("mu") && parts.contains_key("nu")
}

fn has_moments(tree: &Tree) -> bool {
    match tree {
        Tree::Branch(parts) => is_adam(parts) || parts.values().any(has_moments),
        _ => false,
    }
}

/// Puts the moments where they were taken from, and their count wherever updates are counted.
fn put_moments(tree: &mut Tree, count: u64, mu: &Tree, nu: &Tree) {
    let Tree::Branch(parts) = tree else { return };
    if let Some(own) = parts.get_mut("count") {
        set_count(own, count);
    }
    if is_adam(parts) {
        parts.insert("mu".to_owned(), mu.clone());
        parts.insert("nu".to_owned(), nu.clone());
        return;
    }
    for part in parts.values_mut() {
        put_moments(part, count, mu, nu);
    }
}
