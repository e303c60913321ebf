//! No secret leaves: every secret of a whole life of a key is looked for in all that keyagent says and writes down.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use crate::support::cloud::Account;
use crate::support::{Home, section};

/// Collects what was said, and the secrets that must not be in it.
struct Canary {
    home: Home,
    secrets: BTreeSet<String>,
    said: String,
}

impl Canary {
    /// Runs keyagent as talkative as it can be made, and listens.
    fn run(&mut self, arguments: &[&str]) {
        let home = &self.home;
        let output = home
            .command(env!("CARGO_BIN_EXE_keyagent").as_ref(), arguments)
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full")
            .output()
            .unwrap();
        self.said
            .push_str(&format!("\n$ keyagent {}\n", arguments.join(" ")));
        self.said.push_str(&String::from_utf8_lossy(&output.stdout));
        self.said.push_str(&String::from_utf8_lossy(&output.stderr));
        self.learn();
    }

    /// The secrets that are in the files now, and in the store, which is their place.
    fn learn(&mut self) {
        let held = String::from_utf8(self.home.credentials()).unwrap();
        for line in held.lines() {
            if let Some(("aws_secret_access_key", secret)) = line.split_once(" = ") {
                self.secrets.insert(secret.to_owned());
            }
        }
        let store = self.home.join(".local/state/keyagent/secrets");
        for file in store.read_dir().into_iter().flatten() {
            self.secrets
                .insert(std::fs::read_to_string(file.unwrap().path()).unwrap());
        }
    }
}

/// Everything below a folder, but for the place of the secrets.
fn everything_in(folder: &Path) -> String {
    let mut text = String::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir()
            && path
                .file_name()
                .is_some_and(|name| name != "secrets" && name != ".aws")
        {
            text.push_str(&everything_in(&path));
        } else if path.is_file() {
            text.push_str(&String::from_utf8_lossy(&std::fs::read(&path).unwrap()));
        }
    }
    text
}

/// The secret as it is, and in the ways in which it is written elsewhere. A part of 12 characters gives it away.
fn disguises(secret: &str) -> Vec<String> {
    let part = &secret[8..20];
    let hex: String = part.bytes().map(|byte| format!("{byte:02x}")).collect();
    let url: String = part
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_string()
            } else {
                format!("%{:02X}", c as u32)
            }
        })
        .collect();
    vec![part.to_owned(), hex.to_uppercase(), hex, url]
}

#[test]
fn no_secret_leaves() {
    let account = Account::start();
    let user = account.user("ann");
    let home = Home::on(&account);
    home.write_credentials(section("dev", &user));
    home.settings("verify_every = 5ms\nverify_for = 600ms\ngrace_days = 0");
    let mut canary = Canary {
        home,
        secrets: BTreeSet::new(),
        said: String::new(),
    };
    canary.learn();
    canary.run(&["status"]);
    canary.run(&["rotate", "-p", "dev", "--dry-run"]);
    // What AWS or a proxy sends back may hold what was sent.
    for fault in [
        json!({ "status": 403, "code": "SignatureDoesNotMatch", "message": user.secret_access_key }),
        json!({ "status": 200, "body": user.secret_access_key.repeat(3) }),
        json!({ "status": 500, "code": "InternalFailure" }),
        json!({ "drop": true }),
    ] {
        for action in ["GetCallerIdentity", "ListAccessKeys", "CreateAccessKey"] {
            let mut fault = fault.clone();
            fault["action"] = json!(action);
            fault["times"] = json!(9);
            // What comes back unasked is not keyagent's to hide, but no secret of a profile is repeated.
            if fault["body"].is_string() || action == "GetCallerIdentity" {
                account.fault(&fault);
                canary.run(&["rotate", "-p", "dev", "--yes", "--format", "json"]);
                account.clear_faults();
                std::thread::sleep(std::time::Duration::from_millis(650));
                canary.run(&["recover", "--yes"]);
            }
        }
    }
    for arguments in [
        &["rotate", "-p", "dev", "--yes", "--format", "json"][..],
        &["undo", "-p", "dev", "--yes"],
        &["status", "--format", "json"],
        &["retire", "--yes", "--format", "json"],
        &["rotate", "-p", "dev", "--yes"],
        &["rotate", "-p", "dev", "--yes"],
        &["rotate", "-p", "dev", "--yes", "--now"],
        &["retire", "--now", "--yes"],
        &["status", "--offline"],
        &["recover", "--dry-run"],
    ] {
        canary.run(arguments);
    }
    // A file that cannot be read to its end is told by its line, not by its content.
    let held = String::from_utf8(canary.home.credentials()).unwrap();
    for broken in [
        held.replace("aws_secret_access_key = ", ""),
        held.replace(" = ", " "),
    ] {
        canary.home.write_credentials(&broken);
        canary.run(&["rotate", "-p", "dev", "--yes"]);
        canary.run(&["status"]);
    }
    let written = everything_in(canary.home.path());
    assert!(canary.secrets.len() >= 4, "{}", canary.secrets.len());
    assert!(written.contains("old-key-inactive"), "the journal was read");
    for secret in &canary.secrets {
        for form in disguises(secret) {
            assert!(!canary.said.contains(&form), "a secret was said");
            assert!(!written.contains(&form), "a secret was written down");
        }
    }
}

