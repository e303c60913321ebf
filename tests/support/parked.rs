//! Stops the real process at a marked point, which builds with the feature `checkpoints` have, to kill it there or to
//! change the world around it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Home, Run};

/// A keyagent that stands at a marked point.
pub(crate) struct Parked {
    child: Child,
    file: PathBuf,
}

impl Parked {
    /// Starts keyagent and waits until it has come to the point.
    #[track_caller]
    pub(crate) fn start(home: &Home, arguments: &[&str], point: &str) -> Self {
        let file = home.join("parked");
        // A write past a limit fails, as on a full disk, instead of ending the process.
        let shell = [
            "-c",
            "trap '' XFSZ; exec \"$0\" \"$@\"",
            env!("CARGO_BIN_EXE_keyagent"),
        ];
        let child = home
            .command("/bin/sh".as_ref(), &[&shell, arguments].concat())
            .env("KEYAGENT_PARK_AT", point)
            .env("KEYAGENT_PARK_FILE", &file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut parked = Self { child, file };
        let started = Instant::now();
        while !parked.file.exists() {
            assert!(
                parked.child.try_wait().unwrap().is_none() && started.elapsed() < Duration::from_secs(20),
                "{arguments:?} does not come to {point}: {}",
                parked.end().everything()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        parked
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it there.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let _ = std::fs::remove_file(&self.file);
    }

    /// Lets it go on to its end.
    pub(crate) fn go_on(mut self) -> Run {
        std::fs::remove_file(&self.file).unwrap();
        self.end()
    }

    fn end(&mut self) -> Run {
        let child = std::mem::replace(&mut self.child, Command::new("true").spawn().unwrap());
        Run::of(&child.wait_with_output().unwrap())
    }
}
