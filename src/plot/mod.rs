//! Plots of a run: a grid of images, a corner plot of a table, bits/dim over training, line plots, two runs against each other, and a
//! ladder of bounds.
//!
//! Text is set in an embedded font, so a plot depends on nothing that the system has installed.

mod axis;
mod canvas;
mod clip;
mod corner;
mod curve;
mod grid;
mod ladder;
mod lines;
mod mark;
mod scatter;
mod sheet;
mod ticks;

pub use axis::Axis;
pub use corner::corner;
pub use curve::curve;
pub(crate) use curve::is_drawn;
pub use grid::grid;
pub use ladder::ladder;
pub use lines::Plot;
pub use scatter::scatter;

use crate::error::{Error, Result};
use crate::files::write_atomically;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageFormat, RgbImage};
use std::path::Path;

/// A plot, encoded as PNG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Png(Vec<u8>);

impl Png {
    /// The file's content.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads a file, which must be a PNG.
    ///
    /// # Errors
    /// If it cannot be read, or is none.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
        match image::guess_format(&bytes) {
            Ok(ImageFormat::Png) => Ok(Self(bytes)),
            _ => Err(Error::format(path, "picture", "other bytes", "a PNG")),
        }
    }

    /// Writes the file, all of it or nothing.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_atomically(path, &self.0)
    }

    fn encode(image: &RgbImage) -> Result<Self> {
        let (width, height) = image.dimensions();
        let mut bytes = Vec::new();
        // `write_to` would have the encoders of other formats compiled too.
        let encoder = PngEncoder::new(&mut bytes);
        encoder.write_image(image.as_raw(), width, height, ExtendedColorType::Rgb8).map_err(|error| {
            Error::value("image", format!("{width}x{height} ({error})"), "one that PNG can hold")
        })?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_file_is_the_image() {
        let image = RgbImage::from_fn(3, 2, |x, y| image::Rgb([x as u8, y as u8, 7]));
        let png = Png::encode(&image).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        png.write(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes, png.bytes());
        assert_eq!(image::load_from_memory(&bytes).unwrap().to_rgb8(), image);
    }
}
