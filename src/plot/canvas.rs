//! Drawing a plot: the title, the legend above the plot, axes and marks.

use super::Axis;
use super::clip::{Point, clip_line};
use super::mark::Mark;
use super::sheet::{INK, OVERSAMPLING, Pixel, Sheet, paint, width_of};
use super::ticks::Ticks;
use crate::error::Result;
use image::RgbImage;
use plotters::style::RGBColor;
use plotters::style::text_anchor::{HPos, VPos};

/// The image's width, and the height of the plot with its axes, in pixels.
const SIZE: (u32, u32) = (1200, 640);

pub(super) const MARGIN: i32 = 24;
pub(super) const TITLE_HEIGHT: i32 = 44;
pub(super) const LEGEND_HEIGHT: i32 = 30;
/// Between the plot and the lower end: labels and the name of the axis, and a margin.
const LABELS: i32 = 66;
const BELOW: i32 = LABELS + 14;
const TICK: i32 = 6;
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

/// Draws `entries` over the axes x and y, each with the positions of its ends.
pub(super) fn draw(title: &str, axes: [(&Axis, Point); 2], entries: &[Entry]) -> Result<RgbImage> {
    let scale = OVERSAMPLING as i32;
    let [x, y] = axes;
    let ticks = [x.0.ticks(x.1), y.0.ticks(y.1)];
    let mut widest = 0;
    for (_, text) in &ticks[1].labelled {
        widest = widest.max(width_of(text, TEXT_SIZE));
    }
    let left = MARGIN + widest + 56;
    let legend = Legend::new(entries, left, SIZE.0 as i32 - MARGIN);
    let header = MARGIN / 2 + TITLE_HEIGHT + legend.rows * LEGEND_HEIGHT;
    paint((SIZE.0, SIZE.1 + header.unsigned_abs()), &|sheet| {
        let room = f64::from(SIZE.0 as i32 - left - MARGIN);
        let title_size = TITLE_SIZE * (room / f64::from(width_of(title, TITLE_SIZE)).max(1.0)).min(1.0);
        let at = (left * scale, (MARGIN / 2 + TITLE_HEIGHT / 2) * scale);
        sheet.text(title, at, title_size, (HPos::Left, VPos::Center))?;
        legend.draw(sheet)?;
        Panel::new(header, left, axes).draw(sheet, axes, &ticks, entries)
    })
}

/// The plot within its axes: its ends in pixels of the sheet, and the positions at its lower left and upper right.
struct Panel {
    left: i32,
    top: i32,
    right: i32,
    bottom: i32,
    low: Point,
    high: Point,
}

impl Panel {
    fn new(header: i32, left: i32, [(_, x), (_, y)]: [(&Axis, Point); 2]) -> Self {
        let scale = OVERSAMPLING as i32;
        Self {
            left: left * scale,
            top: (header + 8) * scale,
            right: (SIZE.0 as i32 - MARGIN) * scale - 1,
            bottom: (header + SIZE.1 as i32 - BELOW) * scale - 1,
            low: (x.0, y.0),
            high: (x.1, y.1),
        }
    }

    fn x(&self, position: f64) -> i32 {
        between(self.left, self.right, (position - self.low.0) / (self.high.0 - self.low.0))
    }

    fn y(&self, position: f64) -> i32 {
        between(self.bottom, self.top, (position - self.low.1) / (self.high.1 - self.low.1))
    }

    /// Where a point lies; one that rounding has moved beyond an end is at that end, and its border.
    fn pixel(&self, (x, y): Point) -> Pixel {
        (self.x(x).min(self.right + 1).max(self.left), self.y(y).min(self.bottom + 1).max(self.top))
    }

    fn draw(
        &self,
        sheet: &mut Sheet<'_>,
        [(x_axis, _), (y_axis, _)]: [(&Axis, Point); 2],
        ticks: &[Ticks; 2],
        entries: &[Entry],
    ) -> Result<()> {
        let scale = OVERSAMPLING as i32;
        for &x in &ticks[0].minor {
            self.rule_x(sheet, x, FAINT_RULE)?;
        }
        for &y in &ticks[1].minor {
            self.rule_y(sheet, y, FAINT_RULE)?;
        }
        let beside = (MARGIN * scale, self.top + (self.bottom + 1 - self.top) / 2);
        sheet.text_upwards(y_axis.label(), beside, TEXT_SIZE, (HPos::Center, VPos::Top))?;
        let below = (self.left + (self.right + 1 - self.left) / 2, self.bottom + 1 + LABELS * scale);
        sheet.text(x_axis.label(), below, TEXT_SIZE, (HPos::Center, VPos::Bottom))?;
        for (x, _) in &ticks[0].labelled {
            self.rule_x(sheet, *x, RULE)?;
        }
        for (y, _) in &ticks[1].labelled {
            self.rule_y(sheet, *y, RULE)?;
        }
        self.draw_axes(sheet, ticks)?;
        // Faint dots lie under every line.
        for mark in [Mark::Dots, Mark::Bars, Mark::Dashed, Mark::Line] {
            for entry in entries {
                if entry.mark == mark {
                    self.draw_entry(sheet, entry)?;
                }
            }
        }
        Ok(())
    }

    fn rule_x(&self, sheet: &mut Sheet<'_>, position: f64, colour: RGBColor) -> Result<()> {
        let x = self.x(position);
        sheet.line((x, self.bottom), (x, self.top), OVERSAMPLING, colour)
    }

