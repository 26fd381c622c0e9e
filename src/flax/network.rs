//! Between a network's parameters and arrays with the published names and shapes.

use super::{Array, Arrays};
use crate::error::{Error, Result};
use crate::nn::{Parameters, Role};
use crate::tensor::{Kernels, Real};
use std::path::Path;

/// The published shape of a parameter: a convolution's kernel with its axes apart.
fn published(role: Role, shape: Vec<usize>) -> Vec<usize> {
    match (role, &shape[..]) {
        (Role::Kernel { size }, &[rows, outputs]) if size > 1 => {
            vec![size, size, rows / (size * size), outputs]
        }
        _ => shape,
    }
}

/// The parameters of a network; with `values`, other numbers in their shapes, by the index in the network's walk.
pub(crate) fn collect<E: Real, D: Kernels<E>, N: Parameters<E, D>>(
    network: &N,
    values: Option<&dyn Fn(usize) -> Vec<E>>,
) -> Arrays {
    let (mut index, mut arrays) = (0, Arrays::new());
    network.clone().parameters("", &mut |name, role, parameter| {
        let numbers = values.map_or_else(|| parameter.numbers(), |values| values(index));
        let numbers: Vec<f32> = numbers.into_iter().map(|value| value.to64() as f32).collect();
        let array = Array::float32(published(role, parameter.shape()), &numbers);
        if let Some(array) = array {
            arrays.insert(name.to_owned(), array);
        }
        index += 1;
    });
    arrays
}

/// Writes `arrays` over a network's parameters; `part` is what messages call the set.
///
/// # Errors
/// If an array is missing, of another shape, not `float32` or not finite, or if there is one that the network lacks;
/// the network is then unchanged.
pub(crate) fn load<E: Real, D: Kernels<E>, N: Parameters<E, D>>(
    path: &Path,
    part: &str,
    arrays: &Arrays,
    network: &mut N,
) -> Result<()> {
    struct Load<'a> {
        path: &'a Path,
        part: &'a str,
        arrays: &'a Arrays,
        known: std::collections::BTreeSet<String>,
        error: Option<Error>,
    }
    impl Load<'_> {
        fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
            let what = format!("{} {name}", self.part);
            let expected = format!("float32 of shape {shape:?}");
            let Some(array) = self.arrays.get(name) else {
                return Err(Error::format(self.path, what, "nothing", expected));
            };
            match array.values().filter(|_| array.shape() == shape) {
                Some(values) => match values.iter().position(|value| !value.is_finite()) {
                    Some(at) => Err(Error::format(
                        self.path,
                        format!("{what}: value {at}"),
                        values[at],
                        "a finite number",
                    )),
                    None => Ok(values),
                },
                None => Err(Error::format(self.path, what, array, expected)),
            }
        }
    }
    let mut loaded = network.clone();
    let mut load = Load { path, part, arrays, known: Default::default(), error: None };
    loaded.parameters("", &mut |name, role, parameter| {
        load.known.insert(name.to_owned());
        if load.error.is_some() {
            return;
        }
        match load.values(name, &published(role, parameter.shape())) {
            Ok(values) => {
                parameter.replace(values.into_iter().map(|value| E::of(f64::from(value))).collect())
            }
            Err(error) => load.error = Some(error),
        }
    });
    if let Some(error) = load.error {
        return Err(error);
    }
    if let Some((name, array)) = arrays.iter().find(|(name, _)| !load.known.contains(*name)) {
        let what = format!("{part} {name}");
        return Err(Error::format(path, what, array, "no parameter that the recipe's network lacks"));
    }
    *network = loaded;
    Ok(())
}
