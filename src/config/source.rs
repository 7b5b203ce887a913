//! Reads the configuration file: bounded before it is read, and text once it is.
//!
//! Called by `reload` for the configuration, by `file` and `merge` for the files that it names, and by `catalog` for
//! lists of jobs. Errors end a
//! sentence whose subject is the file.

use super::values::show_size;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The largest configuration file taken, in bytes; 100,000 jobs with labels have about 15 MiB.
pub(super) const MOST_BYTES: u64 = 32 << 20;

/// The largest credential file taken, in bytes.
const MOST_CREDENTIAL_BYTES: u64 = 64 << 10;

/// Why a file is not one that we take.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SourceFault {
    /// The line where it goes wrong, if there is one.
    pub(super) line: Option<usize>,
    pub(super) message: String,
}

impl From<String> for SourceFault {
    fn from(message: String) -> Self {
        Self { line: None, message }
    }
}

/// The text of a configuration file.
pub(super) fn read_text(path: &Path) -> Result<String, SourceFault> {
    let bytes = read_bounded(path, MOST_BYTES)?;
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err("is UTF-16; save it as UTF-8".to_owned().into());
    }
    if memchr::memchr(0, &bytes).is_some() {
        return Err("is a binary file; the configuration is a text in YAML".to_owned().into());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let message = "is not UTF-8 from this line on; save the file as UTF-8".to_owned();
        SourceFault { line: Some(lines_before(before) + 1), message }
    })?;
    if let Some(position) = text.find(|c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}'))
    {
        let (before, after) = text.split_at(position);
        let character = after.chars().next().map_or(0, u32::from);
        let message = format!(
            "has the control character U+{character:04X}; in a text in double quotes write it as \\u{character:04x}"
        );
        return Err(SourceFault { line: Some(lines_before(before.as_bytes()) + 1), message });
    }
    Ok(text)
}

/// Checks that `path` is a file that can be opened; its content is left to whoever needs it.
pub(super) fn check_readable(path: &Path) -> Result<(), String> {
    open(path).map(drop)
}

/// Checks that `path` holds one credential: some text, and not too much of it.
pub(super) fn check_credential(path: &Path) -> Result<(), String> {
    let bytes = read_bounded(path, MOST_CREDENTIAL_BYTES)?;
    let text = zeroize::Zeroizing::new(bytes);
    match std::str::from_utf8(&text) {
        Err(_) => Err("is not UTF-8; it must hold the credential as text".to_owned()),
        Ok(text) if text.trim().is_empty() => Err("is empty; it must hold the credential".to_owned()),
        Ok(text) if text.trim().contains(char::is_control) => {
            Err("has several lines or control characters; it must hold the credential and nothing else"
                .to_owned())
        }
        Ok(_) => Ok(()),
    }
}

fn open(path: &Path) -> Result<File, String> {
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let metadata = file.metadata().map_err(|error| unreadable(&error))?;
    if metadata.is_dir() {
        return Err("is a folder, not a file".to_owned());
    }
    Ok(file)
}

/// The same of a file that is read again and again. A pipe would be waited for, perhaps for ever, and is refused.
pub(crate) fn read_plain(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let kind = std::fs::metadata(path).map_err(|error| unreadable(&error))?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        return Err("is a pipe, a socket or a device, not a file".to_owned());
    }
    read_bounded(path, most)
}

/// All bytes of `path`. What is not a plain file (a pipe) tells no size, so the bound is kept while reading too.
pub(crate) fn read_bounded(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let file = open(path)?;
    let size = file.metadata().map_err(|error| unreadable(&error))?.len();
    if size > most {
        let size = if size >= 1 << 20 { format!("{} MiB", size >> 20) } else { format!("{size} bytes") };
        return Err(format!("has {size}; at most {} are taken", show_size(most)));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > most {
        return Err(format!("has more than {}, the most that is taken", show_size(most)));
    }
    Ok(bytes)
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "may not be read by this user (permission denied)".to_owned(),
        _ => format!("can't be read: {error}"),
    }
}

fn lines_before(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes).count()
}
