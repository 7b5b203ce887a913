//! Hands the source's revision and the compiler's version to the code, for `grid_bulk_exporter_build_info`
//! and `--version`. Without git (a source archive, say) the revision is `unknown`.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=GRID_EXPORTER_REVISION");
    for path in [".git/HEAD", ".git/refs/heads", "src", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let revision = std::env::var("GRID_EXPORTER_REVISION")
        .ok()
        .or_else(|| output("git", &["rev-parse", "--short=12", "HEAD"]))
        .unwrap_or_else(|| "unknown".to_owned());
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let rust_version = output(&rustc, &["--version"])
        .and_then(|line| line.split_whitespace().nth(1).map(str::to_owned))
        .unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=BUILD_REVISION={revision}");
    println!("cargo::rustc-env=BUILD_RUST_VERSION={rust_version}");
}

/// What `program` prints, trimmed; nothing if it fails or prints nothing.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output =
        Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}