/// A panic tells what it was about, and unwinds through what holds the secrets.
#[cfg(feature = "checkpoints")]
#[test]
fn no_secret_is_in_a_panic_and_recover_settles_what_it_left() {
    let account = Account::start();
    for point in [
        "key-made",
        "secret-stored",
        "key-verified",
        "file-replaced",
        "old-key-updated",
        "old-key-inactive",
    ] {
        let user = account.user(&format!("ann-{point}"));
        let home = Home::on(&account).with("KEYAGENT_PARK_AT", point);
        home.settings("verify_every = 5ms\nverify_for = 20s\ngrace_days = 0");
        home.write_credentials(section("dev", &user));
        let mut canary = Canary {
            home,
            secrets: BTreeSet::new(),
            said: String::new(),
        };
        canary.learn();
        canary.run(&["rotate", "-p", "dev", "--yes"]);
        assert!(
            canary
                .said
                .contains(&format!("a test asks for a panic at {point}")),
            "{point}: {}",
            canary.said
        );
        canary.run(&["recover", "--yes"]);
        canary
            .home
            .aws(&account, &["sts", "get-caller-identity", "--profile", "dev"])
            .exits(0);
        let written = everything_in(canary.home.path());
        for form in canary.secrets.iter().flat_map(|secret| disguises(secret)) {
            assert!(!canary.said.contains(&form), "{point}: a secret was said");
            assert!(!written.contains(&form), "{point}: a secret was written down");
        }
    }
}

/// Others on the machine see the arguments and, as the same user, the environment of a process.
#[cfg(all(target_os = "linux", feature = "checkpoints"))]
#[test]
fn no_secret_is_in_the_arguments_or_the_environment_of_the_process() {
    let account = Account::start();
    let user = account.user("ann");
    let home = Home::on(&account);
    home.write_credentials(section("dev", &user));
    let parked = home.join("parked");
    let mut child = home
        .command(
            env!("CARGO_BIN_EXE_keyagent").as_ref(),
            &["rotate", "-p", "dev", "--yes"],
        )
        .env("KEYAGENT_PARK_AT", "key-verified")
        .env("KEYAGENT_PARK_FILE", &parked)
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !parked.exists() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it came to no end before the point"
        );
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let mut seen = Vec::new();
    for file in ["cmdline", "environ"] {
        seen.extend(std::fs::read(format!("/proc/{}/{file}", child.id())).unwrap());
    }
    let seen = String::from_utf8_lossy(&seen).into_owned();
    let store = home.join(".local/state/keyagent/secrets");
    let secrets: Vec<String> = store
        .read_dir()
        .unwrap()
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    assert_eq!(secrets.len(), 2);
    assert!(secrets.iter().all(|secret| !seen.contains(&secret[..12])));
    std::fs::remove_file(parked).unwrap();
    assert!(child.wait().unwrap().success());
}
