//! Everything that can be wrong with an answer, on the wire or in what it says.
//!
//! A fault belongs to one job or to all, and holds in a window of simulated time and for a share of the requests,
//! so that it can come and heal. Waits on the wire (delays, trickles) are real seconds: a faster simulation does
//! not make a faster network.

use std::sync::Arc;
use std::time::Duration;

/// A fault with when and how often it strikes.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// When: simulated seconds since the simulator's start.
    pub window: Window,
    /// Share of the requests that it strikes, 0 to 1: spread evenly, not by chance.
    pub share: f64,
}

impl Fault {
    /// A fault that strikes every request for good.
    #[must_use]
    pub const fn always(kind: FaultKind) -> Self {
        Self { kind, window: Window::ALWAYS, share: 1.0 }
    }

    /// The same fault, only from `from` until before `until` (simulated seconds since the simulator's start).
    #[must_use]
    pub const fn between(mut self, from: f64, until: f64) -> Self {
        self.window = Window { from, until };
        self
    }

    /// The same fault, only for a share of the requests.
    #[must_use]
    pub const fn for_share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// True if it strikes the request of this number (0 for a job's first) now.
    #[must_use]
    pub fn strikes(&self, now: f64, request: u64) -> bool {
        // Evenly spread: it strikes when the product passes a whole number, the first request included.
        let passes = |n: u64| (n as f64 * self.share).ceil();
        self.window.contains(now) && (self.share >= 1.0 || passes(request + 1) > passes(request))
    }
}

/// A window of simulated time, in seconds since the simulator's start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Its first moment.
    pub from: f64,
    /// The first moment after it; infinite: never.
    pub until: f64,
}

impl Window {
    /// All time.
    pub const ALWAYS: Self = Self { from: f64::NEG_INFINITY, until: f64::INFINITY };

    /// True if the moment lies in it.
    #[must_use]
    pub fn contains(self, now: f64) -> bool {
        self.from <= now && now < self.until
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// Another HTTP status with the API's error body.
    HttpStatus(HttpStatusFault),
    /// The answer comes late. Several add up, and others may strike as well.
    Delay(Duration),
    /// The request is taken, and nothing ever answers.
    HangHead,
    /// The head and so many bytes of the body come, then nothing more.
    HangBody {
        /// Bytes of the body that come.
        after_bytes: u64,
    },
    /// The body comes so slowly.
    Trickle {
        /// Bytes a second; above 0.
        bytes_per_second: f64,
    },
    /// The connection is closed in the middle of the body.
    CutBody {
        /// Bytes of the body that come.
        after_bytes: u64,
    },
    /// `Content-Length` is off by so much: above 0, it promises more than comes before the connection is closed;
    /// under 0, more comes than it says.
    WrongLength(i64),
    /// The connection is reset.
    Reset(ResetPoint),
    /// HTTP/2: a GOAWAY that gives the request up; on HTTP/1.1 the connection is closed without an answer.
    GoAway,
    /// 103 Early Hints before the answer, which is good.
    EarlyHints,
    /// 200 with a proxy's HTML page.
    Html,
    /// 200 with `application/json` and no body.
    EmptyBody,
    /// 200 with `application/json` and a text that is none.
    NotJson,
    /// A byte order mark before the body.
    Bom,
    /// A byte in a status word that is no UTF-8.
    InvalidUtf8,
    /// A lone surrogate (`\ud800`) in the status word.
    LoneSurrogate,
    /// An unknown field with arrays nested so deep.
    DeepNesting(u64),
    /// A string of so many bytes.
    HugeString {
        /// Its length.
        bytes: u64,
        /// Where it stands.
        place: StringPlace,
    },
    /// A body in gzip that unpacks to so many bytes, nearly all in one unknown field.
    GzipBomb {
        /// Unpacked length, at least.
        bytes: u64,
    },
    /// `Content-Encoding: gzip` before a body that is not.
    FalseGzip,
    /// `status` and `progress` twice, first what is true, then something else.
    DuplicateKeys,
    /// A redirect.
    Redirect(RedirectTarget),
    /// The answer's form is whole, and what it says is odd.
    Oddity(Oddity),
}

/// Another status than 200.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpStatusFault {
    /// 200 to 599.
    pub status: u16,
    /// The `code` of the body; nothing: the usual one for the status.
    pub code: Option<Arc<str>>,
    /// The `Retry-After` header, as it is sent: seconds, a date, or nonsense.
    pub retry_after: Option<Arc<str>>,
    /// The `retry-after-ms` header.
    pub retry_after_ms: Option<u64>,
    /// The `x-should-retry` header.
    pub should_retry: Option<bool>,
}

impl HttpStatusFault {
    /// A status with nothing special about it.
    #[must_use]
    pub const fn new(status: u16) -> Self {
        Self { status, code: None, retry_after: None, retry_after_ms: None, should_retry: None }
    }
}

/// Where in an answer the connection is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetPoint {
    /// Before the first byte of the answer.
    BeforeHead,
    /// In the middle of the head.
    InHead,
    /// In the middle of the body.
    InBody,
    /// After the whole answer.
    AfterBody,
}

/// Where a huge string stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StringPlace {
    /// The `message` of an error entry.
    Message,
    /// The `code` of an error entry.
    Code,
    /// The `status`.
    Status,
    /// An unknown field.
    Unknown,
}

/// Where a redirect leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedirectTarget {
    /// To the same job at this server, where a good answer waits.
    SameHost,
    /// To the same path again and again.
    Loop,
    /// To this URL, whatever it is (another host, `file:`).
    Url(Arc<str>),
}

/// What an answer says that it should not.
#[derive(Clone, Debug, PartialEq)]
pub enum Oddity {
    /// `jobId` instead of `id`, as until February 2026.
    OldJobId,
    /// Another job's id.
    WrongId(Arc<str>),
    /// No id.
    NoId,
    /// No `status`.
    NoStatus,
    /// This word as status: unknown, or one that goes backwards.
    StatusWord(Arc<str>),
    /// No `progress`.
    NoProgress,
    /// Counts as given: each the JSON text of a value, or nothing for the true one.
    Counts(OddCounts),
    /// `errors: null`.
    NullErrors,
    /// No `errors`.
    NoErrors,
    /// Entries in the form of the webhook: `{correlationId, error: {…}}`.
    NestedEntries,
    /// So many entries, whatever failed.
    ErrorEntries(u64),
    /// `completedAt` with this JSON text; nothing: without it.
    CompletedAt(Option<Arc<str>>),
}

/// Counts in place of the true ones, each the text of a JSON value (`-1`, `1e30`, `"12"`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OddCounts {
    /// `total`.
    pub total: Option<Arc<str>>,
    /// `processed`.
    pub processed: Option<Arc<str>>,
    /// `successful`.
    pub successful: Option<Arc<str>>,
    /// `failed`.
    pub failed: Option<Arc<str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_its_share_evenly_and_only_in_its_window() {
        let fault = Fault::always(FaultKind::Html).for_share(0.25).between(10.0, 20.0);
        let struck: Vec<u64> = (0..12).filter(|request| fault.strikes(15.0, *request)).collect();
        assert_eq!(struck, [0, 4, 8]);
        assert!(!fault.strikes(9.9, 0) && !fault.strikes(20.0, 0));
        assert!(!Fault::always(FaultKind::Html).for_share(0.0).strikes(0.0, 0));
    }
}
