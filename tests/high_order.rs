//! High-order matching: its exact laws and its error bounds, as property tests.
//!
//! Data are random Gaussian mixtures; every conditional expectation is exact (a finite sum over the
//! posterior, built here by other algebra than the library's), and every derivative of the density is
//! taken by dual numbers. `PROPTEST_CASES` raises the number of cases above 256.

#[path = "high_order/bounds.rs"]
mod bounds;
#[path = "high_order/case.rs"]
mod case;
mod device;
#[path = "high_order/estimators.rs"]
mod estimators;
#[path = "high_order/gradients.rs"]
mod gradients;
#[path = "high_order/laws.rs"]
mod laws;
#[path = "high_order/network.rs"]
mod network;
#[path = "high_order/ode_kl.rs"]
mod ode_kl;
#[path = "high_order/oracle.rs"]
mod oracle;
