//! Knots of the wait-for graph (Holt, 1972) as the probe found them, in words.

mod knot;

pub use knot::*;
