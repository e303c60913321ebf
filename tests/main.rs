//! The integration tests: one binary, one file a command.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed; making its tools takes a while, and says so"
)]

#[cfg(feature = "aws")]
mod account;
mod adversary;
#[cfg(all(feature = "desktop", unix))]
mod agent;
mod allow;
#[cfg(feature = "aws")]
mod audit;
#[cfg(feature = "aws")]
mod canary;
mod corpus;
mod disguise;
#[cfg(all(feature = "desktop", unix))]
mod doctor;
mod every_source;
mod history;
mod hook;
mod manual;
#[cfg(feature = "aws")]
mod network;
mod own_keys;
#[cfg(unix)]
mod packaging;
#[cfg(feature = "aws")]
mod readers;
#[cfg(feature = "aws")]
mod remediate;
mod report;
#[cfg(feature = "aws")]
mod rotate;
mod scan;
#[cfg(feature = "aws")]
mod shapes;
mod sources;
mod staged;
#[cfg(feature = "aws")]
mod status;
#[cfg_attr(
    not(feature = "aws"),
    expect(dead_code, reason = "the tests of AWS use what the others do not")
)]
mod support;
mod way_on;

/// A file that is not named above would never run.
#[test]
fn every_test_file_is_run() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let main = std::fs::read_to_string(here.join("main.rs")).unwrap();
    for file in std::fs::read_dir(here).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") {
            assert!(
                main.contains(&format!("mod {module};")),
                "tests/main.rs does not name {module}"
            );
        }
    }
}
