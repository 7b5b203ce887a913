//! The page in a real Chromium against the real binary and the simulated API: what people see and can do, with a
//! script and without, and that nothing leaves the exporter's own address.
//!
//! Pictures of all states are drawn into `target/screenshots`.

mod states;
mod users;

use crate::support::browser::{Browser, Record};
use crate::support::exporter::{Exporter, Start};
use crate::support::simulator::Simulated;
use crate::support::wait_for;
use serde_json::json;
use std::fmt::Write;

/// Imports that move, that ended well and badly, that wait, and that the API can't read.
const IMPORTS: &str = "
jobs:
  - { id: 'Job:moves', rows: 100000, rows_per_second: 50, starts_at: -60, failing_share: 0.02 }
  - { id: 'Job:waits', ends: never starts }
  - { id: 'Job:done', rows: 200, rows_per_second: 100, starts_at: -60 }
  - { id: 'Job:lost', rows: 100, rows_per_second: 100, starts_at: -60, failing_share: 1, ends: FAILED }
  - { id: 'Job:broken', rows: 100, faults: [ { fault: http_status, status: 500 } ] }
";

const WATCHED: &str = "
  - { id: 'Job:done', labels: { name: uk-pilot, team: onboarding } }
  - { id: 'Job:moves', labels: { name: eu-launch, team: growth } }
  - { id: 'Job:waits', labels: { name: br-agents, team: growth } }
  - { id: 'Job:lost', labels: { name: mx-partners, team: partners } }
  - { id: 'Job:broken', labels: { name: \"<script>alert(1)</script>\\u202Eevil\" } }
";

fn config(base_url: &str, jobs: &str) -> String {
    format!(
        "grid:\n  base_url: {base_url}\n  client_id: demo\n  client_secret: demo\npoll: {{ interval: 1s }}\njobs: {jobs}\n"
    )
}

/// Names in the order in which their rows stand.
const NAMES: &str = "[...document.querySelectorAll('tbody th > a')].map(a => a.textContent)";

/// An exporter all of whose imports were tried.
async fn exporter_with(simulated: &Simulated, jobs: &str, count: usize) -> Exporter {
    let exporter = Start::with_config(&config(&simulated.base_url, jobs)).start().await;
    wait_for("all are tried", || async {
        let jobs = exporter.get("/api/v1/jobs").await.json();
        let tried =
            jobs["jobs"].as_array().unwrap().iter().filter(|job| job["poll"]["tried"] == true).count();
        if tried == count { Ok(()) } else { Err(jobs.to_string()) }
    })
    .await;
    exporter
}

/// What never leaves the browser: the icon, and the empty tab that it begins with.
fn is_within(url: &str) -> bool {
    url.starts_with("data:") || url.starts_with("chrome:")
}

/// Nothing was complained about, and nothing asked for elsewhere.
fn assert_clean(record: &Record, exporter: &Exporter) {
    assert_eq!(record.console, Vec::<String>::new());
    let own = format!("http://{}/", exporter.address());
    assert!(!record.requests.is_empty());
    for url in &record.requests {
        assert!(url.starts_with(&own) || is_within(url), "{url}");
    }
}

#[tokio::test]
async fn it_loads_and_follows_an_import_without_a_reload() {
    let simulated = Simulated::with_scenario(IMPORTS).await;
    let exporter = exporter_with(&simulated, WATCHED, 5).await;
    let browser = Browser::start().await;
    browser.look((1280, 900), false).await;
    browser.open(&format!("http://{}/", exporter.address())).await;
    // A mark that a reload would lose, and the row's own element, which must stay the same one.
    browser.run("window.mark = document.querySelector('[data-key=\"Job:moves\"]')").await;
    let rows = "document.querySelector('[data-key=\"Job:moves\"] .counts span').textContent";
    let before = browser.run(&format!("return {rows}")).await;
    browser.click("[data-key='Job:moves'] summary").await;
    browser.wait_until(&format!("{rows} !== {before}")).await;
    browser.wait_until("window.mark === document.querySelector('[data-key=\"Job:moves\"]')").await;
    browser.wait_until("window.mark.querySelector('details').open").await;
    browser.wait_until("Number(window.mark.children[4].textContent) > 0").await;
    browser.draw("light").await;

    let waiting = "document.querySelector('[data-key=\"Job:waits\"]').innerHTML";
    browser.run("window.changes = 0; new MutationObserver(() => window.changes += 1).observe(document.querySelector('[data-key=\"Job:done\"]'), { subtree: true, childList: true, attributes: true, characterData: true })").await;
    browser.wait_until(&format!("{waiting}.includes('PENDING')")).await;
    let shown = browser.run(&format!("return {rows}")).await;
    browser.wait_until(&format!("{rows} !== {shown:?}")).await;
    assert!(
        browser.run("return window.changes").await.as_u64() < Some(10),
        "a row that is final is left alone"
    );

    // A job that leaves and one that comes.
    exporter.write_config(&config(&simulated.base_url, "[ 'Job:moves', 'Job:lost' ]"));
    exporter.signal(rustix::process::Signal::HUP);
    browser.wait_until("document.querySelectorAll('tbody tr').length === 2").await;
    browser.wait_until("window.mark.isConnected").await;
    assert_clean(&browser.record().await, &exporter);
    browser.quit().await;
}

#[tokio::test]
async fn names_are_shown_as_text_and_trouble_stands_first() {
    let simulated = Simulated::with_scenario(IMPORTS).await;
    let exporter = exporter_with(&simulated, WATCHED, 5).await;
    let browser = Browser::start().await;
    browser.open(&format!("http://{}/", exporter.address())).await;
    let names = browser.run(&format!("return {NAMES}")).await;
    let evil = "<script>alert(1)</script>\\u{202e}evil";
    assert_eq!(names, json!(["mx-partners", evil, "eu-launch", "br-agents", "uk-pilot"]));
    assert_eq!(browser.run("return document.title").await, "(2) Grid bulk imports");
    // The same on the import's own page.
    browser.click("[data-key='Job:broken'] a").await;
    browser.wait_until("document.querySelector('h1').textContent.endsWith('evil')").await;
    browser.wait_until("document.querySelector('.banner h2').textContent === 'It can’t be read'").await;
    assert_clean(&browser.record().await, &exporter);
    browser.quit().await;
}

#[tokio::test]
async fn it_filters_as_one_types_and_sorts_by_a_click() {
    let simulated = Simulated::with_scenario(IMPORTS).await;
    let exporter = exporter_with(&simulated, WATCHED, 5).await;
    let browser = Browser::start().await;
    browser.open(&format!("http://{}/", exporter.address())).await;
    let names_are = |names: &[&str]| format!("JSON.stringify({NAMES}) === {:?}", json!(names).to_string());
    browser.press("/").await;
    browser.wait_until("document.activeElement.id === 'q' && document.activeElement.value === ''").await;
    browser.press("grow").await;
    browser.wait_until(&names_are(&["eu-launch", "br-agents"])).await;
    browser.wait_until("location.search === '?q=grow' && document.activeElement.value === 'grow'").await;
    browser.press("zzz").await;
    browser.wait_until("document.querySelector('p.empty').textContent.startsWith('No import matches')").await;
    // Escape empties it, the arrow goes to the rows, and from there to the page of one.
    browser.press("\u{e00c}").await;
    browser.wait_until("document.querySelectorAll('tbody tr').length === 5 && location.search === ''").await;
    browser.press("\u{e015}\u{e015}\u{e015}").await;
    browser.wait_until("document.activeElement.textContent === 'eu-launch'").await;
    // The focus stays while the page moves on.
    let counts =
        browser.run("return document.querySelector('[data-key=\"Job:moves\"] .counts').textContent").await;
    browser
        .wait_until(&format!(
            "document.querySelector('[data-key=\"Job:moves\"] .counts').textContent !== {counts}"
        ))
        .await;
    browser.wait_until("document.activeElement.textContent === 'eu-launch'").await;
    let ring = browser.run("return getComputedStyle(document.activeElement).outlineStyle").await;
    assert_eq!(ring, "solid", "the focus is seen");

    browser.click("thead .import a").await;
    browser.wait_until("location.search === '?sort=name'").await;
    browser.wait_until(&format!("{NAMES}[1] === 'br-agents' && {NAMES}[4] === 'uk-pilot'")).await;
    browser.click("thead .import a").await;
    browser.wait_until(&format!("{NAMES}[0] === 'uk-pilot' && location.search === '?sort=-name'")).await;
    browser.click(".chips a[href*='status=PROCESSING']").await;
    browser.wait_until(&names_are(&["eu-launch"])).await;
    browser.run("history.back()").await;
    browser.wait_until(&format!("{NAMES}.length === 5 && {NAMES}[0] === 'uk-pilot'")).await;
    assert_clean(&browser.record().await, &exporter);
    browser.quit().await;
}

#[tokio::test]
async fn it_works_without_a_script() {
    let simulated = Simulated::with_scenario(IMPORTS).await;
    let exporter = exporter_with(&simulated, WATCHED, 5).await;
    let browser = Browser::start().await;
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    browser.open(&format!("http://{}/", exporter.address())).await;
    assert_eq!(browser.run(&format!("return {NAMES}.length")).await, 5);
    assert_eq!(
        browser.run("return document.getElementById('live').textContent.trim()").await,
        "Reload for new numbers."
    );
    browser.click("#q").await;
    browser.press("grow").await;
    browser.click("form.filter button").await;
    browser
        .wait_until("location.search === '?q=grow' && document.querySelectorAll('tbody tr').length === 2")
        .await;
    browser.click("thead .import a").await;
    browser.wait_until("location.search === '?q=grow&sort=name'").await;
    browser.wait_until(&format!("{NAMES}[0] === 'br-agents'")).await;
    let inputs = "JSON.stringify([...new FormData(document.querySelector('form.filter'))].map(([name, value]) => `${name}=${value}`))";
    browser.open(&format!("http://{}/?q=grow&sort=name&limit=7", exporter.address())).await;
    browser.wait_until(&format!("{inputs} === '[\"q=grow\",\"sort=name\",\"limit=7\"]'")).await;
    browser.click("[data-key='Job:moves'] summary").await;
    browser.wait_until("document.querySelector('[data-key=\"Job:moves\"] .codes li').offsetHeight > 0").await;
    browser.click("[data-key='Job:moves'] a").await;
    browser.wait_until("document.querySelector('h1').textContent === 'eu-launch'").await;
    assert_clean(&browser.record().await, &exporter);
    browser.quit().await;
}

#[tokio::test]
async fn an_import_has_a_page_with_its_course() {
    let simulated = Simulated::with_scenario(IMPORTS).await;
    let exporter = exporter_with(&simulated, WATCHED, 5).await;
    let browser = Browser::start().await;
    browser.look((1280, 900), false).await;
    browser.open(&format!("http://{}/jobs/Job%3Amoves", exporter.address())).await;
    browser.wait_until("document.querySelectorAll('.chart path').length === 4").await;
    browser
        .wait_until("document.querySelector('.chart .done').getAttribute('d').split('L').length > 3")
        .await;
    browser
        .wait_until("[...document.querySelectorAll('.figures dt')].some(e => e.textContent === 'Left')")
        .await;
    assert_eq!(browser.violations().await, Vec::<String>::new());
    browser.draw("job-light").await;
    browser.look((390, 844), true).await;
    assert_eq!(browser.violations().await, Vec::<String>::new());
    browser.draw("job-phone-dark").await;
    browser.wait_until("document.documentElement.scrollWidth <= innerWidth").await;
    // It leaves the set: its page says so, without a reload.
    exporter.write_config(&config(&simulated.base_url, "[ 'Job:done' ]"));
    exporter.signal(rustix::process::Signal::HUP);
    browser.wait_until("document.querySelector('h1').textContent === 'Not watched'").await;
    let record = browser.record().await;
    let faults: Vec<_> = record.console.iter().filter(|line| !line.contains("404")).collect();
    assert_eq!(faults, Vec::<&String>::new());
    browser.quit().await;
}

/// Many imports, as YAML for the scenario and for the configuration.
fn many(count: usize) -> (String, String) {
    let (mut scenario, mut watched) = ("jobs:\n".to_owned(), "\n".to_owned());
    for number in 0..count {
        let (rows, start) = (500 + number % 7 * 900, number % 50);
        let course = match number % 9 {
            0 => "ends: never starts".to_owned(),
            1 => format!("starts_at: -{start}, rows_per_second: 100, failing_share: 0.3"),
            _ => format!("starts_at: -{start}, rows_per_second: 20, failing_share: 0.01"),
        };
        let _infallible = writeln!(scenario, "  - {{ id: 'Job:{number:05}', rows: {rows}, {course} }}");
        let _infallible = writeln!(
            watched,
            "  - {{ id: 'Job:{number:05}', labels: {{ name: import-{number:05}, team: t{} }} }}",
            number % 5
        );
    }
    (scenario, watched)
}
