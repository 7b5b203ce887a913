//! The set of named jobs: merging, limits, waiting.

use super::*;

const FILES: SourceId = SourceId { kind: JobSource::Files, number: 0 };
const HTTP: SourceId = SourceId { kind: JobSource::Http, number: 1 };

fn team(team: &str) -> Labels {
    [("team".parse().unwrap(), team.to_owned())].into_iter().collect()
}

fn id(id: &str) -> JobId {
    id.parse().unwrap()
}

fn job(id: &str, labels: &str) -> JobSpec {
    JobSpec { id: id.parse().unwrap(), labels: team(labels), sources: vec![JobSource::File] }
}

fn named(jobs: &[(&str, &str)]) -> Vec<NamedJob> {
    jobs.iter().map(|(name, labels)| NamedJob { id: id(name), labels: team(labels) }).collect()
}

fn ids(jobs: &[JobSpec]) -> Vec<&str> {
    jobs.iter().map(|job| job.id.as_str()).collect()
}

#[test]
fn only_the_difference_is_told() {
    let mut catalog = Catalog::new(10, Shard::default());
    let first = catalog.configure(&[job("a", "red"), job("b", "red"), job("c", "red")], 10);
    assert_eq!(first.joined.len(), 3);
    let second = catalog.configure(&[job("b", "blue"), job("c", "red"), job("d", "red")], 10);
    assert_eq!(second.joined, [job("d", "red")]);
    assert_eq!(second.relabelled, [job("b", "blue")]);
    assert_eq!(second.left, [id("a")]);
    assert!(catalog.configure(&[job("d", "red"), job("c", "red"), job("b", "blue")], 10).is_empty());
    assert_eq!(catalog.len(), 3);
}

#[test]
fn a_job_of_several_sources_is_one_job_with_the_first_ones_labels() {
    let mut catalog = Catalog::new(10, Shard::default());
    assert!(catalog.put(&id("a"), team("admin")).unwrap().1);
    let change = catalog.replace(HTTP, named(&[("a", "http")]));
    assert_eq!(change.relabelled[0].labels.get("team"), Some("http"));
    let change = catalog.replace(FILES, named(&[("a", "files")]));
    assert_eq!(change.relabelled[0].labels.get("team"), Some("files"));
    assert_eq!(change.relabelled[0].sources, [JobSource::Files, JobSource::Http, JobSource::Admin]);
    let change = catalog.configure(&[job("a", "file")], 10);
    assert_eq!(change.relabelled[0].labels.get("team"), Some("file"));
    assert_eq!(catalog.len(), 1);
    // Each that leaves hands the labels on; the last takes the job along.
    let change = catalog.configure(&[], 10);
    assert_eq!(change.relabelled[0].labels.get("team"), Some("files"));
    assert!(catalog.replace(FILES, Vec::new()).left.is_empty());
    assert!(catalog.replace(HTTP, Vec::new()).left.is_empty());
    assert!(catalog.may_expire(&id("a")));
    assert_eq!(catalog.delete(&id("a")).unwrap().left, [id("a")]);
    assert!(catalog.is_empty());
}

#[test]
fn a_flag_can_give_no_labels_so_it_takes_none_away() {
    let mut catalog = Catalog::new(10, Shard::default());
    let flag = JobSpec { id: id("a"), labels: Labels::default(), sources: vec![JobSource::Flag] };
    let _joined = catalog.configure(&[flag], 10);
    let change = catalog.replace(FILES, named(&[("a", "files")]));
    assert_eq!(change.relabelled[0].labels.get("team"), Some("files"));
    assert_eq!(change.relabelled[0].sources, [JobSource::Flag, JobSource::Files]);
}

#[test]
fn beyond_the_limit_nothing_joins_and_nothing_is_evicted() {
    let mut catalog = Catalog::new(2, Shard::default());
    let change = catalog.replace(FILES, named(&[("a", "x"), ("b", "x"), ("c", "x"), ("d", "x")]));
    assert_eq!(ids(&change.joined), ["a", "b"]);
    assert_eq!(change.rejected, BTreeMap::from([(JobSource::Files, 2)]));
    let again = catalog.replace(FILES, named(&[("d", "x"), ("c", "x"), ("b", "x"), ("a", "x")]));
    assert!(again.is_empty() && again.rejected.is_empty(), "each is told once: {again:?}");
    assert_eq!(catalog.put(&id("e"), team("x")), Err(LimitReached { limit: 2 }));
    assert_eq!(catalog.put(&id("c"), team("x")), Err(LimitReached { limit: 2 }), "named, but not watched");
    assert_eq!(catalog.sources(&id("e")), [], "what was refused is not kept");
    assert!(!catalog.put(&id("a"), team("y")).unwrap().1, "one that lives may be named again");
    // The configuration was checked as a whole: its jobs are watched, and none goes for them.
    let change = catalog.configure(&[job("z", "x")], 2);
    assert_eq!((ids(&change.joined), change.left.len()), (vec!["z"], 0));
    assert_eq!(catalog.len(), 3);
}

