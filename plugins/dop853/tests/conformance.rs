//! Every law of an ODE solver.

use idode_dop853::DOP853;

idode::testkit::solver_suite!(dop853, DOP853, [37, 49, 25, 97, 109, 61, 85, 37, 145, 181]);
