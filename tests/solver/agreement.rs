//! Numbers from elsewhere, and what each adaptive method costs.

use crate::problems::{adaptive_methods, brusselator, by, distance, oscillator, solve, van_der_pol};
use idode::solver::controller::{Integral, ProportionalIntegral};
use idode::solver::{ExplicitRk, HostState, Solution, Stepping, Tableau, tables};

/// An oscillator, forward and backward, van der Pol's with mu = 2, and the Brusselator.
fn problems(table: &'static Tableau, stepping: &Stepping) -> [Solution<HostState>; 4] {
    let solver = &ExplicitRk::new(table);
    let start = |y: [f64; 2]| HostState::from_rows(&[y]);
    [
        solve(solver, oscillator(), start([1.0, 0.0]), (0.0, 10.0), stepping),
        solve(solver, oscillator(), start([1.0, 0.0]), (10.0, 0.0), stepping),
        solve(solver, van_der_pol(|_| 2.0), start([2.0, 0.0]), (0.0, 10.0), stepping),
        solve(solver, brusselator(), start([1.5, 3.0]), (0.0, 20.0), stepping),
    ]
}

/// What scipy 1.17.1 (numpy 2.4.6) gives on each problem by
/// `solve_ivp(f, span, y0, method=..., rtol=1e-6, atol=1e-6)`: `nfev`, `len(t) - 1`, `y[:, -1]`.
type Scipy = (&'static Tableau, [(u32, u32, [f64; 2]); 4]);

const SCIPY: [Scipy; 2] = [
    (
        &tables::DORMAND_PRINCE, // method="RK45"
        [
            (230, 38, [-0.8390671280127898, 0.5440206402921621]),
            (230, 38, [-0.8390671280127888, -0.5440206402921611]),
            (650, 91, [0.8415501019228896, -1.089052283619466]),
            (866, 114, [0.4986342157598914, 4.5967801662504]),
        ],
    ),
    (
        &tables::BOGACKI_SHAMPINE, // method="RK23"
        [
            (740, 246, [-0.8390464976064379, 0.544006037140366]),
            (740, 246, [-0.8390464976064378, -0.5440060371403671]),
            (1532, 506, [0.8415559318116598, -1.0890431721814953]),
            (1793, 577, [0.49861830242274446, 4.596749075554024]),
        ],
    ),
];

/// The same steps as scipy, with its controller, and so the same values up to rounding (a change
/// of one rounding in the start changes scipy's own values by up to 1e-14).
#[test]
fn scipy() {
    for (table, answers) in SCIPY {
        let solutions = problems(table, &by(Integral::SCIPY, 1e-6));
        for (i, (solution, (evaluations, accepted, y))) in solutions.iter().zip(answers).enumerate() {
            let row = solution.rows[0];
            assert_eq!((row.evaluations, row.accepted), (evaluations, accepted), "{}, {i}", table.name);
            let gap = distance(solution.y.values(), &y);
            assert!(gap < 1e-12, "{}, {i}: {gap:e}", table.name);
        }
    }
}

/// Evaluations, accepted and rejected steps on each of the problems.
type Costs = (&'static str, [(u32, u32, u32); 4]);

/// At 1e-5. A change here is a change of what users pay: say why it is worth it.
#[test]
fn costs() {
    let cost = |stepping: Stepping| -> Vec<Costs> {
        adaptive_methods()
            .map(|solver| {
                let rows = problems(solver.tableau(), &stepping).map(|solution| solution.rows[0]);
                (solver.tableau().name, rows.map(|row| (row.evaluations, row.accepted, row.rejected)))
            })
            .collect()
    };
    let proportional_integral: [Costs; 4] = [
        ("heun", [(3107, 1553, 0), (3107, 1553, 0), (5603, 2801, 0), (6433, 3211, 5)]),
        ("bogacki_shampine", [(359, 119, 0), (359, 119, 0), (803, 248, 19), (977, 289, 36)]),
        ("dormand_prince", [(170, 28, 0), (170, 28, 0), (482, 68, 12), (626, 87, 17)]),
        ("tsitouras", [(152, 25, 0), (152, 25, 0), (452, 63, 12), (584, 83, 14)]),
    ];
    assert_eq!(cost(by(ProportionalIntegral::STANDARD, 1e-5)), proportional_integral);
    let integral: [Costs; 4] = [
        ("heun", [(3097, 1548, 0), (3097, 1548, 0), (5593, 2796, 0), (6417, 3203, 5)]),
        ("bogacki_shampine", [(347, 115, 0), (347, 115, 0), (743, 236, 11), (938, 273, 39)]),
        ("dormand_prince", [(152, 25, 0), (152, 25, 0), (464, 61, 16), (608, 77, 24)]),
        ("tsitouras", [(134, 22, 0), (134, 22, 0), (434, 56, 16), (554, 73, 19)]),
    ];
    assert_eq!(cost(by(Integral::STANDARD, 1e-5)), integral);
}
