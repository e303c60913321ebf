//! Shapes of AWS's two files as people and tools leave them. Each is either rotated, and only the bytes of the values
//! change, or refused by line before a key is made. botocore signs a call with what is left, for every shape.

use std::process::{Command, Stdio};

use crate::support::Home;
use crate::support::cloud::Account;

/// What becomes of a shape.
#[derive(Clone, Copy)]
enum Expected {
    /// Only the values change.
    Rotated,
    /// The error names this line, and nothing changes.
    RefusedAtLine(usize),
}
use Expected::{RefusedAtLine, Rotated};

/// The two files, made from a pair.
type Files = fn(&str, &str) -> (Vec<u8>, Option<String>);

struct Shape {
    name: &'static str,
    profile: &'static str,
    expected: Expected,
    files: Files,
}

/// A shape of the credentials file alone, with `{id}` and `{secret}` in it.
macro_rules! shape {
    ($name:literal, $expected:expr, $text:literal) => {
        shape!($name, "dev", $expected, $text)
    };
    ($name:literal, $profile:literal, $expected:expr, $text:literal) => {
        Shape {
            name: $name,
            profile: $profile,
            expected: $expected,
            files: |id, secret| {
                let text = $text.replace("{id}", id).replace("{secret}", secret);
                (text.into_bytes(), None)
            },
        }
    };
}

