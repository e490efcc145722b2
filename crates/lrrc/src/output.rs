//! Where results go: standard output, and places that the user names.
//!
//! A regular file is written beside its place and moved there when it is complete and durable, so a full disk leaves the
//! old content. What is no regular file keeps its kind: a link still points to its target, a pipe is written through.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use lrrc_model::{RecordError, write_atomic};
use miette::miette;

/// Names of the standard output. The second to the last are its own on every Unix: opened anew they would be written
/// from their beginning, over what was printed.
const STDOUT: [&str; 4] = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
/// Links that are followed before a chain of them is taken for a circle.
const LINKS_MAX: usize = 40;

/// Whether somebody still reads the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// As far as the system says.
    There,
    /// The other end of the pipe is closed.
    Gone,
}

/// What a path that may be written stands for.
enum Place {
    /// A regular file, or one that is not there yet.
    File(PathBuf),
    /// A device, a pipe, or a descriptor of this process.
    Stream,
}

/// Whether the path means standard output.
pub(crate) fn is_stdout(path: &Path) -> bool {
    STDOUT.iter().any(|name| path == Path::new(name))
}

/// Writes to standard output; a reader that has gone away is no fault.
pub(crate) fn print(bytes: &[u8]) -> miette::Result<()> {
    try_print(bytes).map(drop)
}

/// Writes to standard output and says whether there is any use in going on.
pub(crate) fn try_print(bytes: &[u8]) -> miette::Result<Reader> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(Reader::There),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(miette!("cannot write the output: {error}")),
    }
}

/// Over when the reader of a piped output closes it; never for an output of another kind.
#[cfg(unix)]
pub(crate) async fn reader_gone() {
    use std::os::fd::AsFd;
    use tokio::io::Interest;
    use tokio::net::unix::pipe::Sender;

    // The system reports the closed end as an error of the pipe. A regular file cannot be watched, nor closed. Unchecked,
    // because the check would make the output of this process and of those it shares it with non-blocking.
    let pipe = io::stdout().as_fd().try_clone_to_owned().and_then(Sender::from_owned_fd_unchecked);
    if let Ok(pipe) = pipe
        && pipe.ready(Interest::ERROR).await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// Over when the reader of a piped output closes it, where the system can tell.
#[cfg(not(unix))]
pub(crate) async fn reader_gone() {
    std::future::pending::<()>().await;
}

/// Writes a place that the user named; messages name it as the user did.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> miette::Result<()> {
    let written = place(path).and_then(|place| match place {
        Place::File(target) => replace(&target, bytes),
        // Appended, for a descriptor that is a file must not lose what went there before.
        Place::Stream => OpenOptions::new().append(true).open(path)?.write_all(bytes),
    });
    written.map_err(|error| cannot_write(path, &error))
}

/// Fails where [`write()`] would, before the work that makes the bytes. A pipe is not opened: its reader would see the
/// end of it.
pub(crate) fn check(path: Option<&Path>) -> miette::Result<()> {
    let Some(path) = path.filter(|path| !is_stdout(path)) else { return Ok(()) };
    let tried = place(path).and_then(|place| match place {
        Place::File(target) => tempfile::tempfile_in(folder(&target)).map(drop),
        Place::Stream => Ok(()),
    });
    tried.map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &io::Error) -> miette::Report {
    miette!("cannot write {}: {error}", path.display())
}

fn place(path: &Path) -> io::Result<Place> {
    let Some(target) = followed(path)? else { return Ok(Place::Stream) };
    match fs::metadata(&target) {
        Ok(found) if found.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(found) if found.is_file() => {
            // Whoever may not write the file may not replace it either.
            OpenOptions::new().write(true).open(&target)?;
            Ok(Place::File(target))
        }
        Ok(_) => Ok(Place::Stream),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Place::File(target)),
        Err(error) => Err(error),
    }
}

/// The end of a chain of links, also where nothing is there yet; `None` for a descriptor of a process, whose link says
/// what it is and not where.
fn followed(path: &Path) -> io::Result<Option<PathBuf>> {
    let mut target = path.to_owned();
    for _ in 0..LINKS_MAX {
        let folder = folder(&target).to_owned();
        if folder.canonicalize()?.starts_with("/proc") {
            return Ok(None);
        }
        match fs::read_link(&target) {
            Ok(next) => target = folder.join(next),
            Err(_) => return Ok(Some(target)),
        }
    }
    Err(io::Error::other("its links go round in a circle"))
}

/// Replaces a regular file; the error is the system's, without the name of the file.
fn replace(target: &Path, bytes: &[u8]) -> io::Result<()> {
    write_atomic(target, bytes).map_err(|error| match error {
        RecordError::Io { source, .. } => source,
        other => io::Error::other(other),
    })
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
