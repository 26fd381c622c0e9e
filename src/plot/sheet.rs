//! A sheet of pixels and the few shapes that are drawn on it. Each shape goes to the drawing library's rasterizer in one colour, without what
//! lies between: charts and elements, which would be compiled here for each kind of mark.

use crate::error::{Error, Result};
use image::{DynamicImage, RgbImage};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};
use plotters_backend::{BackendColor, rasterizer};
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
        self.fill(&rasterizer::polygonize(points, width), colour)
    }

    /// A straight line of some width that ends at `from` and `to`.
    pub(super) fn line(&mut self, from: Pixel, to: Pixel, width: u32, colour: RGBColor) -> Result<()> {
        let (x, y) = (f64::from(to.0 - from.0), f64::from(to.1 - from.1));
        let length = (x * x + y * y).sqrt();
        if length < 1e-5 {
            return Ok(());
        }
        let half = f64::from(width) / 2.0;
        let aside = (y / length * half, -(x / length) * half);
        let corner = |(x, y): Pixel, side: f64| {
            ((f64::from(x) + side * aside.0) as i32, (f64::from(y) + side * aside.1) as i32)
        };
        self.fill(&[corner(from, 1.0), corner(from, -1.0), corner(to, -1.0), corner(to, 1.0)], colour)
    }

    /// A line of dashes of a length, with as much `between` them, along the line through `points`.
    pub(super) fn dashes(
        &mut self,
        points: &[Pixel],
        [length, between]: [i32; 2],
        width: u32,
        colour: RGBColor,
    ) -> Result<()> {
        for dash in dashes(points, [length as f32, between as f32]) {
            self.path(&dash, width, colour)?;
        }
        Ok(())
    }

    /// A filled polygon.
    pub(super) fn fill(&mut self, corners: &[Pixel], colour: RGBColor) -> Result<()> {
        rasterizer::fill_polygon(&mut self.0, corners, &opaque(colour))
            .map_err(|error| undrawable(&error.to_string()))
    }

    /// The border of a box, of some width.
    pub(super) fn frame(&mut self, [from, to]: [Pixel; 2], width: u32, colour: RGBColor) -> Result<()> {
        let (upper_right, lower_left) = ((to.0, from.1), (from.0, to.1));
        self.line(from, lower_left, width, colour)?;
        self.line(from, upper_right, width, colour)?;
        self.line(to, lower_left, width, colour)?;
        self.line(to, upper_right, width, colour)
    }

    /// A filled box, without its right and lower end.
    pub(super) fn filled_box(&mut self, [from, to]: [Pixel; 2], colour: RGBColor) -> Result<()> {
        for y in from.1..to.1 {
            self.run((from.0, y), (to.0 - 1, y), opaque(colour))?;
        }
        Ok(())
    }

    /// A disc whose colour lets through what is under it, up to an opacity of 1. It has the pixels that the library's own circle has; with that
    /// come rings, which nothing here draws.
    pub(super) fn disc(&mut self, (x, y): Pixel, radius: u32, colour: RGBColor, opacity: f64) -> Result<()> {
        let colour = BackendColor { alpha: opacity, ..opaque(colour) };
        let radius = f64::from(radius);
        // Rows of the middle part, and columns above and below it.
        let most = (radius * (1.0 + 2_f64.sqrt() / 2.0)).floor() as i32 - radius as i32;
        let least = (radius * (1.0 - 2_f64.sqrt() / 2.0)).ceil() as i32 - radius as i32;
        for step in least..most + 1 {
            let exact = (radius * radius - (f64::from(step) * f64::from(step)).max(1e-5)).sqrt();
            let (reach, rest) = (exact.floor() as i32, exact - exact.floor());
            self.run((x - reach, y + step), (x + reach, y + step), colour)?;
            self.run((x + step, y - reach), (x + step, y + least - 1), colour)?;
            self.run((x + step, y + most + 1), (x + step, y + reach), colour)?;
            for (across, down) in
                [(-reach - 1, step), (reach + 1, step), (step, -reach - 1), (step, reach + 1)]
            {
                let drawn = self.0.draw_pixel((x + across, y + down), colour.mix(rest));
                drawn.map_err(|error| undrawable(&error.to_string()))?;
            }
        }
        Ok(())
    }

    /// A row or a column of pixels.
    fn run(&mut self, from: Pixel, to: Pixel, colour: BackendColor) -> Result<()> {
        self.0.draw_line(from, to, &colour).map_err(|error| undrawable(&error.to_string()))
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
        self.0
            .draw_text(words, &style.pos(Pos::new(h, v)), at)
            .map_err(|error| undrawable(&error.to_string()))
    }
}

fn opaque(colour: RGBColor) -> BackendColor {
    BackendColor { alpha: 1.0, rgb: (colour.0, colour.1, colour.2) }
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

fn undrawable(error: &str) -> Error {
    Error::value("image", format!("backend error: {error}"), "one that can be drawn")
}

/// The dashes along the line through `points`; a dash goes on around a corner.
fn dashes(points: &[Pixel], [length, between]: [f32; 2]) -> Vec<Vec<Pixel>> {
    let place = |(x, y): Pixel| (x as f32, y as f32);
    let pixel = |(x, y): (f32, f32)| (x.round() as i32, y.round() as i32);
    let mut drawn = Vec::new();
    let Some((&first, rest)) = points.split_first() else { return drawn };
    let mut at = place(first);
    let mut dash = vec![first];
    let (mut solid, mut done) = (true, 0.0);
    for &point in rest {
        let end = place(point);
        while at != end {
            let (dx, dy) = (end.0 - at.0, end.1 - at.1);
            let distance = dx.hypot(dy);
            let whole = if solid { length } else { between };
            let left = whole - done;
            if left < distance {
                let t = left / distance;
                at = (at.0 + dx * t, at.1 + dy * t);
                done += left;
            } else {
                at = end;
                done += distance;
            }
            if solid {
                dash.push(pixel(at));
            }
            if whole <= done {
                if solid {
                    drawn.push(std::mem::take(&mut dash));
                } else {
                    dash.push(pixel(at));
                }
                (solid, done) = (!solid, 0.0);
            }
        }
    }
    if dash.len() > 1 {
        drawn.push(dash);
    }
    drawn
}
