//! The query of `/`: which imports are shown, in which order, which page of them. The filter is that of the JSON API.

use crate::web::filter::Filter;
use crate::web::page::attention::Rank;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded;

/// Rows of a page, unless the query says otherwise.
const ROWS: usize = 100;

/// Rows of a page at most: a browser stays quick with as many.
const MOST_ROWS: usize = 1000;

/// The order of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// What needs attention stands first.
    #[default]
    Attention,
    /// By name, or where there is none by id.
    Name,
    /// By the share of rows that are done.
    Progress,
    /// By the number of rows that failed.
    Failed,
    /// By rows a second.
    Rate,
    /// By the time that is left.
    Left,
    /// By the age of what is known.
    Age,
}

impl Sort {
    /// All orders with their names in the query, and whether large values come first as long as nobody says otherwise.
    pub(super) const ALL: [(Self, &'static str, bool); 7] = [
        (Self::Attention, "attention", false),
        (Self::Name, "name", false),
        (Self::Progress, "progress", true),
        (Self::Failed, "failed", true),
        (Self::Rate, "rate", true),
        (Self::Left, "left", false),
        (Self::Age, "age", true),
    ];
}

/// What is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    pub(super) filter: Filter,
    /// The text that was typed, as typed.
    pub(super) text: String,
    /// The chip that is chosen, as the query names it.
    pub(super) chip: Option<String>,
    /// Only these.
    pub(super) ranks: Option<&'static [Rank]>,
    pub(super) sort: Sort,
    /// Against the order's own direction.
    pub(super) reversed: bool,
}

impl View {
    /// Reads the query, or tells what is wrong with it.
    pub(super) fn parse(query: &str) -> Result<Self, String> {
        let mut view = Self::default();
        let mut rest = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "show" => {
                    view.ranks = Some(Rank::shown_as(&value).ok_or_else(|| {
                        format!("show={value:?} is none; there are attention and unreadable")
                    })?);
                    view.choose(&format!("show={value}"));
                }
                "sort" => {
                    let (reversed, wanted) =
                        value.strip_prefix('-').map_or((false, &*value), |rest| (true, rest));
                    let found = Sort::ALL.iter().find(|(_, known, _)| *known == wanted);
                    let Some((sort, ..)) = found else {
                        let known: Vec<_> = Sort::ALL.iter().map(|(_, known, _)| *known).collect();
                        return Err(format!("sort={value:?} is none; there are {}", known.join(", ")));
                    };
                    (view.sort, view.reversed) = (*sort, reversed);
                }
                other => {
                    if other == "q" {
                        view.text = value.to_string();
                    }
                    if other == "status" {
                        view.choose(&format!("status={value}"));
                    }
                    rest.append_pair(other, &value);
                }
            }
        }
        view.filter = Filter::parse(&rest.finish())?;
        view.filter.limit = Some(view.filter.limit.unwrap_or(ROWS).clamp(1, MOST_ROWS));
        Ok(view)
    }

    fn choose(&mut self, chip: &str) {
        self.chip =
            Some(self.chip.take().map_or_else(|| chip.to_owned(), |before| format!("{before}&amp;{chip}")));
    }

    /// Rows of a page.
    pub(super) fn rows(&self) -> usize {
        self.filter.limit.unwrap_or(ROWS)
    }

    /// True if not all imports are asked for.
    pub(super) fn is_filtered(&self) -> bool {
        !self.text.is_empty() || self.chip.is_some() || self.filter.has_labels()
    }

    /// The query with this sort instead, from the first page on.
    pub(super) fn sorted_by(&self, sort: Sort) -> String {
        self.query(self.chip.as_deref(), sort, sort == self.sort && !self.reversed, 0)
    }

    /// The query with this chip instead, from the first page on.
    pub(super) fn with_chip(&self, chip: Option<&str>) -> String {
        self.query(chip, self.sort, self.reversed, 0)
    }

    /// The query that shows another page.
    pub(super) fn at_row(&self, offset: usize) -> String {
        self.query(self.chip.as_deref(), self.sort, self.reversed, offset)
    }

    /// The rows of a page, if they are not as many as usual.
    pub(super) fn limit(&self) -> Option<String> {
        (self.rows() != ROWS).then(|| self.rows().to_string())
    }

    /// The sort as the query names it, if it is not the usual one.
    pub(super) fn sort_name(&self) -> Option<String> {
        name_of(self.sort, self.reversed)
    }

    fn query(&self, chip: Option<&str>, sort: Sort, reversed: bool, offset: usize) -> String {
        let mut parts: Vec<String> = chip.map(str::to_owned).into_iter().collect();
        if !self.text.is_empty() {
            parts.push(format!("q={}", utf8_percent_encode(&self.text, NON_ALPHANUMERIC)));
        }
        for (name, value) in self.filter.labels() {
            let label = format!("{name}:{value}");
            parts.push(format!("label={}", utf8_percent_encode(&label, NON_ALPHANUMERIC)));
        }
        parts.extend(name_of(sort, reversed).map(|name| format!("sort={name}")));
        parts.extend(self.limit().map(|rows| format!("limit={rows}")));
        if offset > 0 {
            parts.push(format!("offset={offset}"));
        }
        if parts.is_empty() { "?".to_owned() } else { format!("?{}", parts.join("&amp;")) }
    }
}

