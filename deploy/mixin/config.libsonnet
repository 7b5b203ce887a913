// Every threshold, window and address of the alerts, rules and dashboards. Change them here, or in a file of your own
// given to `generate --config`, and nowhere else: `{ _config+:: { alerts+: { JobFailedRowsSpike+: { rows: 500 } } } }`.
// Windows and waits are durations as Prometheus writes them; what ends in `Seconds` or `Ratio` is a number.
{
  _config+:: {
    // Label matchers put into every selector, such as 'cluster="eu"'. Empty by default: names with grid_ are the
    // exporter's alone, and a matcher on job would silence every alert of whoever calls the job otherwise.
    selector: '',
    // The value of the label job in your scrape configuration; only up and process_start_time_seconds need it.
    exporterJob: 'grid-bulk-exporter',
    // What tells one Grid account from another, in rules and dashboards: exporters that share all of these watch the same
    // account, as shards or as a pair. A label that is absent costs nothing.
    groupLabels: ['cluster', 'namespace', 'job', 'account'],
    // How often the rules are evaluated.
    evaluationInterval: '30s',
    // Labels that your configuration gives to jobs: nameLabel is shown beside the id, each of the jobLabels becomes a
    // variable of the Overview. Jobs without them are shown, too.
    nameLabel: 'name',
    jobLabels: ['team'],
    // Where the links in alerts lead. One page for each alert lies in docs/runbooks.
    grafanaUrl: 'http://localhost:3000',
    runbookUrl: 'https://github.com/grid-bulk-exporter/grid-bulk-exporter/blob/main/docs/runbooks',
    // Fixed for ever: links and bookmarks hold on to them.
    dashboardUids: { overview: 'grid-bulk-overview', job: 'grid-bulk-job', exporter: 'grid-bulk-exporter' },
    dashboardTags: ['grid', 'grid-bulk'],
    // Shows the variable cluster above the dashboards; of use where one data source holds several clusters.
    showCluster: false,

    // One entry for each alert. `keep` is keep_firing_for. `enabled: false` leaves an alert out.
    // A `window` must be more than twice `poll.interval`: with polls further apart, windows without any end an alert's wait
    // again and again. With 5 minutes or more raise those of CredentialsRefused and JobNotFound, and their `for` above them.
    alerts: {
      JobFailedRowsSpike: { severity: 'warning', keep: '10m', window: '15m', bornWindow: '2h', rows: 100 },
      JobFailedRatioSpike: { severity: 'critical', 'for': '2m', keep: '10m', window: '15m', minRows: 50, maxRatio: 0.2 },
      FailedRowsSpike: { severity: 'critical', 'for': '2m', window: '15m', rows: 500, maxRatio: 0.1 },
      JobEndedWithFailedRows: { severity: 'warning', keep: '5m', rows: 10, maxRatio: 0.1, endedSeconds: 6 * 3600 },
      JobFailed: { severity: 'critical', keep: '5m', endedSeconds: 6 * 3600 },
      JobStalled: { severity: 'critical', 'for': '2m', keep: '5m', unchangedSeconds: 1800 },
      JobPendingTooLong: { severity: 'warning', 'for': '2m', keep: '5m', unchangedSeconds: 3600 },
      JobUnknownStatus: { severity: 'warning', 'for': '15m', window: '5m' },
      JobPollFailing: { severity: 'warning', 'for': '15m', window: '5m' },
      JobNotFound: { severity: 'warning', 'for': '10m', window: '5m' },
      ExporterDown: { severity: 'critical', 'for': '5m' },
      ExporterAbsent: { severity: 'critical', 'for': '10m' },
      ExporterBlind: { severity: 'critical', 'for': '5m', window: '5m', minReadableRatio: 0.5 },
      ExporterPollLoopStuck: { severity: 'critical', 'for': '5m', stuckSeconds: 300 },
      CredentialsRefused: { severity: 'critical', 'for': '10m', window: '5m' },
      ApiThrottled: { severity: 'warning', 'for': '15m', window: '15m', maxRatio: 0.05, maxThrottledRatio: 0.25 },
      ApiErrors: { severity: 'warning', 'for': '15m', window: '15m', maxRatio: 0.1 },
      PollOverruns: { severity: 'warning', 'for': '15m', window: '15m', maxRatio: 0.25 },
      ConfigReloadFailed: { severity: 'warning', 'for': '5m', window: '5m' },
      StorageFailing: { severity: 'warning', 'for': '5m', window: '5m' },
      DiscoveryFailing: { severity: 'warning', 'for': '5m', staleSeconds: 900 },
      JobSetEmpty: { severity: 'info', 'for': '30m', window: '6h' },
      WebhookSignatureFailures: { severity: 'warning', window: '15m', failures: 2 },
      ResponsesTooLarge: { severity: 'warning', window: '30m', failures: 2 },
      ExporterRestarting: { severity: 'warning', window: '30m', restarts: 2 },
    },

    // Where the dashboards turn orange and red, beyond what the alerts say.
    dashboards: {
      ageSeconds: { soon: 120, late: 300 },
      cycleAgeSeconds: { soon: 60, late: $._config.alerts.ExporterPollLoopStuck.stuckSeconds },
      failedRatio: { soon: 0.05, late: $._config.alerts.FailedRowsSpike.maxRatio },
      failedRows: { soon: 1, late: $._config.alerts.FailedRowsSpike.rows },
    },
  },
}
