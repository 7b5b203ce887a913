//! Man pages and shell completions in `deploy/` against the command line's definition; `UPDATE_EXPECTED=1` prints them
//! anew.

use clap_complete::Shell;
use clap_mangen::Man;
use grid_bulk_exporter::cli;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const NAME: &str = "grid-bulk-exporter";

/// What the command line's definition does not know.
const MORE: &str = r#".SH FILES
.TP
\fIgrid\-bulk\-exporter.yml\fR
The configuration, if it is in the working directory and no \fB\-\-config.file\fR is given.
.TP
\fI/etc/grid\-bulk\-exporter/grid\-bulk\-exporter.yml\fR
The configuration of the systemd unit in Debian's package.
.TP
\fI/etc/default/grid\-bulk\-exporter\fR
Variables for the systemd unit.
.SH ENVIRONMENT
.TP
\fBGRID_CLIENT_ID\fR, \fBGRID_CLIENT_SECRET\fR
The API token.
.TP
\fBGRID_CLIENT_ID_FILE\fR, \fBGRID_CLIENT_SECRET_FILE\fR
Files that hold it, read again when they change.
.TP
\fBLIGHTSPARK_GRID_BASE_URL\fR
Another address of the API.
.TP
\fBGRID_JOBS\fR
Job ids, separated by commas.
.TP
\fBNOTIFY_SOCKET\fR, \fBWATCHDOG_USEC\fR
Set by systemd: it is told of start, reload and stop, and that the exporter lives.
.SH SIGNALS
.TP
\fBSIGHUP\fR
Loads the configuration anew. A file with a fault changes nothing.
.TP
\fBSIGTERM\fR, \fBSIGINT\fR
Answers what is under way, and ends.
.SH "EXIT STATUS"
0 after a stop by a signal, 1 for a fault of the configuration or at run time, 2 for a command line that is not understood.
"#;

/// Sees a flag before an equals sign.
const BASH_EQUALS: &str = r#"    if [[ "${COMP_WORDS[COMP_CWORD]}" == "=" ]]; then
        prev="${COMP_WORDS[COMP_CWORD-1]}"
        cur=""
    elif [[ "${prev}" == "=" ]]; then
        prev="${COMP_WORDS[COMP_CWORD-2]}"
    fi
"#;

/// Whether a line has no command yet; prints it otherwise.
const FISH_COMMAND: &str = "function __fish_grid_bulk_exporter_needs_command
    set -l words (commandline -opc)
    if set -q words[2]; and not string match -q -- '-*' $words[2]
        echo $words[2]
        return 1
    end
    return 0
end
";

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Without the revision: files that are committed can't hold the commit they are in.
fn definition() -> clap::Command {
    let mut command = cli::definition().version(env!("CARGO_PKG_VERSION"));
    command.build();
    command
}

fn page(command: clap::Command) -> Vec<u8> {
    let mut bytes = Vec::new();
    let source = format!("{NAME} {}", env!("CARGO_PKG_VERSION"));
    Man::new(command).source(source).manual("grid-bulk-exporter").render(&mut bytes).unwrap();
    bytes
}

