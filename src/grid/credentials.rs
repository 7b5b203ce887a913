//! The API token's id and secret, from values or from files that are read again when they change.
//!
//! Called by `client` before each request, and by its task that watches in between, so that a poller that holds
//! back after a 401 hears of a new secret at once. A file is read whole each time instead of comparing times of
//! modification: it is a few bytes, and a secret that is replaced within the same tick by one of the same length
//! would go unnoticed.

use crate::config::CredentialSource;
use crate::secret::Secret;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::Instant;
use zeroize::Zeroizing;

/// Files are read at most this often.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A poll waits so long for the files to be read, then goes on with the old credentials.
const READ_PATIENCE: Duration = Duration::from_millis(250);

/// A larger file holds no credential.
const MAX_FILE_LENGTH: u64 = 65_536;

/// Why there is no credential.
#[derive(Debug, Error)]
pub enum CredentialError {
    /// The file can't be read.
    #[error("{key}: file {path} can't be read ({source}); name a file that this user may read", path = path.display())]
    Unreadable {
        /// `grid.client_secret_file`.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing but white space in it.
    #[error("{key}: file {path} is empty; write the credential into it", path = path.display())]
    EmptyFile {
        /// `grid.client_secret_file`.
        key: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// Not text, or too long.
    #[error("{key}: file {path} is no credential; it must be UTF-8 text of at most {MAX_FILE_LENGTH} bytes",
        path = path.display())]
    NotText {
        /// `grid.client_secret_file`.
        key: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A value that is empty.
    #[error("{origin} is empty; write the credential there")]
    Empty {
        /// Where it was given.
        origin: String,
    },
    /// A user of HTTP Basic can't have a colon.
    #[error("grid.client_id holds a colon, which HTTP Basic does not permit; write the token's id alone")]
    Colon,
    /// base64 is always a header's value; not seen.
    #[error("the API's credentials can't be put into a header; please report this")]
    Header,
}

/// User and password of HTTP Basic.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Basic {
    id: Secret,
    secret: Secret,
    /// Both as the header `Authorization` has them: made once, not for each poll.
    authorization: HeaderValue,
}

impl Basic {
    fn new(id: Secret, secret: Secret) -> Result<Self, CredentialError> {
        if id.expose().contains(':') {
            return Err(CredentialError::Colon);
        }
        let both = Zeroizing::new(format!("{}:{}", id.expose(), secret.expose()));
        let value = Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(both.as_bytes())));
        let mut authorization = HeaderValue::from_str(&value).map_err(|_| CredentialError::Header)?;
        // Neither debug prints nor HTTP/2's header table hold it.
        authorization.set_sensitive(true);
        Ok(Self { id, secret, authorization })
    }

    /// The header's value.
    pub(super) fn authorization(&self) -> HeaderValue {
        self.authorization.clone()
    }
}

/// The present credentials.
#[derive(Debug)]
pub(super) struct Credentials {
    sources: Arc<Sources>,
}

/// Shared with the thread that reads the files.
#[derive(Debug)]
struct Sources {
    id: CredentialSource,
    secret: CredentialSource,
    state: Mutex<State>,
    generation: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    basic: Arc<Basic>,
    checked: Instant,
    /// True while a thread reads the files: at most one does, however long it hangs.
    is_reading: bool,
    /// True from the warning about a file that can't be read until it can be again.
    is_warned: bool,
}

impl Credentials {
    /// Reads them for the first time.
    pub(super) fn load(id: &CredentialSource, secret: &CredentialSource) -> Result<Self, CredentialError> {
        let basic = Arc::new(read_both(id, secret)?);
        let state = State { basic, checked: Instant::now(), is_reading: false, is_warned: false };
        let sources = Sources {
            id: id.clone(),
            secret: secret.clone(),
            state: Mutex::new(state),
            generation: watch::Sender::new(0),
        };
        Ok(Self { sources: Arc::new(sources) })
    }

    /// The credentials as they are now. Reads the files if that was not done within the last second; if that takes
    /// longer than a moment, the old ones are used meanwhile.
    pub(super) async fn current(&self) -> Arc<Basic> {
        if self.are_in_files() {
            self.check().await;
        }
        Arc::clone(&self.sources.lock().basic)
    }

    /// A checksum of the id.
    pub(super) fn id_checksum(&self) -> u32 {
        crc32fast::hash(self.sources.lock().basic.id.expose().as_bytes())
    }

    /// A number that grows with each change.
    pub(super) fn generation(&self) -> watch::Receiver<u64> {
        self.sources.generation.subscribe()
    }

    /// Looks at the files once a second, for ever.
    pub(super) async fn watch(&self) {
        if !self.are_in_files() {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(CHECK_INTERVAL).await;
            self.check().await;
        }
    }

    fn are_in_files(&self) -> bool {
        [&self.sources.id, &self.sources.secret]
            .into_iter()
            .any(|source| matches!(source, CredentialSource::File(_)))
    }

    /// Reads the files, once a second, and waits a moment for that.
    async fn check(&self) {
        if !self.sources.begin_reading() {
            return;
        }
        let sources = Arc::clone(&self.sources);
        // On a thread that may block: the file may lie on a network that hangs.
        let reading = tokio::task::spawn_blocking(move || sources.read());
        if tokio::time::timeout(READ_PATIENCE, reading).await.is_err() {
            self.sources.warn("the files of the API's credentials can't be read: reading hangs");
        }
    }
}

