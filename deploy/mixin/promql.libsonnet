// Writes out the short forms of the expressions in this folder, so that they read here as one would explain them:
//   BYJ, BYI, BYX   by (group labels, and jobId or instance or nothing more)
//   metric{$}       metric, with the configured selector if there is one; metric{$,status="FAILED"} likewise
//   REPLICAS        how many exporters watch the same imports
//   EXPORTER        the job name of the exporter's targets
//   %(rows)s        the alert's own figures
local number(value) =
  if !std.isNumber(value) then value
  else if value % 1 == 0 then '%d' % value
  else '%.10g' % value;

function(config) {
  local labels = std.join(', ', config.groupLabels),

  // How many exporters watch the same imports: 2 for a pair, 1 for shards, however many. What is summed over all of them is
  // divided by it. Counted now and not over the window, in which a pod that was replaced would count twice; where none is
  // there now, or is too old to tell, it is 1.
  local replicas =
    '((clamp_min(count BYX (grid_bulk_exporter_total_shards{$}) / (max BYX (grid_bulk_exporter_total_shards{$}) > 0), 1)'
    + ' or group BYX (increase(grid_bulk_rows_total{$}[%(window)s]))) > 0)',

  text(value):: number(value),

  // `figures` are the numbers and windows that the text names by %(key)s.
  fill(text, figures={})::
    local filled = std.strReplace(text, 'REPLICAS', replicas) % { [key]: number(figures[key]) for key in std.objectFields(figures) };
    std.foldl(
      function(written, pair) std.strReplace(written, pair[0], pair[1]),
      [
        ['BYJ', 'by (%s, jobId)' % labels],
        ['BYI', 'by (%s, instance)' % labels],
        ['BYX', 'by (%s)' % labels],
        ['GROUP', labels],
        ['EXPORTER', config.exporterJob],
        ['{$}', if config.selector == '' then '' else '{%s}' % config.selector],
        ['{$,', if config.selector == '' then '{' else '{%s,' % config.selector],
      ],
      filled
    ),

  // 1800 as 30m, for a reader.
  duration(seconds)::
    if seconds % 3600 == 0 then '%dh' % (seconds / 3600)
    else if seconds % 60 == 0 then '%dm' % (seconds / 60)
    else '%ds' % seconds,

  // 0.05 as 5 %, for a reader.
  percent(ratio):: number(ratio * 100) + ' %',
}
