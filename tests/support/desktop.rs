//! A session bus, a screen and notification servers of a test's own, all of them real.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Home;

/// Far beyond what any of them takes, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that ends with the test.
pub(crate) struct Server(Child);

impl Server {
    /// Takes a process that was started.
    pub(crate) fn of(child: Child) -> Self {
        Self(child)
    }

    /// Kills it now.
    pub(crate) fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// As session buses have it, but without services: the machine's own must not be started behind the test's back.
const BUS: &str = "<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen>\
    <policy context='default'><allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/>\
    <allow own='*'/></policy></busconfig>";

/// A bus and a screen, and their addresses.
pub(crate) struct Session {
    bus: String,
    display: String,
    _servers: [Server; 2],
}

impl Session {
    /// Starts both.
    pub(crate) fn start() -> Self {
        let (screen, number) = started(Command::new("Xvfb").args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            "900x400x24",
            "-nolisten",
            "tcp",
        ]));
        let display = format!(":{number}");
        let configuration = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&configuration, BUS).unwrap();
        let (daemon, bus) = started(
            Command::new("dbus-daemon")
                .arg("--config-file")
                .arg(configuration.path())
                .args(["--nofork", "--nopidfile", "--print-address=1"]),
        );
        Self {
            bus,
            display,
            _servers: [screen, daemon],
        }
    }

    /// The home of somebody who is logged in to it.
    pub(crate) fn on(&self, home: Home) -> Home {
        home.with("DBUS_SESSION_BUS_ADDRESS", &self.bus)
            .with("DISPLAY", &self.display)
    }
}

/// A program that says in its first line where it is to be reached.
fn started(command: &mut Command) -> (Server, String) {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("tests/run has installed {command:?}: {error}"));
    let mut line = String::new();
    let stdout = child.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    (Server(child), line.trim().to_owned())
}

/// dunst; its menu is answered with the line that holds what the file `choice` of the home says.
pub(crate) fn dunst(home: &Home) -> Server {
    let chooser = home.write(
        "chooser",
        "#!/bin/sh\ngrep -F \"$(cat \"$HOME/choice\")\" | head -n 1\n",
    );
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&chooser, mode).unwrap();
    let configuration = home.write(
        "dunstrc",
        format!(
            "[global]\ndmenu = {}\nfont = DejaVu Sans 11\nwidth = 620\nheight = 300\norigin = top-right\n\
             offset = 20x20\nshow_indicators = yes\nmarkup = full\n",
            chooser.display()
        ),
    );
    serve(home, "dunst", &["-conf", configuration.to_str().unwrap()])
}

/// A notification server that answers.
pub(crate) fn serve(home: &Home, program: &str, arguments: &[&str]) -> Server {
    let child = home
        .command(Path::new(program), arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("tests/run has installed {program}: {error}"));
    let server = Server(child);
    let ask = [
        "call",
        "--session",
        "--dest=org.freedesktop.Notifications",
        "--object-path=/org/freedesktop/Notifications",
        "--method=org.freedesktop.Notifications.GetCapabilities",
    ];
    let began = Instant::now();
    while home.run(Path::new("gdbus"), &ask).code != 0 {
        assert!(began.elapsed() < PATIENCE, "{program} does not answer");
        std::thread::sleep(Duration::from_millis(20));
    }
    server
}
