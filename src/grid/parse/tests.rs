//! The parser as a whole; against `serde_json` in `reference`.

mod reference;

use super::*;
use crate::clock::UnixTime;
use crate::job::counts::countable;
use crate::job::{CompletedAt, Progress, Status};

const ID: &str = "Job:1";

fn parse_in_pieces(body: &[u8], piece: usize) -> Result<JobReading, ParseError> {
    let mut parser = JobParser::new(ID.parse().unwrap(), ErrorTally::new(3));
    for piece in body.chunks(piece) {
        parser.feed(piece)?;
    }
    parser.finish()
}

/// Parses whole and in pieces of one byte, which must agree.
fn parse(body: &str) -> Result<JobReading, ParseError> {
    let whole = parse_in_pieces(body.as_bytes(), usize::MAX);
    assert_eq!(whole, parse_in_pieces(body.as_bytes(), 1), "byte by byte: {body}");
    whole
}

/// The reading of a body that begins as it must, and goes on with this.
fn parse_with(rest: &str) -> Result<JobReading, ParseError> {
    parse(&format!("{{\"id\":\"Job:1\",\"status\":\"PENDING\"{rest}}}"))
}

/// The reading of a body that broke off here.
fn truncated(body: &str) -> Option<JobReading> {
    let mut parser = JobParser::new(ID.parse().unwrap(), ErrorTally::new(3));
    parser.feed(body.as_bytes()).unwrap();
    parser.finish_truncated()
}

fn entries(reading: &JobReading) -> Vec<(&str, u64)> {
    reading.errors.iter().collect()
}

#[test]
fn a_job_is_read_with_all_that_matters_in_any_order() {
    let reading = parse(
        r#" { "completedAt" : "2025-08-15T14:32:00Z",
              "errors":[{"correlationId":"a","code":"X","details":{"code":"no","list":[1,{"x":[]}]}},{"code":"Y"}],
              "unknown":[true,false,null,-1.5e+3,"\"",{"id":"x"}],
              "progress":{"failed":2,"more":[9],"successful":3,"processed":5,"total":10},
              "status":"COMPLETED","jobId":"Job:1","id":"Job:1" } "#,
    )
    .unwrap();
    assert_eq!(reading.status.status(), Status::Completed);
    let progress = Progress { total: 10.0, processed: 5.0, successful: 3.0, failed: 2.0 };
    assert_eq!(reading.progress, Some(progress));
    assert_eq!(reading.completed_at, CompletedAt::At(UnixTime::from_millis(1_755_268_320_000)));
    assert_eq!(entries(&reading), [("X", 1), ("Y", 1)]);
    assert!(!reading.errors_truncated);
}

