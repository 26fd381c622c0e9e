// The README is the crate's page and its blocks are doc tests; a build does not read it, so that a word there builds nothing anew.
#![cfg_attr(any(doc, doctest), doc = include_str!("../README.md"))]
#![cfg_attr(not(any(doc, doctest)), doc = "Train and measure diffusion ODEs by maximum likelihood.")]

pub mod analytic;
pub mod bounds;
pub mod budget;
#[cfg(feature = "cli")]
pub mod cli;
pub mod communicator;
pub mod comparison;
pub mod config;
pub mod data;
pub mod density;
pub mod dequantization;
pub mod diffusion;
pub mod divergence;
pub mod error;
pub mod experiment;
pub mod files;
pub mod flax;
#[cfg(doctest)]
mod guide;
pub mod ladder;
pub mod level;
pub mod likelihood;
pub mod math;
pub mod model;
pub mod need;
pub mod nn;
#[macro_use]
pub mod number;
pub mod commands;
pub mod objective;
mod order;
pub mod parameterization;
pub mod pixels;
pub mod plot;
pub mod prelude;
pub mod progress;
pub mod registry;
pub mod report;
pub mod result;
pub mod run;
pub mod sample;
pub mod schedule;
pub mod solver;
pub mod tensor;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod time;
pub mod train;
