//! Integrals of functions that may have kinks, jumps and many scales.

use crate::math::{NODES, WEIGHTS};

/// Panels before any is halved, and how often one may be.
const PANELS: u32 = 32;
const DEPTH: u32 = 44;

/// The integral of `f` from `from` to `to`, to about `relative` of the integral of `|f|`: panels of
/// Gauss-Legendre quadrature, halved until halving changes nothing and the ends are as the nodes foretell.
///
/// A jump costs some 40 halvings, so a piecewise density is integrated as well as a smooth one.
pub fn adaptive(from: f64, to: f64, relative: f64, f: &dyn Fn(f64) -> f64) -> f64 {
    let end = |i: u32| from + (to - from) * (f64::from(i) / f64::from(PANELS));
    let panels: Vec<Panel> = (0..PANELS).map(|i| Panel::new(end(i), end(i + 1), f)).collect();
    let size: f64 = panels.iter().map(|panel| panel.size).sum();
    let allowed = relative * size / f64::from(PANELS);
    panels.iter().map(|panel| panel.refined(allowed, DEPTH, f)).sum()
}

/// A part of the interval with the function at its nodes.
struct Panel {
    start: f64,
    end: f64,
    values: [f64; 8],
    /// The integrals of the function and of its absolute value, by the nodes.
    integral: f64,
    size: f64,
}

impl Panel {
    fn new(start: f64, end: f64, f: &dyn Fn(f64) -> f64) -> Self {
        let (middle, half) = (0.5 * (start + end), 0.5 * (end - start));
        let values = NODES.map(|x| f(middle + half * x));
        let sum = |value: &dyn Fn(f64) -> f64| -> f64 {
            half * values.iter().zip(WEIGHTS).map(|(v, w)| w * value(*v)).sum::<f64>()
        };
        Self { start, end, values, integral: sum(&|v| v), size: sum(&f64::abs).abs() }
    }

    /// The polynomial through the nodes, at the panel's start (-1) or end (1), in barycentric form.
    fn foretold(&self, x: f64) -> f64 {
        let (mut top, mut bottom, mut sign) = (0.0, 0.0, 1.0);
        for ((node, weight), value) in NODES.iter().zip(WEIGHTS).zip(self.values) {
            let factor = sign * ((1.0 - node * node) * weight).sqrt() / (x - node);
            top += factor * value;
            bottom += factor;
            sign = -sign;
        }
        top / bottom
    }

    fn refined(&self, allowed: f64, depth: u32, f: &dyn Fn(f64) -> f64) -> f64 {
        let middle = 0.5 * (self.start + self.end);
        let [left, right] = [(self.start, middle), (middle, self.end)].map(|(a, b)| Panel::new(a, b, f));
        let sum = left.integral + right.integral;
        // Beyond its outermost nodes, 2% of a half panel, only the ends tell of a jump.
        let beyond = |panel: &Panel, x: f64, at: f64| {
            0.02 * (panel.end - panel.start) * (panel.foretold(x) - f(at)).abs() <= allowed
        };
        let settled = (sum - self.integral).abs() <= allowed
            && beyond(&left, -1.0, self.start)
            && beyond(&left, 1.0, middle)
            && beyond(&right, -1.0, middle)
            && beyond(&right, 1.0, self.end);
        // What is not finite ends it: it will be the answer.
        if settled || depth == 0 || !sum.is_finite() {
            return sum;
        }
        // Errors add up over a panel's parts, of which all but a few are exact.
        left.refined(0.7 * allowed, depth - 1, f) + right.refined(0.7 * allowed, depth - 1, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinks_jumps_and_scales() {
        let close = |found: f64, exact: f64| assert!((found / exact - 1.0).abs() < 1e-10, "{found} {exact}");
        let kink = 0.5 * (12.066f64.powi(2) + 6.234f64.powi(2));
        close(adaptive(-13.3, 5.0, 1e-12, &|x| (x + 1.234).abs()), kink);
        close(adaptive(-13.3, 5.0, 1e-12, &|x| (-x).exp()), 13.3f64.exp() - (-5f64).exp());
        assert!(adaptive(0.0, 1.0, 1e-12, &|_| f64::NAN).is_nan());
        // Wherever the jump is, an edge of a panel or next to one included.
        for i in 0..2000 {
            let jump = f64::from(i) / 2000.0;
            let found = adaptive(0.0, 1.0, 1e-12, &|x| if x < jump { 1.0 } else { 5.0 });
            close(found, jump + 5.0 * (1.0 - jump));
        }
    }
}
