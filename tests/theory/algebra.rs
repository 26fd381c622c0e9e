//! Every schedule with every parameterization: what follows from `F = a eps + b z`.

use idode::level::{Gamma, Level};
use idode::parameterization::{Data, Noise, Parameterization, ParameterizationExt, Score, Velocity};
use idode::schedule::{
    NoiseSchedule, NoiseScheduleExt, StraightPath, SubVariancePreserving, VarianceExploding,
    VariancePreserving,
};

fn schedules() -> [Box<dyn NoiseSchedule>; 4] {
    [
        Box::new(VariancePreserving),
        Box::new(StraightPath),
        Box::new(VarianceExploding),
        Box::new(SubVariancePreserving),
    ]
}

fn parameterizations() -> [Box<dyn Parameterization>; 4] {
    [Box::new(Velocity), Box::new(Noise), Box::new(Data), Box::new(Score)]
}

/// Every pair at levels of the usual ranges.
fn each(mut check: impl FnMut(&dyn NoiseSchedule, &dyn Parameterization, &Level)) {
    for schedule in &schedules() {
        for parameterization in &parameterizations() {
            for i in -40..=20 {
                check(schedule, parameterization, &schedule.level(Gamma(f64::from(i) / 2.0)));
            }
        }
    }
}

/// `found` is `expected` up to a few roundings of terms of the size `scale`.
#[track_caller]
fn close(found: f64, expected: f64, scale: f64, what: &dyn std::fmt::Debug) {
    let bound = 2e-14 * scale.abs().max(expected.abs());
    assert!((found - expected).abs() <= bound, "{what:?}: {found} instead of {expected}");
}

const X: f64 = 0.37;
const EPS: f64 = -1.21;

#[test]
fn round_trips() {
    each(|s, p, level| {
        let what = (s, p, level.gamma());
        let (alpha, sigma) = (level.alpha(), level.sigma());
        let z = alpha * X + sigma * EPS;
        let target = p.target(level);
        let f = target.noise * EPS + target.state * z;
        let size = (target.noise * EPS).abs() + (target.state * z).abs();
        let regression = p.regression(level);
        close(regression.noise * EPS + regression.data * X, f, size + (target.state * sigma).abs(), &what);

        // What rounding of F costs in eps is size / a; in x and in the score it is that times sigma/alpha and 1/sigma.
        let in_noise = size / target.noise.abs() + 1.0;
        let noise = p.noise(level).apply(f, z);
        close(noise, EPS, in_noise, &what);
        close(p.data(level).apply(f, z), X, in_noise * sigma / alpha + 1.0 / alpha, &what);
        close(p.score(level).apply(f, z), -EPS / sigma, in_noise / sigma, &what);

        close(p.output_from_noise(level).apply(EPS, z), f, size, &what);
        let back = p.output_from_data(level);
        close(back.apply(X, z), f, size + (back.value * X).abs() + (z * target.noise / sigma).abs(), &what);
        close(p.output_from_score(level).apply(-EPS / sigma, z), f, size, &what);
    });
}

#[test]
fn drift_of_the_exact_noise_is_the_schedules_own() {
    each(|s, p, level| {
        let what = (s, p, level.gamma());
        let z = level.alpha() * X + level.sigma() * EPS;
        let target = p.target(level);
        let f = target.noise * EPS + target.state * z;
        let own = s.drift(level.gamma());
        let expected = own.state * z + own.noise * EPS;
        let drift = p.drift(level);
        let size = (own.noise * EPS).abs() + z.abs() + (drift.value * target.state * z).abs();
        close(drift.apply(f, z), expected, size, &what);
        // It is the derivative of the path alpha x + sigma eps.
        let path = level.dlog_alpha() * level.alpha() * X + level.dlog_sigma() * level.sigma() * EPS;
        close(expected, path, size, &what);
        // And numerically so: a central difference, error h^2/6 of the third derivative.
        let h = 1e-4;
        let at = |g: f64| {
            let l = s.level(Gamma(level.gamma().0 + g));
            l.alpha() * X + l.sigma() * EPS
        };
        let difference = (at(h) - at(-h)) / (2.0 * h);
        let bound = 1e-8 * level.sigma().max(level.alpha().min(level.sigma())) + 1e-11;
        assert!((difference - expected).abs() < bound, "{what:?}: {expected} {difference}");

        let divergence = p.divergence(level, 7);
        assert_eq!((divergence.network, divergence.constant), (drift.value, 7.0 * drift.state));
    });
}

