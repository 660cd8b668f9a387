//! The report as one HTML file that needs nothing else: no network, no other file. What is
//! to be read is in the HTML; the script filters, searches, and draws the list of tests.

mod escape;
mod finding;
mod graph;
mod hang;
mod page;
mod tests_data;

pub use page::render;
