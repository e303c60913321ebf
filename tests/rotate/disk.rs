//! A disk that is full, a folder that cannot be written: found before a key is made, and survived after it.

use super::{ROTATE, Scene};
use crate::support::Run;

/// Lets a write past the limit fail, as on a full disk, instead of ending the process.
const LIMITED: &str = "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"";

#[test]
fn a_full_disk_is_found_before_a_key_is_made() {
    let scene = Scene::new();
    let before = scene.home.credentials();
    // Blocks of 512 bytes: the small files of keyagent's own fit, a credentials file with some room does not.
    for blocks in ["8", "100"] {
        let arguments = ["-c", LIMITED, "sh", blocks, env!("CARGO_BIN_EXE_keyagent")];
        let run = scene
            .home
            .run("/bin/sh".as_ref(), &[&arguments, ROTATE].concat())
            .fails_with("cannot rotate", "File too large", "df -h");
        scene.no_secret_in(&run);
        scene.nothing_has_changed(&before);
        let left: Vec<_> = scene.home.join(".aws").read_dir().unwrap().collect();
        assert_eq!(left.len(), 1, "no temporary file is left");
    }
    assert!(
        scene
            .account
            .calls()
            .iter()
            .all(|call| call.action != "CreateAccessKey")
    );
    scene.home.keyagent(ROTATE).exits(0);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_found_before_a_key_is_made() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    let before = scene.home.credentials();
    let folder = scene.home.join(".aws");
    let mode = |mode| std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
    // Root writes everywhere: there the program runs as nobody, in a home of theirs.
    let is_root = std::fs::metadata(scene.home.path())
        .map(|home| std::os::unix::fs::MetadataExt::uid(&home))
        .unwrap()
        == 0;
    let keyagent = scene.home.join("keyagent");
    std::fs::copy(env!("CARGO_BIN_EXE_keyagent"), &keyagent).unwrap();
    let rotate = || -> Run {
        if !is_root {
            return scene.home.run(&keyagent, ROTATE);
        }
        let nobody = [
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            keyagent.to_str().unwrap(),
        ];
        scene
            .home
            .run("/usr/bin/setpriv".as_ref(), &[&nobody, ROTATE].concat())
    };
    if is_root {
        let home = scene.home.path().to_str().unwrap();
        scene
            .home
            .run("/bin/chown".as_ref(), &["-R", "65534:65534", home])
            .exits(0);
    }
    mode(0o500);
    rotate().fails_with("cannot rotate", "write into", "ls -ld");
    scene.nothing_has_changed(&before);
    mode(0o700);
    rotate().exits(0);
    scene.the_cli_is_let_in();
}
