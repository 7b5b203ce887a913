//! The query of `GET /api/v1/jobs`, and of the page: which jobs are asked for, and which page of them.
//!
//! A parameter that does not exist is refused: a filter with a slip in its name would otherwise show all jobs.

use crate::job::Status;
use crate::store::JobSnapshot;
use url::form_urlencoded;

/// Which jobs are asked for: all of these must hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// One of these statuses; nothing in it stands for jobs never read.
    statuses: Vec<Option<Status>>,
    labels: Vec<(String, String)>,
    /// In lower case.
    text: Option<String>,
    /// Jobs at most.
    pub(super) limit: Option<usize>,
    /// Jobs that match and are left out before.
    pub(super) offset: usize,
}

impl Filter {
    /// Reads the query, or tells what is wrong with it.
    pub(super) fn parse(query: &str) -> Result<Self, String> {
        let mut filter = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "status" => filter.statuses.push(parse_status(&value)?),
                "label" => {
                    let (name, value) = value.split_once(':').ok_or_else(|| {
                        format!("label={value:?} has no colon; write label=name:value, such as label=team:onboarding")
                    })?;
                    filter.labels.push((name.to_owned(), value.to_owned()));
                }
                "q" => filter.text = Some(value.to_lowercase()).filter(|text| !text.is_empty()),
                "limit" => filter.limit = Some(parse_count("limit", &value)?),
                "offset" => filter.offset = parse_count("offset", &value)?,
                other => {
                    let known = "status, label, q, limit, offset";
                    return Err(format!("{other:?} is not a parameter here; there are {known}"));
                }
            }
        }
        Ok(filter)
    }

    /// Labels that must have these values.
    pub(super) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether labels are asked for.
    pub(super) fn has_labels(&self) -> bool {
        !self.labels.is_empty()
    }

    /// Whether a job is asked for.
    pub(super) fn takes(&self, job: &JobSnapshot) -> bool {
        let has_status = self.statuses.is_empty() || self.statuses.contains(&job.status());
        let has_label = |(name, value): &(String, String)| job.labels.get(name) == Some(value.as_str());
        let has_text = |text: &String| {
            let has = |place: &str| place.to_lowercase().contains(text);
            has(job.id.as_str()) || job.labels.iter().any(|(_, value)| has(value))
        };
        has_status && self.labels.iter().all(has_label) && self.text.as_ref().is_none_or(has_text)
    }
}

fn parse_status(text: &str) -> Result<Option<Status>, String> {
    if text.eq_ignore_ascii_case("UNPOLLED") {
        return Ok(None);
    }
    let status = Status::ALL.into_iter().find(|status| text.eq_ignore_ascii_case(status.as_str()));
    status.map(Some).ok_or_else(|| {
        let known: Vec<_> = Status::ALL.iter().map(|status| status.as_str()).collect();
        format!("status={text:?} is none; there are {} and UNPOLLED", known.join(", "))
    })
}

fn parse_count(name: &str, text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("{name}={text:?} is no whole number; write one such as {name}=100"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_and_slips_are_refused() {
        let filter =
            Filter::parse("status=failed&status=UNPOLLED&label=team:a:b&q=EU&limit=5&offset=10").unwrap();
        let expected = Filter {
            statuses: vec![Some(Status::Failed), None],
            labels: vec![("team".to_owned(), "a:b".to_owned())],
            text: Some("eu".to_owned()),
            limit: Some(5),
            offset: 10,
        };
        assert_eq!(filter, expected);
        assert_eq!(Filter::parse(""), Ok(Filter::default()));
        for (query, part) in [
            ("stauts=FAILED", "not a parameter"),
            ("status=DONE", "COMPLETED"),
            ("label=team", "no colon"),
            ("limit=-1", "whole number"),
            ("offset=x", "whole number"),
        ] {
            assert!(Filter::parse(query).unwrap_err().contains(part), "{query}");
        }
    }
}
