//! What the page says when there is nothing, too much, or trouble; each state looked at in light, dark and on a phone.

use super::{IMPORTS, NAMES, WATCHED, assert_clean, config, exporter_with, many};
use crate::support::browser::Browser;
use crate::support::exporter::Start;
use crate::support::simulator::Simulated;
use crate::support::wait_for;
use grid_bulk_exporter::secret::Secret;
use grid_bulk_exporter::sim::{Fault, FaultKind, HttpStatusFault};

/// Draws a state in three ways, and looks for what keeps people from using it.
async fn look_at(browser: &Browser, state: &str) {
    for (way, size, dark) in
        [("light", (1280, 900), false), ("dark", (1280, 900), true), ("phone", (390, 844), false)]
    {
        browser.look(size, dark).await;
        assert_eq!(browser.violations().await, Vec::<String>::new(), "{state}, {way}");
        browser.wait_until("document.documentElement.scrollWidth <= innerWidth").await;
        browser.draw(&format!("{state}-{way}")).await;
    }
    browser.look((1280, 900), false).await;
}

#[tokio::test]
async fn no_imports_yet_tells_how_to_add_one() {
    let exporter = Start::with_config(&config("http://127.0.0.1:9", "[]"))
        .argument("--web.enable-admin-api")
        .argument("--web.route-prefix=/grid")
        .start()
        .await;
    let browser = Browser::start().await;
    browser.open(&format!("http://{}/grid/", exporter.address())).await;
    browser
        .wait_until("document.querySelector('.empty h2').textContent === 'No imports are watched yet'")
        .await;
    browser.wait_until("document.body.innerText.includes('--job=')").await;
    // Script and style are found below the prefix.
    browser.wait_until("document.getElementById('live').textContent === 'Kept up to date.'").await;
    browser.wait_until("getComputedStyle(document.querySelector('.top')).display === 'flex'").await;
    let added = exporter.request("PUT", "/grid/api/v1/jobs/Job:new", &[]).await;
    assert_eq!(added.status, 201);
    browser
        .wait_until("document.querySelector('tbody th > a')?.getAttribute('href') === '/grid/jobs/Job%3Anew'")
        .await;
    exporter.request("DELETE", "/grid/api/v1/jobs/Job:new", &[]).await;
    browser.wait_until("document.querySelector('.empty h2')").await;
    look_at(&browser, "none").await;
    assert_clean(&browser.record().await, &exporter);
    browser.quit().await;
}

#[tokio::test]
async fn an_ordinary_day_looks_good_in_every_way() {
    let simulated = Simulated::with_scenario(IMPORTS).await;
    let exporter = exporter_with(&simulated, WATCHED, 5).await;
    let browser = Browser::start().await;
    browser.open(&format!("http://{}/", exporter.address())).await;
    browser.click("[data-key='Job:lost'] summary").await;
    look_at(&browser, "some").await;
    assert_clean(&browser.record().await, &exporter);
    browser.quit().await;
}

#[tokio::test]
async fn names_without_end_keep_to_the_width_of_a_phone() {
    let (id, name, label) = ("y".repeat(230), "x".repeat(400), "z".repeat(60));
    let words = "word ".repeat(60);
    let jobs =
        format!("[ {{ id: 'Job:{id}', labels: {{ name: {name}, {label}: '{words}', team: {name} }} }} ]");
    let exporter = Start::with_config(&config("http://127.0.0.1:9", &jobs)).start().await;
    let browser = Browser::start().await;
    for path in ["/".to_owned(), format!("/jobs/Job%3A{id}")] {
        browser.open(&format!("http://{}{path}", exporter.address())).await;
        for size in [(360, 740), (830, 900), (1280, 900)] {
            browser.look(size, false).await;
            // A phone shows a page that is too wide in a wider window.
            browser
                .wait_until(&format!(
                    "innerWidth === {0} && document.documentElement.scrollWidth === {0}",
                    size.0
                ))
                .await;
        }
    }
    assert_clean(&browser.record().await, &exporter);
    browser.quit().await;
}

#[tokio::test]
async fn an_api_that_is_down_is_told_with_what_is_stale() {
    let simulated =
        Simulated::with_scenario(&IMPORTS.replace("{ fault: http_status, status: 500 }", "")).await;
    let exporter = exporter_with(&simulated, WATCHED, 5).await;
    let browser = Browser::start().await;
    browser.open(&format!("http://{}/", exporter.address())).await;
    browser.wait_until("document.querySelectorAll('tbody tr').length === 5 && !document.querySelector('.banner:not(#lost)')").await;
    simulated.handle.set_api_faults(vec![Fault::always(FaultKind::HttpStatus(HttpStatusFault::new(503)))]);
    browser
        .wait_until(
            "document.querySelector('section.banner h2')?.textContent === 'The Grid API can’t be read'",
        )
        .await;
    let text = "document.querySelector('section.banner').innerText";
    browser.wait_until(&format!("{text}.includes('server_error') && {text}.includes('as of')")).await;
    browser
        .wait_until(
            "document.querySelector('[data-key=\"Job:moves\"] .age').innerText.includes('server_error')",
        )
        .await;
    look_at(&browser, "down").await;
    simulated.handle.set_api_faults(Vec::new());
    browser.wait_until("!document.querySelector('section.banner')").await;
    assert_clean(&browser.record().await, &exporter);
    browser.quit().await;
}

