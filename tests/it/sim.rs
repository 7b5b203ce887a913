//! The simulated Grid API over real sockets: what it answers, and what its faults do on the wire.

mod answers;
mod faults;
pub mod schema;
mod support;
mod upload;
