//! The laws of a [`NoiseSchedule`].

use super::quadrature::adaptive;
use super::{Law, Verdict};
use crate::level::{Gamma, GammaRange};
use crate::schedule::NoiseSchedule;

crate::__idode_laws! { schedule __idode_table }

/// A schedule, and the range that it is meant for.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The schedule.
    pub schedule: &'a dyn NoiseSchedule,
    /// The levels that it is checked at.
    pub range: GammaRange,
}

/// Levels a range is checked at, less one.
const CELLS: u32 = 60;

impl Subject<'_> {
    fn law(&self, name: &'static str) -> Law {
        Law::new("schedule", name, self.schedule)
    }

    /// Levels from one end of the range to the other.
    fn gammas(&self) -> impl Iterator<Item = Gamma> + '_ {
        (0..=CELLS).map(|i| self.range.at(f64::from(i) / f64::from(CELLS)))
    }

    /// Neighbouring levels.
    fn cells(&self) -> impl Iterator<Item = (Gamma, Gamma)> + '_ {
        self.gammas().zip(self.gammas().skip(1))
    }
}

/// `dlog_alpha` is the derivative of `log_alpha`: between neighbouring levels its integral is the difference.
///
/// # Errors
/// The first pair of levels where they differ by more than 1e-9 of the difference and 1e-12.
pub fn derivative(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("derivative");
    for (from, to) in subject.cells() {
        let found = adaptive(from.0, to.0, 1e-12, &|g| subject.schedule.level(Gamma(g)).dlog_alpha());
        let expected = subject.schedule.level(to).log_alpha() - subject.schedule.level(from).log_alpha();
        let place = format_args!("gamma {from} to {to}, integral of dlog_alpha");
        law.close(place, found, expected, 1e-9 * expected.abs() + 1e-12)?;
    }
    Ok(())
}

/// `sigma^2 / alpha^2 = e^gamma`, at the gamma that was asked for.
///
/// # Errors
/// The first level whose `ln(sigma^2 / alpha^2)` is not its gamma.
pub fn ratio(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("ratio");
    for gamma in subject.gammas() {
        let level = subject.schedule.level(gamma);
        let found = 2.0 * (level.sigma().ln() - level.alpha().ln());
        let place = format_args!("gamma {gamma}, ln(sigma^2 / alpha^2)");
        law.close(place, found, gamma.0, 1e-9 * (1.0 + gamma.0.abs()))?;
    }
    Ok(())
}

/// `-1/2 <= dlog_alpha <= 0`, alpha does not grow and sigma does not shrink with gamma.
///
/// # Errors
/// The first level where one of it fails.
pub fn monotone(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("monotone");
    for (from, to) in subject.cells() {
        let (here, next) = (subject.schedule.level(from), subject.schedule.level(to));
        for level in [here, next] {
            let p = level.dlog_alpha();
            let holds = (-0.5 - 1e-12..=1e-12).contains(&p);
            law.holds(format_args!("gamma {}, dlog_alpha", level.gamma()), holds, p, "-1/2 to 0")?;
        }
        let place = format_args!("gamma {from} to {to}, change of ln alpha");
        law.at_most(place, next.log_alpha() - here.log_alpha(), 0.0, 1e-12)?;
        let place = format_args!("gamma {from} to {to}, change of -ln sigma");
        law.at_most(place, here.log_sigma() - next.log_sigma(), 0.0, 1e-12)?;
    }
    Ok(())
}

/// All of it is finite, and alpha and sigma positive, at the ends of the range and between.
///
/// # Errors
/// The first level where one is not.
pub fn finite(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("finite");
    for gamma in [subject.range.min(), subject.range.max()].into_iter().chain(subject.gammas()) {
        let level = subject.schedule.level(gamma);
        for (name, found) in [("alpha", level.alpha()), ("sigma", level.sigma())] {
            let holds = found > 0.0 && found.is_finite();
            law.holds(format_args!("gamma {gamma}, {name}"), holds, found, "a positive number")?;
        }
        let found = level.dlog_alpha();
        law.holds(format_args!("gamma {gamma}, dlog_alpha"), found.is_finite(), found, "a finite number")?;
    }
    Ok(())
}
