//! `demo --grafana-files DIR`: dashboards and provisioning for a Grafana of the user's own, pointed at the demo.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// The dashboards, as they are shipped.
const DASHBOARDS: [(&str, &str); 3] = [
    ("overview.json", include_str!("../../../dashboards/overview.json")),
    ("job.json", include_str!("../../../dashboards/job.json")),
    ("exporter.json", include_str!("../../../dashboards/exporter.json")),
];

/// Provisioning, as it is shipped; address, interval and folder are put in.
const DATA_SOURCE: &str = include_str!("../../../deploy/grafana/provisioning/datasources/grid-bulk.yml");
const PROVIDER: &str = include_str!("../../../deploy/grafana/provisioning/dashboards/grid-bulk.yml");

/// Writes the files below `folder`, which is made if it is not there.
pub(super) fn write(folder: &Path, prometheus: SocketAddr, interval: Duration) -> io::Result<()> {
    let provisioning = folder.join("provisioning");
    let dashboards = folder.join("dashboards");
    for folder in [&provisioning.join("datasources"), &provisioning.join("dashboards"), &dashboards] {
        fs::create_dir_all(folder)?;
    }
    let dashboards = dashboards.canonicalize()?;
    for (name, content) in DASHBOARDS {
        fs::write(dashboards.join(name), content)?;
    }
    let source = DATA_SOURCE
        .replace("http://localhost:9090", &format!("http://{prometheus}"))
        .replace("timeInterval: 30s", &format!("timeInterval: {}s", interval.as_secs()));
    fs::write(provisioning.join("datasources/grid-bulk.yml"), source)?;
    // A JSON text is a YAML text too, whatever characters the path has.
    let path = serde_json::Value::from(dashboards.display().to_string()).to_string();
    let provider = PROVIDER.replace("/var/lib/grafana/dashboards/grid-bulk", &path);
    fs::write(provisioning.join("dashboards/grid-bulk.yml"), provider)
}
