//! Looks up host names, so that a name that is not found can be told from all other failures.
//!
//! The system's resolver, as reqwest would use it; but reqwest's own error for it can't be recognised by its type.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use thiserror::Error;

/// A name could not be resolved.
#[derive(Debug, Error)]
#[error("{0}")]
pub(super) struct UnknownHost(io::Error);

/// The system's resolver.
#[derive(Debug)]
pub(super) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        Box::pin(async move {
            // The port is set by reqwest.
            let found = tokio::net::lookup_host((host, 0)).await.map_err(UnknownHost)?;
            let addresses: Vec<_> = found.collect();
            if addresses.is_empty() {
                return Err(UnknownHost(io::Error::other("the name has no address")).into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