/// Each file below `deploy/` that follows from the command line.
fn files() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let definition = definition();
    let mut main = page(definition.clone());
    main.extend_from_slice(MORE.as_bytes());
    files.insert(format!("man/{NAME}.1"), main);
    for command in definition.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = format!("{NAME}-{}", command.get_name());
        files.insert(
            format!("man/{name}.1"),
            page(
                command
                    .clone()
                    .display_name(name.clone())
                    .bin_name(name.replacen("exporter-", "exporter ", 1))
                    .name(name),
            ),
        );
    }
    for (shell, name) in
        [(Shell::Bash, NAME), (Shell::Zsh, "_grid-bulk-exporter"), (Shell::Fish, "grid-bulk-exporter.fish")]
    {
        let mut bytes = Vec::new();
        clap_complete::generate(shell, &mut cli::definition(), NAME, &mut bytes);
        if shell == Shell::Bash {
            // clap_complete 4.6 sets one name for a program with dashes and asks for another, and then completes no
            // flag of a command. `bash_completes_…` fails once that is needless or not enough.
            let text = String::from_utf8(bytes).unwrap();
            let text = text.replace("grid__subcmd__bulk__subcmd__exporter", "grid__bulk__exporter");
            // Nor does it know `--flag=value`, which bash takes apart at the sign.
            let (begin, end) = text.split_once("    prev=\"$3\"\n").unwrap();
            bytes = format!("{begin}    prev=\"$3\"\n{BASH_EQUALS}{end}").into_bytes();
        }
        if shell == Shell::Fish {
            // fish's argparse, by which clap_complete finds the command, refuses names with dots, and then nothing is
            // completed at all. Our flags stand behind the command, so that it is the first word or there is none.
            let text = String::from_utf8(bytes).unwrap();
            let (_, rest) = text.split_once("function __fish_grid_bulk_exporter_using_subcommand").unwrap();
            bytes = format!("{FISH_COMMAND}\nfunction __fish_grid_bulk_exporter_using_subcommand{rest}")
                .into_bytes();
        }
        let folder = shell.to_string();
        files.insert(format!("completions/{folder}/{name}"), bytes);
    }
    files
}

fn committed(folder: &Path, prefix: &str, found: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let entry = entry.unwrap();
        let name = format!("{prefix}/{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            committed(&entry.path(), &name, found);
        } else {
            found.push(name);
        }
    }
}

#[test]
fn man_pages_and_completions_are_those_of_the_command_line() {
    let expected = files();
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        for folder in ["deploy/man", "deploy/completions"] {
            let _absent = std::fs::remove_dir_all(root(folder));
        }
        for (name, bytes) in &expected {
            let path = root("deploy").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }
    let mut names = Vec::new();
    for folder in ["man", "completions"] {
        committed(&root("deploy").join(folder), folder, &mut names);
    }
    names.sort();
    assert_eq!(names, expected.keys().cloned().collect::<Vec<_>>());
    let differs =
        |(name, bytes): &(&String, &Vec<u8>)| std::fs::read(root("deploy").join(name)).unwrap() != **bytes;
    let old: Vec<_> = expected.iter().filter(differs).map(|(name, _)| name).collect();
    assert!(old.is_empty(), "{old:?} are old; run `UPDATE_EXPECTED=1 cargo test --test it generated`");
}

#[test]
fn the_manual_is_one_that_man_shows() {
    for (name, _) in files().iter().filter(|(name, _)| name.starts_with("man/")) {
        let path = root("deploy").join(name);
        let mut man = Command::new("man");
        man.args(["--warnings=w", "--local-file"]).arg(&path).env("MANWIDTH", "80").env("LC_ALL", "C.UTF-8");
        let output = man.output().expect("tests/run installs man-db");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && output.stderr.is_empty(), "{name}: {output:?}");
        assert!(text.contains("SYNOPSIS") && text.contains("OPTIONS"), "{name}: {text}");
    }
}

