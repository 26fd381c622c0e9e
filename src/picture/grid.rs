//! Images side by side.

use crate::data::source::ImageShape;
use crate::error::{Error, Result};
use crate::picture::png;
use crate::pixels::PixelGrid;
use image::{Rgb, RgbImage};
use std::path::Path;

const GAP_COLOUR: Rgb<u8> = Rgb([128, 140, 160]);

/// A grid of grey or RGB images, each pixel drawn as a square, with thin lines between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageGrid {
    columns: Option<usize>,
    scale: Option<usize>,
    gap: usize,
}

impl Default for ImageGrid {
    fn default() -> Self {
        Self { columns: None, scale: None, gap: 2 }
    }
}

impl ImageGrid {
    /// A nearly square grid about 800 pixels wide, with gaps of 2 pixels.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the number of images in a row.
    pub fn columns(self, columns: usize) -> Self {
        Self { columns: Some(columns), ..self }
    }

    /// Sets the side of the square that a pixel becomes.
    pub fn scale(self, scale: usize) -> Self {
        Self { scale: Some(scale), ..self }
    }

    /// Sets the width of the lines between images.
    pub fn gap(self, gap: usize) -> Self {
        Self { gap, ..self }
    }

    /// Draws `rows` of levels, `dims` to an image, left to right and top to bottom.
    ///
    /// # Errors
    /// If `rows` is no positive whole number of images of 1 or 3 channels, or the picture would have
    /// more than 2^28 pixels.
    pub fn draw(&self, rows: &[u16], shape: ImageShape, grid: PixelGrid) -> Result<RgbImage> {
        let d = shape.dims();
        if !matches!(shape.channels, 1 | 3) {
            return Err(Error::value("channels of a picture", shape.channels, "1 or 3"));
        }
        if d == 0 || rows.is_empty() || !rows.len().is_multiple_of(d) {
            return Err(Error::value("levels to draw", rows.len(), format!("a positive multiple of {d}")));
        }
        let images = rows.len() / d;
        let columns = self.columns.unwrap_or((images as f64).sqrt().ceil() as usize).clamp(1, images);
        let scale = self.scale.unwrap_or(800 / (columns * shape.width)).max(1);
        let cell = |pixels: usize| pixels * scale + self.gap;
        let width = columns * cell(shape.width) + self.gap;
        let height = images.div_ceil(columns) * cell(shape.height) + self.gap;
        if width.checked_mul(height).is_none_or(|pixels| pixels > 1 << 28) {
            return Err(Error::value("picture size", format!("{width}x{height}"), "at most 2^28 pixels"));
        }
        let byte = |k: u16| (f64::from(k) * 255.0 / f64::from(grid.levels() - 1)).round() as u8;
        let mut picture = RgbImage::from_pixel(width as u32, height as u32, GAP_COLOUR);
        for (i, image) in rows.chunks_exact(d).enumerate() {
            let left = self.gap + (i % columns) * cell(shape.width);
            let top = self.gap + (i / columns) * cell(shape.height);
            for (p, pixel) in image.chunks_exact(shape.channels).enumerate() {
                let colour = Rgb(std::array::from_fn(|c| byte(pixel[c % shape.channels])));
                let (y, x) = (top + p / shape.width * scale, left + p % shape.width * scale);
                for (dy, dx) in (0..scale).flat_map(|dy| (0..scale).map(move |dx| (dy, dx))) {
                    picture.put_pixel((x + dx) as u32, (y + dy) as u32, colour);
                }
            }
        }
        Ok(picture)
    }

    /// Draws `rows` and writes a PNG file.
    ///
    /// # Errors
    /// As [`ImageGrid::draw`]; also if the file cannot be written.
    pub fn save(
        &self,
        path: impl AsRef<Path>,
        rows: &[u16],
        shape: ImageShape,
        grid: PixelGrid,
    ) -> Result<()> {
        png::save(&self.draw(rows, shape, grid)?, path.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_land_where_they_belong() {
        let grid = PixelGrid::new(256).unwrap();
        let shape = ImageShape::new(1, 2, 3);
        let rows: Vec<u16> = (0..18).map(|k| 10 * k).collect();
        let p = ImageGrid::new().columns(2).scale(3).gap(1).draw(&rows, shape, grid).unwrap();
        // Two columns of 2 x 3 pixels and three gaps; two rows of 3 and three gaps.
        assert_eq!(p.dimensions(), (15, 9));
        assert_eq!(p.get_pixel(0, 0), &GAP_COLOUR);
        assert_eq!(p.get_pixel(1, 1), &Rgb([0, 10, 20]));
        assert_eq!(p.get_pixel(3, 3), &Rgb([0, 10, 20]));
        assert_eq!(p.get_pixel(4, 1), &Rgb([30, 40, 50]));
        assert_eq!(p.get_pixel(7, 1), &GAP_COLOUR);
        assert_eq!(p.get_pixel(8, 1), &Rgb([60, 70, 80]));
        assert_eq!(p.get_pixel(1, 5), &Rgb([120, 130, 140]));
        // The fourth cell is empty.
        assert_eq!(p.get_pixel(9, 6), &GAP_COLOUR);
    }

    #[test]
    fn the_levels_span_black_to_white() {
        let shape = ImageShape::new(1, 3, 1);
        let p =
            ImageGrid::new().scale(1).gap(0).draw(&[0, 8, 16], shape, PixelGrid::new(17).unwrap()).unwrap();
        assert_eq!(p.as_raw()[..], [0, 0, 0, 128, 128, 128, 255, 255, 255]);
    }

    #[test]
    fn a_file_is_a_png_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("samples.png");
        let (shape, grid) = (ImageShape::new(2, 2, 1), PixelGrid::new(2).unwrap());
        ImageGrid::new().save(&path, &[0, 1, 1, 0], shape, grid).unwrap();
        let read = image::open(&path).unwrap().to_rgb8();
        assert_eq!(read, ImageGrid::new().draw(&[0, 1, 1, 0], shape, grid).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let nowhere = folder.path().join("none").join("samples.png");
        let line = ImageGrid::new().save(&nowhere, &[0; 4], shape, grid).unwrap_err().to_string();
        assert!(line.contains("samples.png: cannot write"), "{line}");
    }

    #[test]
    fn bad_shapes_are_named() {
        let grid = PixelGrid::new(2).unwrap();
        assert!(ImageGrid::new().draw(&[0; 2], ImageShape::new(1, 1, 2), grid).is_err());
        assert!(ImageGrid::new().draw(&[0; 3], ImageShape::new(1, 2, 1), grid).is_err());
        assert!(ImageGrid::new().draw(&[], ImageShape::new(1, 2, 1), grid).is_err());
    }
}
