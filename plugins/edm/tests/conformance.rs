//! Every law of a parameterization.

use idode::level::Level;
use idode_edm::Edm;

// F = (x - c_skip z') / c_out, as the paper's table 1 has it.
idode::testkit::parameterization_suite!(edm, Edm::default(), |level: &Level, x, eps| {
    let (s, d) = (level.sigma() / level.alpha(), Edm::default().data_std.get());
    let (c_skip, c_out) = (d * d / (s * s + d * d), s * d / s.hypot(d));
    (x - c_skip * (x + s * eps)) / c_out
});
