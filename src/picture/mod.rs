//! Pictures of a run: samples as a grid, curves as lines; PNG files that need no system fonts.

mod clip;
pub mod curve;
pub mod grid;
pub mod plot;
mod png;
mod ticks;

pub use curve::Curve;
pub use grid::ImageGrid;
pub use plot::{Axis, LinePlot};
