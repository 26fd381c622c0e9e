//! Drawing a plot: the title, the legend above the plot, axes and marks.

use super::Axis;
use super::clip::{Point, clip_line};
use super::mark::Mark;
use super::ruler::Ruler;
use super::ticks::Ticks;
use crate::error::{Error, Result};
use image::{DynamicImage, RgbImage};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};
use std::sync::Once;

/// Everything is drawn this many times too large and then averaged, which smooths edges and text.
pub(super) const OVERSAMPLING: u32 = 4;

/// The image's width, and the height of the plot with its axes, in pixels.
const SIZE: (u32, u32) = (1200, 640);

pub(super) const MARGIN: i32 = 24;
pub(super) const TITLE_HEIGHT: i32 = 44;
pub(super) const LEGEND_HEIGHT: i32 = 30;
const SWATCH_WIDTH: i32 = 34;
pub(super) const TITLE_SIZE: f64 = 28.0;
pub(super) const TEXT_SIZE: f64 = 21.0;

/// Text stands this much too high when it is centred.
pub(super) const TEXT_DROP: i32 = 2;

/// With more points than this a line has no dots.
const FEW_POINTS: usize = 40;

/// Colours that the colour-blind can tell apart (Okabe and Ito), without yellow.
pub(super) const COLOURS: [[u8; 3]; 7] = [
    [0, 114, 178],
    [213, 94, 0],
    [0, 158, 115],
    [204, 121, 167],
    [230, 159, 0],
    [86, 180, 233],
    [90, 90, 90],
];

pub(super) const INK: RGBColor = RGBColor(45, 45, 50);
pub(super) const RULE: RGBColor = RGBColor(224, 226, 230);
const FAINT_RULE: RGBColor = RGBColor(240, 241, 244);

/// A series by position.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) label: String,
    pub(super) mark: Mark,
    pub(super) colour: usize,
    pub(super) points: Vec<Option<Point>>,
}

pub(super) type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// Draws `entries` over the axes x and y, each with the positions of its ends.
pub(super) fn draw(title: &str, axes: [(&Axis, Point); 2], entries: &[Entry]) -> Result<RgbImage> {
    let scale = OVERSAMPLING as i32;
    let ticks = axes.map(|(axis, ends)| axis.ticks(ends));
    let widest = ticks[1].labelled.iter().map(|(_, text)| width_of(text, TEXT_SIZE)).max().unwrap_or(0);
    let left = MARGIN + widest + 56;
    let legend = Legend::new(entries, left, SIZE.0 as i32 - MARGIN);
    let header = MARGIN / 2 + TITLE_HEIGHT + legend.rows * LEGEND_HEIGHT;
    paint((SIZE.0, SIZE.1 + header.unsigned_abs()), |root| {
        let (above, below) = root.split_vertically(header * scale);
        let room = f64::from(SIZE.0 as i32 - left - MARGIN);
        let title_size = TITLE_SIZE * (room / f64::from(width_of(title, TITLE_SIZE)).max(1.0)).min(1.0);
        let style = text(title_size).pos(Pos::new(HPos::Left, VPos::Center));
        let at = (left * scale, (MARGIN / 2 + TITLE_HEIGHT / 2) * scale);
        above.draw(&Text::new(title, at, style)).map_err(undrawable)?;
        legend.draw(&above)?;
        draw_plot(&below, left, axes, &ticks, entries)
    })
}

