//! Commands, flags and their variables, as a user types them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: a panic is the report of a failure"
)]

use grid_bulk_exporter::cli::{self, Command, ServeArgs, environment};
use grid_bulk_exporter::config::WebOptions;
use grid_bulk_exporter::telemetry::log::Format;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use tracing::level_filters::LevelFilter;

fn parse(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Command, clap::Error> {
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    let arguments =
        std::iter::once("grid-bulk-exporter").chain(arguments.iter().copied()).map(OsString::from);
    cli::parse(arguments, |name| variables.get(name).map(Into::into))
}

fn serve(arguments: &[&str], variables: &[(&str, &str)]) -> ServeArgs {
    match parse(arguments, variables).unwrap() {
        Command::Serve(args) => *args,
        other => panic!("serve, not {other:?}"),
    }
}

fn refusal(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let error = parse(arguments, variables).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
    error.to_string()
}

#[test]
fn the_definition_is_sound() {
    cli::definition().debug_assert();
}

#[test]
fn without_arguments_it_serves_with_the_defaults() {
    let args = serve(&[], &[]);
    let expected = WebOptions {
        listen_addresses: vec![":10310".to_owned()],
        systemd_socket: false,
        config_file: None,
        telemetry_path: "/metrics".to_owned(),
        external_url: None,
        route_prefix: String::new(),
        max_requests: 40,
        enable_lifecycle: false,
        enable_admin_api: false,
        enable_probe: false,
    };
    assert_eq!(args.web, expected);
    assert_eq!((args.log.level, args.log.format), (LevelFilter::INFO, Format::Logfmt));
    assert_eq!(args.inputs.config_file, None);
    assert!(!args.enable_auto_reload && args.inputs.jobs.is_empty());
}

#[test]
fn flags_work_with_and_without_the_command() {
    for command in [&["serve"][..], &[]] {
        let flags = [
            "--web.listen-address=:1",
            "--web.listen-address=[::1]:2",
            "--job=Job:a",
            "--job",
            "Job:b",
            "--config.file=x.yml",
            "--config.enable-auto-reload",
            "--log.level=debug",
            "--log.format=json",
        ];
        let args = serve(&[command, &flags[..]].concat(), &[]);
        assert_eq!(args.web.listen_addresses, [":1", "[::1]:2"]);
        let jobs: Vec<_> = args.inputs.jobs.iter().map(ToString::to_string).collect();
        assert_eq!(jobs, ["Job:a", "Job:b"]);
        assert_eq!(args.inputs.config_file, Some("x.yml".into()));
        assert!(args.enable_auto_reload);
        assert_eq!((args.log.level, args.log.format), (LevelFilter::DEBUG, Format::Json));
    }
}

#[test]
fn each_flag_of_the_design_has_its_variable() {
    let values = [
        ("config.file", "x.yml"),
        ("config.enable-auto-reload", "1"),
        ("job", "Job:a"),
        ("shard", "1"),
        ("total-shards", "3"),
        ("web.listen-address", ":1"),
        ("web.config.file", "web.yml"),
        ("web.telemetry-path", "/m"),
        ("web.external-url", "https://h/p"),
        ("web.route-prefix", "/q"),
        ("web.systemd-socket", "true"),
        ("web.max-requests", "7"),
        ("web.enable-lifecycle", "TRUE"),
        ("web.enable-admin-api", "yes"),
        ("web.enable-probe", "1"),
        ("storage.path", "/var/lib/x"),
        ("storage.on-error", "memory"),
        ("log.level", "warn"),
        ("log.format", "json"),
    ];
    let definition = cli::definition();
    let mut flags: Vec<_> = definition.get_arguments().filter_map(clap::Arg::get_long).collect();
    flags.retain(|flag| !matches!(*flag, "help" | "version"));
    assert_eq!(flags, values.map(|(flag, _)| flag));
    for (flag, value) in values {
        // A shard other than the first is there only if there are several.
        let others: &[&str] = if flag == "shard" { &["--total-shards=2"] } else { &[] };
        let by_flag = format!("{:?}", serve(&[others, &[&format!("--{flag}={value}")]].concat(), &[]));
        let by_variable = format!("{:?}", serve(others, &[(&environment::variable(flag), value)]));
        assert_eq!(by_flag, by_variable);
        assert_ne!(by_flag, format!("{:?}", serve(others, &[])), "{flag} changes nothing");
    }
}

#[test]
fn a_flag_beats_its_variable_and_an_empty_variable_is_none() {
    let variables =
        [("GRID_EXPORTER_WEB_LISTEN_ADDRESS", ":1, :2"), ("GRID_EXPORTER_WEB_ENABLE_LIFECYCLE", "true")];
    assert_eq!(serve(&[], &variables).web.listen_addresses, [":1", ":2"]);
    let args = serve(&["serve", "--web.listen-address=:3", "--web.enable-lifecycle=false"], &variables);
    assert_eq!(args.web.listen_addresses, [":3"]);
    assert!(!args.web.enable_lifecycle);
    assert_eq!(serve(&[], &[("GRID_EXPORTER_LOG_LEVEL", "")]).log.level, LevelFilter::INFO);
    assert!(!serve(&[], &[("GRID_EXPORTER_WEB_ENABLE_LIFECYCLE", "0")]).web.enable_lifecycle);
}

#[test]
fn variables_hold_for_demo_and_healthcheck_too() {
    let variables = [("GRID_EXPORTER_WEB_LISTEN_ADDRESS", ":7"), ("GRID_EXPORTER_LOG_LEVEL", "error")];
    let Command::Demo(demo) = parse(&["demo"], &variables).unwrap() else { panic!("demo") };
    assert_eq!((demo.web.listen_addresses, demo.log.level), (vec![":7".to_owned()], LevelFilter::ERROR));
    let Command::Healthcheck(web) = parse(&["healthcheck"], &variables).unwrap() else {
        panic!("healthcheck")
    };
    assert_eq!(web.listen_addresses, [":7"]);
}

#[test]
fn the_route_prefix_comes_from_the_external_url_unless_given() {
    let url = "--web.external-url=https://example.com/grid/";
    assert_eq!(serve(&[url], &[]).web.route_prefix, "/grid");
    assert_eq!(serve(&[url, "--web.route-prefix=/"], &[]).web.route_prefix, "");
    assert_eq!(serve(&["--web.route-prefix=x/y/"], &[]).web.route_prefix, "/x/y");
}

#[test]
fn bad_flags_are_told_with_what_would_be_right() {
    for (arguments, part) in [
        (&["--web.listn-address=:1"][..], "a similar argument exists: '--web.listen-address'"),
        (&["sevre"], "a similar subcommand exists: 'serve'"),
        (&["--web.listen-address=10310"], "it has no port; write host:port, :port or [::]:port"),
        (&["--web.listen-address=:1", "--web.listen-address=:1"], "--web.listen-address :1 is given twice"),
        (&["--web.telemetry-path=metrics"], "it does not begin with `/`"),
        (&["--web.telemetry-path=/-/healthy"], "/- is the exporter's own"),
        (&["--web.external-url=example.com"], "has no scheme"),
        (&["--web.max-requests=many"], "it is not a whole number"),
        (&["--log.level=loud"], "possible values: error, warn, info, debug"),
        (&["--job="], "a job id is empty"),
        (&["--web.systemd-socket=maybe"], "value was not a boolean"),
        (&["check-config"], "<FILE>"),
        (&["--log.level=debug", "serve"], "cannot be used with"),
    ] {
        let message = refusal(arguments, &[]);
        assert!(message.contains(part), "{arguments:?}: {message}");
    }
}

#[test]
fn a_bad_variable_is_told_by_its_name() {
    for (name, value) in [
        ("GRID_EXPORTER_WEB_MAX_REQUESTS", "many"),
        ("GRID_EXPORTER_LOG_LEVEL", "loud"),
        ("GRID_EXPORTER_WEB_LISTEN_ADDRESS", ":1,"),
        ("GRID_EXPORTER_WEB_ENABLE_LIFECYCLE", "maybe"),
        ("GRID_EXPORTER_JOB", "Job:a,,Job:b"),
    ] {
        let message = refusal(&[], &[(name, value)]);
        assert!(message.starts_with(&format!("error: the variable {name}: ")), "{message}");
    }
}

#[test]
fn help_is_as_agreed() {
    let help = cli::definition().term_width(100).render_long_help().to_string();
    let path = "tests/golden/help.txt";
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::create_dir_all("tests/golden").unwrap();
        fs::write(path, &help).unwrap();
    }
    assert_eq!(help, fs::read_to_string(path).unwrap());
}

#[test]
fn the_version_names_the_revision_and_the_compiler() {
    let error = parse(&["--version"], &[]).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.exit_code(), 0);
    assert!(
        text.starts_with(concat!("grid-bulk-exporter ", env!("CARGO_PKG_VERSION"), " (revision ")),
        "{text}"
    );
    assert!(text.contains(", rust "), "{text}");
}
