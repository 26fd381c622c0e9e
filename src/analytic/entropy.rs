//! The entropy of a mixture, where it can be had to rounding.

use crate::analytic::{GaussianMixture, trapezoid_nodes};
use crate::error::{Error, Result};

/// Standard deviations of each component that the quadrature covers: the density left out is
/// below 3e-18 of its peak.
const REACH: f64 = 9.0;

/// Nodes per standard deviation of the narrowest component.
const NODES_PER_SD: f64 = 16.0;

/// The most nodes a quadrature may take.
const NODES: f64 = 1e7;

impl GaussianMixture {
    /// The entropy `-E[ln p(x)]`, in nats: closed for one component, by quadrature in one
    /// dimension.
    ///
    /// # Errors
    /// With several components in several dimensions, and where the narrowest component is below
    /// a millionth of the range that the mixture covers.
    pub fn entropy(&self) -> Result<f64> {
        if let [component] = &self.components[..] {
            return Ok(component.entropy());
        }
        let (low, high) = self.reach()?;
        let narrowest = self.components.iter().map(|c| c.variances[0].sqrt()).fold(f64::INFINITY, f64::min);
        let nodes = ((high - low) / narrowest * NODES_PER_SD).ceil();
        if nodes > NODES {
            return Err(Error::value(
                "the mixture's range over its narrowest sd",
                nodes / NODES_PER_SD,
                "at most 6e5",
            ));
        }
        trapezoid_nodes(low, high, nodes as usize).try_fold(0.0, |sum, (x, weight)| {
            let log = self.log_density(&[x])?;
            Ok(sum - weight * log.exp() * log)
        })
    }

    /// The interval that holds all of a one-dimensional mixture's mass, to rounding.
    ///
    /// # Errors
    /// Unless the mixture is one-dimensional.
    pub(crate) fn reach(&self) -> Result<(f64, f64)> {
        if self.dim() != 1 {
            return Err(Error::value("the mixture's dimension", self.dim(), "1"));
        }
        let ends = self.components.iter().map(|c| {
            let half = REACH * c.variances[0].sqrt();
            (c.mean[0] - half, c.mean[0] + half)
        });
        Ok(ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), (low, high)| (l.min(low), h.max(high))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytic::Gaussian;

    #[test]
    fn quadrature_agrees_with_the_closed_form() -> Result<()> {
        let one = GaussianMixture::scalar(&[(1.0, 0.3, 0.7)])?;
        let split = GaussianMixture::scalar(&[(0.25, 0.3, 0.7), (0.75, 0.3, 0.7)])?;
        assert!((one.entropy()? - split.entropy()?).abs() < 1e-14);
        Ok(())
    }

    #[test]
    fn far_components_add_the_entropy_of_the_choice() -> Result<()> {
        let apart = GaussianMixture::scalar(&[(0.2, -40.0, 0.04), (0.8, 40.0, 1.0)])?;
        let choice = -(0.2 * 0.2f64.ln() + 0.8 * 0.8f64.ln());
        let each = 0.2 * apart.components()[0].entropy() + 0.8 * apart.components()[1].entropy();
        assert!((apart.entropy()? - choice - each).abs() < 1e-13);
        Ok(())
    }

    #[test]
    fn no_guess_where_there_is_no_exact_value() -> Result<()> {
        let plane = Gaussian::isotropic(2, 1.0)?;
        assert!(GaussianMixture::new([(0.5, plane.clone()), (0.5, plane)])?.entropy().is_err());
        assert!(GaussianMixture::scalar(&[(0.5, 0.0, 1.0), (0.5, 1e9, 1.0)])?.entropy().is_err());
        Ok(())
    }
}
