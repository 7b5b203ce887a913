//! The status of a job: the API's four, and one for words that we do not know yet.

/// A job's status, as shown in the label `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Waits to be processed.
    Pending,
    /// Rows are being processed.
    Processing,
    /// All rows were processed; some may have failed.
    Completed,
    /// The job as a whole failed.
    Failed,
    /// The API said a word that this version doesn't know. Not an end: the job goes on being polled.
    Unknown,
}

impl Status {
    /// All five, in the order in which they are shown.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Processing, Self::Completed, Self::Failed, Self::Unknown];

    /// The label's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Processing => "PROCESSING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// True for COMPLETED and FAILED: such a job never runs again and is not polled any more.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        match self {
            Self::Completed | Self::Failed => true,
            Self::Pending | Self::Processing | Self::Unknown => false,
        }
    }

    /// The status that the API's word stands for.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        match word {
            "PENDING" => Self::Pending,
            "PROCESSING" => Self::Processing,
            "COMPLETED" => Self::Completed,
            "FAILED" => Self::Failed,
            _ => Self::Unknown,
        }
    }
}

/// A status as the API reported it: with its word where we do not know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedStatus {
    status: Status,
    word: Option<Box<str>>,
}

/// As much of an unknown word is kept, in characters.
const WORD_LENGTH: usize = 64;

impl ReportedStatus {
    /// Reads the API's word.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        let status = Status::from_word(word);
        let kept =
            (status == Status::Unknown).then(|| word.chars().take(WORD_LENGTH).collect::<String>().into());
        Self { status, word: kept }
    }

    /// Which of the five it is.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.status
    }

    /// The API's own word: at most 64 characters of one that we do not know.
    #[must_use]
    pub fn word(&self) -> &str {
        self.word.as_deref().unwrap_or(self.status.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_word_is_read_back() {
        for status in Status::ALL {
            if status != Status::Unknown {
                assert_eq!(ReportedStatus::from_word(status.as_str()).status(), status);
            }
        }
    }

    #[test]
    fn an_unknown_word_is_kept_and_cut() {
        let reported = ReportedStatus::from_word(&"é".repeat(100));
        assert_eq!(reported.status(), Status::Unknown);
        assert_eq!(reported.word(), "é".repeat(64));
        assert_eq!(ReportedStatus::from_word("processing").word(), "processing", "words are case sensitive");
    }

    #[test]
    fn only_completed_and_failed_are_ends() {
        let ended: Vec<_> = Status::ALL.into_iter().filter(|status| status.is_ended()).collect();
        assert_eq!(ended, [Status::Completed, Status::Failed]);
    }
}
