//! Signatures made by OpenSSL's command, as Grid or anybody else would make them, and files of keys of every kind.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

/// Runs `openssl` in a folder with this standard input.
fn openssl(folder: &Path, words: &str, input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(words.split(' '))
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl starts; tests/run installs it");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A folder with a key pair: `private.pem` and `public.pem`.
fn pair(curve: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    openssl(folder.path(), &format!("ecparam -name {curve} -genkey -noout -out private.pem"), b"");
    openssl(folder.path(), "ec -in private.pem -pubout -out public.pem", b"");
    folder
}

fn sign(folder: &TempDir, body: &[u8]) -> Vec<u8> {
    openssl(folder.path(), "dgst -sha256 -sign private.pem", body)
}

fn public(folder: &TempDir) -> PathBuf {
    folder.path().join("public.pem")
}

fn keys(files: &[PathBuf]) -> PublicKeys {
    PublicKeys::load(files).unwrap_or_else(|error| panic!("{error}"))
}

fn take(keys: &PublicKeys, header: &str, body: &[u8], piece: usize) -> Result<Delivery, Refusal> {
    let mut headers = HeaderMap::new();
    headers.insert(SIGNATURE_HEADER, HeaderValue::from_str(header).unwrap());
    let mut incoming = Incoming::new(&headers, 20);
    body.chunks(piece).for_each(|piece| incoming.feed(piece));
    incoming.finish(keys)
}

const TEST: &[u8] = br#"{"id":"Webhook:1","type":"TEST","timestamp":"2025-08-15T14:32:00Z","data":{}}"#;

#[test]
fn what_openssl_signed_is_believed_in_both_forms_of_the_header() {
    let folder = pair("prime256v1");
    let keys = keys(&[public(&folder)]);
    let example = std::fs::read("tests/data/grid-api/examples/webhook-completed.json").unwrap();
    for body in [TEST, example.as_slice()] {
        // Each signature is another one, with a high or a low S as chance has it.
        for _ in 0..8 {
            let signature = STANDARD.encode(sign(&folder, body));
            let versioned = format!(r#"{{"v": "1", "s": "{signature}"}}"#);
            for header in [&signature, &versioned] {
                for piece in [1, 7, usize::MAX] {
                    assert!(take(&keys, header, body, piece).is_ok(), "{header}");
                }
            }
        }
    }
}

#[test]
fn a_body_of_which_one_bit_is_another_is_not_believed() {
    let folder = pair("prime256v1");
    let keys = keys(&[public(&folder)]);
    let signature = STANDARD.encode(sign(&folder, TEST));
    for bit in 0..TEST.len() * 8 {
        let mut body = TEST.to_vec();
        body[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(take(&keys, &signature, &body, 16), Err(Refusal::Signature), "bit {bit}");
    }
    let longer = [TEST, b" "].concat();
    for body in [&TEST[..TEST.len() - 1], &longer, b""] {
        assert_eq!(take(&keys, &signature, body, 16), Err(Refusal::Signature));
    }
}

#[test]
fn a_signature_of_another_key_curve_hash_or_form_is_not_believed() {
    let folder = pair("prime256v1");
    let keys = keys(&[public(&folder)]);
    let good = sign(&folder, TEST);
    let (r, s) = (integer(&good, 2), integer(&good, 4 + usize::from(good[3])));
    let raw = [r, s].concat();
    let with_zero = [&good[..], b"\0"].concat();
    let of_another_curve = sign(&pair("secp384r1"), TEST);
    let of_another_key = sign(&pair("prime256v1"), TEST);
    let of_another_hash = openssl(folder.path(), "dgst -sha512 -sign private.pem", TEST);
    for bad in [raw, with_zero, of_another_curve, of_another_key, of_another_hash, Vec::new(), vec![0; 72]] {
        let header = STANDARD.encode(bad);
        assert_eq!(take(&keys, &header, TEST, 16), Err(Refusal::Signature), "{header}");
    }
    let hexadecimal = format!("{:x}", u128::from_be_bytes(good[..16].try_into().unwrap()));
    assert_eq!(take(&keys, &hexadecimal, TEST, 16), Err(Refusal::Signature));
    assert_eq!(Incoming::new(&HeaderMap::new(), 20).finish(&keys), Err(Refusal::Signature));
}

/// The 32 bytes of an integer of a DER signature, which begins at `at`.
fn integer(der: &[u8], at: usize) -> Vec<u8> {
    let bytes = &der[at + 2..at + 2 + usize::from(der[at + 1])];
    let bytes = bytes.strip_prefix(&[0]).unwrap_or(bytes);
    let mut padded = vec![0; 32 - bytes.len()];
    padded.extend_from_slice(bytes);
    padded
}

#[test]
fn the_signature_is_looked_at_before_the_body() {
    let folder = pair("prime256v1");
    let keys = keys(&[public(&folder)]);
    for body in [&b"{"[..], b"", b"[]", b"\xff", br#"{"type":7}"#] {
        assert_eq!(take(&keys, "AAAA", body, 2), Err(Refusal::Signature), "{body:?}");
        let signature = STANDARD.encode(sign(&folder, body));
        let refusal = take(&keys, &signature, body, 2).unwrap_err();
        assert!(matches!(refusal, Refusal::Body(_)), "{body:?}: {refusal}");
    }
}

#[test]
fn several_keys_in_a_file_and_several_files_hold_together() {
    let pairs = [pair("prime256v1"), pair("prime256v1"), pair("prime256v1")];
    let both = pairs[0].path().join("both.pem");
    let text = pairs[..2].iter().map(|pair| std::fs::read_to_string(public(pair)).unwrap());
    // As somebody writes it who wants to know later which key is which.
    std::fs::write(
        &both,
        format!("the old one\n{}", text.collect::<Vec<_>>().join("\r\n# the new one:\r\n")),
    )
    .unwrap();
    let keys = keys(&[both.clone(), public(&pairs[2]), both]);
    assert_eq!(keys.count(), 3);
    for pair in &pairs {
        assert!(take(&keys, &STANDARD.encode(sign(pair, TEST)), TEST, 16).is_ok());
    }
}

#[test]
fn files_that_hold_anything_else_are_told_in_one_line() {
    let folder = pair("prime256v1");
    let path = folder.path().join("x.pem");
    let message = |content: &[u8]| {
        std::fs::write(&path, content).unwrap();
        let message = PublicKeys::load(std::slice::from_ref(&path)).unwrap_err().to_string();
        let begin = format!("webhook.public_key_files[0]: file {} ", path.display());
        let wanted = "; it must hold P-256 public keys in PEM, as `-----BEGIN PUBLIC KEY-----` blocks";
        let what = message.strip_prefix(&begin).and_then(|message| message.strip_suffix(wanted));
        what.unwrap_or_else(|| panic!("{message}")).to_owned()
    };
    let good = std::fs::read(public(&folder)).unwrap();
    let of_curve = |curve: &str| std::fs::read(public(&pair(curve))).unwrap();
    let made = |words: &str| openssl(folder.path(), words, b"");
    assert_eq!(
        message(&std::fs::read(folder.path().join("private.pem")).unwrap()),
        "holds a private key, which only Grid must have"
    );
    let encrypted = made("pkcs8 -topk8 -in private.pem -passout pass:x");
    assert_eq!(message(&encrypted), "holds a private key, which only Grid must have");
    let certificate = made("req -x509 -new -key private.pem -subj /CN=x");
    assert!(message(&certificate).starts_with("holds a certificate (`openssl x509 -pubkey"));
    assert_eq!(message(&of_curve("secp384r1")), "has a key on the curve P-384");
    assert_eq!(message(&of_curve("secp256k1")), "has a key on the curve secp256k1");
    assert_eq!(message(&of_curve("secp224r1")), "has a key of another kind");
    made("genpkey -algorithm ed25519 -out ed.pem");
    assert_eq!(message(&made("pkey -in ed.pem -pubout")), "has a key for Ed25519");
    made("genrsa -out rsa.pem 2048");
    assert_eq!(message(&made("pkey -in rsa.pem -pubout")), "has a key for RSA");
    for empty in [&b""[..], b"\n", b"\0\xff", b"grid", &STANDARD.encode(&good).into_bytes()] {
        assert_eq!(message(empty), "has no key");
    }
    assert_eq!(message(&good[..good.len() / 2]), "has a PEM block that is cut or not base64");
    let point = b"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQ==\n-----END PUBLIC KEY-----\n";
    assert_eq!(message(point), "has a key that is no point of the curve");
    assert_eq!(message(&[&good[..], &vec![b' '; 70_000]].concat()), "has more than 65536 bytes");
    let pipe = folder.path().join("pipe.pem");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let message = PublicKeys::load(&[pipe]).unwrap_err().to_string();
    assert!(
        message.ends_with(
            "can't be read (it is a pipe, a socket or a device); name a file that this user may read"
        ),
        "{message}"
    );
    let missing = PublicKeys::load(&["missing.pem".into()]).unwrap_err().to_string();
    assert!(
        missing.starts_with("webhook.public_key_files[0]: file missing.pem can't be read (No such file"),
        "{missing}"
    );
}

#[test]
fn more_keys_than_are_checked_are_refused() {
    let folders: Vec<_> = (0..=MOST_KEYS).map(|_| pair("prime256v1")).collect();
    let files: Vec<_> = folders.iter().map(public).collect();
    assert_eq!(keys(&files[1..]).count(), MOST_KEYS);
    let message = PublicKeys::load(&files).unwrap_err().to_string();
    assert!(message.starts_with("webhook.public_key_files: there are 17 keys"), "{message}");
}

#[tokio::test]
async fn keys_are_read_again_when_their_file_changes_and_stay_while_it_is_bad() {
    let (old, new) = (pair("prime256v1"), pair("prime256v1"));
    let path = public(&old);
    let files = Arc::new(KeyFiles::load(vec![path.clone()]).unwrap());
    let before = files.current();
    for bad in ["-----BEGIN PUBLIC KEY-----\nMFkw", ""] {
        std::fs::write(&path, bad).unwrap();
        files.read_again().await;
        assert_eq!(files.current(), before);
    }
    std::fs::remove_file(&path).unwrap();
    files.read_again().await;
    assert_eq!(files.current(), before);
    std::fs::rename(public(&new), &path).unwrap();
    files.read_again().await;
    assert!(take(&files.current(), &STANDARD.encode(sign(&new, TEST)), TEST, 16).is_ok());
    assert!(take(&before, &STANDARD.encode(sign(&new, TEST)), TEST, 16).is_err());
}
