//! The hook managers themselves, from their registries, in target/: made on first use.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The folder with `pre-commit`.
pub(super) fn python() -> PathBuf {
    let requirements = Path::new(ROOT).join("tests/hook/tools/requirements.txt");
    let folder = made("pre-commit", &requirements, |folder| {
        eprintln!("making pre-commit in target/pre-commit, about 10 s, once");
        run(
            Command::new("python3").args(["-m", "venv"]).arg(folder),
            "install Python 3.10 or newer with its venv module (Debian: apt-get install python3-venv)",
        );
        run(
            Command::new(folder.join("bin/pip"))
                .args(["install", "--quiet", "--disable-pip-version-check", "-r"])
                .arg(&requirements),
            "the packages come from PyPI: check the network",
        );
    });
    folder.join("bin")
}

/// The folder with `husky` and `lefthook`; nothing where there is no npm.
pub(super) fn node() -> Option<PathBuf> {
    if Command::new("npm").arg("--version").output().is_err() {
        eprintln!("skipped: there is no npm here (Debian: apt-get install npm)");
        return None;
    }
    let package = Path::new(ROOT).join("tests/hook/tools/package.json");
    let folder = made("hook-managers", &package, |folder| {
        eprintln!("making husky and lefthook in target/hook-managers, about 5 s, once");
        std::fs::create_dir_all(folder).unwrap();
        std::fs::copy(&package, folder.join("package.json")).unwrap();
        // Without their scripts: lefthook's would install itself into this very repository.
        run(
            Command::new("npm")
                .args([
                    "install",
                    "--ignore-scripts",
                    "--no-audit",
                    "--no-fund",
                    "--silent",
                ])
                .current_dir(folder),
            "the packages come from the npm registry: check the network",
        );
    });
    Some(folder.join("node_modules/.bin"))
}

/// A folder in target/, made anew when what it is made from has changed.
fn made(name: &str, from: &Path, make: impl FnOnce(&Path)) -> PathBuf {
    let wanted = std::fs::read_to_string(from).unwrap();
    let target = Path::new(ROOT).join("target");
    std::fs::create_dir_all(&target).unwrap();
    let folder = target.join(name);
    let marker = folder.join(".made-from");
    // Test processes run side by side; the first one makes it, the others wait here.
    let lock = File::create(target.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    if std::fs::read_to_string(&marker).is_ok_and(|made| made == wanted) {
        return folder;
    }
    let _ = std::fs::remove_dir_all(&folder);
    make(&folder);
    std::fs::write(&marker, wanted).unwrap();
    folder
}

fn run(command: &mut Command, hint: &str) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; {hint}"));
    assert!(
        output.status.success(),
        "{command:?} failed; {hint}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
