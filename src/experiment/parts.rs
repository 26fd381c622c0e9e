//! What the data and the network of an experiment may be.

use crate::config::{self, Data, Named, OwnRows, Recipe};
use crate::data::{RowShape, Rows};
use crate::nn::{AnyNetwork, DynNetwork};
use crate::tensor::Kernels;

/// The data of an experiment: the settings of a set that recipes know, or rows of one's own, those to train on and those to measure.
#[derive(Clone, Debug)]
pub struct DataPart(pub(super) Given);

#[derive(Clone, Debug)]
pub(super) enum Given {
    Named(Box<Data>),
    Own(Rows, Rows),
}

impl From<Data> for DataPart {
    fn from(data: Data) -> Self {
        Self(Given::Named(Box::new(data)))
    }
}

impl From<(Rows, Rows)> for DataPart {
    fn from((train, held_out): (Rows, Rows)) -> Self {
        Self(Given::Own(train, held_out))
    }
}

/// Settings that are data by themselves.
macro_rules! data {
    ($($settings:ident: $variant:ident),*) => {$(
        impl From<config::$settings> for DataPart {
            fn from(settings: config::$settings) -> Self {
                Data::$variant(settings).into()
            }
        }
    )*};
}

data!(Digits: Digits, Cifar10: Cifar10, ImageNet32: Imagenet32, ArrayArchives: Npz, Folder: Folder, Table: Table);

impl DataPart {
    /// What a recipe says of it.
    pub(super) fn described(&self) -> Data {
        let (train, held_out) = match &self.0 {
            Given::Named(data) => return (**data).clone(),
            Given::Own(train, held_out) => (train, held_out),
        };
        let (shape, columns) = match train.shape() {
            RowShape::Image(image) => (Some([image.height, image.width, image.channels]), None),
            RowShape::Vector(columns) => (None, Some(columns)),
        };
        let (of, _) = held_out.name();
        Data::Program(OwnRows { of, shape, levels: train.levels(), columns, conditions: train.conditions() })
    }
}

/// The network of an experiment on devices of type `D`: settings of one that recipes know, a name of the experiment's registry, or a
/// network of one's own with what its checkpoints call it.
#[derive(Clone, Debug)]
pub struct NetworkPart<D: Kernels<f32>>(pub(super) Part<D>);

#[derive(Clone, Debug)]
pub(super) enum Part<D: Kernels<f32>> {
    Named(Named),
    Own(String, DynNetwork<f32, D>),
}

impl<D: Kernels<f32>> NetworkPart<D> {
    /// Puts the network's name into a recipe.
    pub(super) fn describe(&self, recipe: &mut Recipe) {
        recipe.network = match &self.0 {
            Part::Named(named) => named.clone(),
            Part::Own(called, _) => Named::unnamed(called),
        };
    }
}

impl<D: Kernels<f32>> From<Named> for NetworkPart<D> {
    fn from(named: Named) -> Self {
        Self(Part::Named(named))
    }
}

impl<D: Kernels<f32>> From<config::Unet> for NetworkPart<D> {
    fn from(settings: config::Unet) -> Self {
        Named::from(settings).into()
    }
}

impl<D: Kernels<f32>> From<config::Mlp> for NetworkPart<D> {
    fn from(settings: config::Mlp) -> Self {
        Named::from(settings).into()
    }
}

impl<D: Kernels<f32>, N: AnyNetwork<f32, D>> From<(&str, N)> for NetworkPart<D> {
    fn from((called, network): (&str, N)) -> Self {
        Self(Part::Own(called.to_owned(), DynNetwork::new(network)))
    }
}
