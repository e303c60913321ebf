//! How a scan is told: on one screen of a terminal, in SARIF that the standard's schema accepts, as annotations.

use std::fs;

use serde_json::Value;

use crate::support::repository::{KEYAGENT, Key, Repository, texts};

fn told(repository: &Repository, arguments: &[&str]) -> (String, String) {
    let output = repository
        .command(KEYAGENT)
        .arg("scan")
        .args(arguments)
        .output()
        .expect("the built keyagent can be run");
    assert_eq!(output.status.code(), Some(1), "{:?}", texts(&output));
    texts(&output)
}

/// Rows of a terminal of 80 columns.
fn rows(text: &str) -> usize {
    text.lines()
        .map(|line| line.chars().count().div_ceil(80).max(1))
        .sum()
}

#[test]
fn a_pair_is_one_item_with_its_account() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.stage("config.ini", key.ini());
    let (stdout, _) = told(&repository, &["--staged"]);
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(
        lines[0].starts_with("config.ini:2:21  access-key-id  "),
        "{stdout}"
    );
    assert!(
        lines[1].starts_with("  config.ini:3:25  secret-access-key  "),
        "{stdout}"
    );
    assert!(lines.len() <= 3 && !lines[1].contains("account"), "{stdout}");
}

#[test]
fn a_hundred_keys_are_summed_up_by_file_on_one_screen() {
    let repository = Repository::begun();
    for file in 0..20 {
        let keys: Vec<String> = (0..5).map(|_| Key::random().ini() + &"\n".repeat(20)).collect();
        repository.write(format!("file{file:02}"), keys.concat());
    }
    repository.git(&["add", "--all"]);
    let (stdout, stderr) = told(&repository, &["--staged"]);
    assert!(
        stdout.starts_with("200 findings of 100 keys in 20 files; to see each: --format json\n"),
        "{stdout}"
    );
    assert!(stdout.contains("\nfile00:2  10 findings of 5 keys\n"), "{stdout}");
    let named = stdout.lines().filter(|line| line.starts_with("file")).count();
    assert!(
        stdout.ends_with(&format!(
            "\nand {} findings in {} more files\n",
            (20 - named) * 10,
            20 - named
        )),
        "{stdout}"
    );
    assert!(stderr.contains("  git restore --staged -- file02\n  and so for 17 more files\n"));
    assert!(rows(&stdout) + rows(&stderr) < 24, "{stdout}{stderr}");
}

#[test]
fn the_way_on_can_be_pasted_from_below_the_top_too() {
    let (repository, key) = (Repository::begun(), Key::random());
    std::fs::create_dir(repository.path.join("below")).unwrap();
    repository.stage("it's [1].txt", key.ini());
    let output = repository
        .command(KEYAGENT)
        .current_dir(repository.path.join("below"))
        .args(["scan", "--staged"])
        .output()
        .unwrap();
    let (_, stderr) = texts(&output);
    let command = stderr
        .lines()
        .find(|line| line.contains("git restore"))
        .unwrap()
        .trim();
    let shell = repository
        .command("sh")
        .current_dir(repository.path.join("below"))
        .args(["-ec", command])
        .output()
        .unwrap();
    assert!(shell.status.success(), "{command}: {:?}", texts(&shell));
    repository.passes();
}

#[test]
fn sarif_is_valid_and_holds_no_secret() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.stage("a b#é.ini", key.ini());
    let (stdout, _) = told(&repository, &["--staged", "--format", "sarif"]);
    assert!(!stdout.contains(&key.secret) && !stdout.contains("snippet"));
    let log: Value = serde_json::from_str(&stdout).unwrap();

    let schema: Value =
        serde_json::from_str(include_str!("fixtures/sarif-2.1.0-rtm.5.json")).expect("it is JSON");
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.enable_format_assertions();
    compiler.add_resource("sarif.json", schema).unwrap();
    let index = compiler.compile("sarif.json", &mut schemas).unwrap();
    if let Err(error) = schemas.validate(&log, index) {
        panic!("{error:#}");
    }
    let mut broken = log.clone();
    broken["runs"][0]["results"][0]["level"] = "loud".into();
    assert!(schemas.validate(&broken, index).is_err());

    let results = log["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    let place = &results[1]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "a%20b%23%C3%A9.ini");
    assert_eq!(place["region"]["startLine"], 3);
    assert_eq!(place["region"]["startColumn"], 25);
    assert_eq!(place["region"]["endColumn"], 65);
    let rule = results[1]["ruleIndex"].as_u64().unwrap() as usize;
    assert_eq!(
        log["runs"][0]["tool"]["driver"]["rules"][rule]["id"],
        "secret-access-key"
    );
    // The same value somewhere else is the same alert.
    let before = results[1]["partialFingerprints"].clone();
    repository.git(&["mv", "a b#é.ini", "moved"]);
    let (stdout, _) = told(&repository, &["--staged", "--format", "sarif"]);
    let log: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(log["runs"][0]["results"][1]["partialFingerprints"], before);
}

