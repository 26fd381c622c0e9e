//! A sheet of pixels and the few shapes that are drawn on it. Each shape goes to the drawing library's backend as it is, without
//! the library's charts, which would be compiled here for each kind of mark and axis.

use crate::error::{Error, Result};
use image::{DynamicImage, RgbImage};
use plotters::element::{DashedPathElement, Drawable};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};
use std::sync::Once;

/// Everything is drawn this many times too large and then averaged, which smooths edges and text.
pub(super) const OVERSAMPLING: u32 = 4;

pub(super) const INK: RGBColor = RGBColor(45, 45, 50);

/// A pixel, from the upper left.
pub(super) type Pixel = (i32, i32);

/// A white image of a size in pixels, on which `draw` draws in pixels `OVERSAMPLING` times smaller.
pub(super) fn paint(size: (u32, u32), draw: &dyn Fn(&mut Sheet<'_>) -> Result<()>) -> Result<RgbImage> {
    let large = (size.0 * OVERSAMPLING, size.1 * OVERSAMPLING);
    let mut buffer = vec![255; large.0 as usize * large.1 as usize * 3];
    draw(&mut Sheet::new(&mut buffer, large))?;
    let Some(large) = RgbImage::from_raw(large.0, large.1, buffer) else {
        return Err(Error::value("image", "the buffer does not have its size", "one that can be drawn"));
    };
    // By way of the dynamic type: `image::imageops` would be compiled here, without what makes it fast.
    Ok(DynamicImage::from(large).thumbnail_exact(size.0, size.1).into_rgb8())
}

/// A sheet that is `OVERSAMPLING` times as large as the finished image.
pub(super) struct Sheet<'a>(BitMapBackend<'a>);

impl<'a> Sheet<'a> {
    fn new(buffer: &'a mut [u8], size: (u32, u32)) -> Self {
        Self(BitMapBackend::with_buffer(buffer, size))
    }

    /// A line of some width through `points`.
    pub(super) fn path(&mut self, points: &[Pixel], width: u32, colour: RGBColor) -> Result<()> {
        self.0.draw_path(points.iter().copied(), &colour.stroke_width(width)).map_err(undrawable)
    }

    /// A straight line of some width that ends at `from` and `to`.
    pub(super) fn line(&mut self, from: Pixel, to: Pixel, width: u32, colour: RGBColor) -> Result<()> {
        self.0.draw_line(from, to, &colour.stroke_width(width)).map_err(undrawable)
    }

    /// A line of dashes of a length, with as much `between` them, along the line through `points`.
    pub(super) fn dashes(
        &mut self,
        points: &[Pixel],
        [length, between]: [i32; 2],
        width: u32,
        colour: RGBColor,
    ) -> Result<()> {
        let points = points.iter().copied();
        let dashes = DashedPathElement::new(points.clone(), length, between, colour.stroke_width(width));
        let size = self.0.get_size();
        dashes.draw(points, &mut self.0, size).map_err(undrawable)
    }

    /// A filled polygon.
    pub(super) fn fill(&mut self, corners: &[Pixel], colour: RGBColor) -> Result<()> {
        self.0.fill_polygon(corners.iter().copied(), &colour.to_backend_color()).map_err(undrawable)
    }

    /// The border of a box, of some width.
    pub(super) fn frame(&mut self, [from, to]: [Pixel; 2], width: u32, colour: RGBColor) -> Result<()> {
        self.0.draw_rect(from, to, &colour.stroke_width(width), false).map_err(undrawable)
    }

    /// A filled box, without its right and lower end.
    pub(super) fn filled_box(&mut self, [from, to]: [Pixel; 2], colour: RGBColor) -> Result<()> {
        self.0.draw_rect(from, to, &colour.to_backend_color(), true).map_err(undrawable)
    }

    /// A disc whose colour lets through what is under it, up to an opacity of 1.
    pub(super) fn disc(&mut self, middle: Pixel, radius: u32, colour: RGBColor, opacity: f64) -> Result<()> {
        let colour = colour.mix(opacity).to_backend_color();
        self.0.draw_circle(middle, radius, &colour, true).map_err(undrawable)
    }

    /// Text of a size in pixels of the finished image, with its anchor at a point.
    pub(super) fn text(&mut self, words: &str, at: Pixel, size: f64, anchor: (HPos, VPos)) -> Result<()> {
        self.written(words, at, text(size), anchor)
    }

    /// The same from below upwards.
    pub(super) fn text_upwards(
        &mut self,
        words: &str,
        at: Pixel,
        size: f64,
        anchor: (HPos, VPos),
    ) -> Result<()> {
        self.written(words, at, text(size).transform(FontTransform::Rotate270), anchor)
    }

    fn written(&mut self, words: &str, at: Pixel, style: TextStyle<'_>, (h, v): (HPos, VPos)) -> Result<()> {
        self.0.draw_text(words, &style.pos(Pos::new(h, v)), at).map_err(undrawable)
    }
}

/// Text of a size in pixels of the finished image.
fn text(size: f64) -> TextStyle<'static> {
    (family(), size * f64::from(OVERSAMPLING)).into_font().color(&INK)
}

/// The width of a text in pixels of the finished image.
pub(super) fn width_of(text: &str, size: f64) -> i32 {
    (family(), size).into_font().box_size(text).map_or(0, |(width, _)| width as i32)
}

/// The embedded font, which is registered when it is first asked for.
fn family() -> &'static str {
    const NAME: &str = "Noto Sans";
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // Without the font every later attempt to draw text fails and says so.
        let _ = register_font(NAME, FontStyle::Normal, ttf_noto_sans::REGULAR);
    });
    NAME
}

fn undrawable(error: impl std::fmt::Display) -> Error {
    Error::value("image", format!("backend error: {error}"), "one that can be drawn")
}
