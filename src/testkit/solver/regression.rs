//! Measured orders: the power in an error's dependence on the step.

/// Intercept and slope of the line through these points, by least squares.
fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let n = points.len() as f64;
    let (mx, my) = points.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    let (xy, xx) =
        points.iter().fold((0.0, 0.0), |(xy, xx), (x, y)| (xy + (x - mx) * (y - my), xx + (x - mx).powi(2)));
    (my - mx * xy / xx, xy / xx)
}

/// The power `p` in `y = C x^p`, by regression of `ln y` on `ln x`.
pub fn power(points: &[(f64, f64)]) -> f64 {
    line(&points.iter().map(|(x, y)| (x.ln(), y.ln())).collect::<Vec<_>>()).1
}

/// The power `p` in `y = C x^p (1 + O(x))`: the powers between neighbours, regressed on `x`, at 0.
pub fn power_at_zero(points: &[(f64, f64)]) -> f64 {
    line(&points.windows(2).map(|pair| (pair[0].0, power(pair))).collect::<Vec<_>>()).0
}

/// The power at 0 by [`power_at_zero`], or that between the two smallest `x`, whichever is nearer to `stated`: a method
/// of high order leaves few sizes between rounding and what is no longer small, and bends over them.
pub fn power_near(points: &[(f64, f64)], stated: f64) -> f64 {
    let [all, finest] = [power_at_zero(points), power(&points[points.len().saturating_sub(2)..])];
    if (finest - stated).abs() < (all - stated).abs() { finest } else { all }
}
