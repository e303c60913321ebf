//! The way to AWS: the CLI's certificate bundle, proxies, and endpoints from the environment.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::cloud::{Account, User};
use crate::support::{Home, section};

/// An account over plain HTTP, and a TLS front with a certificate of its own authority before it.
struct Secured {
    account: Account,
    front: Account,
    user: User,
    authority: tempfile::TempDir,
}

impl Secured {
    /// The front is an account of its own, as it is only there to be connected to.
    fn new() -> Self {
        let authority = tempfile::tempdir().unwrap();
        let path = |name: &str| authority.path().join(name).to_str().unwrap().to_owned();
        let made = std::process::Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=127.0.0.1",
            ])
            .args([
                "-addext",
                "subjectAltName=IP:127.0.0.1",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
            ])
            .args(["-keyout", &path("key.pem"), "-out", &path("bundle.pem")])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let account = Account::start();
        let front = Account::start_with(&["--tls", &path("bundle.pem"), &path("key.pem")]);
        Self {
            user: account.user("ann"),
            account,
            front,
            authority,
        }
    }

    /// A home whose AWS is behind TLS; the key is unknown there, so that an answer of AWS's is a refusal.
    fn home(&self) -> Home {
        let home = Home::new().with("AWS_ENDPOINT_URL", &self.front.endpoint());
        home.write_credentials(section("dev", &self.user));
        home
    }

    fn bundle(&self) -> String {
        self.authority
            .path()
            .join("bundle.pem")
            .to_str()
            .unwrap()
            .to_owned()
    }
}

#[test]
fn the_certificate_bundle_decides_whom_to_trust() {
    let secured = Secured::new();
    let status = ["status"];
    secured
        .home()
        .keyagent(&status)
        .fails_with("cannot ask AWS", "cannot be reached", "AWS_CA_BUNDLE");
    // AWS answers, behind the trusted certificate, that it does not know the key.
    let trusting = secured.home().with("AWS_CA_BUNDLE", &secured.bundle());
    trusting
        .keyagent(&status)
        .fails_with("cannot ask AWS", "InvalidClientTokenId", "aws configure");
    let by_config = secured.home();
    by_config.write(
        ".aws/config",
        format!("[profile dev]\nca_bundle = {}\n", secured.bundle()),
    );
    by_config
        .keyagent(&status)
        .fails_with("cannot ask AWS", "InvalidClientTokenId", "aws configure");
    let broken = secured.home();
    let bad = broken.write("bad.pem", "no certificate");
    broken
        .with("AWS_CA_BUNDLE", bad.to_str().unwrap())
        .keyagent(&status)
        .fails_with("cannot connect", "bad.pem", "AWS_CA_BUNDLE");
}

#[test]
fn a_proxy_is_used_unless_no_proxy_names_the_host() {
    let secured = Secured::new();
    let (proxy, tunnels) = connect_proxy();
    let behind = || {
        secured
            .home()
            .with("AWS_CA_BUNDLE", &secured.bundle())
            .with("HTTPS_PROXY", &proxy)
    };
    behind().with("NO_PROXY", "").keyagent(&["status"]).fails_with(
        "cannot ask",
        "InvalidClientTokenId",
        "aws",
    );
    let used = tunnels.load(Ordering::SeqCst);
    assert!(used > 0, "the calls go through the proxy");
    behind()
        .with("NO_PROXY", "127.0.0.1")
        .keyagent(&["status"])
        .fails_with("cannot ask", "InvalidClient", "aws");
    assert_eq!(tunnels.load(Ordering::SeqCst), used, "NO_PROXY is honoured");
}

#[test]
fn each_service_may_have_an_endpoint_of_its_own() {
    let secured = Secured::new();
    let home = Home::new().with("AWS_ENDPOINT_URL_IAM", &secured.account.endpoint());
    home.write_credentials(section("dev", &secured.user));
    home.keyagent(&["status"]).exits(0);
    // STS is still where AWS_ENDPOINT_URL points: nowhere.
    home.keyagent(&["rotate", "-p", "dev", "--yes"]).fails_with(
        "cannot rotate",
        "cannot be reached",
        "network",
    );
    home.with("AWS_ENDPOINT_URL_STS", &secured.account.endpoint())
        .keyagent(&["rotate", "-p", "dev", "--yes"])
        .exits(0);
}

/// A proxy that knows CONNECT alone, and counts its tunnels.
fn connect_proxy() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let tunnels = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&tunnels);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let counter = Arc::clone(&counter);
            std::thread::spawn(move || tunnel(client, &counter));
        }
    });
    (address, tunnels)
}

fn tunnel(mut client: TcpStream, counter: &AtomicUsize) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut request = String::new();
    reader.read_line(&mut request).ok()?;
    let target = request.strip_prefix("CONNECT ")?.split(' ').next()?.to_owned();
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 2 {
        line.clear();
    }
    let server = TcpStream::connect(target).ok()?;
    counter.fetch_add(1, Ordering::SeqCst);
    client
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .ok()?;
    let (mut to_server, mut from_server) = (server.try_clone().ok()?, server);
    std::thread::spawn(move || copy(&mut reader, &mut to_server));
    copy(&mut from_server, &mut client);
    Some(())
}

fn copy(from: &mut impl Read, to: &mut impl Write) {
    let _ = std::io::copy(from, to);
}
