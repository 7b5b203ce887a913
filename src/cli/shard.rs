//! `--shard` and `--total-shards`: which part of the jobs this exporter of a fleet watches.
//!
//! Used by `serve` and `check-config`. `auto` reads the number off the end of the pod's name, which a `StatefulSet` counts
//! from 0, so that all pods have the same command line and nothing asks Kubernetes.

use crate::config::error::quoted;
use crate::job::Shard;
use std::ffi::OsString;

/// The variable in which a pod finds its name, if the manifest puts it there.
const POD_NAME: &str = "POD_NAME";

/// The part of the jobs that is watched.
#[derive(clap::Args)]
#[command(next_help_heading = "Sharding")]
pub(super) struct ShardFlags {
    // Doc comments would put backticks around the variable.
    #[arg(
        long = "shard",
        value_name = "NUMBER",
        default_value = "0",
        value_parser = parse_number,
        help = "Which shard this is, counted from 0; or auto: the number at the end of POD_NAME, else of the host's name"
    )]
    number: Number,

    /// Shards over which the jobs are spread, each on an exporter of its own
    #[arg(long = "total-shards", value_name = "COUNT", default_value = "1", value_parser = parse_count)]
    total: u32,
}

/// What `--shard` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    Given(u32),
    Auto,
}

impl ShardFlags {
    /// The shard, or why there is none.
    pub(super) fn into_shard(self, lookup: impl Fn(&str) -> Option<OsString>) -> Result<Shard, String> {
        let (number, read_off) = match self.number {
            Number::Given(number) => (number, None),
            Number::Auto => {
                let pod = lookup(POD_NAME).filter(|name| !name.is_empty());
                let (origin, name) = match pod {
                    Some(name) => ("the variable POD_NAME", name.to_string_lossy().into_owned()),
                    None => ("the host's name", host_name()),
                };
                let shown = format!("{origin}, {}", quoted(&name));
                let number = ordinal(&name).ok_or_else(|| {
                    format!(
                        "--shard is auto, but {shown}, does not end in a number such as -0, as the names of a StatefulSet's \
                         pods do; give the number, or set POD_NAME"
                    )
                })?;
                (number, Some(shown))
            }
        };
        Shard::new(number, self.total).map_err(|error| match read_off {
            Some(origin) => format!("{error}; it was read off {origin}"),
            None => error.to_string(),
        })
    }
}

fn parse_number(text: &str) -> Result<Number, String> {
    if text == "auto" {
        return Ok(Number::Auto);
    }
    let wrong = "it is neither a number, counted from 0, nor auto";
    plain_number(text).map(Number::Given).ok_or_else(|| wrong.to_owned())
}

fn parse_count(text: &str) -> Result<u32, String> {
    plain_number(text).ok_or_else(|| "it is not a whole number; write one such as 16".to_owned())
}

/// Digits only: `parse` would take a sign, too.
fn plain_number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The number after the last dash.
fn ordinal(name: &str) -> Option<u32> {
    // A host's full name goes on with its domain.
    let (_, number) = name.split('.').next()?.rsplit_once('-')?;
    plain_number(number)
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(number: &str, total: u32, pod: Option<&str>) -> Result<Shard, String> {
        let number = parse_number(number)?;
        ShardFlags { number, total }.into_shard(|name| pod.filter(|_| name == POD_NAME).map(OsString::from))
    }

    #[test]
    fn a_number_is_taken_as_it_is_and_auto_is_read_off_the_pods_name() {
        assert_eq!(shard("3", 4, None), Ok(Shard::new(3, 4).unwrap()));
        assert_eq!(shard("auto", 16, Some("grid-bulk-exporter-12")), Ok(Shard::new(12, 16).unwrap()));
        assert_eq!(
            shard("auto", 16, Some("exporter-2.exporter.monitoring.svc")),
            Ok(Shard::new(2, 16).unwrap())
        );
    }

    #[test]
    fn a_name_without_a_number_is_told_with_what_would_be_right() {
        for name in ["exporter", "exporter-", "exporter-a1", "exporter-+1", "-", "exporter-7f9c4-x2x"] {
            let fault = shard("auto", 16, Some(name)).unwrap_err();
            assert!(fault.contains("POD_NAME") && fault.contains(name) && !fault.contains('\n'), "{fault}");
        }
        let fault = shard("auto", 4, Some("exporter-4")).unwrap_err();
        assert!(
            fault.contains("the last is 3; it was read off the variable POD_NAME, `exporter-4`"),
            "{fault}"
        );
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "-1", "+1", "1.0", "one", "AUTO", "4294967296"] {
            assert!(parse_number(text).is_err(), "{text}");
            assert!(parse_count(text).is_err(), "{text}");
        }
    }
}
