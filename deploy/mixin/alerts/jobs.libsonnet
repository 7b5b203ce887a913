// Alerts about imports. All of them take the maximum over replicas, so that two replicas give one alert and a replaced
// pod does not begin a wait anew; names and teams stay out of the expressions, where a join could lose the alert.
function(config, p)
  local own = config.alerts;
  // An import in words: its id, and its name where the configuration gives one.
  local import_ = |||
    Import {{ $labels.jobId }}
    {{ with printf `grid_bulk_job_info{$,jobId=%%q,NAME!=""}` $labels.jobId | query }} ({{ . | first | label "NAME" }}){{ end }}
  |||;
  local who = std.strReplace(std.strReplace(import_, 'NAME', config.nameLabel), '\n', '');
  // One number of that import, looked up when the alert fires.
  local figure(metric) =
    '{{ with printf `max(%s{$,jobId=%%%%q})` $labels.jobId | query }}{{ . | first | value | printf "%%%%.0f" }}{{ else }}an unknown number{{ end }}' % metric;
  local counts = figure('grid_bulk_job_failed_rows') + ' of ' + figure('grid_bulk_job_processed_rows') + ' processed rows failed.';

  [
    {
      name: 'JobFailedRowsSpike',
      dashboard: 'job',
      // First half: an import born with many failures, which no increase shows: it is there now, was not in the time
      // before the window, and was seen running. Second half: a step. Differences from the minimum, because increase()
      // takes each corrected count for a reset.
      expr: |||
        (
          max BYJ (grid_bulk_job_failed_rows{$})
          unless max BYJ (present_over_time(grid_bulk_job_failed_rows{$}[%(bornWindow)s] offset %(window)s))
          and max BYJ (max_over_time(grid_bulk_job_status{$,status=~"PENDING|PROCESSING"}[%(window)s])) == 1
        ) >= %(rows)s
        or max BYJ (grid_bulk_job_failed_rows{$} - min_over_time(grid_bulk_job_failed_rows{$}[%(window)s])) >= %(rows)s
      |||,
      summary: 'Failed rows of an import spike.',
      description: who + ': {{ $value | printf "%%.0f" }} rows failed within %(window)s. In all ' + counts,
    },
    {
      name: 'JobFailedRatioSpike',
      dashboard: 'job',
      expr: |||
        max BYJ (
          (grid_bulk_job_failed_rows{$} - min_over_time(grid_bulk_job_failed_rows{$}[%(window)s]))
          / ((grid_bulk_job_processed_rows{$} - min_over_time(grid_bulk_job_processed_rows{$}[%(window)s])) >= %(minRows)s)
        ) > %(maxRatio)s
      |||,
      summary: 'A large share of the rows that an import now processes fails.',
      description: who + ': {{ $value | humanizePercentage }} of the rows processed within %(window)s failed. In all ' + counts,
    },
    {
      name: 'FailedRowsSpike',
      dashboard: 'overview',
      // From the counter, so that no import that leaves the set hides its failures. Ratio and amount, or three rows at
      // night would page.
      expr: |||
        (
          sum BYX (increase(grid_bulk_rows_total{$,result="failed"}[%(window)s]))
          / sum BYX (increase(grid_bulk_rows_total{$}[%(window)s]))
        ) > %(maxRatio)s
        and sum BYX (increase(grid_bulk_rows_total{$,result="failed"}[%(window)s]))
          / REPLICAS >= %(rows)s
      |||,
      summary: 'Failed rows spike over all imports.',
      description: '{{ $value | humanizePercentage }} of the rows processed within %(window)s failed, over all imports of {{ $labels.job }}, at least %(rows)s rows.',
    },
    {
      name: 'JobEndedWithFailedRows',
      dashboard: 'job',
      // The second half, not one success, catches tiny imports.
      expr: |||
        (
          (
            max BYJ (grid_bulk_job_failed_rows{$} / (grid_bulk_job_processed_rows{$} > 0)) > %(maxRatio)s
            and max BYJ (grid_bulk_job_failed_rows{$}) >= %(rows)s
          )
          or (
            max BYJ (grid_bulk_job_failed_rows{$} / (grid_bulk_job_processed_rows{$} > 0))
            and max BYJ (grid_bulk_job_successful_rows{$}) == 0
          ) > 0
        )
        and max BYJ (grid_bulk_job_status{$,status="COMPLETED"}) == 1
        and time() - min BYJ (grid_bulk_job_completed_timestamp_seconds{$} or grid_bulk_job_last_change_timestamp_seconds{$}) < %(endedSeconds)s
      |||,
      summary: 'An import was completed with many failed rows.',
      description: who + ' was completed, but {{ $value | humanizePercentage }} of its rows failed: ' + counts,
    },
    {
      name: 'JobFailed',
      dashboard: 'job',
      // For some hours after the end: long enough for a hand-over, then silent, for the series may stay for ever.
      expr: |||
        max BYJ (grid_bulk_job_status{$,status="FAILED"}) == 1
        and time() - min BYJ (grid_bulk_job_completed_timestamp_seconds{$} or grid_bulk_job_last_change_timestamp_seconds{$}) < %(endedSeconds)s
      |||,
      summary: 'An import failed.',
      description: who + ' ended with status FAILED. ' + counts,
    },
    {
      name: 'JobStalled',
      dashboard: 'job',
      // A timestamp instead of a long `for`, so that restarts and gaps do not begin the wait anew; and only where the
      // last poll was good, for an API that cannot be reached must not look like a stalled import.
      expr: |||
        time() - min BYJ (
          grid_bulk_job_last_change_timestamp_seconds{$}
          and ignoring (status) grid_bulk_job_status{$,status="PROCESSING"} == 1
          and grid_bulk_job_poll_success{$} == 1
        ) > %(unchangedSeconds)s
      |||,
      summary: 'A running import makes no progress.',
      description: who + ' is PROCESSING, but nothing about it has changed for {{ $value | humanizeDuration }}, at '
                   + figure('grid_bulk_job_processed_rows') + ' of ' + figure('grid_bulk_job_total_rows') + ' rows.',
    },
    {
      name: 'JobPendingTooLong',
      dashboard: 'job',
      expr: |||
        time() - min BYJ (
          grid_bulk_job_last_change_timestamp_seconds{$}
          and ignoring (status) grid_bulk_job_status{$,status="PENDING"} == 1
          and grid_bulk_job_poll_success{$} == 1
        ) > %(unchangedSeconds)s
      |||,
      summary: 'An import waits for too long.',
      description: who + ' has been PENDING for {{ $value | humanizeDuration }}.',
    },
    {
      name: 'JobUnknownStatus',
      dashboard: 'job',
      expr: |||
        max BYJ (max_over_time(grid_bulk_job_status{$,status="UNKNOWN"}[%(window)s])) == 1
      |||,
      summary: 'An import has a status that the exporter does not know.',
      description: who + ' has had an unknown status for over %(for)s. The raw word is in the log and in /api/v1/jobs.',
    },
    {
      name: 'JobPollFailing',
      dashboard: 'job',
      expr: |||
        max BYJ (max_over_time(grid_bulk_job_poll_success{$}[%(window)s])) == 0
      |||,
      summary: 'An import cannot be read.',
      description: who + ': not one good poll for over %(for)s. '
                   + '{{ with printf `time() - max(grid_bulk_job_last_poll_success_timestamp_seconds{$,jobId=%%q})` $labels.jobId | query }}Its numbers are {{ . | first | value | humanizeDuration }} old.{{ else }}It was never read.{{ end }}',
    },
    {
      name: 'JobNotFound',
      dashboard: 'overview',
      // The window is shorter than `for`, so that one 404 alone is silent.
      expr: |||
        sum BYX (increase(grid_bulk_poll_failures_total{$,reason="not_found"}[%(window)s])) > 0
      |||,
      summary: 'The API knows nothing of a watched import.',
      description: 'The API of {{ $labels.job }} has answered 404 for over %(for)s. Unreadable at present: '
                   + '{{ range printf `topk(10, max by (jobId) (grid_bulk_job_poll_success{$,job=%%q}) == 0)` $labels.job | query | sortByLabel "jobId" }}{{ .Labels.jobId }} {{ else }}none {{ end }}(ten at most).',
    },
    {
      name: 'JobSetEmpty',
      dashboard: 'overview',
      expr: |||
        sum BYX (grid_bulk_jobs{$}) == 0 and max BYX (max_over_time(grid_bulk_jobs{$}[%(window)s])) > 0
      |||,
      summary: 'No import is watched any more.',
      description: '{{ $labels.job }} watches no import; within %(window)s there were some.',
    },
  ]
