//! Metrics sent to a collector: what it receives is read by OpenTelemetry's own definitions, in Python.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};

use serde_json::{Value, json};

use super::home;
use crate::support::Home;
use crate::support::cloud::Account;

/// What a client has sent.
struct Request {
    line: String,
    headers: Vec<String>,
    body: Vec<u8>,
}

/// A receiver of OTLP over HTTP that answers every request with this status; its address, and what it received.
fn collector(status: &'static str) -> (String, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            if sender.send(answered(stream, status)).is_err() {
                return;
            }
        }
    });
    (address, requests)
}

fn answered(mut stream: TcpStream, status: &str) -> Request {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let of = |name: &str| {
        let header = lines
            .iter()
            .find(|line| line.to_ascii_lowercase().starts_with(name))?;
        header.split_once(": ").map(|(_, value)| value.to_owned())
    };
    let mut body = vec![0; of("content-length:").unwrap().parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    )
    .unwrap();
    Request {
        line: lines.remove(0),
        headers: lines,
        body,
    }
}

/// The message as the definitions of the standard have it, in their JSON mapping.
fn read(account: &Account, home: &Home, body: &[u8]) -> Value {
    const SCRIPT: &str = "\
import sys
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest as Request
message = Request.FromString(open(sys.argv[1], 'rb').read())
assert json_format.Parse(json_format.MessageToJson(message), Request()) == message
print(json_format.MessageToJson(message))
";
    let path = home.write("body", body);
    home.run(
        &account.program("python"),
        &["-c", SCRIPT, path.to_str().unwrap()],
    )
    .exits(0)
    .json()
}

fn attributes(of: &Value) -> Vec<(&str, &str)> {
    let attributes = of["attributes"].as_array().into_iter().flatten();
    attributes
        .filter_map(|one| Some((one["key"].as_str()?, one["value"]["stringValue"].as_str()?)))
        .collect()
}

#[test]
fn a_collector_is_told_ages_and_findings() {
    let account = Account::start();
    let (home, user) = home(&account, 95);
    let (address, requests) = collector("200 OK");
    home.settings(&format!("metrics_otlp = {address}"));
    let home = home.with("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer of-the-test");
    let run = home.keyagent(&["agent", "run", "--once"]).exits(0);
    assert!(!run.stderr.contains("no metrics"), "{}", run.stderr);
    let request = requests.try_recv().unwrap();
    assert_eq!(request.line, "POST /v1/metrics HTTP/1.1");
    for header in ["application/x-protobuf", "Bearer of-the-test"] {
        let is_sent = request.headers.iter().any(|line| line.ends_with(header));
        assert!(is_sent, "no {header} in {:?}", request.headers);
    }
    let message = read(&account, &home, &request.body);
    let resource = attributes(&message["resourceMetrics"][0]["resource"]);
    assert!(resource.contains(&("service.name", "keyagent")), "{resource:?}");
    assert!(resource.contains(&("service.version", env!("CARGO_PKG_VERSION"))));
    assert!(resource.iter().any(|(name, _)| *name == "host.name"));
    let metrics = message["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
        .as_array()
        .unwrap();
    let of = |name: &str| {
        let metric = metrics.iter().find(|metric| metric["name"] == name);
        metric.unwrap_or_else(|| panic!("no {name} in {metrics:#?}"))
    };
    let age = of("keyagent.key.age");
    assert_eq!(age["unit"], "s");
    let point = &age["gauge"]["dataPoints"][0];
    assert_eq!(attributes(point), [("profile", "dev")]);
    let seconds: u64 = point["asInt"].as_str().unwrap().parse().unwrap();
    assert!((95 * 86_400..96 * 86_400).contains(&seconds), "{seconds}");
    let findings = &of("keyagent.findings")["gauge"]["dataPoints"][0];
    assert_eq!(findings["asInt"], json!("1"));
    assert_eq!(of("keyagent.last_success.timestamp")["unit"], "s");
    assert!(requests.try_recv().is_err(), "it is sent once");
    let sent = String::from_utf8_lossy(&request.body);
    assert!(!sent.contains(&user.access_key_id) && !sent.contains(&user.secret_access_key));

    home.settings(&format!("metrics_otlp = {address}/\nmetrics_key_ids = yes"));
    home.keyagent(&["agent", "run", "--once"]).exits(0);
    let message = read(&account, &home, &requests.try_recv().unwrap().body);
    assert!(message.to_string().contains(&user.access_key_id));
}

#[test]
fn a_collector_that_refuses_or_is_away_is_told_with_its_reason() {
    let account = Account::start();
    let (home, _) = home(&account, 3);
    let (address, requests) = collector("401 Unauthorized");
    home.settings(&format!("metrics_otlp = {address}"));
    let run = home.keyagent(&["agent", "run", "--once"]).exits(0);
    let said = run.stderr.replace("\n  ", " ");
    let words = format!("no metrics to {address}/v1/metrics: it answers HTTP 401");
    assert!(said.contains(&words), "{said}");
    assert!(requests.try_recv().is_ok());
    home.settings("metrics_otlp = http://127.0.0.1:9/otlp");
    let run = home.keyagent(&["agent", "run", "--once"]).exits(0);
    let said = run.stderr.replace("\n  ", " ");
    assert!(said.contains("no metrics to http://127.0.0.1:9/otlp: "), "{said}");
    assert!(said.to_lowercase().contains("refused"), "{said}");
}

#[test]
fn an_address_that_is_none_is_a_mistake_in_its_line() {
    let home = Home::new();
    for (value, why) in [
        ("localhost:4318", "is no address such as"),
        ("https://ann:secret@collect.example", "OTEL_EXPORTER_OTLP_HEADERS"),
    ] {
        home.settings(&format!("metrics_otlp = {value}"));
        let run = home.keyagent(&["settings", "check"]).exits(1);
        let said = run.stdout.replace("\n  ", " ");
        assert!(said.contains("line 3") && said.contains(why), "{said}");
        assert!(!said.contains("secret@"), "{said}");
    }
}
