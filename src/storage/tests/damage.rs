//! Files that something changed or cut: a clear refusal or the right answer, never wrong numbers.

use super::*;
use std::fs;

/// Tries a file with these bytes: it must be refused by one line, or hold what was stored.
async fn try_file(bytes: &[u8], right: &Contents, what: &str) -> bool {
    match of_file(bytes).await {
        Ok(contents) => {
            assert_eq!(contents, *right, "{what}");
            true
        }
        Err(error) => {
            let line = error.to_string();
            assert!(line.starts_with("--storage.path: the file ") && !line.contains('\n'), "{what}: {line}");
            assert!(line.len() < 600 && !line.contains("panicked"), "{what}: {line}");
            false
        }
    }
}

/// What a file with these bytes holds.
async fn of_file(bytes: &[u8]) -> Result<Contents, StorageError> {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(FILE_NAME), bytes).unwrap();
    contents(folder.path()).await
}

/// The bytes of a file, and what is in it.
async fn sample() -> (Vec<u8>, Contents) {
    let folder = filled().await;
    let bytes = fs::read(folder.path().join(FILE_NAME)).unwrap();
    let right = contents(folder.path()).await.unwrap();
    assert_eq!(right.kept.jobs.len(), 2);
    (bytes, right)
}

#[tokio::test]
async fn a_file_that_was_cut_at_any_page_is_refused() {
    let (bytes, right) = sample().await;
    for length in (0..bytes.len()).step_by(4096) {
        let is_taken = try_file(&bytes[..length], &right, &format!("cut to {length}")).await;
        assert!(!is_taken || length >= 4096, "an empty file is no new one");
    }
    let mut longer = bytes.clone();
    longer.resize(bytes.len() + 4096, 0);
    try_file(&longer, &right, "a page more").await;
}

#[tokio::test]
async fn no_bit_that_was_flipped_gives_other_numbers() {
    let (bytes, right) = sample().await;
    let mut refused = 0;
    // Each bit of what stands before the two commits, one in each byte of these, and some of the rest.
    let bits = (0..64 * 8)
        .chain((64 * 8..320 * 8).step_by(9))
        .chain((320 * 8..bytes.len() * 8).step_by(509 * 8 + 1));
    for bit in bits {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        refused += usize::from(!try_file(&flipped, &right, &format!("bit {bit}")).await);
    }
    assert!(refused > 100, "only {refused} were seen: are the checks done?");
}

/// redb says by one bit which of the last two commits holds, and no checksum covers it. After a clean stop both commits
/// have the same content; after a kill that bit, flipped, brings back the moment before the last commit.
const WHICH_COMMIT: usize = 9 * 8;

#[tokio::test]
async fn nor_in_a_file_that_a_kill_left_but_for_the_one_that_says_which_commit_holds() {
    let folder = TempDir::new().unwrap();
    let running = start_in(folder.path()).await;
    fill(&running).await;
    let before = fs::read(folder.path().join(FILE_NAME)).unwrap();
    running.read("a", reading("PROCESSING", 91.0, 10.0), 6);
    running.kept().await;
    let bytes = fs::read(folder.path().join(FILE_NAME)).unwrap();
    running.stop().await;
    let (before, right) = (of_file(&before).await.unwrap(), of_file(&bytes).await.unwrap());
    assert_ne!(before, right);
    for bit in (0..64 * 8).chain((64 * 8..320 * 8).step_by(9)) {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(contents) = of_file(&flipped).await {
            assert_eq!(contents, *if bit == WHICH_COMMIT { &before } else { &right }, "bit {bit}");
        }
    }
}

#[tokio::test]
async fn pages_that_were_zeroed_or_swapped_give_no_other_numbers() {
    let (bytes, right) = sample().await;
    for page in (0..bytes.len()).step_by(4096) {
        let mut zeroed = bytes.clone();
        zeroed[page..(page + 4096).min(bytes.len())].fill(0);
        try_file(&zeroed, &right, &format!("the page at {page} zeroed")).await;
        if page + 8192 <= bytes.len() {
            let mut swapped = bytes.clone();
            let (first, second) = swapped[page..page + 8192].split_at_mut(4096);
            first.swap_with_slice(second);
            try_file(&swapped, &right, &format!("the pages at {page} swapped")).await;
        }
    }
}
