//! What systemd wants to hear: that the agent is ready, alive, ending. Elsewhere there is nobody to tell.
//!
//! The protocol of sd_notify(3) is one datagram; a crate for it would be longer than this.

use std::path::PathBuf;
use std::time::Duration;

use crate::process::Environment;

/// The supervisor, if there is one.
#[derive(Clone, Debug, Default)]
pub struct Supervisor {
    #[cfg_attr(
        not(unix),
        expect(dead_code, reason = "systemd has its socket on Linux alone")
    )]
    socket: Option<PathBuf>,
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// Reads `NOTIFY_SOCKET` and `WATCHDOG_USEC`.
    pub fn of(environment: &Environment) -> Self {
        let watchdog = environment
            .get_str("WATCHDOG_USEC")
            .and_then(|text| text.parse().ok())
            .map(Duration::from_micros);
        Self {
            socket: environment.get_path("NOTIFY_SOCKET").map(Into::into),
            watchdog,
        }
    }

    /// How often it wants a sign of life: twice as often as it looks.
    pub fn sign_of_life_every(&self) -> Option<Duration> {
        self.watchdog.map(|every| every / 2)
    }

    /// The agent works; `status` is shown by `systemctl status`.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}"));
    }

    /// It is still alive.
    pub fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// It is about to end.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// A supervisor that cannot be reached will notice by itself.
    #[cfg(unix)]
    fn send(&self, message: &str) {
        use std::os::unix::net::UnixDatagram;
        let (Some(path), Ok(socket)) = (&self.socket, UnixDatagram::unbound()) else {
            return;
        };
        #[cfg(target_os = "linux")]
        {
            use std::os::linux::net::SocketAddrExt;
            use std::os::unix::ffi::OsStrExt;
            use std::os::unix::net::SocketAddr;
            // A name that begins with @ lies in no file system.
            if let Some(name) = path.as_os_str().as_bytes().strip_prefix(b"@") {
                if let Ok(address) = SocketAddr::from_abstract_name(name) {
                    let _ = socket.send_to_addr(message.as_bytes(), &address);
                }
                return;
            }
        }
        let _ = socket.send_to(message.as_bytes(), path);
    }

    #[cfg(not(unix))]
    fn send(&self, _: &str) {}
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn the_supervisor_hears_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let environment = Environment::from_iter([
            ("NOTIFY_SOCKET", path.to_str().unwrap()),
            ("WATCHDOG_USEC", "300000000"),
        ]);
        let supervisor = Supervisor::of(&environment);
        assert_eq!(supervisor.sign_of_life_every(), Some(Duration::from_secs(150)));
        supervisor.ready("3 keys");
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"READY=1\nSTATUS=3 keys");
        Supervisor::of(&Environment::default()).alive();
    }
}
