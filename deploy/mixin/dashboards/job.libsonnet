// One import in depth: its course over time.
function(config, g)
  local alerts = config.alerts;
  local limits = config.dashboards;
  local spike = alerts.JobFailedRowsSpike;
  local choose = 'Choose an import';

  g.dashboard(
    config.dashboardUids.job,
    'Grid bulk import',
    'One import: its course, its failures, and how fresh the data is.',
    'now-6h',
    [g.variables.datasource, g.variables.cluster, g.variables.job, g.variables.instance, g.variables.oneJobId],
    g.endAnnotations() + g.restartAnnotations,
    [
      g.stat('Status', |||
        The status as of the last good poll. UNKNOWN is a word that this version of the exporter does not know.
      |||, [4, 4], [
        g.now('max by (status) (grid_bulk_job_status{$J} == 1)', '{{status}}'),
      ], noValue=choose) + g.fields({ color: { mode: 'fixed', fixedColor: g.colours.running } }, g.paintStatuses) + {
        options+: { textMode: 'name' },
      },
      g.gauge('Progress', 'Rows processed of the rows in the file. Full also when all of them failed.', [4, 4], [
        g.now(g.import_.progress, 'progress'),
      ]),
      g.stat('Time left', |||
        At the speed of the last 10 minutes. Empty unless the import runs, moves, and was read well at the last poll.
      |||, [3, 4], [g.now(g.import_.timeLeft, 'time left')], 's') + g.fields({ decimals: 0 }),
      g.stat('Estimated end', 'Now plus the time left; empty when that is.', [4, 4], [
        g.now('(time() + %s) * 1000' % g.text(g.import_.timeLeft), 'end'),
      ], 'dateTimeAsLocalNoDateIfToday'),
      g.stat('Failed share', |||
        Share of the rows processed so far that failed, over the whole import. Above %s at the end, GridBulkJobEndedWithFailedRows fires.
      ||| % ('%.10g %%' % (alerts.JobEndedWithFailedRows.maxRatio * 100)), [3, 4], [
        g.now(g.import_.failedShare, 'failed share'),
      ], 'percentunit') + g.fields({ decimals: 1, thresholds: g.limits(limits.failedRatio, g.colours.good) }),
      g.stat('Failed rows', 'Rows whose customer could not be created, as of the last good poll.', [3, 4], [
        g.now('max by (jobId) (grid_bulk_job_failed_rows{$J})', 'failed rows'),
      ], 'locale') + g.fields({ decimals: 0, thresholds: g.limits(limits.failedRows, g.colours.good) }),
      g.stat('Last change', |||
        When status or counts last changed. A running import that has not changed for %d minutes has stalled.
      ||| % (alerts.JobStalled.unchangedSeconds / 60), [3, 4], [
        g.now(g.import_.lastChange, 'last change'),
      ], 'dateTimeFromNow'),

      g.table('Name, team and other labels', |||
        What the configuration says of this import. Two rows mean that two replicas say different things.
      |||, [24, 4], [
        g.column('max without (instance, pod) (grid_bulk_job_info{$J})'),
      ]) + g.fields({ noValue: choose }, [
        g.columnLooks('jobId', 'Import', { 'custom.width': 360 }),
        g.columnLooks('job', 'Exporter job'),
        g.columnLooks(config.nameLabel, 'Name'),
      ] + [
        g.columnLooks(label, std.asciiUpper(label[0]) + label[1:])
        for label in config.jobLabels
      ]) + {
        transformations: [{ id: 'organize', options: {
          excludeByName: { Time: true, Value: true, 'Value #A': true, __name__: true },
          indexByName: { [config.nameLabel]: 0, jobId: 1 },
          renameByName: {},
        } }],
      },

      g.graph('Rows', |||
        Rows processed so far: successful and failed, stacked, against the rows in the file (dashed). The area grows to the
        line; where it lies flat, nothing happens.
      |||, [12, 9], [
        g.target('max by (jobId) (grid_bulk_job_successful_rows{$J})', 'successful'),
        g.target('max by (jobId) (grid_bulk_job_failed_rows{$J})', 'failed'),
        g.target('max by (jobId) (grid_bulk_job_total_rows{$J})', 'total'),
      ]) + g.stacked + g.fields({ decimals: 0 }, [
        g.paint('successful', g.colours.good),
        g.paint('failed', g.colours.bad),
        g.override('total', {
          color: { mode: 'fixed', fixedColor: g.colours.waiting },
          'custom.fillOpacity': 0,
          'custom.lineStyle': { fill: 'dash', dash: [8, 6] },
          'custom.stacking': { mode: 'none', group: 'A' },
        }),
      ]),
      g.graph('Speed (rows per second)', |||
        Rows per second, over the last 10 minutes at each point. Imports of one account share the API: several at once are
        slower each.
      |||, [12, 9], [
        g.target(g.import_.speed, 'rows per second'),
      ]) + g.fields({}, [g.paint('rows per second', g.colours.running)]),

      g.graph('New failed rows, last %s' % spike.window, |||
        Failed rows of the last %(window)s at each point. From the dashed line, %(rows)d, GridBulkJobFailedRowsSpike fires. 0 is normal.
      ||| % spike, [12, 8], [
        g.target('max by (jobId) (grid_bulk_job_failed_rows{$J} - min_over_time(grid_bulk_job_failed_rows{$J}[%s]))' % spike.window, 'new failed rows'),
      ]) + g.line(spike.rows) + g.fields({ decimals: 0 }, [g.paint('new failed rows', g.colours.bad)]),
      g.graph('Share of rows that fail', |||
        Of all rows so far, and of those of the last %s. From the dashed line GridBulkJobFailedRatioSpike fires, if at least
        %d rows were processed.
      ||| % [alerts.JobFailedRatioSpike.window, alerts.JobFailedRatioSpike.minRows], [12, 8], [
        g.target(g.import_.failedShare, 'of all so far'),
        g.target(|||
          max by (jobId) (
            (grid_bulk_job_failed_rows{$J} - min_over_time(grid_bulk_job_failed_rows{$J}[%(window)s]))
            / ((grid_bulk_job_processed_rows{$J} - min_over_time(grid_bulk_job_processed_rows{$J}[%(window)s])) > 0)
          )
        ||| % alerts.JobFailedRatioSpike, 'of the last %s' % alerts.JobFailedRatioSpike.window),
      ], 'percentunit') + g.line(alerts.JobFailedRatioSpike.maxRatio) + g.fields({}, [
        g.paint('of all so far', g.colours.waiting),
        g.paint('/of the last/', g.colours.bad),
      ]),

      g.panel('state-timeline', 'Status over time', |||
        Which status the import had when. Gaps are times without data: the exporter was away, or the import not yet watched.
      |||, [12, 8], [
        g.target('max by (status) (grid_bulk_job_status{$J} == 1)', '{{status}}'),
      ]) + g.fields({
        noValue: choose,
        color: { mode: 'fixed', fixedColor: g.colours.running },
        custom: { fillOpacity: 85, lineWidth: 0, spanNulls: false },
        mappings: [{ type: 'value', options: { '1': { text: ' ', index: 0 } } }],
      }, g.paintStatuses) + {
        options: {
          showValue: 'never',
          mergeValues: true,
          alignValue: 'left',
          rowHeight: 0.7,
          legend: { displayMode: 'list', placement: 'bottom', showLegend: false },
          tooltip: { mode: 'single', sort: 'none' },
        },
      },
      g.graph('Age of the numbers', |||
        Time since the last good poll. A saw between 0 and the poll interval is normal; a slope means that the import cannot be
        read, or has ended: ended imports are not polled again.
      |||, [12, 8], [
        g.target('time() - max by (jobId) (grid_bulk_job_last_poll_success_timestamp_seconds{$J})', 'age'),
      ], 's') + g.fields({
        custom+: { thresholdsStyle: { mode: 'dashed' } },
        thresholds: g.steps('transparent', [[limits.ageSeconds.soon, g.colours.soon], [limits.ageSeconds.late, g.colours.bad]]),
      }, [g.paint('age', g.colours.running)]),

      g.bars('Errors by code, now', |||
        Entries in the list of errors, by code, as of the last good poll. What to correct in the file.
      |||, [12, 9], [
        g.now('sort_desc(max by (code) (grid_bulk_job_error_entries{$J}))', '{{code}}'),
      ], 'locale'),
      g.graph('Errors by code over time', |||
        The same over time, stacked. A code that appears late hints at one part of the file.
      |||, [12, 9], [
        g.target('max by (code) (grid_bulk_job_error_entries{$J})', '{{code}}'),
      ]) + g.stacked + g.dense + g.worseWords + g.fields({ decimals: 0, noValue: 'No errors' }),
    ]
  )
