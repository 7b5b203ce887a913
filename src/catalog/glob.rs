//! Finds the files that a pattern names, as Go's `filepath.Glob` does, which Prometheus uses: `*`, `?`, `[a-z]`, `[^a]`
//! and `\` before a character that is meant as it is. None of them matches a `/`; names that begin with a dot match
//! like others. Blocks. Used by `file_sd`.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// The most files of one pattern.
const MOST_FILES: usize = 100_000;

/// All paths that match, sorted. What is not there matches nothing; a folder that can't be read is an error, since its
/// files may still be there.
pub(super) fn find(pattern: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let name = match component {
            Component::Normal(name) if has_pattern(name.as_bytes()) => name,
            fixed => {
                for path in &mut found {
                    path.push(fixed);
                }
                continue;
            }
        };
        let mut next = Vec::new();
        for folder in found {
            let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
            let entries = match std::fs::read_dir(listed) {
                Ok(entries) => entries,
                Err(error) if is_absent(&error) => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let file_name = entry?.file_name();
                if matches(name.as_bytes(), file_name.as_bytes()) {
                    next.push(folder.join(file_name));
                }
                if next.len() > MOST_FILES {
                    return Err(io::Error::other(format!("more than {MOST_FILES} files match")));
                }
            }
        }
        found = next;
    }
    let mut present = BTreeSet::new();
    for path in found {
        // After another error it is there, and reading it will say what is wrong.
        let is_there = std::fs::metadata(&path).map_or_else(|error| !is_absent(&error), |_| true);
        if is_there {
            present.insert(path);
        }
    }
    Ok(present)
}

/// The folders in which files of this pattern may appear or change: those before the first special character.
pub(super) fn fixed_folder(pattern: &Path) -> PathBuf {
    let mut folder = PathBuf::new();
    let parent = pattern.parent().unwrap_or(Path::new(""));
    for component in parent.components() {
        if has_pattern(component.as_os_str().as_bytes()) {
            break;
        }
        folder.push(component);
    }
    folder
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn has_pattern(name: &[u8]) -> bool {
    name.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'))
}

/// Whether a name matches a pattern. The last `*` alone is tried anew, so the time is bounded by their product.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut rest, mut text) = (pattern, name);
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some((b'*', after)) = rest.split_first().map(|(first, after)| (*first, after)) {
            star = Some((after, text));
            rest = after;
            continue;
        }
        let step = match text.split_first() {
            None if rest.is_empty() => return true,
            None => return false,
            Some((character, after)) => matches_one(rest, *character).map(|rest| (rest, after)),
        };
        if let Some((next_rest, next_text)) = step {
            (rest, text) = (next_rest, next_text);
            continue;
        }
        let Some((after, from)) = star else { return false };
        let Some((_, from)) = from.split_first() else { return false };
        star = Some((after, from));
        (rest, text) = (after, from);
    }
}

/// What is left of the pattern if its first item matches the character.
fn matches_one(pattern: &[u8], character: u8) -> Option<&[u8]> {
    let (first, rest) = pattern.split_first()?;
    match first {
        b'?' => Some(rest),
        b'[' => matches_class(rest, character),
        b'\\' => {
            let (meant, rest) = rest.split_first()?;
            (*meant == character).then_some(rest)
        }
        other => (*other == character).then_some(rest),
    }
}

/// Matches `a-z]…` or `^a]…`, whose `[` is read already.
fn matches_class(class: &[u8], character: u8) -> Option<&[u8]> {
    let negated = class.first() == Some(&b'^');
    let mut rest = if negated { class.get(1..)? } else { class };
    let mut found = false;
    let mut first = true;
    loop {
        let (next, after) = rest.split_first()?;
        if *next == b']' && !first {
            return (found != negated).then_some(after);
        }
        first = false;
        let (low, after) = if *next == b'\\' { after.split_first()? } else { (next, after) };
        rest = after;
        let mut high = low;
        if let Some((b'-', after)) = rest.split_first().map(|(first, after)| (*first, after))
            && after.first() != Some(&b']')
        {
            let (end, after) = after.split_first()?;
            let (end, after) = if *end == b'\\' { after.split_first()? } else { (end, after) };
            high = end;
            rest = after;
        }
        found |= (*low..=*high).contains(&character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_prometheus() {
        for (pattern, name, expected) in [
            ("*.yml", "a.yml", true),
            ("*.yml", ".yml", true),
            ("*.yml", "a.yaml", false),
            ("a*b.yml", "aXbXb.yml", true),
            ("jobs-?.yml", "jobs-1.yml", true),
            ("jobs-?.yml", "jobs-12.yml", false),
            ("[a-c]x.yml", "bx.yml", true),
            ("[a-c]x.yml", "dx.yml", false),
            ("[^a-c]x.yml", "dx.yml", true),
            ("[ab.yml", "a.yml", false),
            ("\\*.yml", "*.yml", true),
            ("\\*.yml", "a.yml", false),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn files_are_found_in_order_and_what_is_absent_is_none() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.yml", "a.yml", "c.json"] {
            std::fs::write(folder.path().join(name), "[]").unwrap();
        }
        let names = |pattern: &str| {
            let found = find(&folder.path().join(pattern)).unwrap();
            found
                .iter()
                .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names("*.yml"), ["a.yml", "b.yml"]);
        assert_eq!(names("c.json"), ["c.json"]);
        assert_eq!(names("none/*.yml"), Vec::<String>::new());
        assert_eq!(names("a.yml/*.yml"), Vec::<String>::new());
        assert_eq!(names("d.yml"), Vec::<String>::new());
        assert_eq!(fixed_folder(Path::new("/x/j[ab]/*.yml")), Path::new("/x"));
        assert_eq!(fixed_folder(Path::new("/x/y/a.yml")), Path::new("/x/y"));
    }

    proptest::proptest! {
        #[test]
        fn no_pattern_panics_or_hangs(pattern in "[ab*?\\[\\]\\\\^-]{0,30}", name in "[ab]{0,60}") {
            let _ = matches(pattern.as_bytes(), name.as_bytes());
        }
    }
}
