//! Where the panels of a corner plot stand, in pixels of the finished image.

use super::spread::Spread;
use crate::plot::canvas::{LEGEND_HEIGHT, MARGIN, TITLE_HEIGHT};
use crate::plot::sheet::width_of;
use crate::plot::ticks::linear_ticks_of;

/// The side of a panel by the number of columns.
const SIDES: [i32; 6] = [560, 440, 340, 270, 225, 195];

/// Between panels.
pub(super) const GAP: i32 = 14;

/// The size of tick labels, and of everything else.
pub(super) const TICK_SIZE: f64 = 16.0;
pub(super) const NAME_SIZE: f64 = 20.0;

/// The length of a tick.
pub(super) const TICK: i32 = 5;

const TICK_HEIGHT: i32 = 20;
const NAME_HEIGHT: i32 = 30;

/// The least distance between neighbouring labels.
const BETWEEN_LABELS: f64 = 14.0;

/// A label along an axis: its place from 0 to 1, and its text, which is empty where it would not fit.
pub(super) type Label = (f64, String);

/// Sides, margins and labels.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) side: i32,
    /// The left end of the first panel.
    pub(super) left: i32,
    /// The upper end of the first panel.
    pub(super) top: i32,
    /// The labels of each column, along x and along y.
    pub(super) labels: Vec<[Vec<Label>; 2]>,
}

impl Layout {
    pub(super) fn new(spreads: &[Spread]) -> Self {
        let side = SIDES[spreads.len().clamp(1, SIDES.len()) - 1];
        let mut of_all = Vec::with_capacity(spreads.len());
        let mut widest = None;
        for (j, spread) in spreads.iter().enumerate() {
            let of_one = labels(spread, side);
            // A column alone and the first one have no axis upwards.
            if j > 0 {
                for (_, text) in &of_one[1] {
                    widest = widest.max(Some(width_of(text, TICK_SIZE)));
                }
            }
            of_all.push(of_one);
        }
        let left = MARGIN + widest.map_or(0, |widest| NAME_HEIGHT + widest + TICK + 6);
        Self { side, left, top: MARGIN / 2 + TITLE_HEIGHT + 2 * LEGEND_HEIGHT + GAP, labels: of_all }
    }

    /// The left and the upper end of the panel in row `i` and column `j`.
    pub(super) fn corner(&self, i: usize, j: usize) -> (i32, i32) {
        let along = |start: i32, index: usize| start + index as i32 * (self.side + GAP);
        (along(self.left, j), along(self.top, i))
    }

    /// The size of the image.
    pub(super) fn size(&self) -> (u32, u32) {
        let all = self.labels.len() as i32 * (self.side + GAP) - GAP;
        let below = TICK + TICK_HEIGHT + NAME_HEIGHT + MARGIN / 2;
        ((self.left + all + MARGIN).unsigned_abs(), (self.top + all + below).unsigned_abs())
    }

    /// The middle of the tick labels, and of the names, below or beside a panel's end at `end`.
    pub(super) fn below(&self, end: i32) -> (i32, i32) {
        (end + TICK + TICK_HEIGHT / 2 + 2, end + TICK + TICK_HEIGHT + NAME_HEIGHT / 2)
    }
}

/// As many round numbers as fit along x, and the same along y.
fn labels(spread: &Spread, side: i32) -> [Vec<Label>; 2] {
    let (low, high) = spread.ends;
    let side = f64::from(side);
    let ticks = |steps: u8| -> Vec<Label> {
        let mut ticks = linear_ticks_of(spread.ends, f64::from(steps)).labelled;
        for (at, _) in &mut ticks {
            *at = (*at - low) / (high - low);
        }
        ticks
    };
    let width = |text: &str| f64::from(width_of(text, TICK_SIZE));
    let fits = |labels: &Vec<Label>| {
        labels.windows(2).all(|pair| {
            let room = (pair[1].0 - pair[0].0) * side;
            room >= 0.5 * (width(&pair[0].1) + width(&pair[1].1)) + BETWEEN_LABELS && room >= 2.0 * TICK_SIZE
        })
    };
    let mut chosen = Vec::new();
    for steps in [6, 5, 4, 3, 2, 1] {
        let labels = ticks(steps);
        if fits(&labels) {
            chosen = labels;
            break;
        }
    }
    // A label that sticks out would meet the next panel's.
    let within = |half: &dyn Fn(&str) -> f64| {
        let room =
            |(at, text): &Label| (at * side).min((1.0 - at) * side) + 0.5 * f64::from(GAP) - half(text);
        let one = chosen.iter().max_by(|a, b| room(a).total_cmp(&room(b))).map(|label| label.0);
        let mut labels = Vec::with_capacity(chosen.len());
        for label in &chosen {
            let kept = room(label) >= 0.0 || Some(label.0) == one;
            labels.push((label.0, if kept { label.1.clone() } else { String::new() }));
        }
        labels
    };
    [within(&|text| 0.5 * width(text)), within(&|_| 0.5 * TICK_SIZE)]
}
