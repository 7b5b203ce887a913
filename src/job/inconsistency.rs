//! How a good answer can contradict itself, or the one before: values of `kind` in
//! `grid_bulk_api_inconsistent_answers_total`. Found by `store`, counted and logged by `poller`.

/// Kinds of contradictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Inconsistency {
    /// Counts that can't be true together: negative, broken, too many, or not adding up.
    Counts,
    /// A count that is lower than it was.
    Fell,
    /// A status that comes before the one that was seen already: PENDING after PROCESSING, or an ended job that runs.
    Status,
    /// A time of completion that is no time, or lies in the future.
    CompletedAt,
}

impl Inconsistency {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Counts, Self::Fell, Self::Status, Self::CompletedAt];

    /// The label's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counts => "counts",
            Self::Fell => "fell",
            Self::Status => "status",
            Self::CompletedAt => "completed_at",
        }
    }
}
