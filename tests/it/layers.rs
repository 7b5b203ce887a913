//! The dependency rule of `src/lib.rs`: which module may use which.

use std::collections::BTreeMap;
use std::path::Path;

/// What each module may use of ours; `app` and `cli` may use everything.
fn permitted() -> BTreeMap<&'static str, Vec<&'static str>> {
    let ground = ["clock", "secret", "job"];
    let with = |more: &[&'static str]| ground.iter().chain(more).copied().collect::<Vec<_>>();
    BTreeMap::from([
        ("clock", vec![]),
        ("secret", vec![]),
        ("job", vec!["clock"]),
        ("telemetry", with(&[])),
        ("config", with(&[])),
        ("tls", with(&["config"])),
        ("grid", with(&["telemetry", "config", "tls"])),
        ("store", with(&["telemetry", "config"])),
        ("catalog", with(&["telemetry", "config", "tls"])),
        ("poller", with(&["telemetry", "config", "grid", "store", "catalog"])),
        ("storage", with(&["telemetry", "config", "store"])),
        ("exposition", with(&["telemetry", "store"])),
        ("web", with(&["telemetry", "config", "tls", "exposition", "store", "catalog", "poller"])),
        ("sim", with(&[])),
    ])
}

/// All source files below a folder.
fn sources(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn a_module_uses_only_what_stands_above_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let permitted = permitted();
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut checked = 0;
    let mut breaches = Vec::new();
    for file in files {
        let relative = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let module = relative.split(['/', '.']).next().unwrap();
        let Some(allowed) = permitted.get(module) else { continue };
        let text = std::fs::read_to_string(&file).unwrap();
        // Comments may name everything, and tests may put fakes and clocks together as they like.
        let code: String = text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap()
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n");
        for (position, _) in code.match_indices("crate::") {
            let used: String =
                code[position + 7..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            checked += 1;
            // The web takes webhooks in, and knows nothing else of the API.
            let used = if module == "web" && code[position + 7..].starts_with("grid::webhook::") {
                module.to_owned()
            } else {
                used
            };
            if used != module && !allowed.contains(&used.as_str()) && !relative.contains("tests") {
                breaches.push(format!("src/{relative} uses {used}"));
            }
        }
    }
    assert!(checked > 100, "only {checked} uses were found: is the check still reading the code?");
    breaches.dedup();
    assert_eq!(breaches, Vec::<String>::new());
}

#[test]
fn every_module_says_what_it_is_for() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let silent: Vec<_> =
        files.iter().filter(|file| !std::fs::read_to_string(file).unwrap().starts_with("//! ")).collect();
    assert_eq!(silent, Vec::<&std::path::PathBuf>::new());
}
