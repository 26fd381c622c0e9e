//! Every law of an ODE solver.

use idode_dop853::Dop853;

idode::testkit::solver_suite!(dop853, Dop853::default(), [37, 49, 25, 97, 109, 61, 85, 37, 145, 181]);
