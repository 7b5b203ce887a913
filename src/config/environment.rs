//! The variables that the official SDK and the design name, read once at the start and passed on as a value.
//!
//! Made by `cli`, used by `merge`. A variable that is empty, or white space only, counts as not set: container
//! platforms set empty ones for 'none'. White space around a value is not part of it, as in the SDK.

use super::error::Fault;
use crate::secret::Secret;
use std::ffi::OsString;
use std::path::PathBuf;

/// Id of the API token.
pub const CLIENT_ID: &str = "GRID_CLIENT_ID";
/// Secret of the API token.
pub const CLIENT_SECRET: &str = "GRID_CLIENT_SECRET";
/// File that holds the token's id.
pub const CLIENT_ID_FILE: &str = "GRID_CLIENT_ID_FILE";
/// File that holds the token's secret.
pub const CLIENT_SECRET_FILE: &str = "GRID_CLIENT_SECRET_FILE";
/// Address of the API.
pub const BASE_URL: &str = "LIGHTSPARK_GRID_BASE_URL";
/// Job ids, separated by commas.
pub const JOBS: &str = "GRID_JOBS";

/// What the environment says; not yet checked.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `GRID_CLIENT_ID`
    pub client_id: Option<Secret>,
    /// `GRID_CLIENT_SECRET`
    pub client_secret: Option<Secret>,
    /// `GRID_CLIENT_ID_FILE`
    pub client_id_file: Option<PathBuf>,
    /// `GRID_CLIENT_SECRET_FILE`
    pub client_secret_file: Option<PathBuf>,
    /// `LIGHTSPARK_GRID_BASE_URL`
    pub base_url: Option<String>,
    /// `GRID_JOBS`
    pub jobs: Option<String>,
    /// Variables that are no text.
    pub(super) faults: Vec<Fault>,
}

impl Environment {
    /// Asks `lookup` for each variable; in `cli` that is `std::env::var_os`.
    pub fn read(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        let mut faults = Vec::new();
        let mut text = |name: &str| {
            let value = lookup(name)?;
            let Some(text) = value.to_str() else {
                faults.push(Fault::outside(name, "is not UTF-8; set it to plain text, or unset it"));
                return None;
            };
            let text = text.trim();
            (!text.is_empty()).then(|| text.to_owned())
        };
        let client_id = text(CLIENT_ID).map(Secret::new);
        let client_secret = text(CLIENT_SECRET).map(Secret::new);
        let client_id_file = text(CLIENT_ID_FILE).map(PathBuf::from);
        let client_secret_file = text(CLIENT_SECRET_FILE).map(PathBuf::from);
        let (base_url, jobs) = (text(BASE_URL), text(JOBS));
        Self { client_id, client_secret, client_id_file, client_secret_file, base_url, jobs, faults }
    }
}
