//! Between a network's parameters and arrays with the published names and shapes.

use super::{Array, Arrays};
use crate::error::{Error, Result};
use crate::nn::{ParameterVisitor, Parameters, Role};
use crate::tensor::{Kernels, Real};
use dfdx::prelude::{HasShape, Shape, Tensor};
use std::path::Path;

/// The published shape of a parameter: a convolution's kernel with its axes apart.
fn published<S: Shape>(role: Role, shape: &S) -> Vec<usize> {
    let shape: Vec<usize> = shape.concrete().into();
    match (role, &shape[..]) {
        (Role::Kernel { size }, &[rows, outputs]) if size > 1 => {
            vec![size, size, rows / (size * size), outputs]
        }
        _ => shape,
    }
}

/// The parameters of a network; with `values`, other numbers in their shapes, by the index in the network's walk.
pub fn collect<E: Real, D: Kernels<E>, N: Parameters<E, D>>(
    network: &N,
    values: Option<&dyn Fn(usize) -> Vec<E>>,
) -> Arrays {
    struct Collect<'a, E> {
        values: Option<&'a dyn Fn(usize) -> Vec<E>>,
        index: usize,
        arrays: Arrays,
    }
    impl<E: Real, D: Kernels<E>> ParameterVisitor<E, D> for Collect<'_, E> {
        fn parameter<S: Shape>(&mut self, name: &str, role: Role, tensor: &mut Tensor<S, E, D>) {
            let values = self.values.map_or_else(|| tensor.as_vec(), |values| values(self.index));
            let values: Vec<f32> = values.into_iter().map(|value| value.to64() as f32).collect();
            let array = Array::float32(published(role, tensor.shape()), &values);
            self.arrays.extend(array.map(|array| (name.to_owned(), array)));
            self.index += 1;
        }
    }
    let mut collect = Collect { values, index: 0, arrays: Arrays::new() };
    network.clone().parameters("", &mut collect);
    collect.arrays
}

/// Writes `arrays` over a network's parameters; `part` is what messages call the set.
///
/// # Errors
/// If an array is missing, of another shape, not `float32` or not finite, or if there is one that the network lacks;
/// the network is then unchanged.
pub fn load<E: Real, D: Kernels<E>, N: Parameters<E, D>>(
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
    impl<E: Real, D: Kernels<E>> ParameterVisitor<E, D> for Load<'_> {
        fn parameter<S: Shape>(&mut self, name: &str, role: Role, tensor: &mut Tensor<S, E, D>) {
            self.known.insert(name.to_owned());
            if self.error.is_some() {
                return;
            }
            match self.values(name, &published(role, tensor.shape())) {
                Ok(values) => {
                    let values = values.into_iter().map(|value| E::of(f64::from(value))).collect::<Vec<E>>();
                    *tensor = tensor.device().tensor_from_vec(values, *tensor.shape());
                }
                Err(error) => self.error = Some(error),
            }
        }
    }
    let mut loaded = network.clone();
    let mut load = Load { path, part, arrays, known: Default::default(), error: None };
    loaded.parameters("", &mut load);
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