fn shapes() -> Vec<Shape> {
    vec![
        shape!(
            "as aws configure writes it",
            Rotated,
            "[dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
        ),
        shape!(
            "no blanks around the sign",
            Rotated,
            "[dev]\naws_access_key_id={id}\naws_secret_access_key={secret}\n"
        ),
        shape!(
            "tabs and blanks around the sign",
            Rotated,
            "[dev]\naws_access_key_id\t =\t {id}\naws_secret_access_key   =   {secret}\n"
        ),
        shape!(
            "blanks behind the values",
            Rotated,
            "[dev]\naws_access_key_id = {id}  \naws_secret_access_key = {secret}\t \n"
        ),
        shape!(
            "no last newline",
            Rotated,
            "[dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}"
        ),
        shape!(
            "CRLF",
            Rotated,
            "[dev]\r\naws_access_key_id = {id}\r\naws_secret_access_key = {secret}\r\n"
        ),
        shape!(
            "CRLF and LF mixed",
            Rotated,
            "[dev]\r\naws_access_key_id = {id}\naws_secret_access_key = {secret}\r\n"
        ),
        shape!(
            "CRLF without a last newline",
            Rotated,
            "[dev]\r\naws_access_key_id = {id}\r\naws_secret_access_key = {secret}"
        ),
        shape!(
            "blank lines everywhere",
            Rotated,
            "\n\n[dev]\n\naws_access_key_id = {id}\n\n\naws_secret_access_key = {secret}\n\n\n"
        ),
        shape!(
            "comments of both kinds",
            Rotated,
            "# one\n; two\n[dev]\n# three\naws_access_key_id = {id}\n;four\naws_secret_access_key = {secret}\n#five"
        ),
        shape!(
            "a comment that looks like a pair",
            Rotated,
            "[dev]\n# aws_access_key_id = nothing\naws_access_key_id = {id}\n#aws_secret_access_key = no\naws_secret_access_key = {secret}\n"
        ),
        shape!(
            "a comment behind a section",
            Rotated,
            "[dev] # mine\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
        ),
        shape!(
            "the secret first",
            Rotated,
            "[dev]\naws_secret_access_key = {secret}\naws_access_key_id = {id}\n"
        ),
        shape!(
            "other properties between",
            Rotated,
            "[dev]\nregion = eu-west-1\naws_access_key_id = {id}\noutput = json\naws_secret_access_key = {secret}\ncli_pager =\n"
        ),
        shape!(
            "upper-case names",
            Rotated,
            "[dev]\nAWS_ACCESS_KEY_ID = {id}\nAws_Secret_Access_Key = {secret}\n"
        ),
        shape!(
            "an empty value elsewhere",
            Rotated,
            "[dev]\nregion =\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
        ),
        shape!(
            "signs inside another value",
            Rotated,
            "[dev]\nnote = a=b#c;d\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
        ),
        shape!(
            "quotes in another value",
            Rotated,
            "[dev]\nnote = \"quoted 'twice'\"\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
        ),
        shape!(
            "a nested block",
            Rotated,
            "[dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\ns3 =\n  max_concurrent_requests = 20\n  addressing_style = path\n"
        ),
        shape!(
            "a nested block before the pair",
            Rotated,
            "[dev]\ns3 =\n  max_queue_size = 1\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
        ),
        shape!(
            "other profiles around",
            Rotated,
            "[a]\nregion = x\n[dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n[z]\nregion = y\n"
        ),
        shape!(
            "the default profile",
            "default",
            Rotated,
            "[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
        ),
        shape!(
            "two profiles that share the pair",
            Rotated,
            "[dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n[again]\naws_secret_access_key={secret}\naws_access_key_id={id}\n"
        ),
        shape!(
            "a profile with signs in its name",
            "team/dev@eu.x",
            Rotated,
            "[team/dev@eu.x]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
        ),
        shape!(
            "text beyond ASCII in comments and values",
            Rotated,
            "# Schlüssel für Zoë 🔑\n[dev]\nnote = größe\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
        ),
        shape!(
            "a role in another profile",
            Rotated,
            "[dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n[admin]\nrole_arn = arn:aws:iam::123456789012:role/admin\nsource_profile = dev\n"
        ),
        shape!(
            "a credential_process in another profile",
            Rotated,
            "[dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n[other]\ncredential_process = /bin/false --x=\"y z\"\n"
        ),
        shape!(
            "an mfa_serial beside it",
            Rotated,
            "[dev]\naws_access_key_id = {id}\nmfa_serial_note = none\naws_secret_access_key = {secret}\n"
        ),
        Shape {
            name: "a very long line",
            profile: "dev",
            expected: Rotated,
            files: |id, secret| {
                let long = "x".repeat(20_000);
                let text = format!(
                    "# {long}\n[dev]\nnote = {long}\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
                );
                (text.into_bytes(), None)
            },
        },
        Shape {
            name: "five hundred profiles",
            profile: "dev",
            expected: Rotated,
            files: |id, secret| {
                let mut text: String = (0..500)
                    .map(|number| format!("[p{number}]\nregion = r{number}\n"))
                    .collect();
                text.push_str(&format!(
                    "[dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
                ));
                (text.into_bytes(), None)
            },
        },
        Shape {
            name: "the pair in the config file alone",
            profile: "dev",
            expected: Rotated,
            files: |id, secret| {
                let config = format!(
                    "[profile dev]\naws_access_key_id = {id}\nregion = us-east-1\naws_secret_access_key = {secret}\n"
                );
                (Vec::new(), Some(config))
            },
        },
        Shape {
            name: "the pair in both files",
            profile: "dev",
            expected: Rotated,
            files: |id, secret| {
                let text = format!("[dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
                let config = format!(
                    "[default]\noutput = json\n[profile dev]\naws_secret_access_key={secret}\naws_access_key_id={id}"
                );
                (text.into_bytes(), Some(config))
            },
        },
        Shape {
            name: "sessions and services in the config file",
            profile: "dev",
            expected: Rotated,
            files: |id, secret| {
                let text = format!("[dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
                let config = "[sso-session corp]\nsso_region = x\nsso_start_url = https://corp\n[services s]\ns3 =\n  endpoint_url = http://x\n[profile dev]\nregion = us-east-1\n";
                (text.into_bytes(), Some(config.to_owned()))
            },
        },
        // The readers do not agree, or one of them refuses the file.
        shape!(
            "a comment behind the key ID",
            RefusedAtLine(2),
            "[dev]\naws_access_key_id = {id} # mine\naws_secret_access_key = {secret}\n"
        ),
        shape!(
            "a comment behind the secret",
            RefusedAtLine(3),
            "[dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret} ; mine\n"
        ),
        shape!(
            "an indented comment behind the secret",
            RefusedAtLine(4),
            "[dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n  # note\n"
        ),
        shape!(
            "a section twice",
            RefusedAtLine(4),
            "[dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n[dev]\nregion = x\n"
        ),
        shape!(
            "a key twice",
            RefusedAtLine(4),
            "[dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\naws_access_key_id = {id}\n"
        ),
        shape!(
            "blanks inside the brackets",
            RefusedAtLine(1),
            "[ dev ]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
        ),
        shape!(
            "an indented section",
            RefusedAtLine(1),
            "  [dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
        ),
        shape!(
            "indented keys",
            RefusedAtLine(2),
            "[dev]\n  aws_access_key_id = {id}\n  aws_secret_access_key = {secret}\n"
        ),
        shape!(
            "colons",
            RefusedAtLine(2),
            "[dev]\naws_access_key_id: {id}\naws_secret_access_key: {secret}\n"
        ),
        shape!(
            "the config file's prefix in the credentials file",
            RefusedAtLine(1),
            "[profile dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
        ),
        shape!(
            "quoted values",
            RefusedAtLine(2),
            "[dev]\naws_access_key_id = \"{id}\"\naws_secret_access_key = \"{secret}\"\n"
        ),
        shape!(
            "a byte order mark",
            RefusedAtLine(1),
            "\u{feff}[dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
        ),
        shape!(
            "a line without a sign",
            RefusedAtLine(4),
            "[dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\nrubbish\n"
        ),
        shape!(
            "a property before any section",
            RefusedAtLine(1),
            "region = x\n[dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
        ),
        shape!(
            "a section that is not closed",
            RefusedAtLine(1),
            "[dev\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
        ),
        Shape {
            name: "Latin-1",
            profile: "dev",
            expected: RefusedAtLine(1),
            files: |id, secret| {
                let mut text = b"# Schl\xfcssel\n".to_vec();
                text.extend(
                    format!("[dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n").bytes(),
                );
                (text, None)
            },
        },
    ]
}

/// Signs GetCallerIdentity with a profile of each home that is named on its standard input.
const WITNESS: &str = r"
import os, sys
import botocore.session
for line in sys.stdin:
    home, profile = line.rstrip('\n').split('\t')
    os.environ['AWS_SHARED_CREDENTIALS_FILE'] = home + '/.aws/credentials'
    os.environ['AWS_CONFIG_FILE'] = home + '/.aws/config'
    try:
        client = botocore.session.Session(profile=profile).create_client('sts', region_name='us-east-1')
        print(client.get_caller_identity()['Arn'], flush=True)
    except Exception as error:
        print('refused:', error, flush=True)
";

#[test]
fn every_shape_is_rotated_to_the_byte_or_refused_by_line() {
    let account = Account::start();
    let shapes = shapes();
    assert!(shapes.len() >= 40);
    let (mut homes, mut mistakes) = (Vec::new(), Vec::new());
    for (number, shape) in shapes.iter().enumerate() {
        let user = account.user(&format!("user{number}"));
        let home = Home::on(&account);
        let (credentials, config) = (shape.files)(&user.access_key_id, &user.secret_access_key);
        home.write_credentials(&credentials);
        home.write(".aws/config", config.clone().unwrap_or_default());
        let run = home.keyagent(&["rotate", "-p", shape.profile, "--yes"]);
        let now = (
            home.credentials(),
            std::fs::read_to_string(home.join(".aws/config")).unwrap(),
        );
        let keys = account.keys_of(&user);
        let mut mistake = |what: &str| mistakes.push(format!("{}: {what}\n{}", shape.name, run.everything()));
        if run.everything().contains(&user.secret_access_key) {
            mistake("the secret is shown");
        }
        match shape.expected {
            Rotated => {
                let new = keys.keys().find(|id| **id != user.access_key_id);
                let Some(new) = new.filter(|_| run.code == 0) else {
                    mistake("not rotated");
                    continue;
                };
                let secret =
                    std::fs::read_to_string(home.join(".local/state/keyagent/secrets").join(new)).unwrap();
                let (credentials, config) = (shape.files)(new, &secret);
                if now != (credentials, config.unwrap_or_default()) {
                    mistake(&format!("other bytes have changed: {now:?}"));
                }
                homes.push((shape.name, user.arn.clone(), shape.profile, home));
            }
            RefusedAtLine(line) => {
                if run.code != 2 || !run.stderr.contains(&format!("line {line}")) {
                    mistake(&format!("line {line} is not refused"));
                }
                if keys.len() != 1 || now != (credentials, config.unwrap_or_default()) {
                    mistake("something has changed");
                }
            }
        }
    }
    let said = witness(&account, &homes);
    for ((name, arn, ..), said) in homes.iter().zip(said) {
        if said != *arn {
            mistakes.push(format!("{name}: botocore says {said}"));
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n\n"));
}

fn witness(account: &Account, homes: &[(&str, String, &str, Home)]) -> Vec<String> {
    let lines: Vec<String> = homes
        .iter()
        .map(|(_, _, profile, home)| format!("{}\t{profile}\n", home.path().display()))
        .collect();
    let first = &homes[0].3;
    let mut child: Command = first.command(&account.program("python"), &["-c", WITNESS]);
    let mut child = child
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), lines.concat().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}
