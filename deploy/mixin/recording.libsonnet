// Recording rules for long ranges and for other people's alerts. Our own alerts and dashboards do without them, so that
// each can be copied alone.
local promql = import 'promql.libsonnet';

{
  prometheusRules+:: {
    local p = promql($._config),
    local rule(record, expr) = { record: record, expr: p.fill(expr, { window: '5m' }) },

    groups+: [{
      name: 'grid-bulk-recording',
      interval: $._config.evaluationInterval,
      rules: [
        rule('jobId:grid_bulk_job_progress:ratio', |||
          clamp_max(max BYJ (grid_bulk_job_processed_rows{$} / (grid_bulk_job_total_rows{$} > 0)), 1)
        |||),
        rule('jobId:grid_bulk_job_failed_rows:ratio', |||
          max BYJ (grid_bulk_job_failed_rows{$} / (grid_bulk_job_processed_rows{$} > 0))
        |||),
        rule('jobId:grid_bulk_job_processed_rows:deriv10m', |||
          clamp_min(max BYJ (deriv(grid_bulk_job_processed_rows{$}[10m])), 0)
        |||),
        // Four guards: the total is known, the import runs, its last poll was good, and it moves. Where one fails there
        // is no estimate, instead of NaN, infinity or a stale promise.
        rule('jobId:grid_bulk_job_eta_seconds', |||
          clamp_min(
            max BYJ (
              (grid_bulk_job_total_rows{$} > 0) - grid_bulk_job_processed_rows{$}
              and ignoring (status) grid_bulk_job_status{$,status="PROCESSING"} == 1
              and grid_bulk_job_poll_success{$} == 1
            ),
            0
          )
          / (max BYJ (deriv(grid_bulk_job_processed_rows{$}[10m])) > 0.001)
        |||),
        rule('job:grid_bulk_rows:rate5m', |||
          sum by (GROUP, result) (rate(grid_bulk_rows_total{$}[5m])) / on (GROUP) group_left () REPLICAS
        |||),
        rule('job:grid_bulk_failed_rows:ratio_rate5m', |||
          sum BYX (rate(grid_bulk_rows_total{$,result="failed"}[5m])) / (sum BYX (rate(grid_bulk_rows_total{$}[5m])) > 0)
        |||),
        rule('job:grid_bulk_api_request_duration_seconds:p99_5m', |||
          histogram_quantile(0.99, sum by (GROUP, le) (rate(grid_bulk_api_request_duration_seconds_bucket{$}[5m]))) >= 0
          or histogram_quantile(0.99, sum by (GROUP) (rate(grid_bulk_api_request_duration_seconds{$}[5m]))) >= 0
        |||),
      ],
    }],
  },
}
