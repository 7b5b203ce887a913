//! Every link of every document leads somewhere: to a file that is there, and to a heading that it has. Addresses of other
//! machines are not asked, as tests run without a network; they have to be `https`, or this machine's.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// All Markdown files of the repository.
fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_symlink() || name == "target" || name == ".git" || name == "node_modules" {
            continue;
        }
        if path.is_dir() {
            documents(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// The text without what stands in fences, where brackets are code.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose
}

/// The anchors of a document's headings, as hosts of repositories make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text);
    let headings = headings.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// Targets of `](…)` and `<https://…>`.
fn targets(prose: &str) -> Vec<String> {
    let inline = prose.match_indices("](").map(|(at, _)| &prose[at + 2..]);
    let inline = inline.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned());
    let bare = prose.match_indices("<http").map(|(at, _)| &prose[at + 1..]);
    let bare = bare.filter_map(|rest| rest.split_once('>')).map(|(target, _)| target.to_owned());
    inline.chain(bare).collect()
}

/// What is wrong with a link, if anything is.
fn fault(document: &Path, target: &str) -> Option<String> {
    if target.contains("://") {
        let is_ours = ["http://127.0.0.1", "http://localhost"].iter().any(|ours| target.starts_with(ours));
        return (!target.starts_with("https://") && !is_ours)
            .then(|| "neither https nor this machine's".to_owned());
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let path = if path.is_empty() { document.to_owned() } else { document.parent().unwrap().join(path) };
    if !path.exists() {
        return Some("is not there".to_owned());
    }
    let anchor = anchor?;
    let text = std::fs::read_to_string(&path).unwrap();
    (!anchors(&text).contains(anchor)).then(|| format!("has no heading #{anchor}"))
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let mut found = Vec::new();
    documents(Path::new(env!("CARGO_MANIFEST_DIR")), &mut found);
    assert!(found.len() > 30, "{} documents", found.len());
    let (mut followed, mut broken) = (0, Vec::new());
    for document in found {
        for target in targets(&prose(&std::fs::read_to_string(&document).unwrap())) {
            followed += 1;
            if let Some(fault) = fault(&document, &target) {
                broken.push(format!("{}: {target} {fault}", document.display()));
            }
        }
    }
    assert!(followed > 100, "{followed} links were followed");
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn broken_links_are_seen() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    assert_eq!(fault(&readme, "docs/gone.md").as_deref(), Some("is not there"));
    assert_eq!(fault(&readme, "docs/configuration.md#gone").as_deref(), Some("has no heading #gone"));
    assert_eq!(fault(&readme, "docs/configuration.md#keys"), None);
    assert!(fault(&readme, "http://example.com/").is_some());
    assert_eq!(targets("[a](b.md) and <https://c.example/>"), ["b.md", "https://c.example/"]);
}
