//! Lines cut at the border of what is shown.

/// A position.
pub(super) type Point = (f64, f64);

/// The part of the segment `from`-`to` within the box from `low` to `high`, if there is one
/// (Liang and Barsky's algorithm).
pub(super) fn clip_segment(from: Point, to: Point, low: Point, high: Point) -> Option<(Point, Point)> {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
    for (step, distance) in
        [(-dx, from.0 - low.0), (dx, high.0 - from.0), (-dy, from.1 - low.1), (dy, high.1 - from.1)]
    {
        if step == 0.0 {
            if distance < 0.0 {
                return None;
            }
        } else if step < 0.0 {
            enter = enter.max(distance / step);
        } else {
            leave = leave.min(distance / step);
        }
    }
    let at = |t: f64| (from.0 + t * dx, from.1 + t * dy);
    (enter <= leave).then(|| (at(enter), at(leave)))
}

/// The visible runs of the line through `points`, which a missing point interrupts.
pub(super) fn clip_line(points: &[Option<Point>], low: Point, high: Point) -> Vec<Vec<Point>> {
    let mut runs: Vec<Vec<Point>> = Vec::new();
    let mut open = false;
    for pair in points.windows(2) {
        let visible = match (pair[0], pair[1]) {
            (Some(from), Some(to)) => {
                clip_segment(from, to, low, high).map(|(start, end)| (start, end, end == to))
            }
            _ => None,
        };
        match (visible, runs.last_mut()) {
            (Some((_, end, _)), Some(run)) if open => run.push(end),
            (Some((start, end, _)), _) => runs.push(vec![start, end]),
            (None, _) => {}
        }
        open = visible.is_some_and(|(.., whole)| whole);
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOW: Point = (0.0, 0.0);
    const HIGH: Point = (4.0, 2.0);

    #[test]
    fn segment_is_cut_at_the_border() {
        assert_eq!(clip_segment((-1.0, 1.0), (5.0, 1.0), LOW, HIGH), Some(((0.0, 1.0), (4.0, 1.0))));
        assert_eq!(clip_segment((1.0, 4.0), (3.0, 0.0), LOW, HIGH), Some(((2.0, 2.0), (3.0, 0.0))));
        assert_eq!(clip_segment((0.0, 3.0), (4.0, 3.0), LOW, HIGH), None);
        assert_eq!(clip_segment((-1.0, 1.5), (1.0, 3.5), LOW, HIGH), None);
    }

    #[test]
    fn line_breaks_outside_and_at_gaps() {
        let line = [(0.0, 1.0), (1.0, 1.0), (2.0, 3.0), (3.0, 1.0)].map(Some);
        let expected = vec![vec![(0.0, 1.0), (1.0, 1.0), (1.5, 2.0)], vec![(2.5, 2.0), (3.0, 1.0)]];
        assert_eq!(clip_line(&line, LOW, HIGH), expected);
        let gap = [Some((0.0, 1.0)), Some((1.0, 1.0)), None, Some((2.0, 1.0)), Some((3.0, 1.0))];
        let expected = vec![vec![(0.0, 1.0), (1.0, 1.0)], vec![(2.0, 1.0), (3.0, 1.0)]];
        assert_eq!(clip_line(&gap, LOW, HIGH), expected);
        assert!(clip_line(&[None, Some((1.0, 1.0)), None], LOW, HIGH).is_empty());
    }
}
