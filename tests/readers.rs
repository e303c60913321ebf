//! keyagent's two readers against those that they stand for: AWS's conformance cases, and the real botocore.

use std::collections::BTreeMap;

use keyagent::credentials::{FileKind, LineError, Section, botocore_reader, sdk_reader};
use serde_json::{Value, json};

use crate::support::Home;
use crate::support::cloud::virtual_environment;

type Profiles = BTreeMap<String, BTreeMap<String, String>>;

fn cases() -> Vec<Value> {
    let cases: Value = serde_json::from_str(include_str!("fixtures/aws-profile-parser-tests.json")).unwrap();
    cases["tests"].as_array().unwrap().clone()
}

fn profiles(sections: Vec<Section>) -> Profiles {
    let values = |section: &Section| {
        section
            .properties
            .iter()
            .map(|p| (p.name.clone(), p.value.clone()))
            .collect()
    };
    sections
        .iter()
        .map(|section| (section.profile.clone(), values(section)))
        .collect()
}

#[test]
fn awss_conformance_cases_are_read_as_awss_sdk_reads_them() {
    let mut run = 0;
    for case in cases() {
        let name = case["name"].as_str().unwrap();
        let mut read: Result<Profiles, LineError> = Ok(Profiles::new());
        for (field, kind) in [
            ("configFile", FileKind::Config),
            ("credentialsFile", FileKind::Credentials),
        ] {
            let Some(text) = case["input"][field].as_str() else {
                continue;
            };
            read = read.and_then(|mut all| {
                for (profile, values) in profiles(sdk_reader::read(text, kind)?) {
                    all.entry(profile).or_default().extend(values);
                }
                Ok(all)
            });
        }
        let expected = &case["output"]["config"];
        match &read {
            Err(error) => assert!(case["output"]["errorContaining"].is_string(), "{name}: {error}"),
            // Cases of services and SSO sessions alone say nothing of profiles.
            Ok(read) if expected.get("profiles").is_some() => {
                assert_eq!(json!(read), expected["profiles"], "{name}");
            }
            Ok(_) => assert!(expected.is_object(), "{name}: this should have been refused"),
        }
        run += 1;
    }
    assert_eq!(run, 65);
}

/// One JSON list a file: its sections as botocore reads them, or null where it refuses.
const BOTOCORE: &str = r#"
import json, sys, tempfile
from botocore.configloader import raw_config_parse
for text in json.load(open(sys.argv[1])):
    with tempfile.NamedTemporaryFile("w", newline="", suffix=".ini") as file:
        file.write(text)
        file.flush()
        try:
            print(json.dumps(raw_config_parse(file.name, parse_subsections=False)))
        except Exception:
            print("null")
"#;

#[test]
fn shapes_are_read_as_the_real_botocore_reads_them() {
    let mut shapes: Vec<String> = cases()
        .iter()
        .flat_map(|case| {
            ["configFile", "credentialsFile"].map(|field| case["input"][field].as_str().map(String::from))
        })
        .flatten()
        .collect();
    shapes.extend(
        [
            "[a]\nk = A # x\n",
            "[a]\nk = A\n # note\nl = B\n",
            "[a]\nk = A\n  more\n\n  most\n[b]\nk=1",
            "[a]\nk=1\n[a]\nl=2\n",
            "[a]\nk=1\nK = 2\n",
            "  [default]\nk=1\n",
            "[ default ]\nk=1\n",
            "[a]\n  k=1\n  l=2\n",
            "[a]\nk: A\n",
            "[a]\nk = \"A\"\n",
            "[profile foo]\nk=1\n",
            "\u{feff}[a]\nk=1\n",
            "[a]\r\nk=1\r\nl = 2",
            "[a]\rk=1\r",
            "[a]\nk\n",
            "[a]\n=1\n",
            "[a] trailing\nk=1\n",
            "[a]]\nk=1\n",
            "k=1\n[a]\n",
            "[a]\nk=1\n\t; c\n\tx = y\n",
            "[]\nk=1\n",
            "[a]\nk = \u{a0}1\u{1f}\n",
            "[a]\nk = a:b=c\n[b]\n",
        ]
        .map(String::from),
    );
    let home = Home::new();
    let list = home.write("shapes.json", json!(shapes).to_string());
    let python = virtual_environment().unwrap().join("bin/python");
    let run = home
        .run(&python, &["-c", BOTOCORE, list.to_str().unwrap()])
        .exits(0);
    let answers: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), shapes.len());
    for (shape, theirs) in shapes.iter().zip(answers) {
        let ours = botocore_reader::read(shape, FileKind::Credentials)
            .ok()
            .map(profiles);
        // Blank lines inside a value are kept by them and are of no account here.
        let squeezed = theirs.to_string().replace("\\n\\n", "\\n");
        assert_eq!(
            json!(ours),
            serde_json::from_str::<Value>(&squeezed).unwrap(),
            "{shape:?}"
        );
    }
}
