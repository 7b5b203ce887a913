//! The kinds of bytes behind the five formats: what can be shared is kept once.

use crate::exposition::negotiate::Format;
use crate::exposition::text::Dialect;

/// The bytes of the job series: all text formats have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Lines.
    Text,
    /// Messages.
    Protobuf,
}

/// The bytes of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    /// Lines, with what OpenMetrics writes differently.
    Text(Dialect),
    /// Messages.
    Protobuf,
}

impl Layout {
    /// All of them.
    pub(super) const ALL: [Self; 2] = [Self::Text, Self::Protobuf];
}

impl Shape {
    /// Of a format.
    pub(super) const fn of(format: Format) -> Self {
        match format {
            Format::Text004 | Format::Text100 => Self::Text(Dialect::Prometheus),
            Format::OpenMetrics001 | Format::OpenMetrics100 => Self::Text(Dialect::OpenMetrics),
            Format::Protobuf => Self::Protobuf,
        }
    }

    /// Of its job series.
    pub(super) const fn layout(self) -> Layout {
        match self {
            Self::Text(_) => Layout::Text,
            Self::Protobuf => Layout::Protobuf,
        }
    }
}
