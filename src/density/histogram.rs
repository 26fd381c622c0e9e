//! A density that is constant in each of equal bins.

/// The density on `[start, end]` with mass `m_i / sum m` in bin `i` of `n` equal ones: `pdf = (m_i / sum m) n / (end - start)`.
///
/// ```
/// let density = idode::density::Histogram::new([0.0, 4.0], &[1.0, 3.0]);
/// assert_eq!((density.pdf(1.0), density.pdf(3.0)), (0.125, 0.375));
/// assert_eq!((density.quantile(0.25), density.quantile(0.5)), (2.0, 2.0 + 2.0 / 3.0));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    start: f64,
    end: f64,
    /// The mass of each bin, and the mass below each of their edges: one more, from 0 to 1.
    masses: Vec<f64>,
    below: Vec<f64>,
}

impl Histogram {
    /// The density whose bins have masses in these proportions. One that is negative or no number counts as 0; where
    /// none is left, all bins are alike.
    pub fn new([start, end]: [f64; 2], masses: &[f64]) -> Self {
        let mass = |mass: &f64| if *mass > 0.0 && mass.is_finite() { *mass } else { 0.0 };
        let mut masses: Vec<f64> = masses.iter().map(mass).collect();
        let sum: f64 = masses.iter().sum();
        if !(sum > 0.0 && sum.is_finite()) {
            masses = vec![1.0; masses.len().max(1)];
        }
        let sum: f64 = masses.iter().sum();
        masses.iter_mut().for_each(|mass| *mass /= sum);
        let mut below = vec![0.0; masses.len() + 1];
        for (i, mass) in masses.iter().enumerate() {
            below[i + 1] = below[i] + mass;
        }
        below[masses.len()] = 1.0;
        Self { start, end, masses, below }
    }

    /// The mass of each bin; they sum to 1.
    pub fn masses(&self) -> &[f64] {
        &self.masses
    }

    /// The bin of `x`: the first or the last one beyond the ends.
    pub fn bin(&self, x: f64) -> usize {
        (self.place(x) as usize).min(self.masses.len() - 1)
    }

    /// Where `x` lies, in bins from the start.
    fn place(&self, x: f64) -> f64 {
        (x - self.start) / (self.end - self.start) * self.masses.len() as f64
    }

    /// The density at `x`.
    pub fn pdf(&self, x: f64) -> f64 {
        self.masses[self.bin(x)] * self.masses.len() as f64 / (self.end - self.start)
    }

    /// The mass below `x`.
    pub fn cdf(&self, x: f64) -> f64 {
        let bin = self.bin(x);
        (self.below[bin] + (self.place(x) - bin as f64) * self.masses[bin]).clamp(0.0, 1.0)
    }

    /// Where a fraction `u` of the mass lies below, `u` in `[0, 1]`.
    pub fn quantile(&self, u: f64) -> f64 {
        if u <= 0.0 || u >= 1.0 {
            return if u <= 0.0 { self.start } else { self.end };
        }
        let bin = self.below.partition_point(|mass| *mass <= u).clamp(1, self.masses.len()) - 1;
        let place = bin as f64 + ((u - self.below[bin]) / self.masses[bin]).min(1.0);
        (self.start + place / self.masses.len() as f64 * (self.end - self.start)).min(self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pdf_cdf_and_quantile_belong_together() {
        let masses = [0.0, 2.0, 0.5, 1e-12, 3.0, 0.0];
        let density = Histogram::new([-3.0, 9.0], &masses);
        let sum: f64 = masses.iter().sum();
        for (i, mass) in masses.iter().enumerate() {
            let (from, to) = (-3.0 + 2.0 * i as f64, -1.0 + 2.0 * i as f64);
            assert_eq!(density.pdf(0.5 * (from + to)), mass / sum * 6.0 / 12.0);
            assert!((density.cdf(to) - density.cdf(from) - mass / sum).abs() < 1e-15, "bin {i}");
        }
        for i in 1..1000 {
            let u = f64::from(i) / 1000.0;
            let x = density.quantile(u);
            assert!(density.pdf(x) > 0.0 && (density.cdf(x) - u).abs() < 1e-14, "{u}: {x}");
        }
        assert_eq!((density.quantile(0.0), density.quantile(1.0)), (-3.0, 9.0));
        assert_eq!(
            (density.cdf(-5.0), density.cdf(99.0), density.bin(-9.0), density.bin(9.0)),
            (0.0, 1.0, 0, 5)
        );
    }

    #[test]
    fn masses_that_are_none_count_as_nothing() {
        let density = Histogram::new([0.0, 1.0], &[f64::NAN, -1.0, 3.0, f64::INFINITY]);
        assert_eq!(density.masses(), [0.0, 0.0, 1.0, 0.0]);
        for useless in [&[][..], &[0.0; 3], &[f64::NAN], &[f64::MAX, f64::MAX]] {
            let density = Histogram::new([0.0, 2.0], useless);
            assert!([0.1, 1.0, 1.9].iter().all(|x| density.pdf(*x) == 0.5), "{useless:?}");
        }
    }
}
