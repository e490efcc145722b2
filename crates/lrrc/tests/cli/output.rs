//! Places that the user names for results.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::process::Command;

use super::{Folder, mkfifo, serve};

const COST: &str = "simulate --scenario planning --json";

#[test]
fn a_link_stays_and_its_target_is_written() {
    let folder = Folder::new();
    fs::create_dir(folder.path("inner")).expect("a folder");
    for target in ["inner/old.json", "inner/new.json"] {
        let link = folder.path("link");
        symlink(target, &link).expect("a link");
        if target.contains("old") {
            folder.file(target, b"old");
        }
        folder.run(&format!("{COST} link")).succeeded();
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink(), "{target}");
        assert!(fs::read_to_string(folder.path(target)).expect("there").contains("\"format\""), "{target}");
        fs::remove_file(link).expect("there");
    }
}

#[test]
fn a_pipe_is_written_through_and_stays_a_pipe() {
    let folder = Folder::new();
    let pipe = folder.path("pipe");
    mkfifo(&pipe);
    // Held open in both directions, so that no open blocks.
    let held = fs::OpenOptions::new().read(true).write(true).open(&pipe).expect("a pipe");
    let mut reader =
        Command::new("head").args(["-c", "20"]).arg(&pipe).stdout(std::process::Stdio::piped()).spawn();
    folder.run(&format!("{COST} pipe")).succeeded();
    assert!(fs::symlink_metadata(&pipe).expect("there").file_type().is_fifo());
    let read = reader.as_mut().map(|reader| std::io::read_to_string(reader.stdout.take().expect("a pipe")));
    assert!(read.expect("head").expect("text").starts_with("{\n  \"format\": 1"));
    let _ = reader.expect("head").wait();
    drop(held);
}

#[test]
fn a_file_keeps_its_mode() {
    let folder = Folder::new();
    let file = folder.file("secret.json", b"old");
    fs::set_permissions(&file, Permissions::from_mode(0o640)).expect("our own file");
    folder.run(&format!("{COST} secret.json")).succeeded();
    assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o640);
    assert_eq!(folder.names(), ["secret.json"]);
}

#[test]
fn a_place_that_cannot_be_written_is_named_before_the_work() {
    let folder = Folder::new();
    let told = folder.run(&format!("{COST} missing/out.json"));
    told.failed_with(&["cannot write missing/out.json: No such file"]);
    assert!(told.out.is_empty() && !told.err.contains(".new"), "{told:?}");
    let told = folder.run(&format!("{COST} ."));
    told.failed_with(&["cannot write .: is a directory"]);
    assert!(folder.names().is_empty());
}

#[test]
fn a_full_disk_leaves_the_old_file() {
    let folder = Folder::new();
    let _daemon = serve(&folder, &[]);
    folder.feed("store put big", &[b'x'; 50_000]).succeeded();
    let old = folder.file("old", b"worth keeping");
    // A bound on the size of files is the nearest thing to a full disk that every user may have.
    let limited =
        format!("trap '' XFSZ; ulimit -f 8; exec {} store get big --out old", env!("CARGO_BIN_EXE_lrrc"));
    let mut shell = Command::new("sh");
    let ended = shell.args(["-c", &limited]).current_dir(folder.path("")).output().expect("a shell");
    let told = super::Told::of(&ended);
    told.failed_with(&["cannot write old: "]);
    assert_eq!(fs::read(old).expect("there"), b"worth keeping");
    assert_eq!(folder.names(), [".lrrc", "old"]);
}

#[test]
fn an_output_that_is_full_is_named() {
    let folder = Folder::new();
    let _daemon = serve(&folder, &[]);
    folder.feed("store put plan", b"text").succeeded();
    // Opened and never replaced: the shell writes to the device.
    for words in ["store get plan", "store ls", "simulate --scenario planning"] {
        let line = format!("exec {} {words} > /dev/full", env!("CARGO_BIN_EXE_lrrc"));
        let ended = Command::new("sh").args(["-c", &line]).current_dir(folder.path("")).output();
        super::Told::of(&ended.expect("a shell")).failed_with(&["cannot write the output: No space left"]);
    }
}
