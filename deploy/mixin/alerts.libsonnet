// The alerts, as Prometheus groups. Each stands alone on raw metrics, so that one can be copied without the others.
local promql = import 'promql.libsonnet';

{
  prometheusAlerts+:: {
    local config = $._config,
    local p = promql(config),

    // Builds one alert from its short form: name, expr, summary, description, and where its dashboard is.
    local alert(short) =
      local own = config.alerts[short.name];
      {
        alert: 'GridBulk' + short.name,
        expr: p.fill(short.expr, own),
        [if std.objectHas(own, 'for') then 'for']: own['for'],
        [if std.objectHas(own, 'keep') then 'keep_firing_for']: own.keep,
        labels: { severity: own.severity },
        annotations: {
          summary: short.summary,
          description: std.strReplace(p.fill(short.description, own), '\n', ''),
          runbook_url: '%s/GridBulk%s.md' % [config.runbookUrl, short.name],
          dashboard_url: config.grafanaUrl + '/d/' + config.dashboardUids[short.dashboard]
                         + (if short.dashboard == 'job' then '?var-jobId={{ $labels.jobId | urlquery }}' else ''),
        },
      },
    local enabled(short) = !std.objectHas(config.alerts[short.name], 'enabled') || config.alerts[short.name].enabled,
    local group(name, list) = {
      name: name,
      interval: config.evaluationInterval,
      rules: [alert(short) for short in list if enabled(short)],
    },

    groups+: [
      group('grid-bulk-jobs', (import 'alerts/jobs.libsonnet')(config, p)),
      group('grid-bulk-exporter', (import 'alerts/exporter.libsonnet')(config, p)),
    ],
  },
}
