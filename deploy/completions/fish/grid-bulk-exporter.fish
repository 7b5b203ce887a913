function __fish_grid_bulk_exporter_needs_command
    set -l words (commandline -opc)
    if set -q words[2]; and not string match -q -- '-*' $words[2]
        echo $words[2]
        return 1
    end
    return 0
end

function __fish_grid_bulk_exporter_using_subcommand
    set -l cmd (__fish_grid_bulk_exporter_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -l config.file -d 'The configuration file (YAML); without it, grid-bulk-exporter.yml of the working directory if that is there' -r -F
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -l config.enable-auto-reload -d 'Reload the configuration when its file changes, as SIGHUP does' -r -f -a "true\t''
false\t''"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -l job -d 'Id of a job to watch; may be given several times, and adds to the file\'s jobs and those of GRID_JOBS' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -l shard -d 'Which shard this is, counted from 0; or auto: the number at the end of POD_NAME, else of the host\'s name' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -l total-shards -d 'Shards over which the jobs are spread, each on an exporter of its own' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -l web.listen-address -d 'Where to listen: host:port, :port (all addresses) or `[::]:port`; may be given several times' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -l web.config.file -d 'File with TLS, users and headers, in the format of Prometheus\'s exporter-toolkit' -r -F
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -l web.telemetry-path -d 'Path of the metrics' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -l web.external-url -d 'URL under which users reach the exporter, such as behind a proxy; its path prefixes all paths' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -l web.route-prefix -d 'Prefix of all paths; without it, the path of --web.external-url' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -l web.systemd-socket -d 'Take the listening sockets from systemd instead of --web.listen-address' -r -f -a "true\t''
false\t''"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -l web.max-requests -d 'Scrapes answered at once, more get 503; 0: no limit' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -l web.enable-lifecycle -d 'Reload the configuration on POST /-/reload' -r -f -a "true\t''
false\t''"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -l web.enable-admin-api -d 'Add and remove jobs by PUT and DELETE of /api/v1/jobs/{jobId}' -r -f -a "true\t''
false\t''"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -l web.enable-probe -d 'Poll a job now on GET /probe?target={jobId}' -r -f -a "true\t''
false\t''"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -l storage.path -d 'Folder in which what is learnt outlives a restart, made if it is not there; without it, memory only' -r -F
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -l storage.on-error -d 'What a storage that can\'t be used means' -r -f -a "exit\t'Do not start; acknowledge nothing that is not on disk'
memory\t'Memory is good enough: start without what was stored'"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -l log.level -d 'The least severe events that are logged' -r -f -a "error\t'What stops the exporter or a part of it'
warn\t'What somebody should look at'
info\t'Starts, reloads, jobs that change their status'
debug\t'First readings of jobs and connections that break; may hold personal data'"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -l log.format -d 'How events are written' -r -f -a "logfmt\t'`key=value` pairs'
json\t'One JSON object'"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -s V -l version -d 'Print version'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -f -a "serve" -d 'Run the exporter; the default command'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -f -a "simulate" -d 'Run the simulated Grid API alone'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -f -a "check-config" -d 'Read a configuration file, or a web configuration file, and say what is in it, or everything that is wrong with it'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -f -a "upload" -d 'Upload a CSV file of customers: check it, send it, register it with an exporter, watch it'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -f -a "watch" -d 'Follow imports in the terminal until they end; exit code 1 if rows failed'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -f -a "healthcheck" -d 'Ask the running exporter whether it is healthy; exit code 0 or 1, for containers'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -f -a "demo" -d 'Run the exporter with a simulated Grid API and moving jobs: no account needed'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand serve" -l config.file -d 'The configuration file (YAML); without it, grid-bulk-exporter.yml of the working directory if that is there' -r -F
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand serve" -l config.enable-auto-reload -d 'Reload the configuration when its file changes, as SIGHUP does' -r -f -a "true\t''
false\t''"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand serve" -l job -d 'Id of a job to watch; may be given several times, and adds to the file\'s jobs and those of GRID_JOBS' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand serve" -l shard -d 'Which shard this is, counted from 0; or auto: the number at the end of POD_NAME, else of the host\'s name' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand serve" -l total-shards -d 'Shards over which the jobs are spread, each on an exporter of its own' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand serve" -l web.listen-address -d 'Where to listen: host:port, :port (all addresses) or `[::]:port`; may be given several times' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand serve" -l web.config.file -d 'File with TLS, users and headers, in the format of Prometheus\'s exporter-toolkit' -r -F
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand serve" -l web.telemetry-path -d 'Path of the metrics' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand serve" -l web.external-url -d 'URL under which users reach the exporter, such as behind a proxy; its path prefixes all paths' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand serve" -l web.route-prefix -d 'Prefix of all paths; without it, the path of --web.external-url' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand serve" -l web.systemd-socket -d 'Take the listening sockets from systemd instead of --web.listen-address' -r -f -a "true\t''
false\t''"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand serve" -l web.max-requests -d 'Scrapes answered at once, more get 503; 0: no limit' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand serve" -l web.enable-lifecycle -d 'Reload the configuration on POST /-/reload' -r -f -a "true\t''
false\t''"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand serve" -l web.enable-admin-api -d 'Add and remove jobs by PUT and DELETE of /api/v1/jobs/{jobId}' -r -f -a "true\t''
false\t''"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand serve" -l web.enable-probe -d 'Poll a job now on GET /probe?target={jobId}' -r -f -a "true\t''
false\t''"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand serve" -l storage.path -d 'Folder in which what is learnt outlives a restart, made if it is not there; without it, memory only' -r -F
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand serve" -l storage.on-error -d 'What a storage that can\'t be used means' -r -f -a "exit\t'Do not start; acknowledge nothing that is not on disk'
memory\t'Memory is good enough: start without what was stored'"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand serve" -l log.level -d 'The least severe events that are logged' -r -f -a "error\t'What stops the exporter or a part of it'
warn\t'What somebody should look at'
info\t'Starts, reloads, jobs that change their status'
debug\t'First readings of jobs and connections that break; may hold personal data'"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand serve" -l log.format -d 'How events are written' -r -f -a "logfmt\t'`key=value` pairs'
json\t'One JSON object'"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand simulate" -l listen-address -d 'Where the simulated API listens (`127.0.0.1:0` for any free port)' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand simulate" -l client-id -d 'Client id (user name of HTTP Basic) that it takes' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand simulate" -l client-secret -d 'Client secret that it takes; it guards nothing, so choose one that is not secret' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand simulate" -l jobs -d 'How many jobs to make, of varied size and fate [default: 5, or 0 with --scenario]' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand simulate" -l speed -d 'Simulated seconds a real second' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand simulate" -l seed -d 'What sizes, fates and failing rows follow from: the same seed, the same run' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand simulate" -l max-requests-per-second -d 'Answer at most so many requests a second, the others with 429 (beats the scenario\'s `rate_limit`)' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand simulate" -l webhook-url -d 'Send a signed webhook there at the end of each job, an `http://` address' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand simulate" -l webhook-public-key -d 'Write the public key of the webhooks\' signatures into this file at the start' -r -F
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand simulate" -l scenario -d 'YAML file that gives single jobs a course and faults (docs/simulator.md)' -r -F
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand simulate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand check-config" -l web.config.file -d 'The web configuration file, to be checked as well or alone' -r -F
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand check-config" -l shard -d 'Which shard this is, counted from 0; or auto: the number at the end of POD_NAME, else of the host\'s name' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand check-config" -l total-shards -d 'Shards over which the jobs are spread, each on an exporter of its own' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand check-config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand upload" -l config.file -d 'The configuration file (YAML), for its section `grid`; without it, grid-bulk-exporter.yml of the working directory if that is there' -r -F
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand upload" -l dry-run -d 'Check the file and send nothing' -r -f -a "true\t''
false\t''"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand upload" -l strict -d 'Refuse a file with rows that will probably fail, and not only one with such a header' -r -f -a "true\t''
false\t''"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand upload" -l max-size -d 'The largest file that is sent; Grid advises to stay below 100 MB' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand upload" -l register -d 'Register the import with a running exporter that has --web.enable-admin-api; {shard} in the URL stands for the number of the shard that watches it, and https needs a certificate of the system\'s authorities, or of those in the file that SSL_CERT_FILE names' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand upload" -l label -d 'A label that the exporter gives the import; may be given several times' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand upload" -l watch -d 'Follow the import until it ends, as `watch` does' -r -f -a "true\t''
false\t''"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand upload" -l fail-on -d 'What makes the exit code 1' -r -f -a "never\t'Nothing: it is 0 once the imports ended, however'
rows\t'A row that failed, or an import that ended as FAILED'
job\t'An import that ended as FAILED, whatever its rows'"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand upload" -l json -d 'Print an object in JSON, a line for each change, as GET /api/v1/jobs/{jobId} of serve gives it' -r -f -a "true\t''
false\t''"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand upload" -l interval -d 'How often each import is polled' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand upload" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand watch" -l config.file -d 'The configuration file (YAML), for its section `grid`; without it, grid-bulk-exporter.yml of the working directory if that is there' -r -F
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand watch" -l fail-on -d 'What makes the exit code 1' -r -f -a "never\t'Nothing: it is 0 once the imports ended, however'
rows\t'A row that failed, or an import that ended as FAILED'
job\t'An import that ended as FAILED, whatever its rows'"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand watch" -l json -d 'Print an object in JSON, a line for each change, as GET /api/v1/jobs/{jobId} of serve gives it' -r -f -a "true\t''
false\t''"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand watch" -l interval -d 'How often each import is polled' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand healthcheck" -l web.listen-address -d 'Where to listen: host:port, :port (all addresses) or `[::]:port`; may be given several times' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand healthcheck" -l web.config.file -d 'File with TLS, users and headers, in the format of Prometheus\'s exporter-toolkit' -r -F
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand healthcheck" -l web.telemetry-path -d 'Path of the metrics' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand healthcheck" -l web.external-url -d 'URL under which users reach the exporter, such as behind a proxy; its path prefixes all paths' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand healthcheck" -l web.route-prefix -d 'Prefix of all paths; without it, the path of --web.external-url' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand healthcheck" -l web.systemd-socket -d 'Take the listening sockets from systemd instead of --web.listen-address' -r -f -a "true\t''
false\t''"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand healthcheck" -l web.max-requests -d 'Scrapes answered at once, more get 503; 0: no limit' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand healthcheck" -l web.enable-lifecycle -d 'Reload the configuration on POST /-/reload' -r -f -a "true\t''
false\t''"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand healthcheck" -l web.enable-admin-api -d 'Add and remove jobs by PUT and DELETE of /api/v1/jobs/{jobId}' -r -f -a "true\t''
false\t''"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand healthcheck" -l web.enable-probe -d 'Poll a job now on GET /probe?target={jobId}' -r -f -a "true\t''
false\t''"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand healthcheck" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand demo" -l grafana-files -d 'Write dashboards and provisioning for a Grafana of yours into this folder' -r -F
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand demo" -l web.config.file -d 'File with TLS, users and headers, in the format of Prometheus\'s exporter-toolkit' -r -F
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand demo" -l web.telemetry-path -d 'Path of the metrics' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand demo" -l web.external-url -d 'URL under which users reach the exporter, such as behind a proxy; its path prefixes all paths' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand demo" -l web.route-prefix -d 'Prefix of all paths; without it, the path of --web.external-url' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand demo" -l web.systemd-socket -d 'Take the listening sockets from systemd instead of --web.listen-address' -r -f -a "true\t''
false\t''"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand demo" -l web.max-requests -d 'Scrapes answered at once, more get 503; 0: no limit' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand demo" -l web.enable-lifecycle -d 'Reload the configuration on POST /-/reload' -r -f -a "true\t''
false\t''"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand demo" -l web.enable-admin-api -d 'Add and remove jobs by PUT and DELETE of /api/v1/jobs/{jobId}' -r -f -a "true\t''
false\t''"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand demo" -l web.enable-probe -d 'Poll a job now on GET /probe?target={jobId}' -r -f -a "true\t''
false\t''"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand demo" -l log.level -d 'The least severe events that are logged' -r -f -a "error\t'What stops the exporter or a part of it'
warn\t'What somebody should look at'
info\t'Starts, reloads, jobs that change their status'
debug\t'First readings of jobs and connections that break; may hold personal data'"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand demo" -l log.format -d 'How events are written' -r -f -a "logfmt\t'`key=value` pairs'
json\t'One JSON object'"
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand demo" -l web.listen-address -d 'Where to listen: host:port, :port (all addresses) or `[::]:port`; may be given several times' -r
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand demo" -l prometheus -d 'Start the machine\'s Prometheus on loopback as well, with the shipped rules, against the demo'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand demo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve simulate check-config upload watch healthcheck demo help" -f -a "serve" -d 'Run the exporter; the default command'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve simulate check-config upload watch healthcheck demo help" -f -a "simulate" -d 'Run the simulated Grid API alone'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve simulate check-config upload watch healthcheck demo help" -f -a "check-config" -d 'Read a configuration file, or a web configuration file, and say what is in it, or everything that is wrong with it'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve simulate check-config upload watch healthcheck demo help" -f -a "upload" -d 'Upload a CSV file of customers: check it, send it, register it with an exporter, watch it'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve simulate check-config upload watch healthcheck demo help" -f -a "watch" -d 'Follow imports in the terminal until they end; exit code 1 if rows failed'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve simulate check-config upload watch healthcheck demo help" -f -a "healthcheck" -d 'Ask the running exporter whether it is healthy; exit code 0 or 1, for containers'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve simulate check-config upload watch healthcheck demo help" -f -a "demo" -d 'Run the exporter with a simulated Grid API and moving jobs: no account needed'
complete -c grid-bulk-exporter -n "__fish_grid_bulk_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve simulate check-config upload watch healthcheck demo help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
