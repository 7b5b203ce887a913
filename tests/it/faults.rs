//! The fault matrix: whatever the API does, the real binary says the truth about it, keeps what it last knew, and its
//! other jobs go on undisturbed. One row a fault; `matrix` has the rows' course.

mod body;
mod connection;
pub mod matrix;
mod proxy;
mod redirect;
mod status;
mod throttle;
mod truth;
mod whole_api;
