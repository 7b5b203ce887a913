//! The page where users are asked for.

use super::{IMPORTS, WATCHED, config};
use crate::support::browser::Browser;
use crate::support::exporter::Start;
use crate::support::simulator::Simulated;

fn user() -> String {
    // Of the lowest cost, as tests are in a hurry.
    format!("basic_auth_users: {{ alice: '{}' }}\n", bcrypt::hash("first", 4).unwrap())
}

#[tokio::test]
async fn it_follows_imports_with_the_browser_s_credentials_and_tells_when_it_is_refused() {
    let simulated = Simulated::with_scenario(IMPORTS).await;
    let start =
        Start::with_config(&config(&simulated.base_url, WATCHED)).argument("--web.config.file=web.yml");
    std::fs::write(start.folder.path().join("web.yml"), user()).unwrap();
    let exporter = start.start().await;
    let browser = Browser::start().await;
    browser.open(&format!("http://alice:first@{}/", exporter.address())).await;
    browser.wait_until("document.getElementById('live').textContent === 'Kept up to date.'").await;
    let counts = "document.querySelector('[data-key=\"Job:moves\"] .counts')?.textContent ?? ''";
    browser.wait_until(&format!("({counts}).includes('of 100,000')")).await;
    let before = browser.run(&format!("return {counts}")).await;
    browser.wait_until(&format!("({counts}) !== {before}")).await;
    browser.click(".chips a[href*='status=PENDING']").await;
    browser
        .wait_until(
            "document.querySelectorAll('tbody tr').length === 1 && location.search === '?status=PENDING'",
        )
        .await;
    assert_eq!(browser.record().await.console, Vec::<String>::new());
    std::fs::write(exporter.folder.path().join("web.yml"), "rate_limit: { interval: 1s, burst: 0 }\n")
        .unwrap();
    browser
        .wait_until(
            "document.getElementById('lost').innerText.startsWith('The exporter answers 429; what is shown is ')",
        )
        .await;
    // What was read stays, and is taken up again.
    browser.wait_until("document.querySelectorAll('tbody tr').length === 1").await;
    std::fs::write(exporter.folder.path().join("web.yml"), user()).unwrap();
    browser.wait_until("document.getElementById('lost').hidden").await;
    browser.quit().await;
}
