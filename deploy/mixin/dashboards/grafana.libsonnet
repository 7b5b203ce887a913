// What the three dashboards have in common: the frame, the variables, one builder for each kind of panel, and colours
// that mean one thing everywhere.
local promql = import '../promql.libsonnet';

function(config) {
  local g = self,
  local p = promql(config),

  // From the palette of Okabe and Ito, told apart also with colour blindness; a test measures that.
  colours:: {
    good: '#009E73',  // successful, COMPLETED
    running: '#3A9BDC',  // PROCESSING, and plain measurements
    waiting: '#9AA0A6',  // PENDING
    bad: '#D1342F',  // failed, FAILED, unreadable
    unknown: '#8A3FC9',  // UNKNOWN
    soon: '#E69F00',  // look soon
  },
  statusColours:: {
    PENDING: g.colours.waiting,
    PROCESSING: g.colours.running,
    COMPLETED: g.colours.good,
    FAILED: g.colours.bad,
    UNKNOWN: g.colours.unknown,
  },

  datasource:: { type: 'prometheus', uid: '${datasource}' },

  // In an expression $S stands for the chosen scrape, $J for the chosen imports as well, OF_TEAM keeps what belongs to an
  // import with the chosen labels, and NAMED adds the import's name to it. OF_EXPORTER keeps the targets that were this
  // exporter within a day: All in $S means every target of that Prometheus, and an exporter that is down says nothing.
  local scope = 'cluster=~"$cluster",job=~"$job",instance=~"$instance"',
  local teams = std.join('', [',%s=~"$%s"' % [label, label] for label in config.jobLabels]),
  local shown = std.join(', ', [config.nameLabel] + config.jobLabels),
  // One series for each import, even where two replicas give it different labels: a join would be an error then.
  local info(labels, at='') = 'topk by (jobId) (1, max by (%s) (grid_bulk_job_info{$J%s}%s))' % [labels, teams, at],
  // As in the rules: exporters that watch the same imports, so that a pair counts once and shards add up.
  local replicas(window) =
    '((clamp_min(count by (GROUP) (grid_bulk_exporter_total_shards{$S}) / (max by (GROUP) (grid_bulk_exporter_total_shards{$S}) > 0), 1)'
    + ' or group by (GROUP) (increase(grid_bulk_rows_total{$S}[%s]))) > 0)' % window,
  query(expr)::
    std.foldl(
      function(written, pair) std.strReplace(written, pair[0], pair[1]),
      [
        ['OF_EXPORTER', 'and on (cluster, job, instance) present_over_time(grid_bulk_exporter_build_info{$S}[1d])'],
        ['REPLICAS_5m', replicas('5m')],
        ['REPLICAS_RANGE', replicas('$__range')],
        ['GROUP', std.join(', ', config.groupLabels)],
        ['OF_TEAM_AT_END', 'and on (jobId) grid_bulk_job_info{$S%s} @ end()' % teams],
        ['NAMED_AT_END', '* on (jobId) group_left (%s) %s' % [shown, info('jobId, ' + shown, ' @ end()')]],
        ['OF_TEAM', 'and on (jobId) grid_bulk_job_info{$S%s}' % teams],
        ['NAMED', '* on (jobId) group_left (%s) %s' % [shown, info('jobId, ' + shown)]],
        ['$J', '$S,jobId=~"$jobId"'],
        ['$S', scope],
        ['{' + scope, '{' + (if config.selector == '' then '' else config.selector + ',') + scope],
      ],
      std.stripChars(expr, '\n')
    ),
  text(text):: std.stripChars(text, '\n'),

  target(expr, legend='', options={}):: {
    datasource: g.datasource,
    editorMode: 'code',
    expr: g.query(expr),
    legendFormat: if legend == '' then '__auto' else legend,
    range: true,
    instant: false,
  } + options,
  // The value now: a range would go on showing what an import said before it left.
  now(expr, legend='', options={}):: g.target(expr, legend, { range: false, instant: true } + options),
  column(expr):: g.now(expr, '', { format: 'table' }),

  local lettered(targets) = [targets[i] { refId: std.char(65 + i) } for i in std.range(0, std.length(targets) - 1)],

  // Steps of colour: the first for everything below the first number.
  steps(base, more=[]):: {
    mode: 'absolute',
    steps: [{ color: base, value: null }] + [{ color: step[1], value: step[0] } for step in more],
  },
  limits(limit, base=g.colours.running):: g.steps(base, [[limit.soon, g.colours.soon], [limit.late, g.colours.bad]]),

  // Properties of the field or series of that name, or of all that match when it is a /pattern/.
  override(name, properties):: {
    matcher: { id: if std.startsWith(name, '/') then 'byRegexp' else 'byName', options: name },
    properties: [{ id: key, value: properties[key] } for key in std.objectFields(properties)],
  },
  paint(name, colour):: g.override(name, { color: { mode: 'fixed', fixedColor: colour } }),
  paintStatuses:: [g.paint(status, g.statusColours[status]) for status in std.objectFields(g.statusColours)],
  statusMappings:: [{
    type: 'value',
    options: {
      [status]: { text: status, color: g.statusColours[status], index: 0 }
      for status in std.objectFields(g.statusColours)
    },
  }],
  yesNo:: [{
    type: 'value',
    options: {
      '1': { text: 'yes', color: g.colours.good, index: 0 },
      '0': { text: 'no', color: g.colours.bad, index: 1 },
    },
  }],

  // Every panel: title, description, size, targets, and a field configuration that can be added to.
  panel(type, title, description, size, targets, unit='short'):: {
    type: type,
    title: title,
    description: g.text(description),
    datasource: g.datasource,
    gridPos: { w: size[0], h: size[1] },
    targets: lettered(targets),
    fieldConfig: { defaults: { unit: unit }, overrides: [] },
    options: {},
  },
  fields(defaults={}, overrides=[]):: { fieldConfig+: { defaults+: defaults, overrides+: overrides } },

  stat(title, description, size, targets, unit='short', noValue='–', graph='none'):: g.panel('stat', title, description, size, targets, unit) {
    fieldConfig+: { defaults+: {
      noValue: noValue,
      color: { mode: 'thresholds' },
      thresholds: g.steps(g.colours.running),
    } },
    options: {
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      colorMode: 'value',
      graphMode: graph,
      justifyMode: 'auto',
      orientation: 'auto',
      textMode: 'auto',
      wideLayout: true,
    },
  },

  gauge(title, description, size, targets, noValue='–'):: g.panel('gauge', title, description, size, targets, 'percentunit') {
    fieldConfig+: { defaults+: {
      min: 0,
      max: 1,
      decimals: 0,
      noValue: noValue,
      color: { mode: 'thresholds' },
      thresholds: g.steps(g.colours.running, [[1, g.colours.good]]),
    } },
    options: {
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      showThresholdLabels: false,
      showThresholdMarkers: false,
      orientation: 'auto',
    },
  },

  graph(title, description, size, targets, unit='short'):: g.panel('timeseries', title, description, size, targets, unit) {
    fieldConfig+: { defaults+: {
      min: 0,
      noValue: 'Nothing in this range',
      // Shades of one colour, for what has none of its own: a palette would give an instance the colour of failure.
      color: { mode: 'shades', fixedColor: g.colours.running },
      custom: {
        drawStyle: 'line',
        lineWidth: 1,
        fillOpacity: 10,
        showPoints: 'never',
        spanNulls: false,
        stacking: { mode: 'none', group: 'A' },
      },
    } },
    options: {
      legend: { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  },
  // Areas dense enough for shades to show.
  dense:: { fieldConfig+: { defaults+: { custom+: { fillOpacity: 50 } } } },
  stacked:: { fieldConfig+: { defaults+: { custom+: { fillOpacity: 20, stacking: { mode: 'normal', group: 'A' } } } } },
  shades(colour):: { fieldConfig+: { defaults+: { color: { mode: 'shades', fixedColor: colour } } } },
  // For things of which none is good, and whose names nobody knows beforehand: shades of red, neighbours light and dark by
  // turns, which colour blindness leaves apart; and, where two are still alike, another style of line by the last
  // character of the name, so that it stays the same when others come and go.
  worse(lastCharacters):: g.shades(g.colours.bad) + g.fields({}, [
    g.override('/[%s]$/' % lastCharacters[i], { 'custom.lineStyle': { fill: 'dash', dash: [[10, 5], [2, 5], [12, 4, 2, 4]][i] } })
    for i in std.range(0, 2)
  ]),
  worseImports:: g.worse(['4-7', '89ab', 'cdef']),
  worseWords:: g.worse(['dDlL', 'eEyY', 'tTsS']),
  // A dashed line where an alert begins, always within the axis.
  line(limit):: { fieldConfig+: { defaults+: {
    custom+: { thresholdsStyle: { mode: 'dashed' }, axisSoftMax: limit * 1.25 },
    thresholds: g.steps('transparent', [[limit, g.colours.bad]]),
  } } },
  legendTable:: { options+: { legend+: { displayMode: 'table', placement: 'right', width: 320, calcs: ['lastNotNull'], sortBy: 'Last *', sortDesc: true } } },

  bars(title, description, size, targets, unit='short'):: g.panel('bargauge', title, description, size, targets, unit) {
    fieldConfig+: { defaults+: {
      min: 0,
      decimals: 0,
      noValue: 'No errors',
      color: { mode: 'fixed', fixedColor: g.colours.bad },
      thresholds: g.steps(g.colours.bad),
    } },
    options: {
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      displayMode: 'basic',
      orientation: 'horizontal',
      showUnfilled: true,
      valueMode: 'color',
      namePlacement: 'left',
      sizing: 'auto',
      minVizHeight: 16,
      maxVizHeight: 32,
      minVizWidth: 8,
    },
  },

  table(title, description, size, targets, pages=false):: g.panel('table', title, description, size, targets) {
    fieldConfig+: { defaults+: {
      color: { mode: 'thresholds' },
      thresholds: g.steps('text'),
      custom: { align: 'auto', cellOptions: { type: 'auto' }, filterable: false, inspect: false },
    } },
    options: {
      showHeader: true,
      cellHeight: 'sm',
      footer: { show: false, reducer: ['sum'], countRows: false, fields: '', enablePagination: pages },
    },
  },

  // Gives a column its heading and its looks.
  columnLooks(field, title, properties={}):: g.override(field, { displayName: title } + properties),

  row(title):: { type: 'row', title: title, collapsed: false, panels: [], gridPos: { w: 24, h: 1 } },
  note(title, description, size, content):: {
    type: 'text',
    title: title,
    description: description,
    gridPos: { w: size[0], h: size[1] },
    options: { mode: 'markdown', content: g.text(content) },
  },

  // Places panels as words on lines of 24 columns, and numbers them.
  local place(panels) = std.foldl(
    function(done, panel)
      local fits = done.x + panel.gridPos.w <= 24;
      local x = if fits then done.x else 0;
      local y = if fits then done.y else done.y + done.h;
      local h = if fits then std.max(done.h, panel.gridPos.h) else panel.gridPos.h;
      {
        x: x + panel.gridPos.w,
        y: y,
        h: h,
        panels: done.panels + [panel { id: std.length(done.panels) + 1, gridPos+: { x: x, y: y } }],
      },
    panels,
    { x: 0, y: 0, h: 0, panels: [] }
  ).panels,

  local variable(name, label, query, more={}) = {
    name: name,
    label: label,
    type: 'query',
    datasource: { type: 'prometheus', uid: '${datasource}' },
    definition: query,
    query: { qryType: 1, query: query, refId: 'PrometheusVariableQueryEditor-VariableQuery' },
    refresh: 2,
    sort: 1,
    regex: '',
    hide: 0,
    skipUrlSync: false,
    multi: false,
    includeAll: false,
    options: [],
    current: {},
  } + more,
  local all(value) = {
    multi: true,
    includeAll: true,
    allValue: value,
    current: { selected: true, text: ['All'], value: ['$__all'] },
  },
  local selector(text) = if config.selector == '' then text else std.strReplace(text, '{', '{' + config.selector + ','),
  variables:: {
    datasource: {
      name: 'datasource',
      label: 'Data source',
      type: 'datasource',
      query: 'prometheus',
      refresh: 1,
      regex: '',
      hide: 0,
      multi: false,
      includeAll: false,
      skipUrlSync: false,
      options: [],
      current: {},
    },
    // All is .* and not .+, which would drop series without that label.
    cluster: variable('cluster', 'Cluster', 'label_values(grid_bulk_exporter_build_info, cluster)', all('.*') { hide: if config.showCluster then 0 else 2 }),
    job: variable('job', 'Job', selector('label_values(grid_bulk_exporter_build_info{cluster=~"$cluster"}, job)'), all('.+')),
    instance: variable('instance', 'Instance', selector('label_values(grid_bulk_exporter_build_info{cluster=~"$cluster",job=~"$job"}, instance)'), all('.+')),
    labels: [
      variable(label, std.asciiUpper(label[0]) + label[1:], g.query('label_values(grid_bulk_job_info{$S}, %s)' % label), all('.*'))
      for label in config.jobLabels
    ],
    // An All that lists a thousand ids would make the address too long; .+ does not.
    jobIds: variable('jobId', 'Import', g.query('label_values(grid_bulk_job_info{$S%s}, jobId)' % teams), all('.+')),
    oneJobId: variable('jobId', 'Import', g.query('label_values(grid_bulk_job_info{$S}, jobId)')),
  },

  local annotation(name, colour, expr, more={}) = {
    name: name,
    datasource: g.datasource,
    enable: true,
    hide: false,
    iconColor: colour,
    expr: g.query(expr),
    step: '',
    tagKeys: 'jobId',
    titleFormat: name,
    textFormat: '{{jobId}}',
  } + more,
  // An end stands where the import ended, not where it was seen: the value is the time, in milliseconds. Only for a while
  // after it, so that long ended imports cost nothing.
  local ends(status) = |||
    max by (jobId) (
      (grid_bulk_job_completed_timestamp_seconds{$J} > time() - 120 or grid_bulk_job_status_since_timestamp_seconds{$J} > time() - 120)
      and ignoring (status) grid_bulk_job_status{$J,status="%s"} == 1
    ) * 1000
  ||| % status,
  endAnnotations(completedIf=''):: [
    annotation('Import completed', g.colours.good, g.text(ends('COMPLETED')) + completedIf, { useValueForTime: true }),
    annotation('Import failed', g.colours.bad, ends('FAILED'), { useValueForTime: true }),
  ],
  restartAnnotations:: [
    annotation('Exporter restarted', g.colours.soon, 'changes(process_start_time_seconds{$S}[5m]) > 0 OF_EXPORTER', {
      tagKeys: 'instance',
      textFormat: '{{instance}}',
    }),
  ],

  // From a cell to the dashboard of its import; `id` is where the row has the import's id.
  jobLink(id='__value.raw'):: [{
    title: 'Open this import',
    url: '/d/%s?var-jobId=${%s:percentencode}&${datasource:queryparam}&${cluster:queryparam}&${job:queryparam}&${instance:queryparam}&${__url_time_range}' % [config.dashboardUids.job, id],
  }],

  dashboard(uid, title, description, from, variables, annotations, panels):: {
    uid: uid,
    title: title,
    description: g.text(description),
    tags: config.dashboardTags,
    schemaVersion: 39,
    editable: false,
    graphTooltip: 1,
    refresh: '30s',
    timezone: 'browser',
    time: { from: from, to: 'now' },
    timepicker: {},
    fiscalYearStartMonth: 0,
    weekStart: '',
    liveNow: false,
    links: [
      {
        type: 'dashboards',
        title: 'Grid bulk imports',
        tags: ['grid-bulk'],
        asDropdown: false,
        includeVars: true,
        keepTime: true,
        targetBlank: false,
        icon: 'external link',
        tooltip: '',
        url: '',
      },
      {
        type: 'link',
        title: 'Runbooks',
        url: config.runbookUrl,
        icon: 'doc',
        tooltip: 'What to do about each alert',
        tags: [],
        asDropdown: false,
        includeVars: false,
        keepTime: false,
        targetBlank: true,
      },
    ],
    annotations: {
      list: [{
        builtIn: 1,
        datasource: { type: 'grafana', uid: '-- Grafana --' },
        enable: true,
        hide: true,
        iconColor: 'rgba(0, 211, 255, 1)',
        name: 'Annotations & Alerts',
        type: 'dashboard',
      }] + annotations,
    },
    templating: { list: variables },
    panels: place(panels),
  },

  // Expressions that two dashboards share, each for the imports chosen.
  import_:: {
    progress: 'clamp_max(max by (jobId) (grid_bulk_job_processed_rows{$J} / (grid_bulk_job_total_rows{$J} > 0)), 1)',
    failedShare: 'max by (jobId) (grid_bulk_job_failed_rows{$J} / (grid_bulk_job_processed_rows{$J} > 0))',
    lastChange: 'max by (jobId) (grid_bulk_job_last_change_timestamp_seconds{$J}) * 1000',
    lastPoll: 'max by (jobId) (grid_bulk_job_last_poll_success_timestamp_seconds{$J}) * 1000',
    // Only while it runs: after the end the window would go on showing a speed for 10 minutes.
    speed: 'clamp_min(max by (jobId) (deriv(grid_bulk_job_processed_rows{$J}[10m]) and ignoring (status) grid_bulk_job_status{$J,status="PROCESSING"} == 1), 0)',
    // Only while the total is known, the import runs, its last poll was good and it moves.
    timeLeft: |||
      clamp_min(max by (jobId) (
        (grid_bulk_job_total_rows{$J} > 0) - grid_bulk_job_processed_rows{$J}
        and ignoring (status) grid_bulk_job_status{$J,status="PROCESSING"} == 1
        and grid_bulk_job_poll_success{$J} == 1
      ), 0)
      / (max by (jobId) (deriv(grid_bulk_job_processed_rows{$J}[10m])) > 0.001)
    |||,
  },
}
