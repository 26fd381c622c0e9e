//! A set of images in memory.

use crate::error::{Error, Result};
use crate::pixels::PixelGrid;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Height, width and channels of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageShape {
    /// Lines of pixels.
    pub height: usize,
    /// Pixels of a line.
    pub width: usize,
    /// Numbers of a pixel.
    pub channels: usize,
}

impl ImageShape {
    /// The number of dimensions, `height * width * channels`.
    pub fn dims(&self) -> usize {
        self.height * self.width * self.channels
    }
}

impl std::fmt::Display for ImageShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}x{}", self.height, self.width, self.channels)
    }
}

/// What tells a data set from every other: published likelihoods are comparable only where it is equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The number of images.
    pub count: usize,
    /// Their shape.
    pub shape: ImageShape,
    /// The number of grey levels.
    pub levels: u32,
    /// SHA-256 of the levels in order, two little-endian bytes each, in hexadecimal.
    pub sha256: String,
}

/// Images of one shape, as grey levels `0..levels`.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageSet {
    shape: ImageShape,
    grid: PixelGrid,
    levels: Vec<u16>,
}

impl ImageSet {
    /// A set from its levels, image after image, each row by row with channels last.
    ///
    /// # Errors
    /// If the numbers do not make whole images, or one of them is not below the number of levels.
    pub fn new(shape: ImageShape, grid: PixelGrid, levels: Vec<u16>) -> Result<Self> {
        let dims = shape.dims();
        if dims == 0 || levels.is_empty() || !levels.len().is_multiple_of(dims) {
            let found = format!("{} numbers", levels.len());
            return Err(Error::value("images", found, format!("whole images of {shape}, at least one")));
        }
        if let Some(at) = levels.iter().position(|&k| u32::from(k) >= grid.levels()) {
            let name = format!("image {}, number {}", at / dims, at % dims);
            return Err(Error::value(name, levels[at], format!("a grey level below {}", grid.levels())));
        }
        Ok(Self { shape, grid, levels })
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.levels.len() / self.shape.dims()
    }

    /// Whether there are none (there always is one).
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// The images' shape.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// The pixels' bins.
    pub fn grid(&self) -> PixelGrid {
        self.grid
    }

    /// The grey levels of image `index`.
    ///
    /// # Panics
    /// If there is no such image.
    pub fn image(&self, index: usize) -> &[u16] {
        let dims = self.shape.dims();
        &self.levels[index * dims..(index + 1) * dims]
    }

    /// The grey levels of all images, image after image.
    pub fn as_slice(&self) -> &[u16] {
        &self.levels
    }

    /// The bin centres in `[-1, 1]` of the images with these indices, image after image.
    pub fn centres(&self, indices: &[usize]) -> Vec<f64> {
        indices.iter().flat_map(|&i| self.image(i)).map(|&k| self.grid.centre(k)).collect()
    }

    /// The images `from..to`, where they exist.
    ///
    /// # Errors
    /// If that leaves none.
    pub fn slice(&self, from: usize, to: usize) -> Result<Self> {
        let dims = self.shape.dims();
        let to = to.min(self.len());
        let levels = self.levels.get(from * dims..to * dims).unwrap_or_default();
        Self::new(self.shape, self.grid, levels.to_vec())
    }

    /// The set's fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        let bytes: Vec<u8> = self.levels.iter().flat_map(|k| k.to_le_bytes()).collect();
        let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Fingerprint { count: self.len(), shape: self.shape, levels: self.grid.levels(), sha256 }
    }
}
