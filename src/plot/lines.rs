//! Line plots.

use super::canvas::{self, Entry};
use super::mark::Mark;
use super::{Axis, Png};
use crate::error::Result;

#[derive(Clone, Debug, PartialEq)]
struct Series {
    label: String,
    mark: Mark,
    colour: usize,
    points: Vec<(f64, f64)>,
}

/// A plot of labelled series over two axes, 1200 pixels wide.
///
/// A value that is not finite, or not above zero on a logarithmic axis, is a gap. The legend stands
/// above the plot, where it hides nothing.
///
/// ```
/// use idode::plot::{Axis, Plot};
/// let png = Plot::new("Two powers", Axis::log("x"), Axis::log("y"))
///     .line("x²", (1..9).map(|x| (f64::from(x), f64::from(x * x))))
///     .level("one", 1.0)
///     .draw()?;
/// assert!(png.bytes().starts_with(b"\x89PNG"));
/// # Ok::<(), idode::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    title: String,
    x: Axis,
    y: Axis,
    series: Vec<Series>,
    levels: Vec<(String, usize, f64)>,
    colours: usize,
}

impl Plot {
    /// A plot without a series.
    pub fn new(title: impl Into<String>, x: Axis, y: Axis) -> Self {
        Self { title: title.into(), x, y, series: Vec::new(), levels: Vec::new(), colours: 0 }
    }

    /// Adds a line through `(x, y)` points, in their order.
    #[must_use]
    pub fn line(self, label: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.with(label.into(), Mark::Line, points.into_iter().collect())
    }

    /// Adds a dashed line, for what is known rather than measured.
    #[must_use]
    pub fn dashed(self, label: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.with(label.into(), Mark::Dashed, points.into_iter().collect())
    }

    /// Adds points that no line joins, faint if there are many.
    #[must_use]
    pub fn points(self, label: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.with(label.into(), Mark::Dots, points.into_iter().collect())
    }

    /// Adds faint dots in the colour of the series that follows, of which they are the raw data.
    #[must_use]
    pub fn dots(self, label: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let colours = self.colours;
        Self { colours, ..self.with(label.into(), Mark::Dots, points.into_iter().collect()) }
    }

    /// Adds error bars in the colour of the series that follows, of which they are the errors: `(x, y, half its height)`.
    #[must_use]
    pub fn bars(self, bars: impl IntoIterator<Item = (f64, f64, f64)>) -> Self {
        let gap = (f64::NAN, f64::NAN);
        let mut points = Vec::new();
        for (x, y, half) in bars {
            points.extend_from_slice(&[(x, y - half), (x, y + half), gap]);
        }
        let colours = self.colours;
        Self { colours, ..self.with(String::new(), Mark::Bars, points) }
    }

    /// Adds a horizontal dashed line across the plot.
    #[must_use]
    pub fn level(mut self, label: impl Into<String>, y: f64) -> Self {
        self.levels.push((label.into(), self.colours, y));
        self.colours += 1;
        self
    }

    fn with(mut self, label: String, mark: Mark, points: Vec<(f64, f64)>) -> Self {
        self.series.push(Series { label, mark, colour: self.colours, points });
        self.colours += 1;
        self
    }

