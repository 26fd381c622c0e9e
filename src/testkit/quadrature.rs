//! Integrals of functions that may have kinks, jumps and many scales.

use crate::math::{NODES, WEIGHTS, integrate};

/// Panels before any is halved, and how often one may be.
const PANELS: u32 = 32;
const DEPTH: u32 = 44;

/// The integral of `f` from `from` to `to`, to about `relative` of the integral of `|f|`: panels of
/// Gauss-Legendre quadrature, halved until halving changes nothing.
///
/// A jump costs some 40 halvings, so a piecewise density is integrated as well as a smooth one.
pub fn adaptive(from: f64, to: f64, relative: f64, f: &dyn Fn(f64) -> f64) -> f64 {
    let end = |i: u32| from + (to - from) * (f64::from(i) / f64::from(PANELS));
    let panels: Vec<(f64, f64, f64)> = (0..PANELS)
        .map(|i| {
            let (a, b) = (end(i), end(i + 1));
            (a, b, integrate(a, b, 1, f))
        })
        .collect();
    let size: f64 = panels.iter().map(|(a, b, _)| integrate(*a, *b, 1, |x| f(x).abs()).abs()).sum();
    let allowed = relative * size / f64::from(PANELS);
    panels.into_iter().map(|(a, b, whole)| refined(a, b, whole, allowed, DEPTH, f)).sum()
}

fn refined(a: f64, b: f64, whole: f64, allowed: f64, depth: u32, f: &dyn Fn(f64) -> f64) -> f64 {
    let middle = 0.5 * (a + b);
    let (left, right) = (integrate(a, middle, 1, f), integrate(middle, b, 1, f));
    // NaN ends it: it will be the answer.
    let close = (left + right - whole).abs() <= allowed && beyond_the_nodes(a, b, f) <= allowed;
    if close || !(left + right).is_finite() || depth == 0 {
        return left + right;
    }
    // The error of the halves adds up over a panel's parts, of which all but a few are exact.
    refined(a, middle, left, 0.7 * allowed, depth - 1, f)
        + refined(middle, b, right, 0.7 * allowed, depth - 1, f)
}

/// What a jump between a panel's end and its outermost node may hide from every node: the gap times how far `f` at the
/// end is from the polynomial through the nodes.
fn beyond_the_nodes(a: f64, b: f64, f: &dyn Fn(f64) -> f64) -> f64 {
    let (middle, half) = (0.5 * (a + b), 0.5 * (b - a));
    let values = NODES.map(|x| f(middle + half * x));
    let miss = |x: f64| {
        // The barycentric form; the ends are no nodes.
        let (mut top, mut bottom, mut sign) = (0.0, 0.0, 1.0);
        for ((node, weight), value) in NODES.iter().zip(WEIGHTS).zip(values) {
            let factor = sign * ((1.0 - node * node) * weight).sqrt() / (x - node);
            (top, bottom, sign) = (top + factor * value, bottom + factor, -sign);
        }
        (top / bottom - f(middle + half * x)).abs()
    };
    half * (1.0 - NODES[7]) * (miss(-1.0) + miss(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinks_jumps_and_scales() {
        let close = |found: f64, exact: f64| assert!((found / exact - 1.0).abs() < 1e-10, "{found} {exact}");
        close(
            adaptive(-13.3, 5.0, 1e-12, &|x| (x + 1.234).abs()),
            0.5 * (12.066f64.powi(2) + 6.234f64.powi(2)),
        );
        close(adaptive(0.0, 1.0, 1e-12, &|x| if x < 0.371 { 1.0 } else { 5.0 }), 0.371 + 5.0 * 0.629);
        close(adaptive(-13.3, 5.0, 1e-12, &|x| (-x).exp()), 13.3f64.exp() - (-5f64).exp());
        // A jump just inside the end of a panel, where no node is.
        close(adaptive(0.0, 1.0, 1e-12, &|x| if x < 0.9999 { 1.0 } else { 5.0 }), 1.0004);
        assert!(adaptive(0.0, 1.0, 1e-12, &|_| f64::NAN).is_nan());
    }
}