fn name_of(sort: Sort, reversed: bool) -> Option<String> {
    let (_, name, _) = Sort::ALL.iter().find(|(known, ..)| *known == sort)?;
    (sort != Sort::default() || reversed).then(|| format!("{}{name}", if reversed { "-" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_survives_its_links() {
        let view = View::parse("q=eu+%26+uk&status=FAILED&label=team:a&sort=-rate&offset=100").unwrap();
        assert_eq!((view.text.as_str(), view.sort, view.reversed), ("eu & uk", Sort::Rate, true));
        assert_eq!(view.filter.offset, 100);
        let link = view.at_row(200).replace("&amp;", "&");
        assert_eq!(link, "?status=FAILED&q=eu%20%26%20uk&label=team%3Aa&sort=-rate&offset=200");
        let mut again = View::parse(&link[1..]).unwrap();
        again.filter.offset = 100;
        assert_eq!(again, view);
        assert_eq!(View::default().with_chip(None), "?");
    }

    #[test]
    fn a_second_click_on_a_column_turns_it_around() {
        let view = View::parse("sort=failed").unwrap();
        assert_eq!(view.sorted_by(Sort::Failed), "?sort=-failed");
        assert_eq!(view.sorted_by(Sort::Name), "?sort=name");
        assert_eq!(View::parse("sort=-failed").unwrap().sorted_by(Sort::Failed), "?sort=failed");
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_taken_survives_its_links(text: String, label: String, offset in 0_usize..1000) {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair("q", &text).append_pair("label", &format!("team:{label}"));
            let view = View::parse(&form.finish()).unwrap();
            let link = view.at_row(offset).replace("&amp;", "&");
            let mut again = View::parse(&link[1..]).unwrap();
            proptest::prop_assert_eq!(again.filter.offset, offset);
            again.filter.offset = 0;
            proptest::prop_assert_eq!(again, view);
        }

        #[test]
        fn no_query_makes_it_stumble(query: String) {
            let _either = View::parse(&query);
        }
    }

    #[test]
    fn slips_are_told_and_sizes_bounded() {
        for (query, part) in [
            ("sort=size", "attention"),
            ("show=all", "unreadable"),
            ("statuz=x", "not a parameter"),
            ("limit=x", "whole"),
        ] {
            assert!(View::parse(query).unwrap_err().contains(part), "{query}");
        }
        assert_eq!(View::parse("limit=100000").unwrap().rows(), MOST_ROWS);
        assert_eq!(View::parse("limit=0").unwrap().rows(), 1);
        assert_eq!(View::parse("").unwrap().rows(), ROWS);
    }
}