/// What bash offers for a line that is being typed.
fn offers(line: &str) -> Vec<String> {
    // As bash does it: by the function that `complete` registered.
    let script = r#"source "$1"; shift; COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        registered=$(complete -p grid-bulk-exporter); function=${registered#*-F }
        "${function%% *}" grid-bulk-exporter "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        printf '%s\n' "${COMPREPLY[@]}""#;
    let file = root("deploy/completions/bash/grid-bulk-exporter");
    let output =
        Command::new("bash").args(["-c", script, "bash"]).arg(file).args(line.split(' ')).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_flags_and_values() {
    assert_eq!(offers("grid-bulk-exporter check"), ["check-config"]);
    assert_eq!(offers("grid-bulk-exporter --web.listen"), ["--web.listen-address"]);
    assert_eq!(offers("grid-bulk-exporter --log.level "), ["error", "warn", "info", "debug"]);
    // Bash takes `=` for a word of its own.
    assert_eq!(offers("grid-bulk-exporter --log.level ="), ["error", "warn", "info", "debug"]);
    assert_eq!(offers("grid-bulk-exporter --log.level = wa"), ["warn"]);
    assert_eq!(offers("grid-bulk-exporter watch --fail-on = n"), ["never"]);
    assert_eq!(offers("grid-bulk-exporter demo --pro"), ["--prometheus"]);
    assert_eq!(offers("grid-bulk-exporter simulate --sp"), ["--speed"]);
    assert_eq!(offers("grid-bulk-exporter help check"), ["check-config"]);
}

#[test]
fn fish_completes_commands_flags_and_values() {
    let offers = |line: &str| -> Vec<String> {
        let script = "source $argv[1]; complete -C $argv[2]";
        let file = root("deploy/completions/fish/grid-bulk-exporter.fish");
        let folder = tempfile::TempDir::new().unwrap();
        let mut fish = Command::new("fish");
        fish.args(["--no-config", "-c", script]).arg(file).arg(line).env("HOME", folder.path());
        let output = fish.current_dir(folder.path()).output().expect("tests/run installs fish");
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        // Each with a tab and what it is about.
        text.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    };
    assert_eq!(offers("grid-bulk-exporter check"), ["check-config"]);
    assert_eq!(offers("grid-bulk-exporter --web.listen"), ["--web.listen-address"]);
    assert_eq!(offers("grid-bulk-exporter --shard 1 --web.listen"), ["--web.listen-address"]);
    assert_eq!(offers("grid-bulk-exporter --log.level "), ["debug", "error", "info", "warn"]);
    assert_eq!(offers("grid-bulk-exporter demo --pro"), ["--prometheus"]);
    assert_eq!(offers("grid-bulk-exporter watch --fail-on "), ["job", "never", "rows"]);
    assert_eq!(offers("grid-bulk-exporter upload --reg"), ["--register"]);
}

#[test]
fn zsh_completes_commands_flags_and_values() {
    // A shell at a terminal of its own is told the line and Tab, until what it writes matches.
    let script = r#"
        zmodload zsh/zpty
        zpty shell env TERM=dumb zsh -f -i
        zpty -w shell "PS1=; fpath=($1 \$fpath); autoload -U compinit; compinit -u -D; print rea''dy"
        zpty -r shell seen '*ready*'
        zpty -w -n shell "$2"$'\t'
        zpty -r shell seen "*$3*" || exit 1
        zpty -d shell
    "#;
    for (line, expected) in [
        ("grid-bulk-exporter check", "check*-config"),
        ("grid-bulk-exporter --web.listen", "--web.listen-address"),
        ("grid-bulk-exporter --log.level=", "error*info*warn"),
        ("grid-bulk-exporter demo --pro", "--prometheus"),
        ("grid-bulk-exporter watch --fail-on ", "never*rows"),
        ("grid-bulk-exporter help check", "check*-config"),
    ] {
        let folder = tempfile::TempDir::new().unwrap();
        let mut zsh = Command::new("timeout");
        zsh.args(["30", "zsh", "-f", "-c", script, "zsh"]).arg(root("deploy/completions/zsh"));
        let output = zsh.args([line, expected]).env("HOME", folder.path()).output().unwrap();
        assert!(output.status.success(), "{line}, tests/run installs zsh: {output:?}");
    }
}

#[test]
fn help_on_a_terminal_has_colours_and_elsewhere_none() {
    let mut definition = definition();
    let watch = definition.find_subcommand_mut("watch").unwrap().render_long_help();
    for help in [definition.render_long_help(), watch] {
        let text = help.ansi().to_string();
        assert!(text.contains("\u{1b}[32m") && text.contains("\u{1b}[36m"), "green and cyan: {text}");
        assert!(!help.to_string().contains('\u{1b}'));
    }
    for (no_color, colours) in [("", true), ("1", false)] {
        let shown = Command::new("script")
            .args(["-qec", concat!(env!("CARGO_BIN_EXE_grid-bulk-exporter"), " watch --help"), "/dev/null"])
            .env("TERM", "xterm")
            .env("NO_COLOR", no_color)
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(shown.stdout).unwrap().contains("\u{1b}[36m"), colours, "{no_color:?}");
    }
}
