//! Drawing a corner plot.

use super::layout::{GAP, Label, Layout, NAME_SIZE, TICK, TICK_SIZE};
use super::spread::{Bars, Spread};
use crate::error::Result;
use crate::plot::canvas::{COLOURS, LEGEND_HEIGHT, MARGIN, RULE, TEXT_DROP, TITLE_HEIGHT, TITLE_SIZE};
use crate::plot::sheet::{INK, OVERSAMPLING, Pixel, Sheet, width_of};
use crate::plot::ticks::grouped;
use plotters::style::RGBColor;
use plotters::style::text_anchor::{HPos, VPos};

/// The most points of each kind in a panel.
pub(super) const MOST_POINTS: usize = 2000;

/// The radius of a point, in pixels of the large image.
const RADIUS: u32 = 6;

/// A histogram of samples may be this many times higher than the data's, and is cut above.
const MOST_HEIGHT: f64 = 2.5;

const DATA_POINT: RGBColor = RGBColor(120, 122, 130);
const DATA_FILL: RGBColor = RGBColor(214, 216, 221);
const DATA_LINE: RGBColor = RGBColor(150, 152, 160);
const SAMPLE: RGBColor = RGBColor(COLOURS[0][0], COLOURS[0][1], COLOURS[0][2]);

/// The width of the samples' lines, in pixels of the large image.
const SAMPLE_WIDTH: u32 = 2 * OVERSAMPLING;

/// All that is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    pub(super) title: &'a str,
    /// The number of rows of data and of samples.
    pub(super) rows: [usize; 2],
    pub(super) spreads: &'a [Spread],
    pub(super) layout: &'a Layout,
}

/// A panel: its left, upper, right and lower end.
type Frame = [i32; 4];

