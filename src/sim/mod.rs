//! The simulated Grid API: jobs that advance with time, rows that fail, and every fault that an API can have.
//!
//! Used by `cli` (`simulate`, `demo`) and by tests.