#[test]
fn columns_are_characters_for_who_shows_them_and_bytes_in_json() {
    let (repository, key) = (Repository::begun(), Key::random());
    let before = "// ключ: aws_secret_access_key = ";
    repository.stage("a.js", format!("{before}{}\n", key.secret));
    let column = |format: &str, pointer: &str| {
        let (stdout, _) = told(&repository, &["--staged", "--format", format]);
        let document: Value = serde_json::from_str(&stdout).unwrap();
        let column = document.pointer(pointer).and_then(Value::as_u64);
        column.unwrap_or_else(|| panic!("no {pointer} in {stdout}"))
    };
    let region = "/runs/0/results/0/locations/0/physicalLocation/region";
    let characters = before.chars().count() as u64 + 1;
    assert_eq!(column("sarif", &format!("{region}/startColumn")), characters);
    assert_eq!(column("sarif", &format!("{region}/endColumn")), characters + 40);
    assert_eq!(column("json", "/findings/0/column"), before.len() as u64 + 1);
}

#[test]
fn annotations_name_the_place_and_cannot_be_forged_by_a_name() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.stage("a,b:\n::c", key.ini());
    let (stdout, stderr) = told(&repository, &["--staged", "--format", "github"]);
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{stdout}");
    assert!(
        lines[1].starts_with(
            "::error file=a%2Cb%3A%0A%3A%3Ac,line=3,col=25,endColumn=65,title=keyagent%3A secret-access-key::AWS secret access key "
        ),
        "{stdout}"
    );
    assert!(!stdout.contains(&key.secret));
    assert!(stderr.starts_with("scanned 1 blob, "), "{stderr}");
}

/// Who reads a document is to find there why it holds nothing.
#[test]
fn what_keeps_the_whole_scan_from_being_made_stands_in_the_document() {
    type State = fn() -> Repository;
    let states: [(&str, &[&str], State); 5] = [
        ("no repository", &["--staged"], Repository::empty),
        ("a shallow clone", &["--history"], || {
            let repository = Repository::begun();
            repository.write("README", "again\n");
            repository.commit_all();
            let clone = Repository::empty();
            let url = format!("file://{}", repository.path.display());
            clone.git(&["clone", "--quiet", "--depth", "1", &url, "."]);
            clone
        }),
        ("a missing object", &["--commits", "HEAD"], || {
            let repository = Repository::begun();
            let blob = repository.git(&["rev-parse", "HEAD:README"]);
            let file = format!(".git/objects/{}/{}", &blob[..2], &blob[2..]);
            fs::remove_file(repository.path.join(file)).unwrap();
            repository
        }),
        ("credentials that cannot be read", &["README"], || {
            let repository = Repository::begun();
            let folder = repository.folder.path().join(".aws");
            fs::create_dir(&folder).unwrap();
            std::os::unix::fs::symlink("credentials", folder.join("credentials")).unwrap();
            repository
        }),
        ("a bad line of entries", &["--staged"], || {
            let repository = Repository::begun();
            repository.stage(".keyagentallow", "nonsense\n");
            repository
        }),
    ];
    for (name, arguments, state) in states {
        let repository = state();
        let scan = |format: &str| {
            let output = repository
                .command(KEYAGENT)
                .args(["scan", "--format", format])
                .args(arguments)
                .output()
                .unwrap();
            let (stdout, stderr) = texts(&output);
            assert_eq!(output.status.code(), Some(2), "{name}: {stdout}{stderr}");
            assert!(
                stderr.starts_with("error: ") || stderr.contains("\nerror: "),
                "{name}: {stderr}"
            );
            (stdout, stderr)
        };
        let (json, stderr) = scan("json");
        let document: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(document["schema"], "keyagent.scan/1", "{name}");
        let told = &document["errors"][0];
        for part in ["error", "cause", "hint"] {
            for line in told[part].as_str().unwrap().lines() {
                assert!(stderr.contains(line), "{name}: {line}: {stderr}");
            }
        }
        let sarif: Value = serde_json::from_str(&scan("sarif").0).unwrap();
        let invocation = &sarif["runs"][0]["invocations"][0];
        assert_eq!(invocation["executionSuccessful"], false, "{name}");
        let notification = &invocation["toolExecutionNotifications"][0]["message"]["text"];
        assert!(
            notification
                .as_str()
                .unwrap()
                .contains(told["cause"].as_str().unwrap())
        );
        assert!(scan("github").0.starts_with("::error title=keyagent"), "{name}");
    }
}
