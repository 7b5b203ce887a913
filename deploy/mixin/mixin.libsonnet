// Alerts, recording rules and dashboards of grid-bulk-exporter, in the fields that kube-prometheus and other users of
// monitoring mixins expect. Plain jsonnet without libraries; `generate` writes the files that are committed.
(import 'config.libsonnet')
+ (import 'alerts.libsonnet')
+ (import 'recording.libsonnet')
+ (import 'dashboards.libsonnet')