impl Scene<'_> {
    pub(super) fn draw(&self, sheet: &mut Sheet<'_>) -> Result<()> {
        self.draw_header(sheet)?;
        let last = self.spreads.len() - 1;
        for i in 0..=last {
            for j in 0..=i {
                let (left, top) = self.layout.corner(i, j);
                let frame = [left, top, left + self.layout.side, top + self.layout.side];
                let x = &self.layout.labels[j][0];
                let y = if j < i { &self.layout.labels[i][1][..] } else { &[] };
                draw_rules(sheet, frame, x, y)?;
                match j < i {
                    true => self.draw_points(sheet, frame, &self.spreads[j], &self.spreads[i])?,
                    false => draw_histograms(sheet, frame, &self.spreads[i])?,
                }
                draw_axes(sheet, frame, x, y)?;
                if i == last {
                    self.draw_labels(sheet, frame, j)?;
                }
                if j == 0 && i > 0 {
                    self.draw_labels_upwards(sheet, frame, i)?;
                }
            }
        }
        Ok(())
    }

    fn draw_header(&self, sheet: &mut Sheet<'_>) -> Result<()> {
        let (width, _) = self.layout.size();
        let left = self.layout.left;
        let room = f64::from(width as i32 - left - MARGIN);
        let fitting =
            |text: &str, size: f64| size * (room / f64::from(width_of(text, size)).max(1.0)).min(1.0);
        let middle = MARGIN / 2 + TITLE_HEIGHT / 2;
        write(sheet, self.title, (left, middle), fitting(self.title, TITLE_SIZE), HPos::Left)?;
        let middle = MARGIN / 2 + TITLE_HEIGHT + LEGEND_HEIGHT / 2;
        let mut at = left;
        for (kind, name) in ["data", "samples"].iter().enumerate() {
            let label = format!("{name}, {}", grouped(&self.rows[kind].to_string()));
            let swatch = [large((at, middle - 8)), large((at + 26, middle + 8))];
            if kind == 0 {
                sheet.filled_box(swatch, DATA_FILL)?;
                sheet.frame(swatch, OVERSAMPLING, DATA_LINE)?;
            } else {
                sheet.frame(swatch, SAMPLE_WIDTH, SAMPLE)?;
            }
            write(sheet, &label, (at + 34, middle), NAME_SIZE, HPos::Left)?;
            at += 34 + width_of(&label, NAME_SIZE) + 28;
        }
        let beyond = self.beyond();
        let middle = middle + LEGEND_HEIGHT - 2;
        write(sheet, &beyond, (left, middle), fitting(&beyond, TICK_SIZE), HPos::Left)
    }

    /// What part of the values is not on the axes; empty if there is none.
    fn beyond(&self) -> String {
        let part = |kind: usize| {
            let (mut count, mut beyond) = (0, 0_usize);
            for spread in self.spreads {
                for &x in &spread.values[kind] {
                    count += 1;
                    beyond += usize::from(spread.place(x).is_none());
                }
            }
            100.0 * beyond as f64 / f64::from(count.max(1))
        };
        let [data, samples] = [part(0), part(1)];
        let percent = |part: f64| {
            if part > 0.0 && part < 0.1 { "under 0.1%".to_owned() } else { format!("{part:.1}%") }
        };
        match (data > 0.0, samples > 0.0) {
            (false, false) => String::new(),
            _ => {
                format!("beyond the axes: {} of the data, {} of the samples", percent(data), percent(samples))
            }
        }
    }

    fn draw_points(&self, sheet: &mut Sheet<'_>, frame: Frame, x: &Spread, y: &Spread) -> Result<()> {
        for (kind, colour) in [DATA_POINT, SAMPLE].iter().enumerate() {
            let rows = x.values[kind].len();
            let drawn = rows.min(MOST_POINTS);
            let opacity = (14.0 / (drawn.max(1) as f64).sqrt()).clamp(0.25, 0.7);
            for k in 0..drawn {
                let row = k * rows / drawn;
                let Some((x, y)) = x.place(x.values[kind][row]).zip(y.place(y.values[kind][row])) else {
                    continue;
                };
                let at = (along(frame[0], frame[2], x), along(frame[3], frame[1], y));
                sheet.disc(at, RADIUS, *colour, opacity)?;
            }
        }
        Ok(())
    }

    fn draw_labels(&self, sheet: &mut Sheet<'_>, frame: Frame, j: usize) -> Result<()> {
        let (labels, name) = self.layout.below(frame[3]);
        for (at, text) in &self.layout.labels[j][0] {
            let x = frame[0] + (at * f64::from(self.layout.side)).round() as i32;
            write(sheet, text, (x, labels), TICK_SIZE, HPos::Center)?;
        }
        let text = elided(&self.spreads[j].name, self.layout.side);
        write(sheet, &text, ((frame[0] + frame[2]) / 2, name), NAME_SIZE, HPos::Center)
    }

    fn draw_labels_upwards(&self, sheet: &mut Sheet<'_>, frame: Frame, i: usize) -> Result<()> {
        for (at, text) in &self.layout.labels[i][1] {
            let y = frame[3] - (at * f64::from(self.layout.side)).round() as i32;
            write(sheet, text, (frame[0] - TICK - 4, y), TICK_SIZE, HPos::Right)?;
        }
        let name = elided(&self.spreads[i].name, self.layout.side);
        let at = large((MARGIN / 2 + NAME_SIZE as i32 / 2, (frame[1] + frame[3]) / 2));
        sheet.text_upwards(&name, at, NAME_SIZE, (HPos::Center, VPos::Center))
    }
}

fn draw_histograms(sheet: &mut Sheet<'_>, frame: Frame, spread: &Spread) -> Result<()> {
    let (bars, densities) = spread.histograms();
    let mut highest = [0.0, 0.0];
    for (highest, densities) in highest.iter_mut().zip(&densities) {
        for &density in densities {
            *highest = f64::max(*highest, density);
        }
    }
    let top = 1.08 * highest[0].max(highest[1].min(MOST_HEIGHT * highest[0]));
    let data = outline(frame, spread, bars, &densities[0], top);
    sheet.fill(&data, DATA_FILL)?;
    sheet.path(&data, OVERSAMPLING, DATA_LINE)?;
    if highest[1] > 0.0 {
        let samples = outline(frame, spread, bars, &densities[1], top);
        sheet.path(&samples, SAMPLE_WIDTH, SAMPLE)?;
    }
    Ok(())
}

