//! Cycles among the orders in which locks are taken.

pub mod cycles;