    /// Draws it.
    ///
    /// # Errors
    /// If there is no point to draw, or the ends of an axis cannot be.
    pub fn draw(&self) -> Result<Png> {
        let mut entries: Vec<Entry> = Vec::new();
        let (mut drawn_x, mut drawn_y) = (Vec::new(), Vec::new());
        for series in &self.series {
            let mut points = Vec::with_capacity(series.points.len());
            for &(x, y) in &series.points {
                let point = self.x.position(x).zip(self.y.position(y));
                if let Some((x, y)) = point {
                    drawn_x.push(x);
                    drawn_y.push(y);
                }
                points.push(point);
            }
            let (label, mark, colour) = (series.label.clone(), series.mark, series.colour);
            entries.push(Entry { label, mark, colour, points });
        }
        for (.., height) in &self.levels {
            if let Some(height) = self.y.position(*height) {
                drawn_y.push(height);
            }
        }
        let (x, y) = (self.x.ends(&drawn_x)?, self.y.ends(&drawn_y)?);
        for (label, colour, value) in &self.levels {
            let height = self.y.position(*value);
            let points = vec![height.map(|height| (x.0, height)), height.map(|height| (x.1, height))];
            entries.push(Entry { label: label.clone(), mark: Mark::Dashed, colour: *colour, points });
        }
        Png::encode(&canvas::draw(&self.title, [(&self.x, x), (&self.y, y)], &entries)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;

    fn decode(png: &Png) -> RgbImage {
        image::load_from_memory(png.bytes()).unwrap().to_rgb8()
    }

    fn linear() -> Plot {
        Plot::new("title", Axis::linear("x"), Axis::linear("y"))
    }

    fn count(image: &RgbImage, colour: [u8; 3]) -> usize {
        image.pixels().filter(|pixel| pixel.0 == colour).count()
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        let message = |plot: Plot| plot.draw().unwrap_err().to_string();
        let expected = "axis \"x\" = nothing that can be drawn: expected at least one point";
        assert_eq!(message(linear()), expected);
        assert_eq!(message(linear().level("only", 1.0)), expected);
        assert_eq!(message(linear().line("nan", [(f64::NAN, 1.0), (1.0, f64::INFINITY)])), expected);
        let log =
            Plot::new("", Axis::log("x"), Axis::linear("y")).line("negative", [(-1.0, 1.0), (0.0, 2.0)]);
        assert_eq!(message(log), expected);
    }

    #[test]
    fn values_that_are_not_finite_are_gaps() {
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        let points = [(0.0, 1.0), (1.0, nan), (2.0, 1.5), (3.0, inf), (nan, 2.0), (4.0, 2.0), (5.0, 2.5)];
        let plot = linear().line("a", points).dots("b", points).dashed("c", points).level("d", nan);
        assert_eq!(decode(&plot.draw().unwrap()).dimensions().0, 1200);
        let (whole, cut) = ([(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)], [(0.0, 0.0), (1.0, nan), (2.0, 2.0)]);
        let drawn = |points| count(&decode(&linear().line("", points).draw().unwrap()), canvas::COLOURS[0]);
        assert!(drawn(whole) > 5 * drawn(cut), "{} {}", drawn(whole), drawn(cut));
    }

    #[test]
    fn line_lies_where_its_values_are() {
        let plot = Plot::new("", Axis::linear("x").between(0.0, 1.0), Axis::linear("y").between(0.0, 1.0));
        let image = decode(&plot.line("", [(0.0, 0.25), (0.5, 0.25), (0.5, 9.0)]).draw().unwrap());
        let at =
            |(x, y, pixel): (u32, u32, &image::Rgb<u8>)| (pixel.0 == canvas::COLOURS[0]).then_some((x, y));
        let (x, y): (Vec<u32>, Vec<u32>) = image.enumerate_pixels().filter_map(at).unzip();
        let ((left, right), (top, bottom)) = (
            (x.iter().min().unwrap(), x.iter().max().unwrap()),
            (y.iter().min().unwrap(), y.iter().max().unwrap()),
        );
        // From the left border to the middle, and from a quarter of the height to the upper border.
        let area = canvas::plot_area(&image);
        let (width, height) = (area.2 - area.0, area.3 - area.1);
        assert!(left.abs_diff(area.0) <= 6, "{left} {area:?}");
        assert!(right.abs_diff(area.0 + width / 2) <= 6, "{right} {area:?}");
        assert!(top.abs_diff(area.1) <= 6, "{top} {area:?}");
        assert!(bottom.abs_diff(area.3 - height / 4) <= 6, "{bottom} {area:?}");
    }

    #[test]
    fn extremes_do_not_panic() {
        let points = [(1e-300, -1e300), (1.0, 9e299), (1e299, 1e-300)];
        for x in [Axis::linear("x"), Axis::log("x")] {
            for y in [Axis::linear("y"), Axis::log("y")] {
                let plot = Plot::new("a very long title ".repeat(20), x.clone(), y).line("", points);
                decode(&plot.dashed("a long label".repeat(30), [(1.0, 1.0)]).draw().unwrap());
            }
        }
        let many = (0..60).fold(linear().line("", [(0.0, 0.0)]), |plot, i| plot.level(format!("{i}"), 7.0));
        decode(&many.draw().unwrap());
    }
}
