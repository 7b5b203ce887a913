// Alerts about the exporter, the API and what lies between: whether what the other alerts see is true.
function(config, p) [
  {
    name: 'ExporterDown',
    dashboard: 'exporter',
    expr: |||
      up{$,job="EXPORTER"} == 0
    |||,
    summary: 'The exporter cannot be scraped.',
    description: 'Prometheus has not been able to scrape {{ $labels.instance }} ({{ $labels.job }}) for %(for)s. Imports are unseen.',
  },
  {
    name: 'ExporterAbsent',
    dashboard: 'exporter',
    expr: |||
      absent(up{$,job="EXPORTER"})
    |||,
    summary: 'Prometheus has no target that is the exporter.',
    description: 'For %(for)s there has been no target with job {{ $labels.job }}. Imports are unseen.',
  },
  {
    name: 'ExporterBlind',
    dashboard: 'exporter',
    // Without the ended imports, which are not polled and stay at 1. By `unless` ended and not by `and` running: an import
    // that was never read has no status.
    expr: |||
      avg BYI (
        max_over_time(grid_bulk_job_poll_success{$}[%(window)s])
        unless ignoring (status) last_over_time(grid_bulk_job_status{$,status=~"COMPLETED|FAILED"}[%(window)s]) == 1
      ) < %(minReadableRatio)s
    |||,
    summary: 'Most running imports cannot be read.',
    description: '{{ $labels.instance }} can read only {{ $value | humanizePercentage }} of its running imports.',
  },
  {
    name: 'ExporterPollLoopStuck',
    dashboard: 'exporter',
    expr: |||
      time() - max BYI (grid_bulk_exporter_last_poll_cycle_timestamp_seconds{$}) > %(stuckSeconds)s
    |||,
    summary: 'The exporter answers scrapes, but polls no more.',
    description: '{{ $labels.instance }} ended its last poll cycle {{ $value | humanizeDuration }} ago.',
  },
  {
    name: 'CredentialsRefused',
    dashboard: 'exporter',
    // One refusal alone must not page (window shorter than `for`), nor one import's 403 beside others that answer.
    expr: |||
      sum BYI (increase(grid_bulk_poll_failures_total{$,reason=~"unauthorized|forbidden"}[%(window)s])) > 0
      and max BYI (last_over_time(grid_bulk_up{$}[%(window)s])) == 0
    |||,
    summary: 'The API refuses the credentials of the exporter.',
    description: 'The API refuses {{ $labels.instance }}: {{ $value | printf "%%.0f" }} polls were answered with 401 or 403 within %(window)s, and none well.',
  },
  {
    name: 'ApiThrottled',
    dashboard: 'exporter',
    expr: |||
      (
        sum BYX (rate(grid_bulk_api_requests_total{$,code="429"}[%(window)s]))
        / sum BYX (rate(grid_bulk_api_requests_total{$}[%(window)s]))
      ) > %(maxRatio)s
      or max BYX (rate(grid_bulk_api_throttled_seconds_total{$}[%(window)s])) > %(maxThrottledRatio)s
    |||,
    summary: 'The API or the own limit throttles the exporter.',
    description: '{{ $labels.job }}: {{ $value | humanizePercentage }} of the requests were answered with 429, or of the time was spent waiting, within %(window)s.',
  },
  {
    name: 'ApiErrors',
    dashboard: 'exporter',
    expr: |||
      (
        sum BYX (rate(grid_bulk_poll_failures_total{$,reason=~"timeout|connect|tls|server_error|bad_response"}[%(window)s]))
        / sum BYX (rate(grid_bulk_api_requests_total{$}[%(window)s]))
      ) > %(maxRatio)s
    |||,
    summary: 'Many requests to the API fail.',
    description: '{{ $labels.job }}: {{ $value | humanizePercentage }} as many polls failed as requests were sent within %(window)s.',
  },
  {
    name: 'PollOverruns',
    dashboard: 'exporter',
    expr: |||
      (
        sum BYI (increase(grid_bulk_exporter_poll_overruns_total{$}[%(window)s]))
        / sum BYI (increase(grid_bulk_exporter_poll_cycles_total{$}[%(window)s]))
      ) > %(maxRatio)s
    |||,
    summary: 'Poll cycles do not fit into their interval.',
    description: '{{ $labels.instance }}: {{ $value | humanizePercentage }} of the poll cycles within %(window)s ended with imports not yet asked for. Numbers are older than they look.',
  },
  {
    name: 'ConfigReloadFailed',
    dashboard: 'exporter',
    expr: |||
      max_over_time(grid_bulk_exporter_config_last_reload_successful{$}[%(window)s]) == 0
    |||,
    summary: 'The exporter refused its configuration at the last reload.',
    description: '{{ $labels.instance }} refused its configuration over %(for)s ago; the one before runs on.',
  },
  {
    name: 'StorageFailing',
    dashboard: 'exporter',
    expr: |||
      max_over_time(grid_bulk_exporter_storage_up{$}[%(window)s]) == 0
    |||,
    summary: 'The exporter cannot write to its storage.',
    description: '{{ $labels.instance }} has not been able to write to --storage.path for %(for)s: it goes on in memory, and grid_bulk_rows_total stands still.',
  },
  {
    name: 'DiscoveryFailing',
    dashboard: 'exporter',
    expr: |||
      time() - max by (GROUP, instance, source) (grid_bulk_exporter_sd_last_success_timestamp_seconds{$}) > %(staleSeconds)s
    |||,
    summary: 'A list of imports cannot be read.',
    description: '{{ $labels.instance }} last read its list of imports from source {{ $labels.source }} {{ $value | humanizeDuration }} ago. New imports are unseen.',
  },
  {
    name: 'WebhookSignatureFailures',
    dashboard: 'exporter',
    expr: |||
      sum BYI (increase(grid_bulk_exporter_webhooks_total{$,outcome="bad_signature"}[%(window)s])) > %(failures)s
    |||,
    summary: 'Webhooks arrive with a wrong signature.',
    description: '{{ $labels.instance }} refused {{ $value | printf "%%.0f" }} webhooks within %(window)s: the key was rotated, or somebody is guessing.',
  },
  {
    name: 'ResponsesTooLarge',
    dashboard: 'exporter',
    expr: |||
      sum BYX (increase(grid_bulk_poll_failures_total{$,reason="too_large"}[%(window)s])) > %(failures)s
    |||,
    summary: 'Answers of the API are larger than the limit.',
    description: '{{ $labels.job }}: {{ $value | printf "%%.0f" }} answers within %(window)s were larger than grid.max_response_bytes. Counts may be old.',
  },
  {
    name: 'ExporterRestarting',
    dashboard: 'exporter',
    expr: |||
      max BYI (changes(process_start_time_seconds{$,job="EXPORTER"}[%(window)s])) > %(restarts)s
    |||,
    summary: 'The exporter restarts again and again.',
    description: '{{ $labels.instance }} was started {{ $value | printf "%%.0f" }} times within %(window)s.',
  },
]
