//! The upload of a CSV file.

use super::support::{CREDENTIALS, LONG, Running};
use grid_bulk_exporter::sim::SimOptions;
use serde_json::Value;
use tokio::time::timeout;

const HEADER: &str = "umaAddress,platformCustomerId,customerType,fullName,birthDate,addressLine1,city,state,\
    postalCode,country\n";

fn upload(field: &str, csv: &str) -> String {
    let body = format!(
        "--x\r\ncontent-disposition: form-data; name=\"{field}\"; filename=\"c.csv\"\r\n\
         content-type: text/csv\r\n\r\n{csv}\r\n--x--\r\n"
    );
    format!(
        "POST /grid/2025-10-13/customers/bulk/csv HTTP/1.1\r\nhost: a\r\n{CREDENTIALS}connection: close\r\n\
         content-type: multipart/form-data; boundary=x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Asks until the job ended.
async fn end_of(running: &Running, id: &str) -> Value {
    let ended = async {
        loop {
            let job = running.ask(id, CREDENTIALS).await.json();
            if ["COMPLETED", "FAILED"].contains(&job["status"].as_str().unwrap()) {
                return job;
            }
        }
    };
    timeout(LONG, ended).await.unwrap()
}

#[tokio::test]
async fn an_uploaded_file_becomes_a_job_that_runs_to_its_end() {
    let running = Running::start(SimOptions { speed: 200.0, ..SimOptions::default() }).await;
    let rows = "$c@x.com,c,INDIVIDUAL,A B,1990-01-15,1 St,X,CA,1,US
"
    .repeat(500);
    let taken = running.send(&upload("file", &format!("{HEADER}{rows}"))).await;
    assert_eq!((taken.status(), &taken.json()["status"]), (202, &"PENDING".into()));
    let id = taken.json()["jobId"].as_str().unwrap().to_owned();
    let job = end_of(&running, &id).await;
    assert_eq!((&job["status"], &job["progress"]["total"]), (&"COMPLETED".into(), &500.into()));
    assert_eq!(job["progress"]["failed"], job["errors"].as_array().unwrap().len());
}

#[tokio::test]
async fn a_header_without_a_required_column_makes_a_job_that_fails() {
    let running = Running::start(SimOptions { speed: 200.0, ..SimOptions::default() }).await;
    let taken =
        running.send(&upload("file", "umaAddress,customerType\n$a@x,BUSINESS\n$b@x,BUSINESS\n")).await;
    assert_eq!(taken.status(), 202);
    let job = end_of(&running, taken.json()["jobId"].as_str().unwrap()).await;
    assert_eq!((&job["status"], &job["progress"]["failed"]), (&"FAILED".into(), &2.into()));
    let error = &job["errors"][0]["error"];
    assert_eq!(
        (&error["code"], &error["details"]["column"]),
        (&"invalid_csv_format".into(), &"platformCustomerId".into())
    );
}

#[tokio::test]
async fn a_request_without_a_file_is_refused_in_the_apis_form() {
    let running = Running::start(SimOptions::default()).await;
    for request in [
        upload("other", HEADER),
        upload("file", ""),
        upload("file", "x").replace("multipart/form-data; boundary=x", "text/csv"),
        upload("file", HEADER).replace("--x--", "--y--"),
    ] {
        let refused = running.send(&request).await;
        assert_eq!((refused.status(), &refused.json()["code"]), (400, &"INVALID_INPUT".into()), "{request}");
        assert_eq!(refused.json()["details"]["errors"][0]["field"], "file");
    }
    let unauthorized = running.send(&upload("file", HEADER).replace(CREDENTIALS, "")).await;
    assert_eq!(unauthorized.status(), 401);
}
