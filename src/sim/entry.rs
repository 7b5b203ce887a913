//! Entries of `errors`: which row failed and why, written as JSON.
//!
//! Called by `sim::answer` for each failed row of each answer, so it writes into a buffer and allocates nothing.

use crate::sim::seed::mix;
use std::io::Write as _;

/// Why a row fails.
struct Reason {
    code: &'static str,
    message: &'static str,
    /// JSON of `details`.
    details: &'static str,
}

/// Reasons that a row of customers can have, the frequent ones more than once.
const REASONS: [Reason; 10] = [
    Reason {
        code: "INVALID_FIELD",
        message: "Invalid bank account number",
        details: r#"{"field":"accountNumber"}"#,
    },
    Reason {
        code: "INVALID_FIELD",
        message: "Birth date is not of the form YYYY-MM-DD",
        details: r#"{"field":"birthDate"}"#,
    },
    Reason {
        code: "INVALID_FIELD",
        message: "Country is not an ISO 3166-1 alpha-2 code",
        details: r#"{"field":"country"}"#,
    },
    Reason {
        code: "INVALID_FIELD",
        message: "Customer type is neither INDIVIDUAL nor BUSINESS",
        details: r#"{"field":"customerType"}"#,
    },
    Reason {
        code: "DUPLICATE_CUSTOMER",
        message: "A customer with this platformCustomerId exists already",
        details: r#"{"field":"platformCustomerId"}"#,
    },
    Reason {
        code: "DUPLICATE_CUSTOMER",
        message: "A customer with this UMA address exists already",
        details: r#"{"field":"umaAddress"}"#,
    },
    Reason {
        code: "MISSING_MANDATORY_USER_INFO",
        message: "Required customer information is missing",
        details: r#"{"field":"postalCode"}"#,
    },
    Reason {
        code: "INVALID_UMA_ADDRESS",
        message: "UMA address format is invalid",
        details: r#"{"field":"umaAddress"}"#,
    },
    Reason {
        code: "INVALID_BANK_ACCOUNT",
        message: "Bank account is invalid",
        details: r#"{"field":"platformAccountId"}"#,
    },
    Reason {
        code: "MISSING_REQUIRED_COLUMN",
        message: "A column that this customer type requires has no value",
        details: r#"{"column":"fullName"}"#,
    },
];

/// The code for a file that cannot be read as what it should be.
pub(crate) const INVALID_CSV: &str = "invalid_csv_format";

/// One entry to write.
pub(crate) struct Entry<'a> {
    /// What makes this job's rows differ from another's.
    pub(crate) job_seed: u64,
    /// Number of the row in the file, 1 for the first.
    pub(crate) row: u64,
    /// The code; nothing: one that follows from seed and row.
    pub(crate) code: Option<&'a str>,
    /// The column that `invalid_csv_format` names.
    pub(crate) column: Option<&'a str>,
    /// The form `{correlationId, error: {…}}`.
    pub(crate) nested: bool,
}

impl Entry<'_> {
    /// Appends the entry.
    pub(crate) fn append(&self, out: &mut Vec<u8>) {
        let mixed = mix(&[self.job_seed, self.row]);
        out.extend_from_slice(br#"{"correlationId":""#);
        // The API gives the platform's customer id or, where it has none, the number of the row.
        let (kind, number) = if self.code == Some(INVALID_CSV) {
            ("row_", self.row)
        } else {
            match mixed % 8 {
                0 => ("row_", self.row),
                1 | 2 => ("biz", 100 + mixed % 900_000),
                _ => ("customer", 1 + mixed % 9_000_000),
            }
        };
        // Writing into a Vec cannot fail.
        let _ = write!(out, "{kind}{number}\",");
        if self.nested {
            out.extend_from_slice(br#""error":{"#);
        }
        self.append_reason(mixed >> 32, out);
        out.extend_from_slice(if self.nested { b"}}" } else { b"}" });
    }

    fn append_reason(&self, mixed: u64, out: &mut Vec<u8>) {
        if self.code == Some(INVALID_CSV) {
            let column = self.column.unwrap_or("umaAddress");
            out.extend_from_slice(
                br#""code":"invalid_csv_format","message":"Invalid CSV format","details":{"reason":"missing_required_column","column":"#,
            );
            append_string(column, out);
            out.push(b'}');
            return;
        }
        let fitting = |reason: &&Reason| self.code.is_none_or(|code| code == reason.code);
        let number = REASONS.iter().filter(fitting).count() as u64;
        let chosen = mixed
            .checked_rem(number)
            .and_then(|at| REASONS.iter().filter(fitting).nth(usize::try_from(at).unwrap_or_default()));
        let (code, message, details) = match (chosen, self.code) {
            (Some(reason), _) => (reason.code, reason.message, reason.details),
            (None, Some(code)) => (code, "The row could not be imported", "{}"),
            (None, None) => ("INTERNAL_ERROR", "The row could not be imported", "{}"),
        };
        out.extend_from_slice(br#""code":"#);
        append_string(code, out);
        out.extend_from_slice(br#","message":"#);
        append_string(message, out);
        out.extend_from_slice(br#","details":"#);
        out.extend_from_slice(details.as_bytes());
    }
}

/// Appends a text as a JSON string.
pub(crate) fn append_string(text: &str, out: &mut Vec<u8>) {
    let plain = text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
    if plain {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        // Writing into a Vec cannot fail.
        let _ = serde_json::to_writer(out, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn written(entry: &Entry<'_>) -> Value {
        let mut out = Vec::new();
        entry.append(&mut out);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn entries_are_json_whatever_the_code() {
        for code in
            [None, Some("DUPLICATE_CUSTOMER"), Some("a \"quoted\"\ncode"), Some(INVALID_CSV), Some("")]
        {
            for nested in [false, true] {
                let value = written(&Entry { job_seed: 1, row: 3, code, column: None, nested });
                let error = if nested { &value["error"] } else { &value };
                assert!(value["correlationId"].is_string() && error["details"].is_object(), "{value}");
                if let Some(code) = code {
                    assert_eq!(error["code"], code);
                }
            }
        }
    }

    #[test]
    fn reasons_vary_with_the_row_and_repeat_with_the_seed() {
        let code = |row| {
            written(&Entry { job_seed: 7, row, code: None, column: None, nested: false })["code"].to_string()
        };
        let codes: std::collections::BTreeSet<_> = (0..200).map(code).collect();
        assert!(codes.len() >= 5, "{codes:?}");
        assert_eq!(code(17), code(17));
    }
}
