//! The lists of files, as they come, change and go.

use super::*;
use std::fs;
use std::os::unix::fs::symlink;

struct Folder {
    folder: tempfile::TempDir,
    lists: FileLists,
}

impl Folder {
    fn with_pattern(pattern: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lists = FileLists::new(vec![folder.path().join(pattern)]);
        Self { folder, lists }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// The ids now, if they are others, and the number of failures.
    fn look(&mut self) -> (Option<Vec<String>>, u64) {
        let look = self.lists.look();
        let ids = |jobs: Vec<NamedJob>| jobs.iter().map(|job| job.id.to_string()).collect();
        (look.jobs.map(ids), look.failures)
    }
}

fn names(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

#[test]
fn files_come_change_and_go() {
    let mut folder = Folder::with_pattern("*.yml");
    assert_eq!(folder.look(), (Some(names(&[])), 0), "the first look tells even of nothing");
    assert_eq!(folder.look(), (None, 0));
    folder.write("b.yml", "- targets: [ b, c ]\n");
    folder.write("a.yml", "- targets: [ a, b ]\n");
    folder.write("other.json", "[{\"targets\": [\"z\"]}]");
    assert_eq!(folder.look(), (Some(names(&["a", "b", "c"])), 0));
    folder.write("b.yml", "- targets: [ c, d ]\n");
    assert_eq!(folder.look(), (Some(names(&["a", "b", "c", "d"])), 0));
    fs::remove_file(folder.folder.path().join("a.yml")).unwrap();
    assert_eq!(folder.look(), (Some(names(&["c", "d"])), 0));
    assert_eq!(folder.look(), (None, 0));
}

#[test]
fn a_file_that_is_not_whole_keeps_its_list_and_counts_each_time() {
    let mut folder = Folder::with_pattern("*.json");
    folder.write("a.json", "[{\"targets\": [\"a\"]}]");
    folder.write("b.json", "[{\"targets\": [\"b\"]}]");
    assert_eq!(folder.look(), (Some(names(&["a", "b"])), 0));
    folder.write("a.json", "[{\"targets\": [\"a\", \"x");
    assert_eq!(folder.look(), (None, 1));
    assert_eq!(folder.look(), (None, 1));
    folder.write("b.json", "[{\"targets\": [\"c\"]}]");
    assert_eq!(folder.look(), (Some(names(&["a", "c"])), 1), "another file is read meanwhile");
    folder.write("a.json", "[{\"targets\": [\"a\", \"x\"]}]");
    assert_eq!(folder.look(), (Some(names(&["a", "x", "c"])), 0));
}

#[test]
fn an_emptied_file_keeps_its_list_until_it_says_that_there_is_none() {
    let mut folder = Folder::with_pattern("a.yml");
    folder.write("a.yml", "");
    assert_eq!(folder.look(), (Some(names(&[])), 0), "there was nothing to lose");
    folder.write("a.yml", "- targets: [ a ]\n");
    assert_eq!(folder.look(), (Some(names(&["a"])), 0));
    folder.write("a.yml", "");
    assert_eq!(folder.look(), (None, 1));
    folder.write("a.yml", "[]\n");
    assert_eq!(folder.look(), (Some(names(&[])), 0));
}

#[test]
fn a_swap_of_kubernetes_is_seen_and_its_real_folder_watched() {
    let mut folder = Folder::with_pattern("*.yml");
    let path = folder.folder.path().to_owned();
    for (version, id) in [("..1", "a"), ("..2", "b")] {
        fs::create_dir(path.join(version)).unwrap();
        fs::write(path.join(version).join("jobs.yml"), format!("- targets: [ {id} ]\n")).unwrap();
    }
    symlink("..1", path.join("..data")).unwrap();
    symlink("..data/jobs.yml", path.join("jobs.yml")).unwrap();
    assert_eq!(folder.look(), (Some(names(&["a"])), 0));
    assert!(folder.lists.folders().contains(&path.canonicalize().unwrap().join("..1")));
    symlink("..2", path.join("..data_tmp")).unwrap();
    fs::rename(path.join("..data_tmp"), path.join("..data")).unwrap();
    fs::remove_dir_all(path.join("..1")).unwrap();
    assert_eq!(folder.look(), (Some(names(&["b"])), 0));
    fs::remove_file(path.join("..data")).unwrap();
    assert_eq!(folder.look(), (Some(names(&[])), 0), "a link that leads nowhere is no file");
}

#[test]
fn a_folder_that_is_not_there_yet_is_watched_for_in_the_one_above() {
    let folder = Folder::with_pattern("later/still/*.yml");
    assert_eq!(folder.lists.folders(), BTreeSet::from([folder.folder.path().to_owned()]));
    fs::create_dir(folder.folder.path().join("later")).unwrap();
    assert_eq!(folder.lists.folders(), BTreeSet::from([folder.folder.path().join("later")]));
}
