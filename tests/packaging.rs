//! What the script for a release writes for Homebrew, scoop and Arch Linux's users: each address has its own checksum.
//! The Debian and the RPM package are tested by `tests/packages`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::{Home, Run};

const REPOSITORY: &str = "https://github.com/example/keyagent";
const ARCHIVES: [&str; 7] = [
    "aarch64-apple-darwin.tar.gz",
    "aarch64-unknown-linux-gnu.tar.gz",
    "aarch64-unknown-linux-musl.tar.gz",
    "x86_64-apple-darwin.tar.gz",
    "x86_64-pc-windows-msvc.zip",
    "x86_64-unknown-linux-gnu.tar.gz",
    "x86_64-unknown-linux-musl.tar.gz",
];

/// A made-up checksum of each archive, by its address.
fn sums() -> BTreeMap<String, String> {
    (0_u64..)
        .zip(ARCHIVES)
        .map(|(number, archive)| {
            let address = format!("{REPOSITORY}/releases/download/v1.2.3/keyagent-1.2.3-{archive}");
            (address, format!("{:064x}", number + 0xabc0))
        })
        .collect()
}

/// What sha256sum prints of them.
fn sums_file(home: &Home, sums: &BTreeMap<String, String>) -> PathBuf {
    let lines = sums.iter().map(|(address, sum)| {
        let (_, name) = address.rsplit_once('/').unwrap();
        format!("{sum}  {name}\n")
    });
    home.write("SHA256SUMS", lines.collect::<String>())
}

fn manifests(home: &Home, version: &str, sums: &Path) -> Run {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/manifests");
    let (sums, output) = (sums.to_str().unwrap(), home.join("out"));
    let output = output.to_str().unwrap();
    let arguments = [version, sums, "--repository", REPOSITORY, "--output", output];
    home.run(&script, &arguments)
}

/// A file that the script has written, with nothing left to fill in.
fn written(home: &Home, name: &str) -> String {
    let text = std::fs::read_to_string(home.join("out").join(name)).unwrap();
    assert!(!text.contains("@SHA256") && !text.contains("@VERSION") && !text.contains("@REPOSITORY"));
    text
}

/// The addresses of a text with the checksums that follow them.
fn pairs(text: &str) -> BTreeMap<String, String> {
    let mut pairs = BTreeMap::new();
    let mut address = None;
    for word in text.split(['"', '\'']) {
        if word.starts_with("https://") && word.contains("/releases/download/v1.2.3/") {
            address = Some(word.to_owned());
        } else if word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            pairs.insert(address.take().unwrap(), word.to_owned());
        }
    }
    assert_eq!(address, None, "an address without a checksum");
    pairs
}

/// The sums of the archives that a package manager takes.
fn of(sums: &BTreeMap<String, String>, taken: &str) -> BTreeMap<String, String> {
    let mut sums = sums.clone();
    sums.retain(|address, _| taken.split(' ').any(|part| address.contains(part)));
    sums
}

#[test]
fn every_address_has_the_checksum_of_its_archive() {
    let home = Home::new();
    let sums = sums();
    manifests(&home, "1.2.3", &sums_file(&home, &sums)).exits(0);

    let formula = written(&home, "keyagent.rb");
    assert_eq!(pairs(&formula), of(&sums, "apple-darwin linux-musl"));
    assert!(formula.contains("version \"1.2.3\"") && formula.contains(&format!("homepage \"{REPOSITORY}\"")));

    let scoop = written(&home, "keyagent.json");
    assert_eq!(pairs(&scoop), of(&sums, "windows"));
    // What scoop's schema demands, and what a bucket takes.
    let scoop: serde_json::Value = serde_json::from_str(&scoop).unwrap();
    assert_eq!(scoop["version"], "1.2.3");
    assert_eq!(scoop["license"], "Apache-2.0|MIT");
    assert_eq!(scoop["homepage"], REPOSITORY);
    assert_eq!(scoop["bin"], "keyagent.exe");
    assert_eq!(scoop["checkver"]["github"], REPOSITORY);
    let architecture = &scoop["architecture"]["64bit"];
    assert_eq!(
        architecture["extract_dir"],
        "keyagent-1.2.3-x86_64-pc-windows-msvc"
    );
    // The next version's address is this one's, with another version.
    let next = scoop["autoupdate"]["architecture"]["64bit"]["url"]
        .as_str()
        .unwrap();
    assert_eq!(
        next.replace("$version", "1.2.3"),
        architecture["url"].as_str().unwrap()
    );

    // As bash reads it, variables and all.
    written(&home, "PKGBUILD");
    let program = "cd out && . ./PKGBUILD && echo \"$pkgver\" && \
                   for architecture in \"${arch[@]}\"; do declare -n from=source_$architecture \
                   sum=sha256sums_$architecture; echo \"'${from[0]}' '${sum[0]}'\"; done";
    let run = home.run(Path::new("bash"), &["-euc", program]).exits(0);
    assert!(run.stdout.starts_with("1.2.3\n"));
    assert_eq!(pairs(&run.stdout), of(&sums, "linux-gnu"));
}

#[test]
fn nothing_is_written_without_every_checksum_or_for_a_pre_release() {
    let home = Home::new();
    let mut sums = sums();
    let all = sums_file(&home, &sums);
    let run = manifests(&home, "1.2.3-rc.1", &all).exits(2);
    assert!(run.stderr.contains("1.2.3-rc.1 is no version of a release"));
    // Those of another version.
    let run = manifests(&home, "1.2.4", &all).exits(2);
    assert!(run.stderr.contains("there is no checksum of keyagent-1.2.4-"));

    sums.retain(|address, _| !address.contains("windows"));
    let run = manifests(&home, "1.2.3", &sums_file(&home, &sums)).exits(2);
    assert!(run.stderr.contains("keyagent-1.2.3-x86_64-pc-windows-msvc.zip"));
    let broken = home.write("SHA256SUMS", "abc  keyagent-1.2.3\n");
    let run = manifests(&home, "1.2.3", &broken).exits(2);
    assert!(run.stderr.contains("this is no line of sha256sum"));
    assert!(!home.join("out").exists());
}
