//! Lines over two axes: series by name, horizontal references, linear or logarithmic scales.

use crate::error::{Error, Result};
use crate::picture::clip::clip;
use crate::picture::png;
use crate::picture::ticks::{self, Ruler};
use image::{RgbImage, imageops};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};
use std::path::Path;

// Everything is drawn this many times as large and then averaged, which smooths every edge.
const OVERSAMPLE: u32 = 3;
const FONT: &str = "idode";
const TEXT: RGBColor = RGBColor(45, 45, 45);
const MESH: RGBColor = RGBColor(228, 228, 228);
// Told apart by colour-blind readers (M. Okabe and K. Ito, "Color Universal Design").
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

/// What an axis measures, with its unit, and how it is spaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    label: String,
    log: bool,
}

impl Axis {
    /// An axis with equal steps.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), log: false }
    }

    /// An axis with equal factors; values that are not positive are left out.
    pub fn log(label: impl Into<String>) -> Self {
        Self { label: label.into(), log: true }
    }

    fn place(&self, value: f64) -> Option<f64> {
        let placed = if self.log { value.log10() } else { value };
        placed.is_finite().then_some(placed)
    }

    fn ruler(&self, ends: (f64, f64), count: usize) -> Ruler {
        let marks = if self.log { ticks::decades } else { ticks::linear };
        Ruler { ends, marks: marks(ends.0, ends.1, count), log: self.log }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Line,
    Faint,
    Marked,
}

#[derive(Clone, Debug, PartialEq)]
struct Series {
    label: String,
    points: Vec<(f64, f64)>,
    style: Style,
}

/// A picture of several labelled lines.
#[derive(Clone, Debug, PartialEq)]
pub struct LinePlot {
    title: String,
    x: Axis,
    y: Axis,
    series: Vec<Series>,
    references: Vec<(String, f64)>,
    robust: f64,
    size: (u32, u32),
}

impl LinePlot {
    /// A plot of 960 x 600 pixels with a title, or none if it is empty.
    pub fn new(title: impl Into<String>) -> Self {
        let (x, y) = (Axis::linear("x"), Axis::linear("y"));
        let (series, references) = (Vec::new(), Vec::new());
        Self { title: title.into(), x, y, series, references, robust: 1.0, size: (960, 600) }
    }

    /// Sets the horizontal axis.
    pub fn x_axis(self, x: Axis) -> Self {
        Self { x, ..self }
    }

    /// Sets the vertical axis.
    pub fn y_axis(self, y: Axis) -> Self {
        Self { y, ..self }
    }

    /// Sets width and height in pixels, each at least 240 and at most 4,000.
    pub fn size(self, width: u32, height: u32) -> Self {
        Self { size: (width.clamp(240, 4000), height.clamp(240, 4000)), ..self }
    }

    /// Ends the y range at this quantile of the lines' values (1, the default: at the largest).
    pub fn robust(self, quantile: f64) -> Self {
        Self { robust: quantile.clamp(0.0, 1.0), ..self }
    }

    /// Adds a line through `points` in their order; points that are not finite break it.
    pub fn series(self, label: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        self.with(label.into(), points, Style::Line)
    }

    /// Adds a line with a dot at each point.
    pub fn marked(self, label: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        self.with(label.into(), points, Style::Marked)
    }

    /// Adds a thin pale line without a label, in the colour of the next series.
    pub fn faint(self, points: Vec<(f64, f64)>) -> Self {
        self.with(String::new(), points, Style::Faint)
    }

    /// Adds a dashed horizontal line with its label on it.
    pub fn reference(mut self, label: impl Into<String>, y: f64) -> Self {
        self.references.push((label.into(), y));
        self
    }

    fn with(mut self, label: String, points: Vec<(f64, f64)>, style: Style) -> Self {
        self.series.push(Series { label, points, style });
        self
    }

