//! Runs of bcrypt are counted, not timed.

use super::*;
use crate::secret::Secret;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn user(name: &str, password: &str) -> BasicUser {
    let hash = bcrypt::hash(password, 4).unwrap();
    BasicUser { name: name.to_owned(), hash: Secret::new(hash), cost: 4 }
}

fn given(name: &str, password: &str) -> Credentials {
    let encoded = STANDARD.encode(format!("{name}:{password}"));
    credentials(&HeaderValue::from_str(&format!("Basic {encoded}")).unwrap()).unwrap()
}

fn runs(passwords: &Passwords) -> u64 {
    lock(&passwords.good).runs
}

#[tokio::test]
async fn a_right_password_costs_one_run_of_bcrypt_and_no_more() {
    let (passwords, users) = (Passwords::new().unwrap(), [user("alice", "first"), user("bob", "second")]);
    for _ in 0..100 {
        assert_eq!(passwords.check(&users, &given("alice", "first"), PEER).await, Verdict::Good);
    }
    assert_eq!(runs(&passwords), 1);
    assert_eq!(passwords.check(&users, &given("bob", "second"), PEER).await, Verdict::Good);
    assert_eq!(runs(&passwords), 2);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_cost_the_same_each_time() {
    let (passwords, users) = (Passwords::new().unwrap(), [user("alice", "first"), user("bob", "second")]);
    for (name, password) in
        [("alice", "wrong"), ("nobody", "wrong"), ("nobody", "first"), ("nobody", "second")]
    {
        for _ in 0..2 {
            let before = runs(&passwords);
            assert_eq!(passwords.check(&users, &given(name, password), PEER).await, Verdict::Bad, "{name}");
            assert_eq!(runs(&passwords), before + 1, "{name}");
        }
    }
}

#[tokio::test]
async fn many_first_requests_at_once_are_checked_once() {
    let passwords = Arc::new(Passwords::new().unwrap());
    let users = Arc::new([user("alice", "first")]);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..WAITING_OF_PEER {
        let (passwords, users) = (Arc::clone(&passwords), Arc::clone(&users));
        tasks.spawn(async move { passwords.check(&*users, &given("alice", "first"), PEER).await });
    }
    assert!(tasks.join_all().await.iter().all(|verdict| *verdict == Verdict::Good));
    assert_eq!(runs(&passwords), 1);
}

#[tokio::test]
async fn a_changed_hash_makes_what_was_remembered_worthless() {
    let passwords = Passwords::new().unwrap();
    let before = [user("alice", "first")];
    assert_eq!(passwords.check(&before, &given("alice", "first"), PEER).await, Verdict::Good);
    let after = [user("alice", "other")];
    assert_eq!(passwords.check(&after, &given("alice", "first"), PEER).await, Verdict::Bad);
    assert_eq!(passwords.check(&[user("bob", "first")], &given("alice", "first"), PEER).await, Verdict::Bad);
}

#[tokio::test]
async fn who_checks_without_end_waits_alone() {
    let passwords = Passwords::new().unwrap();
    let held: Vec<_> = (0..WAITING_OF_PEER).map(|_| passwords.wait(PEER).unwrap()).collect();
    let users = [user("alice", "first")];
    assert_eq!(passwords.check(&users, &given("alice", "first"), PEER).await, Verdict::Busy);
    let other = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);
    assert_eq!(passwords.check(&users, &given("alice", "first"), other).await, Verdict::Good);
    assert_eq!(passwords.check(&users, &given("alice", "first"), PEER).await, Verdict::Good, "remembered");
    drop(held);
    assert!(lock(&passwords.waiting).is_empty());
}

#[test]
fn few_are_remembered_and_no_password_is() {
    let passwords = Passwords::new().unwrap();
    for number in 0..2 * REMEMBERED {
        let mut tag = [0; 32];
        tag[..8].copy_from_slice(&number.to_be_bytes());
        assert!(!passwords.remembers(&tag));
        passwords.remember(tag);
    }
    assert_eq!(lock(&passwords.good).good.len(), REMEMBERED);
    assert_eq!(format!("{passwords:?}"), "Passwords");
}