    fn rule_y(&self, sheet: &mut Sheet<'_>, position: f64, colour: RGBColor) -> Result<()> {
        let y = self.y(position);
        sheet.line((self.left, y), (self.right, y), OVERSAMPLING, colour)
    }

    /// Both axes, with their ticks and labels.
    fn draw_axes(&self, sheet: &mut Sheet<'_>, [x_ticks, y_ticks]: &[Ticks; 2]) -> Result<()> {
        let (scale, tick) = (OVERSAMPLING as i32, TICK * OVERSAMPLING as i32);
        // Beside the plot and below it.
        let (beside, below) = (self.left - 1, self.bottom + 1);
        sheet.path(&[(beside, self.top), (beside, self.bottom)], OVERSAMPLING, INK)?;
        for (position, label) in &y_ticks.labelled {
            let y = self.y(*position);
            if (self.top..=self.bottom).contains(&y) {
                let at = (self.left - 2 * tick, y + TEXT_DROP * scale);
                sheet.text(label, at, TEXT_SIZE, (HPos::Right, VPos::Center))?;
                sheet.path(&[(beside - tick, y), (beside, y)], OVERSAMPLING, INK)?;
            }
        }
        sheet.path(&[(self.left, below), (self.right, below)], OVERSAMPLING, INK)?;
        for (position, label) in &x_ticks.labelled {
            let x = self.x(*position);
            if (self.left..=self.right).contains(&x) {
                sheet.text(label, (x, below + 2 * tick), TEXT_SIZE, (HPos::Center, VPos::Top))?;
                sheet.path(&[(x, below), (x, below + tick)], OVERSAMPLING, INK)?;
            }
        }
        Ok(())
    }

    fn draw_entry(&self, sheet: &mut Sheet<'_>, entry: &Entry) -> Result<()> {
        let scale = OVERSAMPLING as i32;
        let (low, high) = (self.low, self.high);
        let colour = colour_of(entry);
        let radius = match entry.mark {
            Mark::Dots => Some(2 * OVERSAMPLING),
            Mark::Line if entry.points.len() <= FEW_POINTS => Some(4 * OVERSAMPLING),
            _ => None,
        };
        if let Some(radius) = radius {
            for &(x, y) in entry.points.iter().flatten() {
                if (low.0..=high.0).contains(&x) && (low.1..=high.1).contains(&y) {
                    sheet.disc(self.pixel((x, y)), radius, colour, opacity_of(entry))?;
                }
            }
        }
        if entry.mark == Mark::Dots {
            return Ok(());
        }
        for run in clip_line(&entry.points, low, high) {
            let mut pixels = Vec::with_capacity(run.len());
            for point in run {
                pixels.push(self.pixel(point));
            }
            match entry.mark {
                Mark::Dashed => {
                    sheet.dashes(&pixels, [9 * scale, 6 * scale], width_of_line(entry), colour)?
                }
                _ => sheet.path(&pixels, width_of_line(entry), colour)?,
            }
        }
        Ok(())
    }
}

/// The pixel at a fraction of the way between two.
fn between(first: i32, last: i32, fraction: f64) -> i32 {
    first + (fraction * f64::from(last - first)).round() as i32
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

    fn draw(&self, sheet: &mut Sheet<'_>) -> Result<()> {
        let scale = OVERSAMPLING as i32;
        for &(left, row, entry) in &self.places {
            let middle = (MARGIN / 2 + TITLE_HEIGHT + row * LEGEND_HEIGHT + LEGEND_HEIGHT / 2) * scale;
            let (left, right) = (left * scale, (left + SWATCH_WIDTH) * scale);
            let (colour, width) = (colour_of(entry), width_of_line(entry));
            match entry.mark {
                Mark::Line | Mark::Bars => sheet.path(&[(left, middle), (right, middle)], width, colour)?,
                Mark::Dashed => {
                    for i in 0..3 {
                        let from = left + i * 12 * scale;
                        sheet.path(&[(from, middle), (from + 9 * scale, middle)], width, colour)?;
                    }
                }
                Mark::Dots => {
                    for i in 0..4 {
                        let at = (left + (4 + 8 * i) * scale, middle + (i % 2 * 4 - 2) * scale);
                        sheet.disc(at, 2 * OVERSAMPLING, colour, 2.0 * opacity_of(entry))?;
                    }
                }
            }
            let at = (right + 8 * scale, middle + TEXT_DROP * scale);
            sheet.text(&entry.label, at, TEXT_SIZE, (HPos::Left, VPos::Center))?;
        }
        Ok(())
    }
}

fn colour_of(entry: &Entry) -> RGBColor {
    let [red, green, blue] = COLOURS[entry.colour % COLOURS.len()];
    RGBColor(red, green, blue)
}

/// Of the points of an entry.
fn opacity_of(entry: &Entry) -> f64 {
    match entry.mark {
        Mark::Dots => (8.0 / (entry.points.len().max(1) as f64).sqrt()).clamp(0.1, 0.5),
        _ => 1.0,
    }
}

/// In pixels of the sheet.
fn width_of_line(entry: &Entry) -> u32 {
    match entry.mark {
        Mark::Line => 3 * OVERSAMPLING,
        _ => 2 * OVERSAMPLING,
    }
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
