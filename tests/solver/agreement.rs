use crate::problems::{adaptive_methods, brusselator, by, distance, oscillator, solve, van_der_pol};
use idode::solver::controller::{Integral, ProportionalIntegral};
use idode::solver::{ExplicitRk, Field, HostState, Tableau, tables};
#[test]
fn dump() {
    for (nm, table) in [("rk45", &tables::DORMAND_PRINCE), ("rk23", &tables::BOGACKI_SHAMPINE)] {
        let st = by(Integral::SCIPY, 1e-6);
        let s = ExplicitRk::new(table);
        let r = |x: f64, y: f64| HostState::from_rows(&[[x, y]]);
        for sol in [
            solve(&s, oscillator(), r(1.0, 0.0), (0.0, 10.0), &st),
            solve(&s, oscillator(), r(1.0, 0.0), (10.0, 0.0), &st),
            solve(&s, van_der_pol(|_| 2.0), r(2.0, 0.0), (0.0, 10.0), &st),
            solve(&s, brusselator(), r(1.5, 3.0), (0.0, 20.0), &st),
        ] {
            println!("{nm} {:?} {:?}", sol.rows[0], sol.y.values());
        }
    }
    for s in adaptive_methods() {
        for size in [1e-3, 1e-5, 1e-7] {
            for (n, st) in [
                ("pi", by(ProportionalIntegral::STANDARD, size)),
                ("i", by(Integral::STANDARD, size)),
                ("scipy", by(Integral::SCIPY, size)),
            ] {
                let a =
                    solve(&s, brusselator(), HostState::from_rows(&[[1.5, 3.0]]), (0.0, 20.0), &st).rows[0];
                let b =
                    solve(&s, van_der_pol(|_| 2.0), HostState::from_rows(&[[2.0, 0.0]]), (0.0, 10.0), &st)
                        .rows[0];
                println!(
                    "{} {size:e} {n} {} {} {}   {} {} {}",
                    s.tableau().name,
                    a.evaluations,
                    a.accepted,
                    a.rejected,
                    b.evaluations,
                    b.accepted,
                    b.rejected
                );
            }
        }
    }
}