#[test]
fn the_job_must_be_the_one_that_was_asked_for() {
    assert!(parse(r#"{"jobId":"Job:1","status":"PENDING"}"#).is_ok());
    assert!(parse(r#"{"id":null,"jobId":"Job\u003a1","status":"PENDING"}"#).is_ok());
    for body in [
        r#"{"id":"Job:2","status":"PENDING"}"#,
        r#"{"id":"Job:1","jobId":"Job:2","status":"PENDING"}"#,
        r#"{"jobId":"Job:1","id":"Job:10","status":"PENDING"}"#,
        r#"{"id":"","status":"PENDING"}"#,
    ] {
        assert_eq!(parse(body), Err(ParseError::AnotherJob), "{body}");
    }
    assert_eq!(parse(r#"{"status":"PENDING"}"#), Err(ParseError::Missing("id")));
    assert_eq!(parse(r#"{"id":"Job:1"}"#), Err(ParseError::Missing("status")));
    assert_eq!(parse(r#"{"id":"Job:1","status":null}"#), Err(ParseError::Missing("status")));
    let expected = ParseError::WrongType { key: "id", expected: "a string" };
    assert_eq!(parse(r#"{"id":1,"status":"PENDING"}"#), Err(expected));
}

#[test]
fn a_key_that_is_read_may_not_stand_twice() {
    for (rest, key) in [
        (r#","id":"Job:1""#, "id"),
        (r#","status":"PENDING""#, "status"),
        (r#","st\u0061tus":"PENDING""#, "status"),
        (r#","errors":null,"errors":[]"#, "errors"),
        (r#","progress":{"total":1,"total":1}"#, "progress.total"),
        (r#","errors":[{"code":null,"code":"X"}]"#, "errors[].code"),
        (r#","errors":[{"error":1,"error":2}]"#, "errors[].error"),
        (r#","errors":[{"error":{"code":1,"code":2}}]"#, "errors[].error.code"),
    ] {
        assert_eq!(parse_with(rest), Err(ParseError::Twice(key)), "{rest}");
    }
    assert!(parse_with(r#","other":1,"other":2,"errors":[{"x":1,"x":2}]"#).is_ok(), "not read");
}

#[test]
fn counts_must_be_numbers_that_a_float_holds() {
    let progress = |total: &str| {
        parse_with(&format!(
            ",\"progress\":{{\"total\":{total},\"processed\":0,\"successful\":0,\"failed\":0}}"
        ))
        .map(|reading| reading.progress.unwrap().total)
    };
    for (text, number) in
        [("-5", -5.0), ("2.5", 2.5), ("1e30", 1e30), ("0", 0.0), ("-0.0E-0", 0.0), ("1e-400", 0.0)]
    {
        assert_eq!(progress(text), Ok(number), "{text}");
    }
    assert_eq!(progress("1e400"), Err(ParseError::TooLarge("progress.total")));
    assert_eq!(progress(&"9".repeat(400)), Err(ParseError::TooLarge("progress.total")));
    for text in ["\"5\"", "null", "true", "[]", "{}"] {
        let expected = ParseError::WrongType { key: "progress.total", expected: "a number" };
        assert_eq!(progress(text), Err(expected), "{text}");
    }
    for text in ["01", "-", "1.", ".5", "1e", "+1", "0x1", "1_0", "NaN", "--1", "1e+"] {
        assert!(matches!(progress(text), Err(ParseError::NotJson { .. })), "{text}");
    }
    let long = format!("{{\"progress\":{{\"total\":0.{}}}}}", "0".repeat(2_000));
    for piece in [1, usize::MAX] {
        let refused = parse_in_pieces(long.as_bytes(), piece);
        assert!(matches!(refused, Err(ParseError::NotJson { fault: Fault::LongNumber, .. })));
    }
}

#[test]
fn progress_is_whole_or_not_there() {
    assert_eq!(parse_with("").unwrap().progress, None);
    assert_eq!(parse_with(",\"progress\":null").unwrap().progress, None);
    let missing = parse_with(r#","progress":{"total":1,"processed":1,"successful":1}"#);
    assert_eq!(missing, Err(ParseError::Missing("progress.failed")));
    let expected = ParseError::WrongType { key: "progress", expected: "an object" };
    assert_eq!(parse_with(",\"progress\":[1]"), Err(expected.clone()));
    assert_eq!(parse_with(",\"progress\":5"), Err(expected));
}

#[test]
fn both_shapes_of_an_error_entry_are_read_and_its_own_code_comes_first() {
    let reading = parse_with(
        r#","errors":[{"code":"A"},{"error":{"code":"A","message":"m"}},{"error":{"code":"B"},"code":"A"},
            {"code":"A","error":{"code":"B"}},{"code":null,"error":{"code":"B"}},{"code":5,"error":{"code":"B"}}]"#,
    )
    .unwrap();
    assert_eq!(entries(&reading), [("A", 4), ("B", 2)]);
}

#[test]
fn entries_without_a_code_are_unspecified() {
    let list = r#"{},{"code":null},{"code":7},{"error":null},{"error":"X"},{"error":{}},{"error":{"code":[]}},null,
        "text",5,[{"code":"X"}]"#;
    let reading = parse_with(&format!(",\"errors\":[{list}]")).unwrap();
    assert_eq!(entries(&reading), [("unspecified", 11)]);
    assert!(parse_with(",\"errors\":null").unwrap().errors.is_empty());
    let expected = ParseError::WrongType { key: "errors", expected: "an array" };
    assert_eq!(parse_with(",\"errors\":{}"), Err(expected));
}

#[test]
fn codes_beyond_the_limit_and_long_ones_are_other() {
    let codes = ["A", "B", "C", "D", &"x".repeat(65), &"é".repeat(5_000), "A"];
    let list: Vec<_> = codes.iter().map(|code| format!("{{\"code\":\"{code}\"}}")).collect();
    let reading = parse_with(&format!(",\"errors\":[{}]", list.join(","))).unwrap();
    assert_eq!(entries(&reading), [("A", 2), ("B", 1), ("C", 1), ("other", 3)]);
}

#[test]
fn a_time_of_completion_that_is_none_does_no_harm() {
    let completed_at = |value: &str| parse_with(&format!(",\"completedAt\":{value}")).unwrap().completed_at;
    assert_eq!(completed_at("null"), CompletedAt::Absent);
    assert_eq!(completed_at("\"soon\""), CompletedAt::Unreadable("soon".into()));
    assert_eq!(completed_at("17"), CompletedAt::Unreadable("".into()));
    assert_eq!(completed_at("{\"a\":[1]}"), CompletedAt::Unreadable("".into()));
    assert_eq!(
        completed_at(&format!("\"{}\"", "é".repeat(5_000))),
        CompletedAt::Unreadable("é".repeat(64).into())
    );
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    for (body, at, fault) in [
        ("<html>", 0, Fault::Expected(Expected::Value)),
        ("\u{feff}{}", 0, Fault::ByteOrderMark),
        ("{} {}", 3, Fault::Trailing),
        ("{} x", 3, Fault::Trailing),
        ("{,}", 1, Fault::Expected(Expected::KeyOrEnd)),
        ("{\"a\" 1}", 5, Fault::Expected(Expected::Colon)),
        ("{\"a\":1,}", 7, Fault::Expected(Expected::Key)),
        ("{\"a\":[1,]}", 8, Fault::Expected(Expected::Value)),
        ("{\"a\":[1}", 7, Fault::Expected(Expected::CommaOrBracket)),
        ("{\"a\":1]", 6, Fault::Expected(Expected::CommaOrBrace)),
        ("{\"a\":\"\n\"}", 6, Fault::ControlCharacter),
        ("{\"a\u{0}\":1}", 3, Fault::ControlCharacter),
    ] {
        assert_eq!(parse_in_pieces(body.as_bytes(), 99), Err(ParseError::NotJson { at, fault }), "{body:?}");
        assert!(parse(body).is_err());
    }
    for body in
        ["{\"a\":tru}", "{\"a\":nulll}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12g4\"}", "{'a':1}", "{\"a\":01}"]
    {
        assert!(matches!(parse(body), Err(ParseError::NotJson { .. })), "{body}");
    }
    assert_eq!(parse(""), Err(ParseError::Empty));
    assert_eq!(parse(" \n"), Err(ParseError::Empty));
    assert_eq!(parse("[]"), Err(ParseError::NotAnObject));
    assert_eq!(parse("null"), Err(ParseError::NotAnObject));
    assert_eq!(parse("{\"id\":\"Job:1\""), Err(ParseError::Incomplete { length: 13 }));
}

#[test]
fn bytes_that_are_no_text_are_refused_everywhere() {
    let body = b"{\"id\":\"Job:1\",\"status\":\"PENDING\",\"x\":\"\xff\"}";
    assert_eq!(parse_in_pieces(body, 99), Err(ParseError::NotUtf8 { at: 38 }));
    assert_eq!(parse_in_pieces(body, 1), Err(ParseError::NotUtf8 { at: 38 }));
    let cut = b"{\"id\":\"Job:1\",\"status\":\"PENDING\"}\xe2";
    assert!(parse_in_pieces(cut, 99).is_err());
}

#[test]
fn half_a_surrogate_pair_is_refused_where_it_is_read() {
    assert_eq!(parse(r#"{"id":"Job:1","status":"\ud83d\ude00"}"#).unwrap().status.word(), "😀");
    for text in [r"\ud83d", r"\ude00", r"\ud83dx", r"\ud83d\n", r"\ud83d\ud83d", r"\ud83d\u0041"] {
        let body = format!("{{\"id\":\"Job:1\",\"status\":\"{text}\"}}");
        let refused = parse(&body).unwrap_err();
        assert!(
            matches!(refused, ParseError::NotJson { fault: Fault::LoneSurrogate, .. }),
            "{text}: {refused}"
        );
        assert!(parse_with(&format!(",\"{text}\":1")).is_err(), "as a key");
        assert!(
            parse_with(&format!(",\"x\":\"{text}\",\"y\":{{\"{text}\":1}}")).is_ok(),
            "where it is not read"
        );
    }
}

#[test]
fn nesting_is_followed_to_a_bound() {
    let nested = |levels: usize| parse_with(&format!(",\"x\":{}{}", "[".repeat(levels), "]".repeat(levels)));
    assert!(nested(63).is_ok());
    assert!(matches!(nested(64), Err(ParseError::NotJson { fault: Fault::TooDeep, .. })));
    assert!(nested(100_000).is_err());
}

#[test]
fn long_tokens_cost_no_memory() {
    let mut parser = JobParser::new(ID.parse().unwrap(), ErrorTally::new(3));
    let piece = "y".repeat(65_536);
    parser.feed(b"{\"id\":\"Job:1\",\"x\":\"").unwrap();
    for _ in 0..100 {
        parser.feed(piece.as_bytes()).unwrap();
    }
    parser.feed(b"\",\"status\":\"").unwrap();
    for _ in 0..100 {
        parser.feed(piece.as_bytes()).unwrap();
    }
    assert!(parser.0.tokens.kept().len() <= MAX_KEPT);
    parser.feed(b"\"}").unwrap();
    assert_eq!(parser.finish().unwrap().status.word(), "y".repeat(64));
}

#[test]
fn a_body_that_breaks_off_within_the_errors_is_good_if_the_counts_were_whole() {
    let head = r#"{"id":"Job:1","status":"PROCESSING","progress":{"total":9,"processed":2,"successful":0,"failed":2}"#;
    let reading = truncated(&format!("{head},\"errors\":[{{\"code\":\"A\"}},{{\"co")).unwrap();
    assert!(reading.errors_truncated);
    assert_eq!(entries(&reading), [("A", 1)]);
    assert_eq!(countable(reading.progress.unwrap().processed), Some(2));
    assert!(truncated(head).unwrap().errors_truncated, "they may be still to come");
    let reading = truncated(&format!("{head},\"errors\":[{{\"code\":\"A\"}}],\"more\":\"x")).unwrap();
    assert!(!reading.errors_truncated, "they were whole");
    for body in [
        r#"{"id":"Job:1","status":"PROCESSING","errors":[{"code":"#,
        r#"{"id":"Job:1","progress":{"total":9,"processed":2,"successful":0,"failed":2},"errors":["#,
        r#"{"status":"PENDING","progress":{"total":9,"processed":2,"successful":0,"failed":2},"errors":["#,
        r#"{"id":"Job:1","status":"PENDING","progress":{"total":9,"processed":2,"successful":0,"failed":2"#,
    ] {
        assert_eq!(truncated(body), None, "{body}");
    }
}

#[test]
fn codes_that_are_known_already_keep_their_place() {
    let mut known = ErrorTally::new(1);
    known.count(Some("OLD"));
    let mut parser = JobParser::new(ID.parse().unwrap(), known.cleared());
    parser.feed(br#"{"id":"Job:1","status":"FAILED","errors":[{"code":"NEW"},{"code":"OLD"}]}"#).unwrap();
    assert_eq!(entries(&parser.finish().unwrap()), [("OLD", 1), ("other", 1)]);
}
