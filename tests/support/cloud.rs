//! Starts the AWS account on loopback (`tests/cloud/account.py`) and talks to its control endpoints.
//! Shared by the tests and the demo, so it needs only std, serde_json and tempfile's neighbours.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The folder of the virtual environment with moto and the real AWS CLI, made on first use.
///
/// # Errors
///
/// What is missing on this machine, and how to install it.
pub(crate) fn virtual_environment() -> Result<PathBuf, String> {
    let requirements = Path::new(ROOT).join("tests/cloud/requirements.txt");
    let wanted = std::fs::read_to_string(&requirements)
        .map_err(|error| format!("{}: {error}", requirements.display()))?;
    let target = Path::new(ROOT).join("target");
    let folder = target.join("cloud");
    let marker = folder.join("requirements.txt");
    std::fs::create_dir_all(&target).map_err(|error| format!("{}: {error}", target.display()))?;
    // Test processes run side by side; the first one makes it, the others wait here.
    let lock = File::create(target.join("cloud.lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    if std::fs::read_to_string(&marker).is_ok_and(|made| made == wanted) {
        return Ok(folder);
    }
    eprintln!("making the AWS account on loopback: moto and the AWS CLI in target/cloud, about 25 s, once");
    let _ = std::fs::remove_dir_all(&folder);
    run(
        Command::new("python3").args(["-m", "venv"]).arg(&folder),
        "install Python 3.10 or newer with its venv module (Debian: apt-get install python3-venv)",
    )?;
    run(
        Command::new(folder.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(&requirements),
        "the packages come from PyPI: check the network",
    )?;
    std::fs::write(&marker, wanted).map_err(|error| error.to_string())?;
    Ok(folder)
}

fn run(command: &mut Command, hint: &str) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}; {hint}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{command:?} failed; {hint}\n{}",
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// A user with one key.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

/// A call that the account has received.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) action: String,
    pub(crate) key: String,
}

/// A running account; it ends when this is dropped.
pub(crate) struct Account {
    server: Child,
    port: u16,
    is_tls: bool,
    virtual_environment: PathBuf,
}

impl Account {
    /// Starts an empty account.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one behind TLS with this certificate and key; control goes through [`Account::start`]'s like.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let virtual_environment = virtual_environment().unwrap_or_else(|error| panic!("{error}"));
        let mut server = Command::new(virtual_environment.join("bin/python"))
            .arg(Path::new(ROOT).join("tests/cloud/account.py"))
            .args(arguments)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the virtual environment has Python");
        let mut line = String::new();
        let stdout = server.stdout.as_mut().expect("stdout is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("the account says that it is ready");
        let port = line
            .strip_prefix("READY ")
            .and_then(|port| port.trim().parse().ok())
            .expect("the account says its port; run tests/cloud/account.py by hand to see why not");
        Self {
            server,
            port,
            is_tls: arguments.contains(&"--tls"),
            virtual_environment,
        }
    }

    /// For `AWS_ENDPOINT_URL`.
    pub(crate) fn endpoint(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// A program of the virtual environment: `aws`, `python`.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.virtual_environment.join("bin").join(name)
    }

    /// Makes a user who may do all with their own keys, and one key.
    pub(crate) fn user(&self, name: &str) -> User {
        self.user_from(name, json!({ "name": name }))
    }

    /// Makes a user with a policy of your own.
    pub(crate) fn user_with_policy(&self, name: &str, policy: &Value) -> User {
        self.user_from(name, json!({ "name": name, "policy": policy }))
    }

    /// Makes a user below a path, who may do all with their own keys.
    pub(crate) fn user_at(&self, path: &str, name: &str) -> User {
        self.user_from(name, json!({ "name": name, "path": path }))
    }

    fn user_from(&self, name: &str, request: Value) -> User {
        let made = self.control("user", &request);
        User {
            name: name.to_owned(),
            arn: text(&made, "arn"),
            access_key_id: text(&made, "access_key_id"),
            secret_access_key: text(&made, "secret_access_key"),
        }
    }

    /// Makes a role that users of this account may assume, here or in the account that `role` names, and gives its ARN.
    pub(crate) fn role(&self, role: &Value) -> String {
        text(&self.control("role", role), "arn")
    }

    /// Makes many users, `NAME-0` and so on, each with a key.
    pub(crate) fn users(&self, name: &str, count: u32) {
        self.control("users", &json!({ "name": name, "count": count }));
    }

