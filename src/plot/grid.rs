//! Images side by side.

use super::Png;
use crate::data::{ImageSet, ImageSource};
use crate::error::{Error, Result};
use image::{Rgb, RgbImage};

/// The grid is the widest that does not exceed this, in pixels, unless its images do at their own size.
const WIDEST: usize = 900;

/// A pixel of an image is drawn as at most this many pixels squared.
const LARGEST_FACTOR: usize = 32;

/// Between images, and around them, in pixels.
const GAP: usize = 4;

/// The colour between images, and of places without one.
const BETWEEN: Rgb<u8> = Rgb([120, 132, 150]);

/// Draws all images of `images` in reading order, in a nearly square grid.
///
/// Every pixel becomes a square of whole pixels. Level `k` of `L` has brightness
/// `round(255 k / (L - 1))`; three channels are red, green and blue; of any other number the first
/// is shown in grey.
///
/// # Errors
/// If the image would be larger than PNG allows.
pub fn grid(images: &ImageSet) -> Result<Png> {
    Png::encode(&draw(images)?)
}

fn draw(images: &ImageSet) -> Result<RgbImage> {
    let shape = images.shape();
    let layout = Layout::new(images.images(), shape.height, shape.width);
    let side = |cells: usize, size: usize| {
        (size.checked_mul(layout.factor)?.checked_add(GAP)?)
            .checked_mul(cells)?
            .checked_add(GAP)
            .and_then(|side| i32::try_from(side).ok())
    };
    let sides = (side(layout.columns, shape.width), side(layout.rows, shape.height));
    let (Some(width), Some(height)) = sides else {
        let found = format!("{} images of {shape}", images.images());
        return Err(Error::value("image", found, "fewer or smaller images"));
    };
    let top = images.grid().levels() - 1;
    let mut grid = RgbImage::from_pixel(width.unsigned_abs(), height.unsigned_abs(), BETWEEN);
    for index in 0..images.images() {
        let image = images.row(index).unwrap_or_default();
        let left = GAP + index % layout.columns * (shape.width * layout.factor + GAP);
        let above = GAP + index / layout.columns * (shape.height * layout.factor + GAP);
        for y in 0..shape.height * layout.factor {
            for x in 0..shape.width * layout.factor {
                let first = (y / layout.factor * shape.width + x / layout.factor) * shape.channels;
                let level = |channel: usize| brightness(image[first + channel], top);
                let colour = if shape.channels == 3 { [0, 1, 2].map(level) } else { [level(0); 3] };
                grid.put_pixel((left + x) as u32, (above + y) as u32, Rgb(colour));
            }
        }
    }
    Ok(grid)
}

fn brightness(level: u16, top: u32) -> u8 {
    ((255 * u32::from(level) + top / 2) / top) as u8
}

/// How many images stand side by side and one above the other, and how large a pixel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    columns: usize,
    rows: usize,
    factor: usize,
}

impl Layout {
    fn new(count: usize, height: usize, width: usize) -> Self {
        let columns = (count as f64 * height as f64 / width as f64).sqrt().ceil() as usize;
        let columns = columns.clamp(1, count);
        let for_pixels = WIDEST.saturating_sub(GAP * (columns + 1));
        let factor = (for_pixels / columns / width).clamp(1, LARGEST_FACTOR);
        Self { columns, rows: count.div_ceil(columns), factor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{ImageShape, Split};
    use crate::pixels::PixelGrid;

    fn set(height: usize, width: usize, channels: usize, levels: u32, data: Vec<u16>) -> ImageSet {
        let shape = ImageShape { height, width, channels };
        ImageSet::new("test", Split::Test, shape, PixelGrid::new(levels).unwrap(), data).unwrap()
    }

    #[test]
    fn layout_is_nearly_square_and_fills_the_width() {
        for (count, height, width, columns, rows, factor) in [
            (1, 8, 8, 1, 1, 32),
            (64, 8, 8, 8, 8, 13),
            (60, 8, 8, 8, 8, 13),
            (100, 28, 28, 10, 10, 3),
            (10, 8, 8, 4, 3, 27),
            (8, 1, 2, 2, 4, 32),
            (10_000, 32, 32, 100, 100, 1),
        ] {
            assert_eq!(Layout::new(count, height, width), Layout { columns, rows, factor }, "{count}");
        }
    }

    #[test]
    fn every_pixel_is_a_square_of_its_brightness() {
        let image = draw(&set(1, 2, 1, 17, vec![0, 16, 8, 1, 4, 5])).unwrap();
        // Three images of 1x2 in two columns: 2 x 2 cells, the last one empty.
        assert_eq!(image.dimensions(), (2 * 64 + 3 * 4, 2 * 32 + 3 * 4));
        let at = |x, y| image.get_pixel(x, y).0;
        let cell = |x, y| [at(x, y), at(x + 31, y), at(x, y + 31), at(x + 31, y + 31)];
        assert_eq!([cell(4, 4), cell(36, 4)], [[[0; 3]; 4], [[255; 3]; 4]]);
        // 255 * 8 / 16 = 127.5, 255 / 16 = 15.9, 63.75 and 79.7, to the nearest.
        assert_eq!([cell(72, 4), cell(104, 4)], [[[128; 3]; 4], [[16; 3]; 4]]);
        assert_eq!([cell(4, 40), cell(36, 40)], [[[64; 3]; 4], [[80; 3]; 4]]);
        assert_eq!([cell(72, 40), cell(104, 40)], [[BETWEEN.0; 4]; 2]);
        assert_eq!([at(3, 9), at(68, 9), at(71, 9), at(136, 9), at(9, 36), at(9, 39)], [BETWEEN.0; 6]);
    }

    #[test]
    fn three_channels_are_colours_and_others_show_the_first() {
        let colour = draw(&set(1, 1, 3, 256, vec![10, 20, 30])).unwrap();
        assert_eq!(colour.get_pixel(9, 9).0, [10, 20, 30]);
        let two = draw(&set(1, 1, 2, 256, vec![10, 20])).unwrap();
        assert_eq!(two.get_pixel(9, 9).0, [10; 3]);
        let deep = draw(&set(1, 1, 1, 65536, vec![65535])).unwrap();
        assert_eq!(deep.get_pixel(9, 9).0, [255; 3]);
    }

    #[test]
    fn png_decodes_to_the_drawing() {
        let digits = crate::data::digits::load(crate::data::Split::Test).unwrap().truncated(64);
        let png = grid(&digits).unwrap();
        let decoded = image::load_from_memory(png.bytes()).unwrap().to_rgb8();
        assert_eq!(decoded.dimensions(), (8 * 8 * 13 + 9 * 4, 8 * 8 * 13 + 9 * 4));
        assert_eq!(decoded, draw(&digits).unwrap());
    }
}
