//! Folders and files of every kind: one clear line, or a start.

use super::*;
use crate::storage::fault::Faults;
use crate::storage::format::{self, FORMAT};
use std::fs;

#[tokio::test]
async fn the_folder_is_made_and_holds_one_file() {
    let outer = TempDir::new().unwrap();
    let folder = outer.path().join("a/b");
    start_in(&folder).await.stop().await;
    let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [FILE_NAME]);
}

#[tokio::test]
async fn what_is_no_database_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join(FILE_NAME);
    for (content, why) in [
        (Vec::new(), "is damaged (it is empty)"),
        (b"jobs:\n".to_vec(), "grid-bulk-exporter.redb is "),
        (vec![0; 8192], "grid-bulk-exporter.redb is "),
        (vec![0xff; 100_000], "grid-bulk-exporter.redb is "),
    ] {
        fs::write(&file, &content).unwrap();
        let line = refusal(folder.path()).await;
        assert!(
            line.contains(why) && line.starts_with("--storage.path: the file ") && !line.contains('\n'),
            "{line}"
        );
        assert_eq!(fs::read(&file).unwrap(), content);
    }
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(refusal(folder.path()).await.contains("it is no file"));
}

#[tokio::test]
async fn another_programs_database_is_refused() {
    let folder = TempDir::new().unwrap();
    let table: redb::TableDefinition<'_, u64, u64> = redb::TableDefinition::new("numbers");
    let database = redb::Database::create(folder.path().join(FILE_NAME)).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(table).unwrap().insert(1, 2).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let line = refusal(folder.path()).await;
    assert!(line.contains("is no database of this exporter (it has no format)"), "{line}");
}

#[tokio::test]
async fn a_path_that_is_no_folder_is_refused() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let line = refusal(&path).await;
        assert!(line.ends_with("is not a folder; name one, it is made if it is not there"), "{line}");
    }
}

#[tokio::test]
async fn a_folder_in_use_is_refused_until_it_is_free() {
    let folder = filled().await;
    let running = start_in(folder.path()).await;
    let line = refusal(folder.path()).await;
    assert!(line.contains("is in use by another process; give each exporter a folder of its own"), "{line}");
    running.stop().await;
    start_in(folder.path()).await.stop().await;
}

#[tokio::test]
async fn a_file_that_was_half_made_is_made_anew() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("grid-bulk-exporter.redb.new"), "half").unwrap();
    start_in(folder.path()).await.stop().await;
    assert!(!folder.path().join("grid-bulk-exporter.redb.new").exists());
}

/// Opens the file without the storage.
fn open(folder: &Path) -> (redb::Database, Faults) {
    let file = folder.join(FILE_NAME);
    (redb::Database::open(&file).unwrap(), Faults::new(file))
}

fn set_version(folder: &Path, version: u64) {
    let (database, _) = open(folder);
    let transaction = database.begin_write().unwrap();
    transaction.open_table(FORMAT).unwrap().insert("version", version).unwrap();
    transaction.commit().unwrap();
}

#[tokio::test]
async fn formats_that_are_not_known_are_refused_and_left_alone() {
    let folder = filled().await;
    let before = contents(folder.path()).await.unwrap();
    for version in [0, 2, u64::MAX] {
        set_version(folder.path(), version);
        let line = refusal(folder.path()).await;
        assert!(line.contains(&format!("has format {version}, but this version")), "{line}");
    }
    set_version(folder.path(), 1);
    assert_eq!(contents(folder.path()).await.unwrap(), before);
}

#[tokio::test]
async fn an_older_format_is_brought_to_the_newest_step_by_step_or_stays() {
    const NOTES: redb::TableDefinition<'_, u64, &str> = redb::TableDefinition::new("notes");
    fn to_2(transaction: &redb::WriteTransaction) -> Result<(), redb::Error> {
        transaction.open_table(NOTES)?.insert(2, "two")?;
        Ok(())
    }
    fn to_3(transaction: &redb::WriteTransaction) -> Result<(), redb::Error> {
        let mut table = transaction.open_table(NOTES)?;
        assert!(redb::ReadableTable::get(&table, 2)?.is_some(), "the step before was done");
        table.insert(3, "three")?;
        Ok(())
    }
    fn fails(_: &redb::WriteTransaction) -> Result<(), redb::Error> {
        Err(redb::Error::Corrupted("no".to_owned()))
    }
    let folder = filled().await;
    let (database, faults) = open(folder.path());
    let steps: &[format::Step] = &[to_2, to_3];
    let transaction = database.begin_write().unwrap();
    assert!(format::migrate(&transaction, &[to_2, fails], &faults).is_err());
    transaction.abort().unwrap();
    for is_changed in [true, false] {
        let transaction = database.begin_write().unwrap();
        assert_eq!(format::migrate(&transaction, steps, &faults).unwrap(), is_changed);
        transaction.commit().unwrap();
    }
    drop(database);
    let line = refusal(folder.path()).await;
    assert!(line.contains("has format 3"), "today's version does not read it: {line}");
}

#[tokio::test]
async fn with_memory_as_good_enough_it_starts_without_and_leaves_the_file_alone() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join(FILE_NAME);
    fs::write(&file, "precious").unwrap();
    let clock: SharedClock = Arc::new(TokioClock::starting_at(at(0)));
    let metrics = OwnMetrics::new(&clock).unwrap();
    let options = StorageOptions { on_error: OnError::Memory, ..options(folder.path()) };
    let started = start(&options, identity(), &clock, metrics.storage.clone()).await.unwrap();
    assert!(started.writing.is_none());
    assert_eq!(metrics.registry.read().value("grid_bulk_exporter_storage_up", &[]), Some(0.0));
    assert_eq!(fs::read(&file).unwrap(), b"precious");
}

#[tokio::test]
async fn without_a_path_nothing_is_shown_of_a_storage() {
    let clock: SharedClock = Arc::new(TokioClock::starting_at(at(0)));
    let metrics = OwnMetrics::new(&clock).unwrap();
    let started =
        start(&StorageOptions::default(), identity(), &clock, metrics.storage.clone()).await.unwrap();
    assert!(started.writing.is_none());
    assert!(!metrics.registry.read().families().any(|family| family.family.name.contains("storage")));
}
