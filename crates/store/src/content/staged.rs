//! What a killed process leaves of a put: the object store writes a file beside its place and moves it there at the end.

use std::fs::{DirEntry, read_dir, remove_file};
use std::io;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// Removes half written files in the folders of `contents` that nobody has written to since `before_ms`.
///
/// # Returns
/// How many there were.
pub(super) fn remove(contents: &Path, before_ms: u64) -> io::Result<u64> {
    let (before, mut removed) = (UNIX_EPOCH + Duration::from_millis(before_ms), 0);
    for shelf in entries(contents)? {
        for content in entries(&shelf.path())? {
            for file in entries(&content.path())? {
                let is_staged = file.file_name().to_string_lossy().contains('#');
                if is_staged && file.metadata().and_then(|file| file.modified()).is_ok_and(|at| at < before) {
                    removed += u64::from(gone_is_fine(remove_file(file.path()))?.is_some());
                }
            }
        }
    }
    Ok(removed)
}

/// What lies in a folder, which may have been removed meanwhile.
fn entries(folder: &Path) -> io::Result<Vec<DirEntry>> {
    gone_is_fine(read_dir(folder))?.map_or(Ok(Vec::new()), Iterator::collect)
}

fn gone_is_fine<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        done => done.map(Some),
    }
}
