//! The public keys of `webhook.public_key_files`, read again when the files change.
//!
//! Files are read whole once a second, as those of credentials are (see `grid::credentials`): they have a few hundred
//! bytes. While they can't be read or hold anything but good keys, the keys before stay, so that a file that is being
//! written, or is replaced by way of removal, refuses nothing.

use super::signature::Signature;
use arc_swap::ArcSwap;
use p256::ecdsa::VerifyingKey;
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::pkcs8::spki::{ObjectIdentifier, SubjectPublicKeyInfoRef};
use rustls::pki_types::pem::{PemObject as _, SectionKind};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tracing::{info, warn};

/// Keys in all files together: each costs a check of every signature that is not good.
pub const MOST_KEYS: usize = 16;

/// A larger file holds no public keys.
const MOST_BYTES: u64 = 64 * 1024;

/// How often the files are read.
const READ_EVERY: Duration = Duration::from_secs(1);

/// What to write instead, in all messages.
const WANTED: &str = "it must hold P-256 public keys in PEM, as `-----BEGIN PUBLIC KEY-----` blocks";

const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");

/// Other kinds of keys that somebody may put there, with their names.
const OTHERS: [(ObjectIdentifier, &str); 7] = [
    (ObjectIdentifier::new_unwrap("1.3.132.0.34"), "on the curve P-384"),
    (ObjectIdentifier::new_unwrap("1.3.132.0.35"), "on the curve P-521"),
    (ObjectIdentifier::new_unwrap("1.3.132.0.10"), "on the curve secp256k1"),
    (ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.7"), "on the curve brainpoolP256r1"),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1"), "for RSA"),
    (ObjectIdentifier::new_unwrap("1.3.101.112"), "for Ed25519"),
    (ObjectIdentifier::new_unwrap("1.3.101.110"), "for X25519"),
];

/// Why files of public keys can't be used. Begins with the configuration's key and the file.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file can't be read.
    #[error("webhook.public_key_files[{index}]: file {path} can't be read ({source}); name a file that this user may read",
        path = path.display())]
    Unreadable {
        /// Its place in the list.
        index: usize,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("webhook.public_key_files[{index}]: file {path} {what}; {WANTED}", path = path.display())]
    NotKeys {
        /// Its place in the list.
        index: usize,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// More keys than are checked.
    #[error(
        "webhook.public_key_files: there are {0} keys in them; at most {MOST_KEYS} are taken, so remove old ones"
    )]
    TooMany(usize),
}

/// Keys of which one must have made a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKeys(Vec<VerifyingKey>);

impl PublicKeys {
    /// Reads the keys of all these files. Blocks.
    pub fn load(files: &[PathBuf]) -> Result<Self, KeyError> {
        let mut keys = Vec::new();
        for (index, path) in files.iter().enumerate() {
            let bytes =
                read(path).map_err(|source| KeyError::Unreadable { index, path: path.clone(), source })?;
            let found =
                parse(&bytes).map_err(|what| KeyError::NotKeys { index, path: path.clone(), what })?;
            for key in found {
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
        }
        if keys.len() > MOST_KEYS { Err(KeyError::TooMany(keys.len())) } else { Ok(Self(keys)) }
    }

    /// How many different keys there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// True if one of the keys made the signature of what has this SHA-256.
    pub(super) fn made(&self, signature: &Signature, digest: &[u8]) -> bool {
        self.0.iter().any(|key| key.verify_prehash(digest, &signature.0).is_ok())
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let kind = std::fs::metadata(path)?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        // It would be waited for, perhaps for ever.
        return Err(io::Error::other("it is a pipe, a socket or a device"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The keys of one file, or what is wrong with it as the end of a sentence.
fn parse(bytes: &[u8]) -> Result<Vec<VerifyingKey>, String> {
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("has more than {MOST_BYTES} bytes"));
    }
    // Also of kinds that the reader of PEM passes over, such as encrypted ones.
    if memchr::memmem::find(bytes, b"PRIVATE KEY-----").is_some() {
        return Err("holds a private key, which only Grid must have".to_owned());
    }
    let mut keys = Vec::new();
    for block in <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes) {
        match block.map_err(|_| "has a PEM block that is cut or not base64".to_owned())? {
            (SectionKind::PublicKey, der) => keys.push(parse_key(&der)?),
            (SectionKind::Certificate, _) => {
                let what = "holds a certificate (`openssl x509 -pubkey -noout` prints its public key)";
                return Err(what.to_owned());
            }
            _ => return Err("holds a PEM block of another kind".to_owned()),
        }
    }
    if keys.is_empty() { Err("has no key".to_owned()) } else { Ok(keys) }
}

fn parse_key(der: &[u8]) -> Result<VerifyingKey, String> {
    let cannot = || "has a key that can't be read".to_owned();
    let info = SubjectPublicKeyInfoRef::try_from(der).map_err(|_| cannot())?;
    let curve = info.algorithm.parameters_oid().ok();
    if info.algorithm.oid != EC || curve != Some(P256) {
        let kind = if info.algorithm.oid == EC { curve.unwrap_or(EC) } else { info.algorithm.oid };
        let known = OTHERS.iter().find(|(oid, _)| *oid == kind);
        return Err(format!("has a key {}", known.map_or("of another kind", |(_, name)| name)));
    }
    let point = info.subject_public_key.as_bytes().ok_or_else(cannot)?;
    VerifyingKey::from_sec1_bytes(point).map_err(|_| "has a key that is no point of the curve".to_owned())
}

/// The keys that hold at present, and the files from which they come.
#[derive(Debug)]
pub struct KeyFiles {
    files: Vec<PathBuf>,
    keys: ArcSwap<PublicKeys>,
    /// True from the warning about files that can't be used until they can be again.
    is_warned: AtomicBool,
}

impl KeyFiles {
    /// Reads the files for the first time. Blocks.
    pub fn load(files: Vec<PathBuf>) -> Result<Self, KeyError> {
        let keys = ArcSwap::from_pointee(PublicKeys::load(&files)?);
        Ok(Self { files, keys, is_warned: AtomicBool::new(false) })
    }

    /// The present keys.
    #[must_use]
    pub fn current(&self) -> Arc<PublicKeys> {
        self.keys.load_full()
    }

    /// Reads the files once a second, for ever.
    pub async fn watch(self: Arc<Self>) {
        loop {
            tokio::time::sleep(READ_EVERY).await;
            self.read_again().await;
        }
    }

    /// Reads the files. What can't be used changes nothing, and is warned of once until it can be again.
    pub(super) async fn read_again(self: &Arc<Self>) {
        let files = Arc::clone(self);
        // On a thread that may block: a file may lie on a network that hangs.
        match tokio::task::spawn_blocking(move || PublicKeys::load(&files.files)).await {
            Ok(Ok(keys)) => {
                self.is_warned.store(false, Ordering::Relaxed);
                if keys != **self.keys.load() {
                    let count = keys.count();
                    info!(keys = count, "the webhook's public keys changed; {count} are used from now on");
                    self.keys.store(Arc::new(keys));
                }
            }
            Ok(Err(error)) => {
                if !self.is_warned.swap(true, Ordering::Relaxed) {
                    warn!("{error}; until then the keys before are used");
                }
            }
            // The runtime is stopping.
            Err(_) => {}
        }
    }
}