#[test]
fn who_waits_joins_when_room_is_made() {
    let mut catalog = Catalog::new(2, Shard::default());
    let _first = catalog.replace(FILES, named(&[("a", "x"), ("b", "x"), ("c", "x"), ("d", "x")]));
    let change = catalog.replace(FILES, named(&[("b", "x"), ("c", "x"), ("d", "x")]));
    assert_eq!((ids(&change.joined), change.left), (vec!["c"], vec![id("a")]));
    let change = catalog.configure(&[], 5);
    assert_eq!(ids(&change.joined), ["d"], "a higher limit makes room");
    let _gone = catalog.replace(FILES, Vec::new());
    assert!(catalog.is_empty() && catalog.waiting.is_empty() && catalog.jobs.is_empty());
    assert!(catalog.label_names.is_empty());
}

#[test]
fn what_the_admin_api_does_not_name_it_can_not_delete() {
    let mut catalog = Catalog::new(2, Shard::default());
    let _joined = catalog.configure(&[job("a", "x")], 2);
    assert_eq!(catalog.delete(&id("a")), Err(NotNamed { sources: vec![JobSource::File] }));
    assert_eq!(catalog.delete(&id("b")), Err(NotNamed { sources: Vec::new() }));
    let (change, is_new) = catalog.put(&id("a"), team("y")).unwrap();
    assert!(!is_new && change.relabelled[0].labels.get("team") == Some("x"));
    assert!(!catalog.may_expire(&id("a")));
    assert_eq!(catalog.delete(&id("a")).unwrap().relabelled[0].sources, [JobSource::File]);
}

#[test]
fn label_names_beyond_what_all_jobs_may_have_are_left_out() {
    let mut catalog = Catalog::new(10, Shard::default());
    let many = (0..MOST_LABEL_NAMES).map(|n| (format!("l{n}").parse().unwrap(), "x".to_owned())).collect();
    let _joined = catalog.put(&id("a"), many).unwrap();
    let (change, _) = catalog.put(&id("b"), team("x")).unwrap();
    assert!(change.joined[0].labels.is_empty());
    assert_eq!(change.dropped_labels.iter().map(LabelName::as_str).collect::<Vec<_>>(), ["team"]);
    let _left = catalog.delete(&id("a")).unwrap();
    let (change, _) = catalog.put(&id("b"), team("y")).unwrap();
    assert_eq!(change.relabelled[0].labels.get("team"), Some("y"));
}

#[test]
fn pieces_hold_all_of_a_change() {
    let change = CatalogChange {
        joined: vec![job("a", "x"), job("b", "x"), job("c", "x")],
        relabelled: vec![job("d", "x")],
        left: vec![id("e")],
        known_before: true,
        ..CatalogChange::default()
    };
    let pieces = change.into_pieces(2);
    assert_eq!(pieces.len(), 4);
    assert_eq!(pieces[0].left, [id("e")]);
    assert_eq!(pieces.iter().map(|piece| piece.joined.len()).sum::<usize>(), 3);
    assert!(pieces.iter().all(|piece| piece.known_before));
}

#[test]
fn jobs_of_other_shards_are_left_out_of_lists_and_not_counted_as_rejected() {
    let list: Vec<(String, &str)> = (0..40).map(|number| (format!("Job:{number}"), "red")).collect();
    let list: Vec<_> = list.iter().map(|(id, team)| (id.as_str(), *team)).collect();
    let mut watched = Vec::new();
    for number in 0..3 {
        let shard = Shard::new(number, 3).unwrap();
        let mut catalog = Catalog::new(40, shard);
        let change = catalog.replace(FILES, named(&list));
        assert!(change.rejected.is_empty() && change.joined.iter().all(|job| shard.owns(&job.id)));
        watched.extend(change.joined.into_iter().map(|job| job.id));
        assert!(catalog.replace(FILES, named(&list)).is_empty(), "the same list changes nothing");
        let mut small = Catalog::new(5, shard);
        let change = small.replace(FILES, named(&list));
        assert_eq!(change.rejected[&JobSource::Files], catalog.len() as u64 - 5, "only its own are rejected");
    }
    watched.sort();
    let mut all: Vec<_> = list.iter().map(|(name, _)| id(name)).collect();
    all.sort();
    assert_eq!(watched, all, "each is watched by exactly one");
}
