//! Nothing of its own: what is built is what it depends on.
