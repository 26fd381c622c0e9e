//! A formula with a wrong sign does not pass: the suite says which law fails, where, and by how much.

use idode::level::Level;
use idode::parameterization::{Affine, Parameterization};
use idode::testkit::{parameterization, usual_range};
use idode_edm::Edm;

/// EDM's pair with `b` of the wrong sign.
#[derive(Debug)]
struct WrongSign;

impl Parameterization for WrongSign {
    fn target(&self, level: &Level) -> Affine {
        let right = Edm::default().target(level);
        Affine { state: -right.state, ..right }
    }
}

#[test]
fn the_message_names_law_level_found_and_expected() {
    let formula = |level: &Level, x: f64, eps: f64| {
        let (s, d) = (level.sigma() / level.alpha(), Edm::default().data_std.get());
        (x - d * d / (s * s + d * d) * (x + s * eps)) * s.hypot(d) / (s * d)
    };
    let subject = |parameterization| parameterization::Subject {
        parameterization,
        formula: &formula,
        range: usual_range(),
    };
    let right = Edm::default();
    assert_eq!(parameterization::formula(&subject(&right)), Ok(()));
    let line = parameterization::all(&subject(&WrongSign)).expect_err("a violation").to_string();
    for part in ["law `formula`", "WrongSign at gamma -20 of sp", "found 1.20993", "expected 1.21006"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert_eq!(line.lines().count(), 1);
}
