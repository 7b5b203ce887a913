//! Real answers against `docs/openapi.yaml`.

use super::config;
use crate::sim::schema::to_json;
use crate::support::exporter::Start;
use crate::support::http::Response;
use crate::support::simulator::Simulated;
use grid_bulk_exporter::web::routes;
use saphyr::{LoadableYamlNode as _, Yaml};
use serde_json::{Value, json};
use std::path::Path;

fn description() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.yaml");
    to_json(&Yaml::load_from_str(&std::fs::read_to_string(path).unwrap()).unwrap()[0])
}

/// Checks status, content type and body of an answer against what the description says of this operation.
fn check(description: &Value, path: &str, method: &str, answer: &Response) {
    let responses = &description["paths"][path][method]["responses"];
    let mut response = &responses[answer.status.to_string()];
    assert!(response.is_object(), "{method} {path} answered {}: {}", answer.status, answer.text());
    if let Some(reference) = response["$ref"].as_str() {
        response = description.pointer(reference.trim_start_matches('#')).unwrap();
    }
    let Some(content) = response["content"].as_object() else {
        assert!(answer.body.is_empty(), "{}", answer.text());
        return;
    };
    let schema = &content[answer.header("content-type")]["schema"];
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": schema["$ref"],
        "components": description["components"],
    });
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let body = answer.json();
    let faults: Vec<_> =
        validator.iter_errors(&body).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert_eq!(faults, Vec::<String>::new(), "{method} {path}: {body}");
}

#[test]
fn each_path_of_the_description_is_served_by_its_methods() {
    let description = description();
    let table = routes::table("/metrics");
    for (path, operations) in description["paths"].as_object().unwrap() {
        let route = table.iter().find(|route| route.path == *path).unwrap_or_else(|| panic!("{path}"));
        let described: Vec<_> = operations
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| *key != "parameters")
            .map(|method| method.to_uppercase())
            .collect();
        let mut served: Vec<_> = route.methods.split(", ").filter(|method| *method != "HEAD").collect();
        served.sort_unstable();
        let mut described: Vec<_> = described.iter().map(String::as_str).collect();
        described.sort_unstable();
        assert_eq!(described, served, "{path}");
    }
    let api = table.iter().filter(|route| route.path.starts_with("/api/"));
    assert_eq!(api.count(), description["paths"].as_object().unwrap().len());
}

#[tokio::test]
async fn answers_are_as_described() {
    let simulated = Simulated::with_scenario(
        "jobs:\n  - { id: 'Job:a', rows: 100, rows_per_second: 10, failing_share: 0.5, starts_at: -5 }\n  \
         - { id: 'Job:done', rows: 10, rows_per_second: 100, starts_at: -60 }\n",
    )
    .await;
    let lines = "limits: { jobs: 4 }\njobs: [ { id: 'Job:a', labels: { team: x } }, 'Job:done', 'Job:none' ]";
    let exporter =
        Start::with_config(&config(&simulated, lines)).argument("--web.enable-admin-api").start().await;
    let description = description();
    let (all, one) = ("/api/v1/jobs", "/api/v1/jobs/{jobId}");
    check(&description, all, "get", &exporter.get(all).await);
    exporter
        .scrape_until("all were tried", |scrape| {
            let failed = scrape.value("grid_bulk_poll_failures_total", &[("reason", "not_found")]);
            failed >= Some(1.0) && scrape.status("Job:a").is_some() && scrape.status("Job:done").is_some()
        })
        .await;
    let mut statuses = Vec::new();
    for (path, method, target, body) in [
        (all, "get", "/api/v1/jobs", ""),
        (all, "get", "/api/v1/jobs?limit=1", ""),
        (all, "get", "/api/v1/jobs?limit=x", ""),
        (one, "get", "/api/v1/jobs/Job:a", ""),
        (one, "get", "/api/v1/jobs/Job:none", ""),
        (one, "get", "/api/v1/jobs/Job:b", ""),
        (one, "get", "/api/v1/jobs/a%20b", ""),
        (one, "put", "/api/v1/jobs/Job:b", "{\"labels\": {\"team\": \"y\"}}"),
        (one, "put", "/api/v1/jobs/Job:b", ""),
        (one, "put", "/api/v1/jobs/Job:b", "x"),
        (one, "put", "/api/v1/jobs/Job:c", ""),
        (one, "delete", "/api/v1/jobs/Job:a", ""),
        (one, "delete", "/api/v1/jobs/Job:b", ""),
        ("/api/v1/sd", "get", "/api/v1/sd", ""),
    ] {
        let answer = exporter.send(&method.to_uppercase(), target, body).await;
        check(&description, path, method, &answer);
        statuses.push(answer.status);
    }
    assert_eq!(statuses, [200, 200, 400, 200, 200, 404, 400, 201, 200, 400, 507, 404, 204, 200]);
}
