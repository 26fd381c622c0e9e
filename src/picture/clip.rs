//! Lines cut to a range, so that what lies outside is left out rather than drawn along the edge.

/// Cuts a line where it leaves the y range or has a gap; each piece lies inside.
pub(crate) fn clip(points: &[Option<(f64, f64)>], (low, high): (f64, f64)) -> Vec<Vec<(f64, f64)>> {
    let inside = |p: &(f64, f64)| (low..=high).contains(&p.1);
    let crossing = |a: (f64, f64), b: (f64, f64), y: f64| (a.0 + (b.0 - a.0) * (y - a.1) / (b.1 - a.1), y);
    let mut pieces: Vec<Vec<(f64, f64)>> = vec![Vec::new()];
    let mut last: Option<(f64, f64)> = None;
    for point in points {
        if let (Some(a), Some(b)) = (last, *point) {
            // Where a -> b meets the two bounds, in the order in which it meets them.
            let mut cuts: Vec<(f64, f64)> = Vec::new();
            for y in if b.1 > a.1 { [low, high] } else { [high, low] } {
                if (a.1 - y) * (b.1 - y) < 0.0 {
                    cuts.push(crossing(a, b, y));
                }
            }
            for cut in cuts {
                let open = pieces.last().is_some_and(|p| !p.is_empty());
                if let Some(piece) = pieces.last_mut() {
                    piece.push(cut);
                }
                if open {
                    pieces.push(Vec::new());
                }
            }
        }
        match (point, pieces.last_mut()) {
            (Some(p), Some(piece)) if inside(p) => piece.push(*p),
            (None, Some(piece)) if !piece.is_empty() => pieces.push(Vec::new()),
            _ => {}
        }
        last = *point;
    }
    pieces.retain(|p| !p.is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_at_the_range() {
        let p = |x: f64, y: f64| Some((x, y));
        let cut = clip(&[p(0.0, 3.0), p(1.0, 1.0), p(2.0, 0.5), p(3.0, 2.5)], (0.0, 2.0));
        assert_eq!(cut, [vec![(0.5, 2.0), (1.0, 1.0), (2.0, 0.5), (2.75, 2.0)]]);
        let gap = clip(&[p(0.0, 1.0), None, p(2.0, 1.0)], (0.0, 2.0));
        assert_eq!(gap, [vec![(0.0, 1.0)], vec![(2.0, 1.0)]]);
        let through = clip(&[p(0.0, -1.0), p(4.0, 3.0), p(5.0, 1.0)], (0.0, 2.0));
        assert_eq!(through, [vec![(1.0, 0.0), (3.0, 2.0)], vec![(4.5, 2.0), (5.0, 1.0)]]);
        assert!(clip(&[p(0.0, 5.0), p(1.0, 6.0)], (0.0, 2.0)).is_empty());
    }
}