#[tokio::test]
async fn refused_credentials_are_told_with_what_to_do() {
    let simulated = Simulated::with_scenario(IMPORTS).await;
    simulated.handle.set_credentials("demo", &Secret::new("another".to_owned()));
    let exporter = exporter_with(&simulated, WATCHED, 5).await;
    let browser = Browser::start().await;
    browser.open(&format!("http://{}/", exporter.address())).await;
    browser.wait_until("document.querySelector('section.banner h2').textContent === 'The Grid API refuses our credentials'").await;
    browser
        .wait_until("document.querySelector('section.banner').innerText.includes('grid.client_secret_file')")
        .await;
    look_at(&browser, "refused").await;
    assert_clean(&browser.record().await, &exporter);
    browser.quit().await;
}

#[tokio::test]
async fn ten_thousand_imports_do_not_freeze_it() {
    const COUNT: usize = 10_000;
    let (scenario, watched) = many(COUNT);
    let simulated = Simulated::with_scenario(&scenario).await;
    let limits = "poll: { interval: 20s, max_requests_per_second: 5000, concurrency: 64 }";
    let config = config(&simulated.base_url, &watched).replace("poll: { interval: 1s }", limits);
    let exporter = Start::with_config(&config).start().await;
    wait_for("half of them are read", || async {
        let left = exporter.get("/api/v1/jobs?status=UNPOLLED&limit=1").await.json()["matched"].as_u64();
        if left < Some(COUNT as u64 / 2) { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
    let browser = Browser::start().await;
    browser.run("performance.setResourceTimingBufferSize(1000)").await;
    browser.open(&format!("http://{}/", exporter.address())).await;
    browser
        .wait_until("document.querySelector('.pager span').textContent === '1–100 of 10,000 imports'")
        .await;
    // The longest time for which the page does not react, while it follows all changes, filters and turns pages: the
    // least of three times, as other tests keep the machine busy, and the browser waits for a core.
    browser
        .run("window.longest = 0; new PerformanceObserver(list => { for (const task of list.getEntries()) window.longest = Math.max(window.longest, task.duration); }).observe({ type: 'longtask' })")
        .await;
    let mut longest = f64::INFINITY;
    for _ in 0..3 {
        browser.run("window.longest = 0").await;
        let now = browser.run("return document.getElementById('main').dataset.now").await;
        browser.wait_until(&format!("document.getElementById('main').dataset.now !== {now}")).await;
        browser.press("/").await;
        browser.press("09999").await;
        browser.wait_until(&format!("{NAMES}.length === 1 && {NAMES}[0] === 'import-09999'")).await;
        browser.press("\u{e00c}").await;
        browser.wait_until(&format!("{NAMES}.length === 100")).await;
        browser.click(".pager a[rel=next]").await;
        browser
            .wait_until("document.querySelector('.pager span').textContent.startsWith('101–200 of')")
            .await;
        browser.click(".pager a[rel=prev]").await;
        browser.wait_until("document.querySelector('.pager span').textContent.startsWith('1–100 of')").await;
        longest = browser.run("return window.longest").await.as_f64().unwrap().min(longest);
    }
    println!("longest task in the browser: {longest} ms");
    assert!(longest < 1500.0, "{longest} ms");
    browser.open(&format!("http://{}/?limit=1000&sort=-failed", exporter.address())).await;
    browser.wait_until(&format!("{NAMES}.length === 1000")).await;
    browser.open(&format!("http://{}/", exporter.address())).await;
    look_at(&browser, "many").await;
    assert_clean(&browser.record().await, &exporter);
    browser.quit().await;
}

#[tokio::test]
async fn an_exporter_that_went_away_is_told_and_the_page_comes_back_by_itself() {
    let simulated = Simulated::with_scenario(IMPORTS).await;
    let exporter = exporter_with(&simulated, WATCHED, 5).await;
    let browser = Browser::start().await;
    browser.open(&format!("http://{}/", exporter.address())).await;
    exporter.signal(rustix::process::Signal::STOP);
    browser
        .devtools(
            "Network.emulateNetworkConditions",
            serde_json::json!({
        "offline": true, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 }),
        )
        .await;
    browser.wait_until("!document.getElementById('lost').hidden").await;
    browser
        .wait_until("document.getElementById('lost').innerText.startsWith('The exporter does not answer')")
        .await;
    browser.draw("lost").await;
    exporter.signal(rustix::process::Signal::CONT);
    browser
        .devtools(
            "Network.emulateNetworkConditions",
            serde_json::json!({
        "offline": false, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 }),
        )
        .await;
    browser.wait_until("document.getElementById('lost').hidden").await;
    browser.quit().await;
}
