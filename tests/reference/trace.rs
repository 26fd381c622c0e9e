//! The trace from recorded probes.

use idode::divergence::{Divergence, Jacobian, ProbeSeed, Trace};

/// `v^T (dF/dz) v` with the probes of the published code, one an image.
///
/// A solve's row `i` has the probe of image `i mod images`: the published code takes one probe for all draws.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    probes: Vec<f64>,
}

impl Recorded {
    pub(crate) fn new(probes: &[f64]) -> Self {
        Self { probes: probes.to_vec() }
    }
}

impl Divergence for Recorded {
    fn begin(&self, _: usize, _: &[ProbeSeed]) -> Box<dyn Trace> {
        Box::new(self.clone())
    }
}

impl Trace for Recorded {
    fn trace(&mut self, rows: &[usize], jacobian: &mut dyn Jacobian) -> Vec<f64> {
        let dims = jacobian.dims();
        let images = self.probes.len() / dims;
        let tangents: Vec<f64> =
            rows.iter().flat_map(|row| self.probes[row % images * dims..][..dims].to_vec()).collect();
        let mut products = vec![0.0; tangents.len()];
        jacobian.products(&(0..rows.len()).collect::<Vec<_>>(), &tangents, &mut products);
        let pairs = tangents.chunks(dims).zip(products.chunks(dims));
        pairs.map(|(v, jv)| v.iter().zip(jv).map(|(v, jv)| v * jv).sum()).collect()
    }

    fn renew(&mut self, _: &[usize], _: &[ProbeSeed]) {}
}