#[test]
fn coefficients_by_their_definitions() {
    each(|s, p, level| {
        let what = (s, p, level.gamma());
        let target = p.target(level);
        let (a, b, sigma) = (target.noise, target.state, level.sigma());
        assert!(a != 0.0 && a.is_finite() && b.is_finite());
        close(p.likelihood_weight(level), 1.0 / (2.0 * a * a), 0.0, &what);
        // The likelihood's integrand |eps - eps^|^2 / 2, from an error of F.
        let error = p.noise(level).value * 0.3;
        close(p.likelihood_weight(level) * 0.09, 0.5 * error * error, 0.0, &what);
        close(p.drift(level).value, sigma / (2.0 * a), 0.0, &what);
        let size = level.dlog_alpha().abs() + (sigma * b / a).abs();
        close(p.drift(level).state, level.dlog_alpha() - sigma * b / (2.0 * a), size, &what);
        let second = p.second_order(level);
        close(second.identity, a + b * sigma, a.abs(), &what);
        close(second.outer, -1.0 / a, 0.0, &what);

        // Third order, against its definition with arbitrary residual and estimates (d = 2).
        let third = p.third_order(level);
        let (r, s_hat, t) = ([0.4, -0.7], [[0.2, 0.5], [-0.3, 0.9]], 1.3);
        let norm = r[0] * r[0] + r[1] * r[1];
        for i in 0..2 {
            let s_r = s_hat[i][0] * r[0] + s_hat[i][1] * r[1];
            let covariance_r = a * ((a + b * sigma) * r[i] - s_r);
            let mse = a * ((a + b * sigma) * 2.0 - t);
            let expected = (norm * r[i] - mse * r[i] - 2.0 * covariance_r) / (a * a);
            let found = third.cubic * norm * r[i]
                + (third.linear * 4.0 + third.trace * t) * r[i]
                + third.jacobian * s_r;
            let size = norm / (a * a) + 4.0 * (1.0 + (b * sigma / a).abs()) + 3.0 / a.abs();
            close(found, expected, size, &what);
        }
    });
}

#[test]
fn velocity_special_cases() {
    for i in -40..=20 {
        let gamma = Gamma(f64::from(i) / 2.0);
        let vp = VariancePreserving.level(gamma);
        let (alpha, sigma) = (vp.alpha(), vp.sigma());
        // dlog_sigma = p + 1/2 has an absolute rounding, which is relatively 1e-16 / alpha^2 here.
        let scale = 1.0 / (alpha * alpha);
        let target = Velocity.target(&vp);
        close(target.noise, 1.0 / alpha, 1.0 / alpha, &gamma);
        close(target.state, -sigma / alpha, sigma / alpha, &gamma);
        let regression = Velocity.regression(&vp);
        close(regression.noise, alpha, alpha * scale, &gamma);
        close(regression.data, -sigma, sigma, &gamma);
        close(Velocity.drift(&vp).value, 0.5 * alpha * sigma, 0.0, &gamma);

        let sp = StraightPath.level(gamma);
        let (alpha, sigma) = (sp.alpha(), sp.sigma());
        let root = 2f64.sqrt();
        let target = Velocity.target(&sp);
        close(target.noise, 1.0 / (root * alpha), 1.0 / alpha, &gamma);
        close(target.state, -1.0 / (root * alpha), 1.0 / alpha, &gamma);
        let regression = Velocity.regression(&sp);
        close(regression.noise, 1.0 / root, 1.0 / alpha, &gamma);
        close(regression.data, -1.0 / root, 1.0, &gamma);
        close(Velocity.drift(&sp).value, alpha * sigma / root, 0.0, &gamma);

        for schedule in &schedules() {
            let level = schedule.level(gamma);
            let drift = Velocity.drift(&level);
            let speed = (level.dlog_alpha() * level.alpha()).hypot(level.dlog_sigma() * level.sigma());
            close(drift.state, 0.0, level.dlog_alpha(), &gamma);
            close(drift.value, speed, 0.0, &gamma);
        }
    }
}

#[test]
fn everything_is_finite_far_out() {
    for schedule in &schedules() {
        for p in &parameterizations() {
            for gamma in [-40.0, 40.0] {
                let level = schedule.level(Gamma(gamma));
                let (drift, data, score) = (p.drift(&level), p.data(&level), p.score(&level));
                let third = p.third_order(&level);
                for v in [drift.value, drift.state, data.value, data.state, score.value, score.state] {
                    assert!(v.is_finite(), "{schedule:?} {p:?} {gamma}");
                }
                assert!(third.cubic.is_finite() && p.likelihood_weight(&level) > 0.0);
            }
        }
    }
}
