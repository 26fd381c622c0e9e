//! The parameters' file: one safetensors file with the shape, the levels and the start level in its metadata.

use crate::Learned;
use crate::network::PatchNet;
use idode::data::ImageShape;
use idode::dequantization::Dequantizer;
use idode::error::{Error, Result};
use idode::files::write_atomically;
use idode::level::{Gamma, GammaRange};
use idode::nn::Parameters;
use idode::pixels::PixelGrid;
use idode::schedule::NoiseSchedule;
use idode::tensor::Real;
use rand::SeedableRng;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use std::collections::HashMap;
use std::path::Path;

/// The metadata's key; its value is height, width, channels, grey levels and start level.
const KEY: &str = "idode-learned";

impl Learned {
    /// Writes the parameters: all of the file or nothing.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut found = Vec::new();
        self.network.clone().parameters("", &mut |name, _, parameter| {
            found.push((name.to_owned(), parameter.shape(), f32::to_bytes(&parameter.numbers())));
        });
        let unfit = |error| Error::format(path, "parameters", error, "tensors that safetensors can hold");
        let views = found.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(f32::STORED, shape.clone(), bytes).map_err(unfit)?;
            Ok((name.as_str(), view))
        });
        let ImageShape { height, width, channels } = self.shape();
        let (levels, gamma) = (self.grid().levels(), self.level().gamma());
        let about = format!("{height} {width} {channels} {levels} {gamma}");
        let metadata = HashMap::from([(KEY.to_owned(), about)]);
        let bytes =
            safetensors::serialize(views.collect::<Result<Vec<_>>>()?, Some(metadata)).map_err(unfit)?;
        write_atomically(path, &bytes)
    }

    /// Reads what [`save`](Self::save) wrote, for images of `grid` and a model of `range` on `schedule`.
    ///
    /// # Errors
    /// A file that cannot be read or is none of these, other grey levels, or a start level outside the range.
    pub fn load(
        path: &Path,
        grid: PixelGrid,
        range: GammaRange,
        schedule: &dyn NoiseSchedule,
    ) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
        let line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let corrupt = |error: safetensors::SafeTensorError| {
            Error::format(path, "parameters", line(error.to_string()), "a whole safetensors file")
        };
        let file = SafeTensors::deserialize(&bytes).map_err(corrupt)?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(corrupt)?;
        let about = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
        let numbers: Vec<f64> =
            about.into_iter().flat_map(|text| text.split(' ').flat_map(str::parse)).collect();
        let &[height, width, channels, levels, gamma] = numbers.as_slice() else {
            let found = about.map_or("nothing", String::as_str);
            let what = format!("metadata key \"{KEY}\"");
            return Err(Error::format(
                path,
                what,
                line(found.to_owned()),
                "the five numbers of a learned noise",
            ));
        };
        if levels != f64::from(grid.levels()) {
            return Err(Error::format(path, "grey levels", levels, grid.levels().to_string()));
        }
        if !range.contains(Gamma(gamma)) {
            let expected = format!("a level of the range [{}, {}]", range.min(), range.max());
            return Err(Error::format(path, "start level", gamma, expected));
        }
        let side = |number: f64| number.clamp(0.0, 65536.0) as usize;
        let shape = ImageShape::new(side(height), side(width), side(channels));
        // The weights are read over these.
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
        let mut learned = Self::new(grid, schedule.level(Gamma(gamma)), shape, &mut rng)?;
        read(path, &file, &mut learned.network)?;
        Ok(learned)
    }
}

/// Writes the file's tensors over the network's parameters.
fn read(path: &Path, file: &SafeTensors<'_>, network: &mut PatchNet) -> Result<()> {
    let mut read = Ok(());
    network.parameters("", &mut |name, _, parameter| {
        let (shape, view) = (parameter.shape(), file.tensor(name).ok());
        match view.filter(|view| view.shape() == shape && view.dtype() == f32::STORED) {
            Some(view) => parameter.replace(f32::from_bytes(view.data())),
            None if read.is_ok() => {
                let (what, expected) = (format!("tensor {name}"), format!("F32 of shape {shape:?}"));
                read = Err(Error::format(path, what, "nothing, or another shape or type", expected));
            }
            None => {}
        }
    });
    read
}
