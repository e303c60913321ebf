use std::os::unix::fs::symlink;
use std::sync::mpsc::Receiver;

use super::*;

/// Two seconds are promised, of which a burst takes 150 ms; a busy machine gets more.
const PROMISED: Duration = Duration::from_secs(10);

fn watched(files: Vec<PathBuf>) -> Receiver<()> {
    let (sender, changes) = mpsc::channel();
    watch(files, move || sender.send(()).is_ok()).expect("the system has watches left");
    changes
}

#[track_caller]
fn is_noticed(changes: &Receiver<()>, what: &str) {
    assert!(changes.recv_timeout(PROMISED).is_ok(), "{what} was not noticed");
}

#[track_caller]
fn is_quiet(changes: &Receiver<()>) {
    assert!(changes.recv_timeout(Duration::from_millis(600)).is_err());
}

#[test]
fn every_way_in_which_a_file_changes_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let aws = folder.path().join(".aws");
    let file = aws.join("credentials");
    let changes = watched(vec![file.clone()]);

    std::fs::create_dir(&aws).unwrap();
    std::fs::write(&file, "made").unwrap();
    is_noticed(&changes, "a folder that appeared, with the file");
    std::fs::write(&file, "in place").unwrap();
    is_noticed(&changes, "an edit in place");
    std::fs::write(aws.join("new"), "renamed").unwrap();
    std::fs::rename(aws.join("new"), &file).unwrap();
    is_noticed(&changes, "a replacing rename");
    std::fs::remove_file(&file).unwrap();
    is_noticed(&changes, "a deletion");
    std::fs::write(&file, "again").unwrap();
    is_noticed(&changes, "a file that came back");
    std::fs::remove_dir_all(&aws).unwrap();
    is_noticed(&changes, "a folder that went");
    std::fs::create_dir(&aws).unwrap();
    std::fs::write(&file, "once more").unwrap();
    is_noticed(&changes, "a folder that came back");
}

#[test]
fn links_are_followed_hop_by_hop() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["dotfiles", "store", "home"] {
        std::fs::create_dir(path(name)).unwrap();
    }
    std::fs::write(path("store/real"), "1").unwrap();
    symlink("../store/real", path("dotfiles/credentials")).unwrap();
    symlink(path("dotfiles"), path("home/.aws")).unwrap();
    let changes = watched(vec![path("home/.aws/credentials")]);

    std::fs::write(path("store/new"), "2").unwrap();
    std::fs::rename(path("store/new"), path("store/real")).unwrap();
    is_noticed(&changes, "a replaced target");
    std::fs::write(path("store/other"), "3").unwrap();
    std::fs::remove_file(path("dotfiles/credentials")).unwrap();
    symlink("../store/other", path("dotfiles/credentials")).unwrap();
    is_noticed(&changes, "a link that points elsewhere");
    std::fs::create_dir(path("dotfiles2")).unwrap();
    std::fs::write(path("dotfiles2/credentials"), "4").unwrap();
    std::fs::remove_file(path("home/.aws")).unwrap();
    symlink(path("dotfiles2"), path("home/.aws")).unwrap();
    is_noticed(&changes, "a folder's link that points elsewhere");
    std::fs::write(path("dotfiles2/credentials"), "5").unwrap();
    is_noticed(&changes, "an edit behind the new link");
}

#[test]
fn reading_a_neighbour_or_the_same_content_wakes_nobody_and_a_burst_wakes_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    std::fs::write(&file, "1").unwrap();
    let changes = watched(vec![file.clone()]);
    std::fs::read(&file).unwrap();
    std::fs::write(folder.path().join("cli.cache"), "x").unwrap();
    std::fs::write(&file, "1").unwrap();
    is_quiet(&changes);
    let began = Instant::now();
    for number in 0..1000 {
        std::fs::write(&file, format!("burst {number}")).unwrap();
    }
    let lasted = began.elapsed();
    is_noticed(&changes, "a burst");
    let mut more = 0;
    while changes.recv_timeout(Duration::from_millis(600)).is_ok() {
        more += 1;
    }
    // On a machine so busy that the burst outlasts what is taken for one, or pauses in it, there are more.
    let expected = if lasted < SETTLES {
        0
    } else {
        2 + lasted.as_millis() / SETTLES.as_millis()
    };
    assert!(more <= expected, "{more} more in {lasted:?}");
}