/// The steps of a histogram within a panel, from the lower left to the lower right corner.
fn outline(frame: Frame, spread: &Spread, bars: Bars, densities: &[f64], top: f64) -> Vec<(i32, i32)> {
    let (low, high) = spread.ends;
    let x = |bar: usize| {
        let edge = (bars.start + bar as f64 * bars.width).clamp(low, high);
        along(frame[0], frame[2], (edge - low) / (high - low))
    };
    let y = |density: f64| along(frame[3], frame[1], (density / top).clamp(0.0, 1.0));
    let mut points = vec![(x(0), y(0.0))];
    for (bar, &density) in densities.iter().enumerate() {
        points.extend([(x(bar), y(density)), (x(bar + 1), y(density))]);
    }
    points.push((x(densities.len()), y(0.0)));
    points
}

fn draw_rules(sheet: &mut Sheet<'_>, frame: Frame, x: &[Label], y: &[Label]) -> Result<()> {
    let [left, top, right, bottom] = enlarged(frame);
    for (at, _) in x {
        let x = along(frame[0], frame[2], *at);
        sheet.path(&[(x, top), (x, bottom)], OVERSAMPLING, RULE)?;
    }
    for (at, _) in y {
        let y = along(frame[3], frame[1], *at);
        sheet.path(&[(left, y), (right, y)], OVERSAMPLING, RULE)?;
    }
    Ok(())
}

/// The lower and, where there are labels, the left end of a panel with ticks.
fn draw_axes(sheet: &mut Sheet<'_>, frame: Frame, x: &[Label], y: &[Label]) -> Result<()> {
    let [left, top, right, bottom] = enlarged(frame);
    let tick = TICK * OVERSAMPLING as i32;
    let mut line = |from: Pixel, to: Pixel| sheet.path(&[from, to], OVERSAMPLING, INK);
    line((left, bottom), (right, bottom))?;
    for (at, _) in x {
        let x = along(frame[0], frame[2], *at);
        line((x, bottom), (x, bottom + tick))?;
    }
    if !y.is_empty() {
        line((left, top), (left, bottom))?;
    }
    for (at, _) in y {
        let y = along(frame[3], frame[1], *at);
        line((left - tick, y), (left, y))?;
    }
    Ok(())
}

/// Writes text with its middle, or an end, at a point of the finished image.
fn write(sheet: &mut Sheet<'_>, words: &str, (x, y): (i32, i32), size: f64, anchor: HPos) -> Result<()> {
    if words.is_empty() {
        return Ok(());
    }
    sheet.text(words, large((x, y + TEXT_DROP)), size, (anchor, VPos::Center))
}

/// The ends of a panel in the large image.
fn enlarged([left, top, right, bottom]: Frame) -> Frame {
    let scale = OVERSAMPLING as i32;
    [left * scale, top * scale, right * scale, bottom * scale]
}

/// A point of the finished image in the large one.
fn large((x, y): (i32, i32)) -> Pixel {
    (x * OVERSAMPLING as i32, y * OVERSAMPLING as i32)
}

/// A place from 0 to 1 between two ends of the finished image, in the large one.
fn along(from: i32, to: i32, at: f64) -> i32 {
    let scale = f64::from(OVERSAMPLING);
    (scale * (f64::from(from) + at * f64::from(to - from))).round() as i32
}

/// A name with its middle left out, where it is longer than a panel.
fn elided(name: &str, width: i32) -> String {
    let letters: Vec<char> = name.chars().collect();
    let shortened = |kept: usize| {
        let (head, tail) = (kept.div_ceil(2), letters.len() - kept / 2);
        let part = |letters: &[char]| letters.iter().collect::<String>();
        format!("{}\u{2026}{}", part(&letters[..head]), part(&letters[tail..]))
    };
    if width_of(name, NAME_SIZE) <= width - GAP {
        return name.to_owned();
    }
    for kept in (1..letters.len()).rev() {
        let text = shortened(kept);
        if width_of(&text, NAME_SIZE) <= width - GAP {
            return text;
        }
    }
    String::new()
}
