//! Cases of kind "checkpoint": a Flax checkpoint's moving average, as a network.

use super::case::{Array, Arrays, Case, Result};
use super::network::{ROUNDING, Rows, Task, with_network};
use super::report::Report;
use dfdx::prelude::Cpu;
use idode::nn::{Jvp, Parameters};
use rmpv::Value;

pub(crate) fn check(case: &Case) -> Result<String> {
    let name = case.config.file.as_ref().ok_or("file: not in the settings")?;
    let bytes = std::fs::read(case.folder.join(name)).map_err(|e| format!("{name}: {e}"))?;
    let checkpoint = rmpv::decode::read_value(&mut bytes.as_slice())?;
    let mut params = Arrays::new();
    flatten(entry(&checkpoint, "ema_params")?, "", &mut params)?;
    with_network::<f32, _>(&case.config, &params, Check(case))
}

struct Check<'a>(&'a Case);

impl Task<f32> for Check<'_> {
    type Out = String;

    fn run<N: Jvp<f32, Cpu> + Parameters<f32, Cpu>>(self, network: N) -> Result<String> {
        let Self(case) = self;
        let diffusion = case.config.diffusion()?;
        let rows = Rows::of(case, &diffusion)?;
        let z = case.values("in/z")?;
        let f = rows.jvp(&network, z, &vec![0.0; z.len()])?;
        let mut report = Report::of(case);
        report.compare("out/network", &f.value, ROUNDING)?;
        report.finish()
    }
}

fn entry<'a>(map: &'a Value, name: &str) -> Result<&'a Value> {
    let entries = map.as_map().ok_or("the checkpoint is no map")?;
    let found = entries.iter().find(|(key, _)| key.as_str() == Some(name));
    Ok(found.map(|(_, value)| value).ok_or_else(|| format!("{name}: not in the checkpoint"))?)
}

/// Every array of nested maps, its path joined by `/`.
fn flatten(value: &Value, path: &str, arrays: &mut Arrays) -> Result<()> {
    if let Some(entries) = value.as_map() {
        for (key, value) in entries {
            let key = key.as_str().ok_or("a key is no string")?;
            let path = if path.is_empty() { key.to_owned() } else { format!("{path}/{key}") };
            flatten(value, &path, arrays)?;
        }
        return Ok(());
    }
    arrays.insert(path.to_owned(), array(value).ok_or_else(|| format!("{path}: no array of float32"))?);
    Ok(())
}

/// Flax's array: extension 1, which holds `(shape, name of the type, bytes)` in msgpack once more.
fn array(value: &Value) -> Option<Array> {
    let (1, bytes) = value.as_ext()? else { return None };
    let parts = rmpv::decode::read_value(&mut &*bytes).ok()?;
    let [shape, kind, data] = parts.as_array()?.as_slice() else { return None };
    let shape: Option<Vec<usize>> =
        shape.as_array()?.iter().map(|n| n.as_u64().and_then(|n| n.try_into().ok())).collect();
    if kind.as_str()? != "float32" {
        return None;
    }
    let values: Vec<f64> =
        data.as_slice()?.as_chunks().0.iter().map(|x| f64::from(f32::from_le_bytes(*x))).collect();
    let shape = shape.filter(|shape| shape.iter().product::<usize>() == values.len())?;
    Some(Array { shape, values })
}
