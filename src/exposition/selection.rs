//! Which families a scrape shows: all, or those that `?name[]=` names. Asked for by `web`, applied in every format.

use crate::exposition::shape::Shape;
use crate::exposition::text::Dialect;
use crate::telemetry::families::{self, Family, JOB_FAMILIES, Kind, SUMMARY_FAMILIES};

/// Families by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Families(Option<Vec<&'static str>>);

impl Families {
    /// Those that are named; names that we don't have name none, and empty ones are passed over. All, if none is left.
    ///
    /// A family is also named by a series of it (`…_seconds_count`) and by its name in OpenMetrics, which has no
    /// `_total`. It is shown whole.
    #[must_use]
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut shown = None;
        for name in names.into_iter().filter(|name| !name.is_empty()) {
            let shown = shown.get_or_insert_with(Vec::new);
            let family = families::all().find(|family| is_name_of(name, family));
            shown.extend(family.map(|family| family.name).filter(|name| !shown.contains(name)));
        }
        Self(shown)
    }

    /// Whether all are shown.
    #[must_use]
    pub(super) const fn is_all(&self) -> bool {
        self.0.is_none()
    }

    /// Whether the family of this name is shown.
    #[must_use]
    pub fn shows(&self, family: &str) -> bool {
        self.0.as_ref().is_none_or(|shown| shown.contains(&family))
    }
}

fn is_name_of(name: &str, family: &Family) -> bool {
    let Some(suffix) = name.strip_prefix(family.name) else {
        return family.kind == Kind::Counter && family.name.strip_suffix("_total") == Some(name);
    };
    match family.kind {
        Kind::Gauge | Kind::Counter => suffix.is_empty(),
        Kind::Histogram => ["", "_bucket", "_sum", "_count"].contains(&suffix),
    }
}

/// Groups of strips: one for each family of jobs, one for each sum over all jobs, and the row counters once more as
/// OpenMetrics has them.
pub(super) const GROUPS: usize = JOB_FAMILIES.len() + SUMMARY_FAMILIES.len() + 1;
/// The group of `grid_bulk_jobs`, and after it the two of `grid_bulk_rows_total`.
pub(super) const FIRST_SUMMARY: usize = JOB_FAMILIES.len();

/// Which groups of strips a body has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Groups([bool; GROUPS]);

impl Groups {
    /// The groups of these families in a shape.
    pub(super) fn of(families: &Families, shape: Shape) -> Self {
        let mut groups = [false; GROUPS];
        let [.., jobs, rows, open_metrics_rows] = &mut groups;
        *jobs = families.shows(families::JOBS.name);
        let shows_rows = families.shows(families::ROWS.name);
        *(if shape == Shape::Text(Dialect::OpenMetrics) { open_metrics_rows } else { rows }) = shows_rows;
        for (group, family) in groups.iter_mut().zip(&JOB_FAMILIES) {
            *group = families.shows(family.name);
        }
        Self(groups)
    }

    /// Whether a group is among them.
    pub(super) fn has(&self, group: usize) -> bool {
        self.0.get(group).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_named_as_a_whole_by_its_series_or_as_in_open_metrics() {
        for (name, family) in [
            ("grid_bulk_jobs", "grid_bulk_jobs"),
            ("grid_bulk_rows_total", "grid_bulk_rows_total"),
            ("grid_bulk_rows", "grid_bulk_rows_total"),
            ("grid_bulk_api_request_duration_seconds_bucket", "grid_bulk_api_request_duration_seconds"),
            ("grid_bulk_api_request_duration_seconds", "grid_bulk_api_request_duration_seconds"),
        ] {
            assert_eq!(Families::named([name, name]), Families(Some(vec![family])), "{name}");
        }
        for name in [
            "grid_bulk_job",
            "grid_bulk_jobs_count",
            "grid_bulk_rows_total_total",
            "nothing",
            "Grid_bulk_jobs",
        ] {
            assert_eq!(Families::named([name]), Families(Some(vec![])), "{name}");
        }
    }

    #[test]
    fn who_names_nothing_gets_all() {
        for names in [vec![], vec![""], vec!["", ""]] {
            assert!(Families::named(names).shows("grid_bulk_jobs"));
        }
    }
}
