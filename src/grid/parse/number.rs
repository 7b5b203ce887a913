//! The grammar of a JSON number, a byte at a time.

/// What of a number was read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberPart {
    /// `-`
    Minus,
    /// A first `0`, after which no digit may come.
    Zero,
    /// Digits before the point.
    Integer,
    /// `.`
    Point,
    /// Digits after the point.
    Fraction,
    /// `e` or `E`
    Exponent,
    /// The exponent's sign.
    Sign,
    /// Digits of the exponent.
    Power,
}

impl NumberPart {
    /// The first part of a number that begins with this byte, or nothing if none does.
    pub(super) const fn first(byte: u8) -> Option<Self> {
        match byte {
            b'-' => Some(Self::Minus),
            b'0' => Some(Self::Zero),
            b'1'..=b'9' => Some(Self::Integer),
            _ => None,
        }
    }

    /// The part that this byte continues to, or nothing if it does not belong to the number.
    pub(super) const fn then(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Minus, b'0') => Some(Self::Zero),
            (Self::Minus, b'1'..=b'9') | (Self::Integer, b'0'..=b'9') => Some(Self::Integer),
            (Self::Zero | Self::Integer, b'.') => Some(Self::Point),
            (Self::Point | Self::Fraction, b'0'..=b'9') => Some(Self::Fraction),
            (Self::Zero | Self::Integer | Self::Fraction, b'e' | b'E') => Some(Self::Exponent),
            (Self::Exponent, b'+' | b'-') => Some(Self::Sign),
            (Self::Exponent | Self::Sign | Self::Power, b'0'..=b'9') => Some(Self::Power),
            _ => None,
        }
    }

    /// True if the number may end here.
    pub(super) const fn is_whole(self) -> bool {
        matches!(self, Self::Zero | Self::Integer | Self::Fraction | Self::Power)
    }
}
