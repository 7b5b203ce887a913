// The three dashboards, by the name of their file. They work without our rules loaded.
{
  grafanaDashboards+:: {
    local build(file) = file($._config, (import 'dashboards/grafana.libsonnet')($._config)),
    'overview.json': build(import 'dashboards/overview.libsonnet'),
    'job.json': build(import 'dashboards/job.libsonnet'),
    'exporter.json': build(import 'dashboards/exporter.libsonnet'),
  },
}
