//! Who is let in: the web configuration file at work. TLS, users, headers, the limit of requests.
//!
//! Made by `app` at the start, where a wrong file stops it; asked by `server` for each handshake and each request. The
//! file is looked at each time, as the toolkit does, and read again when it has changed: a bad one is logged once, with
//! line and key, and the one before holds on. Only whether TLS is spoken at all can't change while the exporter runs.

mod passwords;
mod rate;

use crate::config::ConfigFingerprint;
use crate::config::error::{Fault, Faults};
use crate::config::web_file::{self, WebFile};
use crate::tls::server::TlsServer;
use crate::web::respond::{self, Response};
use arc_swap::ArcSwap;
use http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use passwords::{Passwords, Verdict};
use rate::RateLimiter;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tracing::{error, info, warn};

/// Why the file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// It is refused: a fault a line.
    #[error("{0}")]
    File(#[from] Faults),
    /// A certificate or key that it names can't be used; file and line are in the text.
    #[error("{0}")]
    Certificate(String),
    /// The system gives no random numbers, which the check of passwords needs.
    #[error("the system gives no random numbers; is getrandom(2) permitted?")]
    NoRandomness,
}

/// The web configuration in use.
#[derive(Debug)]
pub struct Door {
    path: PathBuf,
    current: ArcSwap<Opened>,
    /// The file's state when it was last read, well or not.
    seen: ArcSwap<ConfigFingerprint>,
    reading: Mutex<()>,
    passwords: Passwords,
    rate: RateLimiter,
}

/// What the file says, and TLS made of it.
#[derive(Debug)]
struct Opened {
    file: WebFile,
    tls: Option<Arc<TlsServer>>,
}

/// Reads the file and its certificates as [`Door::open`] does, for `check-config`; nothing is kept.
pub fn check(path: &Path) -> Result<WebFile, DoorError> {
    open(path, None).map(|opened| opened.file)
}

fn open(path: &Path, before: Option<&Opened>) -> Result<Opened, DoorError> {
    let file = web_file::load(path)?;
    let same = before.and_then(|before| before.tls.as_ref()).zip(file.tls.as_ref());
    let tls = match (&file.tls, same) {
        // Its sessions stay.
        (_, Some((server, config))) if server.is_of(config, file.http2) => Some(Arc::clone(server)),
        (Some(config), _) => {
            let server = TlsServer::new(config.clone(), "tls_server_config", file.places.clone(), file.http2);
            Some(Arc::new(
                server.map_err(|error| DoorError::Certificate(file.places.locate(&error.to_string())))?,
            ))
        }
        (None, _) => None,
    };
    Ok(Opened { file, tls })
}

impl Door {
    /// Reads the file, its certificates and keys. May block.
    pub fn open(path: &Path) -> Result<Self, DoorError> {
        let seen = ConfigFingerprint::of(path);
        let opened = open(path, None)?;
        Ok(Self {
            path: path.to_owned(),
            current: ArcSwap::from_pointee(opened),
            seen: ArcSwap::from_pointee(seen),
            reading: Mutex::new(()),
            passwords: Passwords::new().ok_or(DoorError::NoRandomness)?,
            rate: RateLimiter::default(),
        })
    }

    /// What is allowed and unwise in the file.
    #[must_use]
    pub fn warnings(&self) -> Vec<Fault> {
        self.current.load().file.warnings.clone()
    }

    /// True if TLS is spoken; as long as the exporter runs.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        self.current.load().tls.is_some()
    }

    /// TLS for the next handshake, if it is spoken, and whether HTTP/2 is.
    #[must_use]
    pub(super) fn for_connection(&self) -> (Option<Arc<TlsServer>>, bool) {
        let opened = self.current();
        (opened.tls.clone(), opened.file.http2)
    }

    /// Lets a request pass, or gives what it is answered instead. `is_open` is for paths that ask for no user.
    pub(super) async fn pass(
        &self,
        peer: IpAddr,
        headers: &HeaderMap,
        is_open: bool,
    ) -> Result<(), Response> {
        let opened = self.current();
        if let Some(limit) = opened.file.rate_limit
            && !self.rate.permits(limit)
        {
            let line = "Too many requests: rate_limit of the web configuration file permits no more.";
            return Err(respond::words(StatusCode::TOO_MANY_REQUESTS, line));
        }
        if is_open || opened.file.users.is_empty() {
            return Ok(());
        }
        let credentials = headers.get(AUTHORIZATION).and_then(passwords::credentials);
        let verdict = match &credentials {
            None => Verdict::Bad,
            Some(credentials) => self.passwords.check(&opened.file.users, credentials, peer).await,
        };
        match verdict {
            Verdict::Good => Ok(()),
            Verdict::Bad => {
                let mut response =
                    respond::words(StatusCode::UNAUTHORIZED, "A user and a password are asked for.");
                let challenge = "Basic realm=\"grid-bulk-exporter\", charset=\"UTF-8\"";
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
                Err(response)
            }
            Verdict::Busy => {
                let line = "Too many passwords are being checked; try again in a few seconds.";
                let mut response = respond::words(StatusCode::SERVICE_UNAVAILABLE, line);
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
                Err(response)
            }
        }
    }

    /// Puts the configured headers on a response.
    pub(super) fn set_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.current.load().file.headers {
            headers.insert(name, value.clone());
        }
    }

    /// What holds now; read anew if the file has changed.
    fn current(&self) -> Arc<Opened> {
        if **self.seen.load() == ConfigFingerprint::of(&self.path) {
            return self.current.load_full();
        }
        // Whoever comes while it is read takes the one before.
        if let Ok(_reading) = self.reading.try_lock() {
            // Taken before the file is read, so that a change meanwhile is seen with the next request.
            self.seen.store(Arc::new(ConfigFingerprint::of(&self.path)));
            self.read_anew();
        }
        self.current.load_full()
    }

    fn read_anew(&self) {
        let before = self.current.load_full();
        match open(&self.path, Some(&before)) {
            Ok(opened) if opened.tls.is_some() != before.tls.is_some() => {
                let change = if opened.tls.is_some() { "on" } else { "off" };
                error!(
                    "{}: TLS can't be turned {change} while the exporter runs; the configuration before is kept until a restart",
                    self.path.display()
                );
            }
            Ok(opened) => {
                for warning in &opened.file.warnings {
                    warn!("{warning}");
                }
                self.current.store(Arc::new(opened));
                info!("the web configuration file {} was read anew", self.path.display());
            }
            Err(fault) => {
                for line in fault.to_string().lines() {
                    error!(
                        "the web configuration file has changed and is refused, the one before is kept: {line}"
                    );
                }
            }
        }
    }
}
