// Is what I see true? The exporter, its polling, and the API as it meets it.
function(config, g)
  local alerts = config.alerts;
  local limits = config.dashboards;

  // A quantile of a histogram, in its classic form or, where Prometheus takes only that, the native one. Without
  // observations it is NaN, which >= 0 leaves out.
  local quantile(q, metric) = |||
    histogram_quantile(%(q)s, sum by (instance, le) (rate(%(metric)s_bucket{$S}[$__rate_interval]))) >= 0
    or histogram_quantile(%(q)s, sum by (instance) (rate(%(metric)s{$S}[$__rate_interval]))) >= 0
  ||| % { q: '%.10g' % q, metric: metric };
  local asDashed = { 'custom.lineStyle': { fill: 'dash', dash: [6, 4] } };

  g.dashboard(
    config.dashboardUids.exporter,
    'Grid bulk exporter',
    'The exporter itself: whether it polls in time, what the API answers, and what it costs.',
    'now-1h',
    [g.variables.datasource, g.variables.cluster, g.variables.job, g.variables.instance],
    g.restartAnnotations,
    [
      g.stat('Up', 'Whether Prometheus could scrape the exporter last time. If not: is the process up, the port reachable?', [3, 4], [
        g.now('up{$S} OF_EXPORTER', '{{instance}}'),
      ], noValue='No target') + g.fields({ mappings: [{
        type: 'value',
        options: {
          '1': { text: 'up', color: g.colours.good, index: 0 },
          '0': { text: 'down', color: g.colours.bad, index: 1 },
        },
      }], thresholds: g.steps(g.colours.bad, [[1, g.colours.good]]) }),
      g.stat('API', |||
        Whether the API answered well in the latest interval in which anything was asked. If not: see API requests by code
        and Poll failures by reason.
      |||, [3, 4], [
        g.now('min by (instance) (grid_bulk_up{$S})', '{{instance}}'),
      ]) + g.fields({ mappings: [{
        type: 'value',
        options: {
          '1': { text: 'good', color: g.colours.good, index: 0 },
          '0': { text: 'bad', color: g.colours.bad, index: 1 },
        },
      }], thresholds: g.steps(g.colours.bad, [[1, g.colours.good]]) }),
      g.stat('Readable imports', |||
        Share of the running imports whose latest poll was good. Below %d %% GridBulkExporterBlind fires.
      ||| % (alerts.ExporterBlind.minReadableRatio * 100), [3, 4], [
        g.now('avg(grid_bulk_job_poll_success{$S} unless ignoring (status) grid_bulk_job_status{$S,status=~"COMPLETED|FAILED"} == 1)', 'readable'),
      ], 'percentunit') + g.fields({
        decimals: 0,
        thresholds: g.steps(g.colours.bad, [[alerts.ExporterBlind.minReadableRatio, g.colours.soon], [1, g.colours.good]]),
      }),
      g.stat('Since last cycle', |||
        A cycle lasts one poll interval, so this stays below it. Red, and scrapes work: the poll loop is stuck, restart it.
      |||, [3, 4], [
        g.now('time() - max by (instance) (grid_bulk_exporter_last_poll_cycle_timestamp_seconds{$S})', '{{instance}}'),
      ], 's') + g.fields({ decimals: 0, thresholds: g.limits(limits.cycleAgeSeconds, g.colours.good) }),
      g.stat('Imports watched', 'Imports in the set, whatever their status, also those never read.', [3, 4], [
        g.now('sum(sum by (GROUP) (grid_bulk_jobs{$S}) / REPLICAS_5m)', 'imports'),
      ], 'locale', noValue='No exporter') + g.fields({ decimals: 0 }),
      g.stat('Version', 'The build that runs. Two values after an upgrade: one instance still runs the old one.', [4, 4], [
        g.now('max by (instance, version) (grid_bulk_exporter_build_info{$S})', '{{version}}'),
      ]) + { options+: { textMode: 'name' } },
      g.stat('Uptime', 'Time since the start of the process. Short again and again: it crashes, or is killed for its memory.', [5, 4], [
        g.now('time() - max by (instance) (process_start_time_seconds{$S} OF_EXPORTER)', '{{instance}}'),
      ], 's') + g.fields({ decimals: 0 }),

      g.row('Polling'),
      g.graph('Polls per minute', |||
        Polls of imports that ended well, and that did not. Imports that run, divided by the interval, is what to expect.
      |||, [8, 8], [
        g.target('clamp_min(sum(rate(grid_bulk_polls_total{$S}[$__rate_interval])) - sum(rate(grid_bulk_poll_failures_total{$S}[$__rate_interval])), 0) * 60', 'good'),
        g.target('sum(rate(grid_bulk_poll_failures_total{$S}[$__rate_interval])) * 60', 'failed'),
      ]) + g.stacked + g.fields({}, [g.paint('good', g.colours.good), g.paint('failed', g.colours.bad)]),
      g.graph('Poll failures by reason (per minute)', |||
        Why polls failed. unauthorized, forbidden: the credentials. not_found: a wrong id. rate_limited: too fast. The rest:
        the API, the network or the proxy. 0 is normal.
      |||, [8, 8], [
        g.target('sum by (reason) (rate(grid_bulk_poll_failures_total{$S}[$__rate_interval])) * 60 > 0', '{{reason}}'),
      ]) + g.stacked + g.dense + g.worseWords + g.fields({ noValue: 'No failures' }),
      g.graph('Poll cycle, p50 and p99', |||
        From the start of a cycle until each import due in it was answered. Near the poll interval, data is soon older than it
        looks: raise the interval or the concurrency. Dashed in grey: the interval, as the time between two cycles.
      |||, [8, 8], [
        g.target(quantile(0.5, 'grid_bulk_exporter_poll_cycle_duration_seconds'), 'p50 {{instance}}'),
        g.target(quantile(0.99, 'grid_bulk_exporter_poll_cycle_duration_seconds'), 'p99 {{instance}}'),
        g.target('1 / (sum by (instance) (rate(grid_bulk_exporter_poll_cycles_total{$S}[$__rate_interval])) > 0)', 'interval {{instance}}'),
      ], 's') + g.fields({}, [
        g.override('/^p99/', asDashed),
        g.override('/^interval/', asDashed { color: { mode: 'fixed', fixedColor: g.colours.waiting }, 'custom.fillOpacity': 0 }),
      ]),
      g.graph('Share of cycles that overran', |||
        Cycles that ended with imports not yet asked for. Above the line GridBulkPollOverruns fires. 0 is normal.
      |||, [8, 8], [
        g.target('sum by (instance) (rate(grid_bulk_exporter_poll_overruns_total{$S}[$__rate_interval])) / (sum by (instance) (rate(grid_bulk_exporter_poll_cycles_total{$S}[$__rate_interval])) > 0)', '{{instance}}'),
      ], 'percentunit') + g.line(alerts.PollOverruns.maxRatio) + g.fields({ max: 1 }),
      g.graph('Imports by status', |||
        All imports in the set. UNPOLLED was never read well: at the start for a moment, later because of an error.
      |||, [8, 8], [
        g.target('sum by (status) (sum by (GROUP, status) (grid_bulk_jobs{$S}) / on (GROUP) group_left () REPLICAS_5m)', '{{status}}'),
      ]) + g.stacked + g.fields({ decimals: 0 }, g.paintStatuses + [g.paint('UNPOLLED', g.colours.soon)]),
      g.graph('Contradictory answers', |||
        Answers whose numbers contradict each other or the ones before, by kind. 0 is normal; else tell Lightspark's support.
      |||, [8, 8], [
        g.target('sum by (kind) (increase(grid_bulk_api_inconsistent_answers_total{$S}[$__rate_interval]))', '{{kind}}'),
      ]) + g.shades(g.colours.soon) + g.fields({ decimals: 0 }),

      g.row('API'),
      g.graph('API requests by code', |||
        Requests sent, retries included, by HTTP status code; none if no answer came. 200 is normal, and 304: nothing new.
      |||, [8, 8], [
        g.target('sum by (code) (rate(grid_bulk_api_requests_total{$S}[$__rate_interval])) > 0', '{{code}}'),
      ], 'reqps') + g.stacked + g.fields({}, [
        g.paint('/^2../', g.colours.good),
        g.paint('/^3../', g.colours.waiting),
        g.paint('/^4../', g.colours.soon),
        g.paint('/^5../', g.colours.bad),
        g.paint('none', g.colours.unknown),
      ]),
      g.graph('API latency, p50, p90 and p99', |||
        From sending a request to the end of its answer. Long lists of errors take long to read. A jump for all imports at once
        is the API or the network.
      |||, [8, 8], [
        g.target(quantile(0.5, 'grid_bulk_api_request_duration_seconds'), 'p50 {{instance}}'),
        g.target(quantile(0.9, 'grid_bulk_api_request_duration_seconds'), 'p90 {{instance}}'),
        g.target(quantile(0.99, 'grid_bulk_api_request_duration_seconds'), 'p99 {{instance}}'),
      ], 's') + g.fields({}, [g.override('/^p99/', asDashed)]),
      g.panel('heatmap', 'API latency', |||
        How many requests took how long. Two bands are normal with short and long lists of errors; a new one higher up is not.
      |||, [8, 8], [
        g.target(|||
          sum by (le) (increase(grid_bulk_api_request_duration_seconds_bucket{$S}[$__rate_interval]))
          or (sum by (le) (increase(grid_bulk_api_request_duration_seconds{$S}[$__rate_interval])) unless on () sum(increase(grid_bulk_api_request_duration_seconds_bucket{$S}[$__rate_interval])))
        |||, '{{le}}', { format: 'heatmap' }),
      ], 's') + { options: {
        calculate: false,
        cellGap: 1,
        color: { mode: 'scheme', scheme: 'Blues', steps: 64, exponent: 0.5, fill: 'blue', reverse: false, scale: 'exponential' },
        yAxis: { unit: 's', axisPlacement: 'left', reverse: false },
        rowsFrame: { layout: 'auto' },
        cellValues: { decimals: 0 },
        filterValues: { le: 0.001 },
        legend: { show: true },
        tooltip: { mode: 'single', yHistogram: false },
        showValue: 'never',
      } },
      g.graph('Share of time throttled', |||
        Share of the time in which imports were due but had to wait, for 429 or the own limit. Above the line GridBulkApiThrottled
        fires: ask less often, or fewer imports.
      |||, [8, 8], [
        g.target('sum by (instance) (rate(grid_bulk_api_throttled_seconds_total{$S}[$__rate_interval]))', '{{instance}}'),
      ], 'percentunit') + g.line(alerts.ApiThrottled.maxThrottledRatio),
      g.graph('Read from the API', 'Bytes of answers per second, after unpacking. Grows with the lists of errors.', [8, 8], [
        g.target('sum by (instance) (rate(grid_bulk_api_response_bytes_total{$S}[$__rate_interval]))', '{{instance}}'),
      ], 'Bps'),
      g.graph('API quota left', |||
        Requests left in the present window of the API, of those permitted (dashed). Empty unless the API tells.
      |||, [8, 8], [
        g.target('min by (instance) (grid_bulk_api_quota_remaining{$S})', 'left {{instance}}'),
        g.target('min by (instance) (grid_bulk_api_quota_limit{$S})', 'permitted {{instance}}'),
      ]) + g.fields({ decimals: 0, noValue: 'The API does not tell' }, [g.override('/^permitted/', asDashed)]),

      g.row('Webhooks and configuration'),
      g.stat('Last reload good', |||
        Whether the configuration was accepted at the last reload. If not, the one before runs on: check-config says why.
      |||, [8, 4], [
        g.now('min by (instance) (grid_bulk_exporter_config_last_reload_successful{$S})', '{{instance}}'),
      ]) + g.fields({ mappings: g.yesNo, thresholds: g.steps(g.colours.bad, [[1, g.colours.good]]) }),
      g.stat('Age of the configuration', 'Time since the configuration was last read well.', [8, 4], [
        g.now('time() - max by (instance) (grid_bulk_exporter_config_last_reload_success_timestamp_seconds{$S})', '{{instance}}'),
      ], 's') + g.fields({ decimals: 0 }),
      g.stat('Imports refused in the range', |||
        Imports not watched because limits.jobs was reached. Anything but 0: raise the limit, or watch fewer.
      |||, [8, 4], [
        g.now('sum(increase(grid_bulk_exporter_jobs_rejected_total{$S}[$__range])) or vector(0)', 'refused'),
      ]) + g.fields({ decimals: 0, thresholds: g.steps(g.colours.good, [[1, g.colours.soon]]) }),
      g.graph('Webhooks by outcome', |||
        Webhooks that arrived, by what became of them. bad_signature: the key was rotated, or somebody is guessing.
      |||, [12, 8], [
        g.target('sum by (outcome) (increase(grid_bulk_exporter_webhooks_total{$S}[$__rate_interval]))', '{{outcome}}'),
      ]) + g.fields({ decimals: 0, noValue: 'No webhook configured' }, [
        g.paint('accepted', g.colours.good),
        g.paint('bad_signature', g.colours.bad),
        g.paint('bad_body', g.colours.soon),
        g.paint('/ignored|duplicate|other_shard/', g.colours.waiting),
      ]),
      g.graph('Age of the lists of imports', |||
        Time since each list of imports was last read. Above the line GridBulkDiscoveryFailing fires, and new imports are unseen.
      |||, [12, 8], [
        g.target('time() - max by (instance, source) (grid_bulk_exporter_sd_last_success_timestamp_seconds{$S})', '{{source}} {{instance}}'),
      ], 's') + g.line(alerts.DiscoveryFailing.staleSeconds) + g.fields({ noValue: 'No lists configured' }),

      g.row('Process'),
      g.graph('CPU', 'Share of one core. Grows with imports and scrapes; steady is normal.', [8, 8], [
        g.target('sum by (instance) (rate(process_cpu_seconds_total{$S}[$__rate_interval]) OF_EXPORTER)', '{{instance}}'),
      ], 'percentunit'),
      g.graph('Memory', 'Resident memory. Grows with the number of imports, not with time.', [8, 8], [
        g.target('max by (instance) (process_resident_memory_bytes{$S} OF_EXPORTER)', '{{instance}}'),
      ], 'bytes'),
      g.graph('Open files', 'Share of the file descriptors that may be open. Near 1, connections are refused: raise the limit.', [8, 8], [
        g.target('max by (instance) (process_open_fds{$S} / process_max_fds{$S} OF_EXPORTER)', '{{instance}}'),
      ], 'percentunit'),
      g.graph('Scrape time', 'How long Prometheus waited for a scrape. Must stay well below its scrape_timeout.', [8, 8], [
        g.target('max by (instance) (scrape_duration_seconds{$S} OF_EXPORTER)', '{{instance}}'),
      ], 's'),
      g.graph('Series in a scrape', 'Samples in each scrape: some twenty for each import, and the own ones.', [8, 8], [
        g.target('max by (instance) (scrape_samples_scraped{$S} OF_EXPORTER)', '{{instance}}'),
      ]) + g.fields({ decimals: 0 }),
      g.graph('Connections to the exporter', 'Connections open to its own web server. One or two for each Prometheus are normal.', [8, 8], [
        g.target('max by (instance) (grid_bulk_exporter_web_connections{$S})', '{{instance}}'),
      ]) + g.fields({ decimals: 0 }),
    ]
  )
