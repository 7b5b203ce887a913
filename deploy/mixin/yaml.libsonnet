// YAML of rule groups: strings quoted, expressions as blocks. As std.manifestYamlDoc writes it, which takes 10 seconds
// for what this does in one.
local escaped(text) = std.strReplace(std.strReplace(text, '\\', '\\\\'), '"', '\\"');


// `first` is what the first line begins with in place of the indent: in a list, the dash.
local yaml(value, indent, first=indent) =
  if std.isArray(value) then
    std.join('', [yaml(item, indent + '  ', indent + '- ') for item in value])
  else
    local keys = std.objectFields(value);
    std.join('', [
      (if i == 0 then first else indent) + keys[i] + ':' + (
        local inner = value[keys[i]];
        if std.isString(inner) then
          if inner[std.length(inner) - 1] == '\n' then
            ' |\n' + std.join('', [indent + '  ' + line + '\n' for line in std.split(inner, '\n') if line != ''])
          else ' "' + escaped(inner) + '"\n'
        else '\n' + yaml(inner, indent + '  ')
      )
      for i in std.range(0, std.length(keys) - 1)
    ]);

function(groups) yaml(groups, '')