    /// Draws the plot and writes a PNG file.
    ///
    /// # Errors
    /// If no point can be drawn, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let frame = self.frame().ok_or_else(|| Error::value("points to draw", 0, "at least one finite"))?;
        let (width, height) = (self.size.0 * OVERSAMPLE, self.size.1 * OVERSAMPLE);
        let mut buffer = vec![255; 3 * width as usize * height as usize];
        self.draw(&mut buffer, (width, height), &frame)
            .map_err(|e| Error::io(path, "draw")(std::io::Error::other(e)))?;
        let large = RgbImage::from_raw(width, height, buffer).ok_or_else(|| {
            Error::value("size of the picture", format!("{width}x{height}"), "a smaller one")
        })?;
        png::save(&imageops::thumbnail(&large, self.size.0, self.size.1), path)
    }

    // The placed points of a series, broken where one cannot be drawn.
    fn placed(&self, series: &Series) -> Vec<Option<(f64, f64)>> {
        series.points.iter().map(|&(x, y)| Some((self.x.place(x)?, self.y.place(y)?))).collect()
    }

    fn frame(&self) -> Option<Frame> {
        let placed: Vec<_> = self.series.iter().map(|s| self.placed(s)).collect();
        let points: Vec<(f64, f64)> = placed.iter().flatten().flatten().copied().collect();
        let mut ys: Vec<f64> = points.iter().map(|p| p.1).collect();
        ys.sort_by(f64::total_cmp);
        let (low, last) = (*ys.first()?, ys.len() - 1);
        let high = ys[(self.robust * last as f64).round() as usize];
        let references = self.references.iter().filter_map(|r| self.y.place(r.1));
        let ends = |(low, high): (f64, f64), v: f64| (low.min(v), high.max(v));
        let y = references.fold((low, high), ends);
        let x = points.iter().map(|p| p.0).fold((f64::INFINITY, f64::NEG_INFINITY), ends);
        Some(Frame { x: padded(x, 0.01), y: padded(y, 0.06) })
    }

    fn draw(&self, buffer: &mut [u8], size: (u32, u32), frame: &Frame) -> Result<(), String> {
        register_font(FONT, FontStyle::Normal, notosans::REGULAR_TTF).map_err(|_| "the font is damaged")?;
        self.draw_on(&BitMapBackend::with_buffer(buffer, size).into_drawing_area(), frame)
            .map_err(|e| e.to_string())
    }

    fn draw_on<DB: DrawingBackend>(
        &self,
        root: &DrawingArea<DB, plotters::coord::Shift>,
        frame: &Frame,
    ) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
        let k = OVERSAMPLE;
        let font = |size: u32| TextStyle::from((FONT, (size * k) as f64).into_font()).color(&TEXT);
        root.fill(&WHITE)?;
        let mut builder = ChartBuilder::on(root);
        builder.margin(16 * k).margin_right(28 * k).x_label_area_size(56 * k).y_label_area_size(76 * k);
        if !self.title.is_empty() {
            builder.caption(&self.title, font(24));
        }
        let (x, y) = (self.x.ruler(frame.x, 8), self.y.ruler(frame.y, 8));
        let mut chart = builder.build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .bold_line_style(MESH.stroke_width(k))
            .light_line_style(TRANSPARENT)
            .axis_style(RGBColor(120, 120, 120).stroke_width(k))
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .axis_desc_style(font(20))
            .label_style(font(17))
            .draw()?;
        for (label, value) in &self.references {
            let Some(y) = self.y.place(*value) else { continue };
            let ends = [(frame.x.0, y), (frame.x.1, y)];
            let style = TEXT.mix(0.8).stroke_width(k + k / 2);
            chart.draw_series(DashedLineSeries::new(ends, 8 * k, 6 * k, style))?;
            let style = font(16).pos(Pos::new(HPos::Right, VPos::Bottom));
            let text = Text::new(format!("{label} {}", ticks::label(*value)), (0, -(2 * k as i32)), style);
            chart.draw_series([EmptyElement::at((frame.x.1, y)) + text])?;
        }
        let mut colour = 0;
        for series in &self.series {
            let rgb = COLOURS[colour % COLOURS.len()];
            let (shade, width) = if series.style == Style::Faint { (0.42, k) } else { (1.0, 2 * k + k / 2) };
            let stroke = rgb.mix(shade).stroke_width(width);
            let placed = self.placed(series);
            let pieces = clip(&placed, frame.y);
            for (i, piece) in pieces.into_iter().enumerate() {
                let drawn = chart.draw_series(LineSeries::new(piece, stroke))?;
                if i == 0 && series.style != Style::Faint {
                    drawn.label(&series.label).legend(move |(x, y)| {
                        PathElement::new([(x, y), (x + 24 * k as i32, y)], rgb.stroke_width(2 * k + k / 2))
                    });
                }
            }
            if series.style == Style::Marked {
                let inside = placed.iter().flatten().filter(|p| p.1 <= frame.y.1);
                chart.draw_series(inside.map(|p| Circle::new(*p, 4 * k, rgb.filled())))?;
            }
            colour += usize::from(series.style != Style::Faint);
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .margin(14 * k)
            .legend_area_size(34 * k)
            .background_style(WHITE.mix(0.9))
            .border_style(MESH.stroke_width(k))
            .label_font(font(17))
            .draw()?;
        root.present()
    }
}

/// The placed ranges that the axes span.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Frame {
    x: (f64, f64),
    y: (f64, f64),
}

fn padded((low, high): (f64, f64), share: f64) -> (f64, f64) {
    let pad = (high - low) * share;
    let pad = if pad > 0.0 { pad } else { 0.5f64.max(low.abs() * 0.1) };
    (low - pad, high + pad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_outliers_do_not_set_the_range() {
        let mut points: Vec<(f64, f64)> = (0..100).map(|i| (f64::from(i), 2.0)).collect();
        points[0].1 = 500.0;
        points[50].1 = f64::NAN;
        let frame = LinePlot::new("").robust(0.9).series("a", points).reference("r", 2.4).frame().unwrap();
        assert!((frame.y.1 - (2.4 + 0.06 * 0.4)).abs() < 1e-12, "{frame:?}");
    }

    #[test]
    fn log_axes_leave_out_what_is_not_positive() {
        let plot = LinePlot::new("").x_axis(Axis::log("n")).y_axis(Axis::log("error"));
        let frame = plot.series("a", vec![(0.0, 1.0), (10.0, 1e-3), (1000.0, 1e-6)]).frame().unwrap();
        assert!(frame.x.0 < 1.0 && frame.x.0 > 0.9 && frame.y.0 < -6.0 && frame.y.1 < -2.7, "{frame:?}");
    }

    #[test]
    fn a_plot_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("order.png");
        let errors = |order: i32, c: f64| (2..9).map(|i| (2f64.powi(i), c * 2f64.powi(-i * order))).collect();
        LinePlot::new("Error against evaluations")
            .x_axis(Axis::log("evaluations of the network per image"))
            .y_axis(Axis::log("error of the log-likelihood (bits/dim)"))
            .marked("Euler", errors(1, 0.5))
            .marked("Heun", errors(2, 0.8))
            .marked("Dormand-Prince 5(4)", errors(5, 20.0))
            .reference("float32 rounding", 1e-7)
            .save(&path)
            .unwrap();
        assert_eq!(image::open(&path).unwrap().to_rgb8().dimensions(), (960, 600));
        if let Some(kept) = std::env::var_os("IDODE_KEEP_PICTURES") {
            std::fs::copy(&path, Path::new(&kept).join("order.png")).unwrap();
        }
    }
}
