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

/// The power between the last two points, the finest that can be seen.
pub fn power_of_finest(points: &[(f64, f64)]) -> f64 {
    power(&points[points.len().saturating_sub(2)..])
}
