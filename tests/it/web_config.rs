//! `--web.config.file`: the format, and what curl, OpenSSL and raw sockets get from a server that obeys it.

mod clients;
mod files;
mod prometheus;
mod rotation;
pub mod support;
mod users;
mod versions;
