//! A body in any format, read by somebody else's reader into the same plain form.

use super::messages::{self, MetricType};
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

/// A series: its name and its labels, those without a value left out as Prometheus does.
pub type Series = (String, BTreeMap<String, String>);

/// What somebody read.
#[derive(Debug, Default)]
pub struct Reading {
    pub samples: BTreeMap<Series, f64>,
    /// Kind and help by the family's name, without `_total`.
    pub families: BTreeMap<String, (String, String)>,
    /// Labels, value, and seconds since the epoch.
    pub exemplars: BTreeMap<Series, (BTreeMap<String, String>, f64, f64)>,
}

impl Reading {
    fn add(&mut self, name: &str, labels: BTreeMap<String, String>, value: f64) -> Series {
        let mut labels = labels;
        labels.retain(|_, value| !value.is_empty());
        if let Some(bound) = labels.get_mut("le") {
            *bound = format!("{:?}", bound.parse::<f64>().unwrap());
        }
        let series = (name.to_owned(), labels);
        assert!(self.samples.insert(series.clone(), value).is_none(), "{series:?} twice");
        series
    }

    fn add_family(&mut self, name: &str, kind: &str, help: &str) {
        let name = name.strip_suffix("_total").unwrap_or(name).to_owned();
        let before = self.families.insert(name.clone(), (kind.to_owned(), help.to_owned()));
        assert!(before.is_none(), "{name} twice");
    }

    /// By Python's `prometheus_client`; `parser` is `text` or `openmetrics`.
    pub fn by_python(parser: &str, body: &[u8]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/exposition/read.py");
        let mut python = Command::new(python())
            .args([script, parser])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 starts");
        let mut input = python.stdin.take().unwrap();
        let body = body.to_vec();
        let writer = std::thread::spawn(move || input.write_all(&body));
        let output = python.wait_with_output().unwrap();
        assert!(output.status.success(), "{parser} is read");
        writer.join().unwrap().unwrap();
        let families: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let labels = |value: &serde_json::Value| -> BTreeMap<String, String> {
            value.as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect()
        };
        let number = |value: &serde_json::Value| text(value).parse::<f64>().unwrap();
        let mut reading = Self::default();
        for family in families.as_array().unwrap() {
            reading.add_family(&text(&family[0]), &text(&family[1]), &text(&family[2]));
            for sample in family[3].as_array().unwrap() {
                let series = reading.add(&text(&sample[0]), labels(&sample[1]), number(&sample[2]));
                if let exemplar @ serde_json::Value::Array(_) = &sample[3] {
                    let exemplar = (labels(&exemplar[0]), number(&exemplar[1]), number(&exemplar[2]));
                    reading.exemplars.insert(series, exemplar);
                }
            }
        }
        reading
    }

    /// By a protobuf library; of histograms the classic form.
    pub fn by_protobuf(body: &[u8]) -> Self {
        let mut reading = Self::default();
        for family in messages::decode(body) {
            let name = family.name.clone().unwrap();
            let kind = family.kind();
            let word = match kind {
                MetricType::Counter => "counter",
                MetricType::Gauge => "gauge",
                MetricType::Histogram => "histogram",
                other => panic!("{name} is {other:?}"),
            };
            reading.add_family(&name, word, family.help.as_deref().unwrap());
            assert!(!family.metric.is_empty(), "{name} has no samples");
            for metric in family.metric {
                let labels = pairs(&metric.label);
                assert_eq!(metric.timestamp_ms, None);
                match kind {
                    MetricType::Counter => {
                        let counter = metric.counter.unwrap();
                        let series = reading.add(&name, labels, counter.value.unwrap());
                        if let Some(exemplar) = counter.exemplar {
                            let time = exemplar.timestamp.unwrap();
                            let seconds = time.seconds as f64 + f64::from(time.nanos) / 1e9;
                            let exemplar = (pairs(&exemplar.label), exemplar.value.unwrap(), seconds);
                            reading.exemplars.insert(series, exemplar);
                        }
                    }
                    MetricType::Histogram => {
                        reading.add_histogram(&name, &labels, &metric.histogram.unwrap());
                    }
                    _ => {
                        reading.add(&name, labels, metric.gauge.unwrap().value.unwrap());
                    }
                }
            }
        }
        reading
    }

    fn add_histogram(
        &mut self,
        name: &str,
        labels: &BTreeMap<String, String>,
        histogram: &messages::Histogram,
    ) {
        let count = histogram.sample_count.unwrap();
        let buckets = histogram.bucket.iter().map(|b| (b.upper_bound.unwrap(), b.cumulative_count.unwrap()));
        for (bound, count) in buckets.chain([(f64::INFINITY, count)]) {
            let mut labels = labels.clone();
            labels.insert("le".to_owned(), bound.to_string());
            self.add(&format!("{name}_bucket"), labels, count as f64);
        }
        self.add(&format!("{name}_sum"), labels.clone(), histogram.sample_sum.unwrap());
        self.add(&format!("{name}_count"), labels.clone(), count as f64);
    }

    /// Without what is another at each look.
    pub fn without_the_moving(mut self) -> Self {
        self.samples.retain(|(name, _), _| !name.starts_with("process_"));
        self
    }
}

/// A Python that has the library: Debian's package is for Debian's Python, which need not be the first on PATH.
fn python() -> &'static str {
    let has_it = |python: &&str| {
        let status =
            Command::new(python).args(["-c", "import prometheus_client"]).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    ["/usr/bin/python3", "python3"]
        .into_iter()
        .find(has_it)
        .expect("tests/run installs python3-prometheus-client")
}

fn pairs(labels: &[messages::LabelPair]) -> BTreeMap<String, String> {
    labels.iter().map(|pair| (pair.name.clone().unwrap(), pair.value.clone().unwrap())).collect()
}
