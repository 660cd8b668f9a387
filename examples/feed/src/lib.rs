//! A client of a price feed.
//!
//! The feed is a TCP server that speaks in lines: the client sends
//! `subscribe SYMBOL`, the server sends `SYMBOL PRICE` whenever a price changes.

mod board;
mod client;

pub use board::Quote;
pub use client::Client;