    /// Makes users of another account, each with a key of this age in days.
    pub(crate) fn users_in(&self, account_id: &str, count: u32, days: u32) {
        self.control(
            "usersin",
            &json!({ "account": account_id, "count": count, "days": days }),
        );
    }

    /// Makes the organization of this account: IDs of accounts with name and state.
    pub(crate) fn organization(&self, accounts: &Value) {
        self.control("organization", &json!({ "accounts": accounts }));
    }

    /// Makes a further key of a user and gives its ID.
    pub(crate) fn add_key(&self, user: &User) -> String {
        text(
            &self.control("key", &json!({ "user": user.name })),
            "access_key_id",
        )
    }

    /// Makes a key look as if it were made so many days ago.
    pub(crate) fn back_date(&self, access_key_id: &str, days: u32) {
        self.control("backdate", &json!({ "key": access_key_id, "days": days }));
    }

    /// Gives a user a console password, made so many days ago, with or without a sign-in.
    pub(crate) fn password(&self, user: &User, made: u32, used: Option<u32>) {
        let mut request = json!({ "user": user.name, "made": made });
        if let Some(used) = used {
            request["used"] = json!(used);
        }
        self.control("password", &request);
    }

    /// Records a use, so many days ago.
    pub(crate) fn last_used(&self, access_key_id: &str, days: u32, service: &str) {
        self.control(
            "lastused",
            &json!({ "key": access_key_id, "days": days, "service": service }),
        );
    }

    /// Sets what `account.py` calls knobs: delay, consistency, skew …
    pub(crate) fn set(&self, knobs: &Value) {
        self.control("set", knobs);
    }

    /// Makes a coming call fail.
    pub(crate) fn fault(&self, fault: &Value) {
        self.control("fault", fault);
    }

    /// Gives a user an MFA device, `virtual`, `hardware` or `u2f`, and says its serial number.
    pub(crate) fn mfa_device(&self, user: &User, kind: &str) -> String {
        let device = self.control("mfa", &json!({ "user": user.name, "kind": kind }));
        text(&device, "serial_number")
    }

    /// No coming call fails.
    pub(crate) fn clear_faults(&self) {
        self.control("clearfaults", &json!({}));
    }

    /// Makes a key active, as somebody in the IAM console would.
    pub(crate) fn activate(&self, access_key_id: &str) {
        self.control("activate", &json!({ "key": access_key_id }));
    }

    /// Makes a key inactive, as somebody in the IAM console would.
    pub(crate) fn deactivate(&self, access_key_id: &str) {
        self.control("deactivate", &json!({ "key": access_key_id }));
    }

    /// Takes a key for one that was made long ago, whatever `consistency` says.
    pub(crate) fn come_of_age(&self, access_key_id: &str) {
        self.control("age", &json!({ "key": access_key_id }));
    }

    /// Makes AWS have no data on a key's use.
    pub(crate) fn forget_use(&self, access_key_id: &str) {
        self.control("forgetuse", &json!({ "key": access_key_id }));
    }

    /// The calls so far, in order.
    pub(crate) fn calls(&self) -> Vec<Call> {
        let log = self.control("log", &json!({}));
        let calls = log.as_array().expect("the log is a list");
        calls
            .iter()
            .map(|call| Call {
                action: text(call, "action"),
                key: text(call, "key"),
            })
            .collect()
    }

    /// Forgets the calls so far.
    pub(crate) fn clear_calls(&self) {
        self.control("clearlog", &json!({}));
    }

    /// Every key with its status.
    pub(crate) fn keys(&self) -> BTreeMap<String, String> {
        let keys = self.control("keys", &json!({}));
        let keys = keys.as_object().expect("the keys are an object");
        keys.iter()
            .map(|(id, key)| (id.clone(), text(key, "status")))
            .collect()
    }

    /// The same of one user.
    pub(crate) fn keys_of(&self, user: &User) -> BTreeMap<String, String> {
        let keys = self.control("keys", &json!({}));
        let keys = keys.as_object().expect("the keys are an object");
        keys.iter()
            .filter(|(_, key)| key["user"] == user.name)
            .map(|(id, key)| (id.clone(), text(key, "status")))
            .collect()
    }

    fn control(&self, name: &str, request: &Value) -> Value {
        let body = request.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the account listens");
        write!(
            stream,
            "POST /_account/{name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("the account reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the account answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer has a head");
        assert!(head.contains(" 200 "), "{name}: {head}");
        serde_json::from_str(body).expect("the account answers in JSON")
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name]
        .as_str()
        .expect("the account gives this as text")
        .to_owned()
}
