// Is anything wrong, and in which import? No graph draws a line for each import, so that 1,000 of them stay readable.
function(config, g)
  local alerts = config.alerts;
  local limits = config.dashboards;
  local name = config.nameLabel;
  local percent(ratio) = '%.10g %%' % (ratio * 100);

  // The panel's own noValue is for a table without rows; in a cell it would read as a number.
  local emptyCells = g.override('/.*/', { noValue: '' });

  // Columns that both tables have.
  local idColumn = g.columnLooks('jobId', 'Import', { 'custom.width': 345, 'custom.filterable': true, links: g.jobLink() });
  local labelColumns = [
    g.columnLooks(name, 'Name', { 'custom.width': 140, 'custom.filterable': true, links: g.jobLink('__data.fields.jobId') }),
  ] + [
    g.columnLooks(label, std.asciiUpper(label[0]) + label[1:], { 'custom.width': 105 })
    for label in config.jobLabels
  ];
  local columnOrder(fields) = { [fields[i]]: i for i in std.range(0, std.length(fields) - 1) };
  local hidden = { id: 'filterFieldsByName', options: { include: { pattern: '^(?!Time$|__name__$).*' } } };
  // An import's status, in colour and in words.
  local statusLooks = {
    'custom.cellOptions': { type: 'color-text' },
    'custom.width': 112,
    mappings: g.statusMappings,
  };
  local coloured(colour) = {
    'custom.cellOptions': { type: 'color-text' },
    'custom.align': 'right',
    color: { mode: 'fixed', fixedColor: colour },
  };
  local plain = { 'custom.align': 'right' };

  local since = '(grid_bulk_job_completed_timestamp_seconds{$J} or grid_bulk_job_last_change_timestamp_seconds{$J})';
  local unchanged(status, seconds) = |||
    time() - min by (jobId) (
      grid_bulk_job_last_change_timestamp_seconds{$J}
      and ignoring (status) grid_bulk_job_status{$J,status="%s"} == 1
      and grid_bulk_job_poll_success{$J} == 1
    ) > %s
  ||| % [status, seconds];

  g.dashboard(
    config.dashboardUids.overview,
    'Grid bulk imports',
    'How many imports run, how far they are, and what fails.',
    'now-6h',
    [g.variables.datasource, g.variables.cluster, g.variables.job, g.variables.instance] + g.variables.labels + [g.variables.jobIds],
    // Where hundreds are shown, lines for each that was completed would hide the graphs.
    g.endAnnotations(' and on () count(grid_bulk_job_info{$J}) <= 50') + g.restartAnnotations,
    [
      g.stat('Exporter', |||
        Whether Prometheus could scrape the exporter last time. DOWN: nothing here is known, and an empty table is no good
        sign. With several instances, one that is down is enough.
      |||, [2, 4], [
        g.now('min(up{$S} OF_EXPORTER) or vector(0)', 'exporter'),
      ], noValue='DOWN') + g.fields({ mappings: [{
        type: 'value',
        options: {
          '1': { text: 'up', color: g.colours.good, index: 0 },
          '0': { text: 'DOWN', color: g.colours.bad, index: 1 },
        },
      }], thresholds: g.steps(g.colours.bad, [[1, g.colours.good]]) }),
      g.stat('Imports by status', |||
        Imports chosen above, by status. An import that was never read has none and is not counted. More than a few
        FAILED, or any UNKNOWN, is worth a look at the table. While a pair of exporters disagrees about an import, it counts
        as half in either status.
      |||, [5, 4], [
        g.now('sum by (status) (avg by (GROUP, jobId, status) (grid_bulk_job_status{$J}) OF_TEAM)', '{{status}}'),
      ], 'locale', noValue='No data, or no import watched') + g.fields({ color: { mode: 'fixed', fixedColor: g.colours.running } }, g.paintStatuses) + {
        options+: { textMode: 'value_and_name', wideLayout: false },
      },
      g.gauge('Overall progress', |||
        Rows processed of all rows, over the imports that wait or run. Without any, there is no number.
      |||, [3, 4], [
        g.now(|||
          sum(max by (GROUP, jobId) (grid_bulk_job_processed_rows{$J} and grid_bulk_job_total_rows{$J} > 0 and ignoring (status) grid_bulk_job_status{$J,status=~"PENDING|PROCESSING"} == 1) OF_TEAM)
          / (sum(max by (GROUP, jobId) (grid_bulk_job_total_rows{$J} > 0 and ignoring (status) grid_bulk_job_status{$J,status=~"PENDING|PROCESSING"} == 1) OF_TEAM) > 0)
        |||, 'progress'),
      ]),
      g.stat('Rows per second', |||
        Rows that the API processes now, over all imports of the chosen instances (a counter, which knows no team or import).
        0 while nothing runs.
      |||, [3, 4], [
        g.target('sum(sum by (GROUP) (rate(grid_bulk_rows_total{$S}[$__rate_interval])) / REPLICAS_5m)', 'rows per second'),
      ], graph='area') + g.fields({ decimals: 1 }),
      g.stat('Failed rows', |||
        Rows that failed within the time range, over all imports of the chosen instances. Orange from 1, red from %(late)s:
        then see Errors by code.
      ||| % limits.failedRows, [3, 4], [
        g.now('sum(sum by (GROUP) (increase(grid_bulk_rows_total{$S,result="failed"}[$__range])) / REPLICAS_RANGE) or vector(0)', 'failed rows'),
      ], 'locale') + g.fields({ decimals: 0, thresholds: g.limits(limits.failedRows, g.colours.good) }),
      g.stat('Failure ratio', |||
        Share of the rows processed within the time range that failed. Orange from %s, red from %s.
      ||| % [percent(limits.failedRatio.soon), percent(limits.failedRatio.late)], [3, 4], [
        g.now('sum(increase(grid_bulk_rows_total{$S,result="failed"}[$__range])) / (sum(increase(grid_bulk_rows_total{$S}[$__range])) > 0)', 'failure ratio'),
      ], 'percentunit') + g.fields({ decimals: 1, thresholds: g.limits(limits.failedRatio, g.colours.good) }),
      g.stat('Oldest number', |||
        How long ago the running import that was read least lately was read well. Normal is less than two poll intervals; red
        means that some number below is older than it looks. Without running imports, there is none.
      |||, [3, 4], [
        g.now(|||
          max(time() - (
            max by (job, jobId) (grid_bulk_job_last_poll_success_timestamp_seconds{$J})
            unless max by (job, jobId) (grid_bulk_job_status{$J,status=~"COMPLETED|FAILED"} == 1)
          ) OF_TEAM)
        |||, 'age'),
      ], 's') + g.fields({ decimals: 0, thresholds: g.limits(limits.ageSeconds, g.colours.good) }),
      g.stat('Alerts', |||
        Alerts of the rules shipped with the exporter that fire now. Needs those rules in this Prometheus; 0 without them.
      |||, [2, 4], [
        g.now('count(ALERTS{alertname=~"GridBulk.+",alertstate="firing"}) or vector(0)', 'alerts'),
      ]) + g.fields({
        thresholds: g.steps(g.colours.good, [[1, g.colours.bad]]),
        links: [{ title: 'Alerting', url: '/alerting/list?search=GridBulk' }],
      }),

      g.table('Imports that need attention', |||
        One row for each import with a symptom, and the figure under the symptom: many new failed rows (%(rows)s within %(window)s),
        a large share of new failures, failed in the last hours, completed with many failures, no progress, or not readable.
        Empty is good while the exporter is up. Thresholds are those of the alerts, without their waits.
      ||| % alerts.JobFailedRowsSpike, [24, 7], [
        g.column(|||
          (
            (
              max by (jobId) (grid_bulk_job_failed_rows{$J})
              unless max by (jobId) (present_over_time(grid_bulk_job_failed_rows{$J}[%(bornWindow)s] offset %(window)s))
              and max by (jobId) (max_over_time(grid_bulk_job_status{$J,status=~"PENDING|PROCESSING"}[%(window)s])) == 1
            ) >= %(rows)s
            or max by (jobId) (grid_bulk_job_failed_rows{$J} - min_over_time(grid_bulk_job_failed_rows{$J}[%(window)s])) >= %(rows)s
          ) NAMED
        ||| % alerts.JobFailedRowsSpike),
        g.column(|||
          (max by (jobId) (
            (grid_bulk_job_failed_rows{$J} - min_over_time(grid_bulk_job_failed_rows{$J}[%(window)s]))
            / ((grid_bulk_job_processed_rows{$J} - min_over_time(grid_bulk_job_processed_rows{$J}[%(window)s])) >= %(minRows)s)
          ) > %(ratio)s) NAMED
        ||| % (alerts.JobFailedRatioSpike { ratio: '%.10g' % alerts.JobFailedRatioSpike.maxRatio })),
        g.column(|||
          (time() - min by (jobId) (%s) < %d and max by (jobId) (grid_bulk_job_status{$J,status="FAILED"}) == 1) NAMED
        ||| % [since, alerts.JobFailed.endedSeconds]),
        g.column(|||
          (
            (
              (
                max by (jobId) (grid_bulk_job_failed_rows{$J} / (grid_bulk_job_processed_rows{$J} > 0)) > %(ratio)s
                and max by (jobId) (grid_bulk_job_failed_rows{$J}) >= %(rows)s
              )
              or (
                max by (jobId) (grid_bulk_job_failed_rows{$J} / (grid_bulk_job_processed_rows{$J} > 0))
                and max by (jobId) (grid_bulk_job_successful_rows{$J}) == 0
              ) > 0
            )
            and max by (jobId) (grid_bulk_job_status{$J,status="COMPLETED"}) == 1
            and time() - min by (jobId) (%(since)s) < %(endedSeconds)d
          ) NAMED
        ||| % (alerts.JobEndedWithFailedRows { since: since, ratio: '%.10g' % alerts.JobEndedWithFailedRows.maxRatio })),
        g.column('(%s or %s) NAMED' % [
          g.text(unchanged('PROCESSING', alerts.JobStalled.unchangedSeconds)),
          g.text(unchanged('PENDING', alerts.JobPendingTooLong.unchangedSeconds)),
        ]),
        // An import that was never read well has no time of it: then the time since the start of the process.
        g.column(|||
          (time() - (
            max by (jobId) (grid_bulk_job_last_poll_success_timestamp_seconds{$J})
            or max by (jobId) (grid_bulk_job_poll_success{$J} * 0 + on (cluster, job, instance) group_left () max by (cluster, job, instance) (process_start_time_seconds{$S}))
          ) and max by (jobId) (max_over_time(grid_bulk_job_poll_success{$J}[%(window)s])) == 0) NAMED
        ||| % alerts.JobPollFailing),
      ], pages=true) + g.fields({ noValue: 'No import is known to need attention; if the exporter is DOWN, nothing is known' }, [
        emptyCells,
        idColumn,
        g.columnLooks('Value #A', 'New failed rows, %s' % alerts.JobFailedRowsSpike.window, coloured(g.colours.soon) { unit: 'locale', decimals: 0 }),
        g.columnLooks('Value #B', 'New rows that fail, %s' % alerts.JobFailedRatioSpike.window, coloured(g.colours.bad) { unit: 'percentunit', decimals: 0 }),
        g.columnLooks('Value #C', 'FAILED since', coloured(g.colours.bad) { unit: 's', decimals: 0 }),
        g.columnLooks('Value #D', 'COMPLETED, but failed', coloured(g.colours.soon) { unit: 'percentunit', decimals: 0 }),
        g.columnLooks('Value #E', 'No progress for', coloured(g.colours.soon) { unit: 's', decimals: 0 }),
        g.columnLooks('Value #F', 'Unreadable for', coloured(g.colours.bad) { unit: 's', decimals: 0 }),
      ] + labelColumns) + {
        options+: { sortBy: [{ displayName: 'New rows that fail, %s' % alerts.JobFailedRatioSpike.window, desc: true }] },
        transformations: [
          hidden,
          { id: 'merge', options: {} },
          { id: 'organize', options: {
            excludeByName: {},
            indexByName: columnOrder([name, 'jobId'] + config.jobLabels + ['Value #C', 'Value #B', 'Value #A', 'Value #E', 'Value #F', 'Value #D']),
            renameByName: {},
          } },
        ],
      },

      g.table('All imports', |||
        One row for each import chosen above, those that run first. Click an import to see its course. Labels come from the
        configuration of the job. An empty cell means that the exporter does not know: it has not read the import yet, or
        there is nothing to estimate.
      |||, [24, 12], [
        g.column('topk by (jobId) (1, max without (instance, pod, container, endpoint, service, cluster, namespace, job) (grid_bulk_job_info{$J}) OF_TEAM)'),
        // One row for each import, even while a pair disagrees about it.
        g.column('topk by (jobId) (1, max by (jobId, status) (grid_bulk_job_status{$J} == 1)) OF_TEAM'),
        g.column(g.import_.progress + ' OF_TEAM'),
        g.column('max by (jobId) (grid_bulk_job_total_rows{$J}) OF_TEAM'),
        g.column('max by (jobId) (grid_bulk_job_failed_rows{$J}) OF_TEAM'),
        g.column(g.import_.failedShare + ' OF_TEAM'),
        g.column(g.import_.speed + ' OF_TEAM'),
        g.column(g.text(g.import_.timeLeft) + ' OF_TEAM'),
        g.column(g.import_.lastChange + ' OF_TEAM'),
        g.column(g.import_.lastPoll + ' OF_TEAM'),
        g.column('max by (jobId) (grid_bulk_job_poll_success{$J}) OF_TEAM'),
      ], pages=true) + g.fields({ noValue: 'No data, or no import watched: see below how one gets in' }, [
        emptyCells,
        idColumn,
        g.columnLooks('status', 'Status', statusLooks),
        g.columnLooks('Value #C', 'Progress', {
          unit: 'percentunit',
          min: 0,
          max: 1,
          decimals: 0,
          'custom.cellOptions': { type: 'gauge', mode: 'basic', valueDisplayMode: 'text' },
          'custom.width': 125,
          color: { mode: 'fixed', fixedColor: g.colours.running },
        }),
        g.columnLooks('Value #D', 'Rows', plain { unit: 'locale', decimals: 0, 'custom.width': 75 }),
        g.columnLooks('Value #E', 'Failed', plain { unit: 'locale', decimals: 0, 'custom.width': 70 }),
        g.columnLooks('Value #F', 'Failed share', plain {
          unit: 'percentunit',
          decimals: 1,
          'custom.cellOptions': { type: 'color-background', mode: 'basic' },
          'custom.width': 112,
          thresholds: g.steps('transparent', [[limits.failedRatio.soon, g.colours.soon], [limits.failedRatio.late, g.colours.bad]]),
        }),
        g.columnLooks('Value #G', 'Rows/s', plain { decimals: 1, 'custom.width': 70 }),
        g.columnLooks('Value #H', 'Time left', plain { unit: 's', decimals: 0, 'custom.width': 80 }),
        g.columnLooks('Value #I', 'Last change', { unit: 'dateTimeFromNow', 'custom.width': 140 }),
        g.columnLooks('Value #J', 'Last good poll', { unit: 'dateTimeFromNow', 'custom.width': 140 }),
        g.columnLooks('Value #K', 'Readable', {
          'custom.cellOptions': { type: 'color-text' },
          'custom.width': 75,
          mappings: g.yesNo,
        }),
      ] + labelColumns) + {
        options+: { sortBy: [{ displayName: 'Status', desc: true }, { displayName: 'Failed share', desc: true }] },
        transformations: [
          hidden,
          { id: 'joinByField', options: { byField: 'jobId', mode: 'outer' } },
          { id: 'organize', options: {
            excludeByName: { 'Value #A': true, 'Value #B': true },
            indexByName: columnOrder([name, 'jobId', 'status', 'Value #C', 'Value #D', 'Value #E', 'Value #F', 'Value #G', 'Value #H', 'Value #I', 'Value #J', 'Value #K'] + config.jobLabels),
            renameByName: {},
          } },
        ],
      },

      g.graph('Rows per second by result', |||
        How fast the API works through the files, and how much of it fails, over all imports of the chosen instances.
        A drop to 0 while imports run means that they stall.
      |||, [12, 8], [
        g.target('sum by (result) (sum by (GROUP, result) (rate(grid_bulk_rows_total{$S}[$__rate_interval])) / on (GROUP) group_left () REPLICAS_5m)', '{{result}}'),
      ]) + g.stacked + g.fields({}, [g.paint('successful', g.colours.good), g.paint('failed', g.colours.bad)]),
      g.graph('Share of rows that fail', |||
        Share of the rows processed at that moment that failed. The dashed line is where GridBulkFailedRowsSpike begins
        (%s, if at least %d rows failed).
      ||| % [percent(alerts.FailedRowsSpike.maxRatio), alerts.FailedRowsSpike.rows], [12, 8], [
        g.target('sum(rate(grid_bulk_rows_total{$S,result="failed"}[$__rate_interval])) / (sum(rate(grid_bulk_rows_total{$S}[$__rate_interval])) > 0)', 'failed share'),
      ], 'percentunit') + g.line(alerts.FailedRowsSpike.maxRatio) + g.fields({ max: null }, [g.paint('failed share', g.colours.bad)]),
      g.graph('Failing fastest, top 10 (failed rows per minute)', |||
        The ten imports chosen above whose failed rows grow fastest, of those that run at the end of the range. Flat at 0 is good. One that rises
        alone: look at its file. Many at once: suspect the API, or a change of the schema.
      |||, [12, 8], [
        g.target(|||
          (max by (jobId) (deriv(grid_bulk_job_failed_rows{$J}[10m])) * 60 and topk(10, max by (jobId) (deriv(grid_bulk_job_failed_rows{$J}[10m] @ end()) and ignoring (status) grid_bulk_job_status{$J,status="PROCESSING"} @ end() == 1) OF_TEAM_AT_END)) NAMED_AT_END
        |||, '{{%s}} {{jobId}}' % name),
      ]) + g.legendTable + g.worseImports + g.fields({ noValue: 'No import runs' }),
      g.bars('Errors by code, top 15', |||
        Entries in the lists of errors of the imports chosen above, by code, as of their last good polls. What to correct in
        the files.
      |||, [12, 8], [
        g.now('topk(15, sum by (code) (max by (job, jobId, code) (grid_bulk_job_error_entries{$J}) OF_TEAM))', '{{code}}'),
      ], 'locale'),
      g.note('How an import gets in', 'What to configure, so that an import is watched.', [24, 4], |||
        - By the script that uploads: `curl -X PUT http://EXPORTER:10310/api/v1/jobs/Job:…` (needs `--web.enable-admin-api`).
        - From a list: files (`job_files:`, Prometheus's `file_sd`) or a server (`job_http:`, its `http_sd`); seen by themselves.
        - In the configuration file: ids under `jobs:`, with labels such as `name` and `team`; then reload (`SIGHUP`).
        - Without a file: `--job ID` once for each import, or `GRID_JOBS` with ids separated by commas.
        - The id is what the upload of the CSV file answers: `{"jobId": "Job:…"}`.
      |||),
    ]
  )
