// JSON with short numbers: std.manifestJson writes 0.1 as 0.10000000000000001, which makes a poor diff.
local json(value, indent) =
  local inner = indent + '  ';
  if value == [] then '[]'
  else if value == {} then '{}'
  else if std.isNumber(value) then if value % 1 == 0 then '%d' % value else '%.15g' % value
  else if std.isArray(value) then
    '[\n' + std.join(',\n', [inner + json(item, inner) for item in value]) + '\n' + indent + ']'
  else if std.isObject(value) then
    '{\n' + std.join(',\n', [
      inner + std.escapeStringJson(key) + ': ' + json(value[key], inner)
      for key in std.objectFields(value)
    ]) + '\n' + indent + '}'
  else std.manifestJsonEx(value, '');

function(value) json(value, '') + '\n'
