//! Mutants: broken implementations, each of which its law must reject. A law without one is no law.

mod dequantizers;
mod networks;
mod parameterizations;
mod per_coordinate;
mod schedules;
mod solvers;
mod times;

use idode::testkit::per_coordinate as coordinate;
use idode::testkit::{Verdict, dequantizer, network, parameterization, schedule, solver, time};

/// A broken implementation: the law that must reject it, what is wrong with it, and what the law said.
struct Mutant {
    law: &'static str,
    bug: &'static str,
    verdict: Verdict,
}

/// `mutants! { room, subject: law => "bug", subject; ... }`: one row a mutant.
macro_rules! mutants {
    ($room:ident, $of:expr; $($law:ident: $bug:literal => $subject:expr;)*) => {
        vec![$(crate::conformance::mutants::Mutant {
            law: stringify!($law),
            bug: $bug,
            verdict: $of(&$subject, &idode::testkit::$room::$law),
        }),*]
    };
}
use mutants;

/// Every room with its laws and its mutants.
fn rooms() -> [(&'static str, &'static [&'static str], Vec<Mutant>); 7] {
    [
        ("schedule", schedule::LAWS, schedules::mutants()),
        ("parameterization", parameterization::LAWS, parameterizations::mutants()),
        ("time sampler", time::LAWS, times::mutants()),
        ("dequantizer", dequantizer::LAWS, dequantizers::mutants()),
        ("per-coordinate dequantizer", coordinate::LAWS, per_coordinate::mutants()),
        ("ODE solver", solver::LAWS, solvers::mutants()),
        ("network", network::LAWS, networks::mutants()),
    ]
}

#[test]
fn every_law_rejects_its_mutants() {
    for (kind, laws, mutants) in rooms() {
        for law in laws {
            let own: Vec<&Mutant> = mutants.iter().filter(|mutant| mutant.law == *law).collect();
            assert!(!own.is_empty(), "the {kind} law `{law}` has no mutant");
            for Mutant { bug, verdict, .. } in own {
                let Err(violation) = verdict else { panic!("the {kind} law `{law}` takes: {bug}") };
                assert_eq!((violation.kind, violation.law), (kind, *law), "{bug}");
                println!("{bug}\n    {violation}");
            }
        }
        assert!(mutants.iter().all(|mutant| laws.contains(&mutant.law)), "mutants of {kind} laws only");
    }
}

/// The line for a parameterization with a wrong sign: which law, at which level, what was found and expected.
#[test]
fn a_wrong_sign_is_named() {
    let wrong = parameterizations::wrong_sign();
    let line = parameterizations::verdict(&wrong, &parameterization::formula).unwrap_err().to_string();
    assert_eq!(
        line,
        "parameterization law `formula`: Broken at gamma -20 of sp, F of x = 0.37 and eps = -1.21: found \
         -1.2099282763552155, expected -1.20996186579029 to within 1.2e-9"
    );
}
