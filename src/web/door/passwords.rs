//! Passwords against their bcrypt hashes. Used by `door`.
//!
//! A check costs a tenth of a second of CPU by design, which no scrape shall cost: what was right once is remembered, as
//! a keyed hash of user, bcrypt hash and password, never the password; the key is random and only in this process. What
//! was wrong is checked again each time, for an unknown user against the hash of some known one, so that the time tells
//! nobody which names there are. Checks run one by one beside the async threads, and few may wait.

use crate::config::web_file::BasicUser;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use ring::hmac;
use ring::rand::SystemRandom;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// Checked passwords remembered.
const REMEMBERED: usize = 256;

/// Checks that may wait, those under way included; further ones are refused.
const WAITING: usize = 128;

/// The same for one address.
const WAITING_OF_PEER: usize = 32;

/// The outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The user is known and the password right.
    Good,
    /// One of them is not.
    Bad,
    /// Too many checks are waiting.
    Busy,
}

/// A user's name and password as a request has them.
pub(super) struct Credentials {
    name: String,
    password: Zeroizing<Vec<u8>>,
}

/// The credentials in `Authorization: Basic …`; nothing if they are not well-formed.
pub(super) fn credentials(header: &HeaderValue) -> Option<Credentials> {
    let (scheme, encoded) = header.as_bytes().split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let decoded = Zeroizing::new(STANDARD.decode(encoded.trim_ascii()).ok()?);
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let (name, password) = decoded.split_at_checked(colon)?;
    let name = std::str::from_utf8(name).ok()?.to_owned();
    Some(Credentials { name, password: Zeroizing::new(password.get(1..)?.to_vec()) })
}

/// Checks passwords, and remembers the right ones.
pub(super) struct Passwords {
    key: hmac::Key,
    /// By keyed hash, with the number of their last use.
    good: Mutex<Remembered>,
    /// Who is waiting, by address.
    waiting: Mutex<HashMap<IpAddr, usize>>,
    turn: Arc<Semaphore>,
}

#[derive(Default)]
struct Remembered {
    uses: u64,
    good: HashMap<[u8; 32], u64>,
    /// Runs of bcrypt so far.
    runs: u64,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Passwords")
    }
}

impl Passwords {
    /// None remembered. Nothing if the system has no randomness.
    pub(super) fn new() -> Option<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()?;
        let turn = Arc::new(Semaphore::new(1));
        Some(Self { key, good: Mutex::default(), waiting: Mutex::default(), turn })
    }

    /// Whether the credentials are those of one of `users`, of which there is at least one.
    pub(super) async fn check(
        &self,
        users: &[BasicUser],
        credentials: &Credentials,
        peer: IpAddr,
    ) -> Verdict {
        let known = users.iter().find(|user| user.name == credentials.name);
        let Some(user) = known.or_else(|| self.stand_in(users, &credentials.name)) else {
            return Verdict::Bad;
        };
        let tag = self.tag(user, credentials);
        if known.is_some() && self.remembers(&tag) {
            return Verdict::Good;
        }
        let Some(_waiting) = self.wait(peer) else { return Verdict::Busy };
        let Ok(turn) = Arc::clone(&self.turn).acquire_owned().await else { return Verdict::Busy };
        // Meanwhile the same may have been checked for another request.
        if known.is_some() && self.remembers(&tag) {
            return Verdict::Good;
        }
        lock(&self.good).runs += 1;
        let (hash, password) = (user.hash.clone(), credentials.password.clone());
        // The turn comes back with the outcome: a check that nobody waits for any more keeps it to its end, and the next
        // begins after this one is remembered.
        let check = tokio::task::spawn_blocking(move || (bcrypt::verify(&*password, hash.expose()), turn));
        // What bcrypt can't check is not right.
        let Ok((Ok(true), _turn)) = check.await else { return Verdict::Bad };
        if known.is_none() {
            return Verdict::Bad;
        }
        self.remember(tag);
        Verdict::Good
    }

    /// The user whose hash is checked for an unknown name: always the same for a name, so that repeating tells nothing.
    fn stand_in<'u>(&self, users: &'u [BasicUser], name: &str) -> Option<&'u BasicUser> {
        let tag = hmac::sign(&self.key, name.as_bytes());
        let number = tag.as_ref().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let count = u64::try_from(users.len()).unwrap_or(u64::MAX).max(1);
        users.get(usize::try_from(number % count).unwrap_or_default())
    }

    /// What is remembered instead of a password.
    fn tag(&self, user: &BasicUser, credentials: &Credentials) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [credentials.name.as_bytes(), user.hash.expose().as_bytes(), &credentials.password] {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        let mut tag = [0; 32];
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }

    fn remembers(&self, tag: &[u8; 32]) -> bool {
        let mut remembered = lock(&self.good);
        remembered.uses += 1;
        let now = remembered.uses;
        let Some(last) = remembered.good.get_mut(tag) else { return false };
        *last = now;
        true
    }

    fn remember(&self, tag: [u8; 32]) {
        let mut remembered = lock(&self.good);
        if remembered.good.len() >= REMEMBERED {
            let oldest = remembered.good.iter().min_by_key(|(_, last)| **last).map(|(tag, _)| *tag);
            if let Some(oldest) = oldest {
                remembered.good.remove(&oldest);
            }
        }
        let now = remembered.uses;
        remembered.good.insert(tag, now);
    }

    /// A place among those who wait, if there is one for this address.
    fn wait(&self, peer: IpAddr) -> Option<Waiting<'_>> {
        let mut waiting = lock(&self.waiting);
        let all: usize = waiting.values().sum();
        let own = waiting.get(&peer).copied().unwrap_or_default();
        if all >= WAITING || own >= WAITING_OF_PEER {
            return None;
        }
        waiting.insert(peer, own + 1);
        Some(Waiting { passwords: self, peer })
    }
}

/// A request that waits for its check.
struct Waiting<'p> {
    passwords: &'p Passwords,
    peer: IpAddr,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiting = lock(&self.passwords.waiting);
        match waiting.get_mut(&self.peer) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                waiting.remove(&self.peer);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that holds it can panic half-way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