impl Sources {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True once a second, unless a thread still reads; whoever gets it reads the files.
    fn begin_reading(&self) -> bool {
        let mut state = self.lock();
        let begins = !state.is_reading && state.checked.elapsed() >= CHECK_INTERVAL;
        if begins {
            state.checked = Instant::now();
            state.is_reading = true;
        }
        begins
    }

    /// Reads the files. What can't be read keeps its old value: a secret is often replaced by removing the file
    /// first.
    fn read(&self) {
        let read = read_both(&self.id, &self.secret);
        let mut state = self.lock();
        state.is_reading = false;
        match read {
            Ok(basic) => {
                state.is_warned = false;
                if basic != *state.basic {
                    state.basic = Arc::new(basic);
                    drop(state);
                    tracing::info!("the API's credentials changed; the new ones are used from now on");
                    self.generation.send_modify(|generation| *generation += 1);
                }
            }
            Err(error) => {
                drop(state);
                self.warn(&error.to_string());
            }
        }
    }

    /// Warns, once until the files can be read again.
    fn warn(&self, why: &str) {
        if !std::mem::replace(&mut self.lock().is_warned, true) {
            tracing::warn!("{why}; until then the old credentials are used");
        }
    }
}

fn read_both(id: &CredentialSource, secret: &CredentialSource) -> Result<Basic, CredentialError> {
    Basic::new(read(id, "grid.client_id_file")?, read(secret, "grid.client_secret_file")?)
}

fn read(source: &CredentialSource, key: &'static str) -> Result<Secret, CredentialError> {
    match source {
        CredentialSource::Value { value, origin } if value.is_empty() => {
            Err(CredentialError::Empty { origin: origin.clone() })
        }
        CredentialSource::Value { value, .. } => Ok(value.clone()),
        CredentialSource::File(path) => read_file(path, key),
    }
}

fn read_file(path: &Path, key: &'static str) -> Result<Secret, CredentialError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(1_024));
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_LENGTH + 1).read_to_end(&mut bytes))
        .map_err(|source| CredentialError::Unreadable { key, path: path.to_owned(), source })?;
    let text = std::str::from_utf8(&bytes).ok().filter(|text| text.len() as u64 <= MAX_FILE_LENGTH);
    let Some(text) = text else { return Err(CredentialError::NotText { key, path: path.to_owned() }) };
    let text = text.trim_end();
    if text.is_empty() {
        return Err(CredentialError::EmptyFile { key, path: path.to_owned() });
    }
    Ok(Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> CredentialSource {
        CredentialSource::Value { value: Secret::new(text.to_owned()), origin: "GRID_CLIENT_ID".to_owned() }
    }

    fn load(folder: &Path, text: &[u8]) -> Result<Credentials, CredentialError> {
        let path = folder.join("secret");
        std::fs::write(&path, text).unwrap();
        Credentials::load(&value("id"), &CredentialSource::File(path))
    }

    #[tokio::test]
    async fn white_space_at_the_end_of_a_file_is_no_part_of_the_secret() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = load(folder.path(), b" s3cret \r\n\n").unwrap();
        assert_eq!(credentials.current().await.secret.expose(), " s3cret");
    }

    #[tokio::test]
    async fn a_bad_file_is_told_with_its_name_and_key() {
        let folder = tempfile::tempdir().unwrap();
        let shown = |text: &[u8]| load(folder.path(), text).unwrap_err().to_string();
        assert!(shown(b" \n").contains("grid.client_secret_file: file "), "{}", shown(b" \n"));
        assert!(shown(b"").contains("secret is empty"));
        assert!(shown(b"\xff\xfe").contains("no credential"));
        assert!(shown(&vec![b'x'; 70_000]).contains("no credential"));
        let missing = CredentialSource::File(folder.path().join("missing"));
        let error = Credentials::load(&value("id"), &missing).unwrap_err().to_string();
        assert!(error.contains("missing can't be read (No such file"), "{error}");
        let error = Credentials::load(&value("a:b"), &value("secret")).unwrap_err();
        assert!(matches!(error, CredentialError::Colon));
        let error = Credentials::load(&value(""), &value("secret")).unwrap_err().to_string();
        assert!(error.starts_with("GRID_CLIENT_ID is empty"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_secret_that_changes_is_announced_and_one_that_vanishes_stays() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = load(folder.path(), b"old\n").unwrap();
        let mut generation = credentials.generation();
        let path = folder.path().join("secret");
        std::fs::remove_file(&path).unwrap();
        tokio::time::advance(CHECK_INTERVAL).await;
        assert_eq!(credentials.current().await.secret.expose(), "old");
        std::fs::write(&path, "new").unwrap();
        tokio::select! {
            () = credentials.watch() => {}
            changed = generation.changed() => changed.unwrap(),
        }
        assert_eq!(credentials.current().await.secret.expose(), "new");
        assert_eq!(*credentials.generation().borrow(), 1);
    }

    #[tokio::test]
    async fn a_file_that_hangs_keeps_no_poll_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = load(folder.path(), b"old").unwrap();
        let path = folder.path().join("secret");
        std::fs::remove_file(&path).unwrap();
        // A named pipe that nobody writes to: opening it waits for ever.
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        credentials.sources.lock().checked -= CHECK_INTERVAL;
        for _ in 0..3 {
            let began = Instant::now();
            assert_eq!(credentials.current().await.secret.expose(), "old");
            assert!(began.elapsed() < CHECK_INTERVAL);
        }
        assert!(credentials.sources.lock().is_reading, "one thread waits, no second one");
        // Lets that thread end, so that the test does.
        std::fs::write(&path, "new").unwrap();
    }
}
