//! Exact expectations of polynomials under a mixture.

use crate::analytic::GaussianMixture;
use crate::error::{Error, Result};
use nalgebra::DVector;

/// The three-point Gauss-Hermite rule for a standard normal: `(node, weight)`.
const RULE: [(f64, f64); 3] = [(-SQRT_3, 1.0 / 6.0), (0.0, 2.0 / 3.0), (SQRT_3, 1.0 / 6.0)];
const SQRT_3: f64 = 1.732_050_807_568_877_2;

/// The most dimensions: `3^10 = 59049` nodes a component.
const DIMS: usize = 10;

impl GaussianMixture {
    /// Points with weights whose weighted sum is the expectation of any polynomial that is of
    /// degree at most 5: `3^d` for each component.
    ///
    /// On [`crate::analytic::Point::posterior`] this turns an objective's conditional expectation into a
    /// finite sum: no Monte Carlo.
    ///
    /// # Errors
    /// Above ten dimensions.
    pub fn cubature(&self) -> Result<Vec<(f64, DVector<f64>)>> {
        let dim = self.dim();
        if dim > DIMS {
            return Err(Error::value("dimensions of a cubature", dim, format!("at most {DIMS}")));
        }
        let mut nodes = Vec::with_capacity(self.weights.len() * 3usize.pow(dim as u32));
        for (component_weight, component) in self.weights.iter().zip(&self.components) {
            let root = component.spectral(f64::sqrt);
            for index in 0..3usize.pow(dim as u32) {
                let digit = |i: usize| RULE[index / 3usize.pow(i as u32) % 3];
                let standard = DVector::from_fn(dim, |i, _| digit(i).0);
                let weight = (0..dim).map(|i| digit(i).1).product::<f64>();
                nodes.push((component_weight * weight, &component.mean + &root * standard));
            }
        }
        Ok(nodes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degree_five_is_exact_and_six_is_not() -> Result<()> {
        let mixture = GaussianMixture::scalar(&[(0.3, 1.0, 4.0), (0.7, 0.0, 1.0)])?;
        let moment =
            |n: i32| -> Result<f64> { Ok(mixture.cubature()?.iter().map(|(w, x)| w * x[0].powi(n)).sum()) };
        // E x^5 of N(m, v) = m^5 + 10 m^3 v + 15 m v^2; E x^6 = ... + 15 v^3.
        assert!((moment(5)? - 0.3 * (1.0 + 40.0 + 240.0)).abs() < 1e-12);
        let sixth = 0.3 * (1.0 + 15.0 * 4.0 + 45.0 * 16.0 + 15.0 * 64.0) + 0.7 * 15.0;
        assert!((moment(6)? - sixth).abs() > 1.0);
        Ok(())
    }
}