/// A white image of a size in pixels, on which `draw` draws in pixels `OVERSAMPLING` times smaller.
pub(super) fn paint(size: (u32, u32), draw: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<RgbImage> {
    let large = (size.0 * OVERSAMPLING, size.1 * OVERSAMPLING);
    let mut buffer = vec![255; large.0 as usize * large.1 as usize * 3];
    {
        let root = BitMapBackend::with_buffer(&mut buffer, large).into_drawing_area();
        draw(&root)?;
        root.present().map_err(undrawable)?;
    }
    let Some(large) = RgbImage::from_raw(large.0, large.1, buffer) else {
        return Err(undrawable("the buffer does not have its size"));
    };
    // By way of the dynamic type: `image::imageops` would be compiled here, without what makes it fast.
    Ok(DynamicImage::from(large).thumbnail_exact(size.0, size.1).into_rgb8())
}

fn draw_plot(
    area: &Area<'_>,
    left: i32,
    [(x_axis, x), (y_axis, y)]: [(&Axis, Point); 2],
    [x_ticks, y_ticks]: &[Ticks; 2],
    entries: &[Entry],
) -> Result<()> {
    let scale = OVERSAMPLING as i32;
    let mut chart = ChartBuilder::on(area)
        .margin_left(MARGIN * scale)
        .margin_right(MARGIN * scale)
        .margin_top(8 * scale)
        .margin_bottom(14 * scale)
        .x_label_area_size(66 * scale)
        .y_label_area_size((left - MARGIN) * scale)
        .build_cartesian_2d(Ruler::new(x, x_ticks), Ruler::new(y, y_ticks))
        .map_err(undrawable)?;
    chart
        .configure_mesh()
        .axis_style(INK.stroke_width(OVERSAMPLING))
        .bold_line_style(RULE.stroke_width(OVERSAMPLING))
        .light_line_style(FAINT_RULE.stroke_width(OVERSAMPLING))
        .set_all_tick_mark_size(6 * scale)
        .y_label_offset(TEXT_DROP * scale)
        .label_style(text(TEXT_SIZE))
        .axis_desc_style(text(TEXT_SIZE))
        .x_desc(x_axis.label())
        .y_desc(y_axis.label())
        .draw()
        .map_err(undrawable)?;
    let (low, high) = ((x.0, y.0), (x.1, y.1));
    let inside = |point: &&Point| (low.0..=high.0).contains(&point.0) && (low.1..=high.1).contains(&point.1);
    // Faint dots lie under every line.
    let layers = [Mark::Dots, Mark::Bars, Mark::Dashed, Mark::Line];
    for entry in layers.into_iter().flat_map(|mark| entries.iter().filter(move |entry| entry.mark == mark)) {
        let style = style_of(entry);
        let shown = entry.points.iter().flatten().filter(inside);
        let radius = match entry.mark {
            Mark::Dots => Some(2 * scale),
            Mark::Line if entry.points.len() <= FEW_POINTS => Some(4 * scale),
            _ => None,
        };
        if let Some(radius) = radius {
            let circles = shown.map(|&point| Circle::new(point, radius, style.filled()));
            chart.draw_series(circles).map_err(undrawable)?;
        }
        for run in clip_line(&entry.points, low, high) {
            match entry.mark {
                Mark::Dots => break,
                Mark::Line | Mark::Bars => {
                    chart.draw_series([PathElement::new(run, style)]).map_err(undrawable)?
                }
                Mark::Dashed => chart
                    .draw_series(DashedLineSeries::new(run, 9 * scale, 6 * scale, style))
                    .map_err(undrawable)?,
            };
        }
    }
    Ok(())
}

/// Where every entry of the legend stands.
struct Legend<'a> {
    places: Vec<(i32, i32, &'a Entry)>,
    rows: i32,
}

impl<'a> Legend<'a> {
    /// Rows of entries from `left` to `right`; what has no label has no entry.
    fn new(entries: &'a [Entry], left: i32, right: i32) -> Self {
        let (mut at, mut rows) = (left, 0);
        let mut places = Vec::new();
        for entry in entries.iter().filter(|entry| !entry.label.is_empty()) {
            let width = SWATCH_WIDTH + 8 + width_of(&entry.label, TEXT_SIZE);
            if rows == 0 || (at > left && at + width > right) {
                (at, rows) = (left, rows + 1);
            }
            places.push((at, rows - 1, entry));
            at += width + 28;
        }
        Self { places, rows }
    }

    fn draw(&self, area: &Area<'_>) -> Result<()> {
        let scale = OVERSAMPLING as i32;
        for &(left, row, entry) in &self.places {
            let middle = (MARGIN / 2 + TITLE_HEIGHT + row * LEGEND_HEIGHT + LEGEND_HEIGHT / 2) * scale;
            let (left, right) = (left * scale, (left + SWATCH_WIDTH) * scale);
            let ends = [(left, middle), (right, middle)];
            let style = style_of(entry);
            match entry.mark {
                Mark::Line | Mark::Bars => area.draw(&PathElement::new(ends, style)),
                Mark::Dashed => {
                    let dash = |from| PathElement::new([(from, middle), (from + 9 * scale, middle)], style);
                    (0..3).try_for_each(|i| area.draw(&dash(left + i * 12 * scale)))
                }
                Mark::Dots => (0..4).try_for_each(|i| {
                    let at = (left + (4 + 8 * i) * scale, middle + (i % 2 * 4 - 2) * scale);
                    area.draw(&Circle::new(at, 2 * scale, style.color.mix(2.0).filled()))
                }),
            }
            .map_err(undrawable)?;
            let label = text(TEXT_SIZE).pos(Pos::new(HPos::Left, VPos::Center));
            area.draw(&Text::new(
                entry.label.as_str(),
                (right + 8 * scale, middle + TEXT_DROP * scale),
                label,
            ))
            .map_err(undrawable)?;
        }
        Ok(())
    }
}

fn style_of(entry: &Entry) -> ShapeStyle {
    let [red, green, blue] = COLOURS[entry.colour % COLOURS.len()];
    let colour = RGBColor(red, green, blue);
    match entry.mark {
        Mark::Dots => {
            let opacity = 8.0 / (entry.points.len().max(1) as f64).sqrt();
            colour.mix(opacity.clamp(0.1, 0.5)).filled()
        }
        Mark::Line => colour.stroke_width(3 * OVERSAMPLING),
        Mark::Dashed | Mark::Bars => colour.stroke_width(2 * OVERSAMPLING),
    }
}

/// Text of a size in pixels of the finished image.
pub(super) fn text(size: f64) -> TextStyle<'static> {
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

pub(super) fn undrawable(error: impl std::fmt::Display) -> Error {
    Error::value("image", error, "one that can be drawn")
}

/// The left, upper, right and lower end of the plot within its axes.
#[cfg(test)]
pub(super) fn plot_area(image: &RgbImage) -> (u32, u32, u32, u32) {
    let dark = |x: u32, y: u32| image.get_pixel(x, y).0.iter().all(|&part| part < 160);
    let (width, height) = image.dimensions();
    let column = |x: u32| (0..height).filter(|&y| dark(x, y)).collect::<Vec<u32>>();
    let row = |y: u32| (0..width).filter(|&x| dark(x, y)).collect::<Vec<u32>>();
    let left = (0..width).max_by_key(|&x| column(x).len()).unwrap();
    let lower = (0..height).max_by_key(|&y| row(y).len()).unwrap();
    (left, column(left)[0], *row(lower).last().unwrap(), lower)
}
