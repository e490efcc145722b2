//! Opens the place where a daemon listens, and connections to it.

use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{self, AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, tcp};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream, unix};

use crate::address::Address;
use crate::error::ServeError;

/// An open place.
#[derive(Debug)]
pub struct Listener {
    kind: Kind,
    place: Address,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener, FileId),
}

/// Which file a socket is, by device and inode.
#[cfg(unix)]
type FileId = (u64, u64);

impl Listener {
    /// Opens `place`. A socket file belongs to its user alone from its first moment on, and one that nobody answers at
    /// any more is replaced.
    ///
    /// # Errors
    /// [`ServeError::Taken`] where another daemon answers, [`ServeError::Listen`] with what the system says.
    pub async fn open(place: &Address) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Listen { place: place.to_string(), source };
        match place {
            Address::Tcp(address) => {
                let listener = TcpListener::bind(address).await.map_err(failed)?;
                let place = Address::Tcp(listener.local_addr().map_err(failed)?);
                Ok(Self { kind: Kind::Tcp(listener), place })
            }
            Address::Unix(path) => {
                if Stream::connect(place).await.is_ok() {
                    return Err(ServeError::Taken { place: place.to_string() });
                }
                Ok(Self { kind: bind_private(path).map_err(failed)?, place: place.clone() })
            }
        }
    }

    /// The place, with the port that the system chose.
    #[must_use]
    pub fn place(&self) -> &Address {
        &self.place
    }

    /// The next connection.
    pub(super) async fn accept(&self) -> io::Result<Stream> {
        match &self.kind {
            Kind::Tcp(listener) => Stream::tcp(listener.accept().await?.0),
            #[cfg(unix)]
            Kind::Unix(listener, _) => Ok(Stream::Unix(listener.accept().await?.0)),
        }
    }
}

impl Drop for Listener {
    /// Removes the socket file, unless another daemon has put its own there.
    fn drop(&mut self) {
        #[cfg(unix)]
        if let (Address::Unix(path), Kind::Unix(_, own)) = (&self.place, &self.kind)
            && file_id(path).is_ok_and(|there| there == *own)
        {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Binds in a folder that nobody else may enter, sets the mode, and moves the socket to its place: it is never open to
/// others, not even between two calls.
#[cfg(unix)]
fn bind_private(path: &Path) -> io::Result<Kind> {
    use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};

    if std::fs::symlink_metadata(path).is_ok_and(|there| !there.file_type().is_socket()) {
        let why = "it is there and is no socket; choose another place, or move it away";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let private = folder.join(format!(".lrrc-{}", std::process::id()));
    std::fs::DirBuilder::new().mode(0o700).create(&private)?;
    let inside = private.join("s");
    let bound = UnixListener::bind(&inside).and_then(|listener| {
        std::fs::set_permissions(&inside, std::fs::Permissions::from_mode(0o600))?;
        let own = file_id(&inside)?;
        std::fs::rename(&inside, path)?;
        Ok(Kind::Unix(listener, own))
    });
    let _ = std::fs::remove_file(&inside);
    std::fs::remove_dir(&private)?;
    bound
}

#[cfg(unix)]
fn file_id(path: &Path) -> io::Result<FileId> {
    let file = std::fs::symlink_metadata(path)?;
    Ok((std::os::unix::fs::MetadataExt::dev(&file), std::os::unix::fs::MetadataExt::ino(&file)))
}

#[cfg(not(unix))]
fn bind_private(_: &Path) -> io::Result<Kind> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no Unix sockets; use tcp:127.0.0.1:PORT"))
}

/// A connection of either kind.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Stream {
    /// Connects to a daemon.
    pub(crate) async fn connect(place: &Address) -> io::Result<Self> {
        match place {
            Address::Tcp(address) => Self::tcp(TcpStream::connect(address).await?),
            #[cfg(unix)]
            Address::Unix(path) => Ok(Self::Unix(UnixStream::connect(path).await?)),
            #[cfg(not(unix))]
            Address::Unix(_) => {
                Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no Unix sockets"))
            }
        }
    }

    fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    /// Takes the connection out of the runtime that it was accepted in.
    pub(super) fn leave(self) -> io::Result<Adrift> {
        match self {
            Self::Tcp(stream) => stream.into_std().map(Adrift::Tcp),
            #[cfg(unix)]
            Self::Unix(stream) => stream.into_std().map(Adrift::Unix),
        }
    }

    /// Both directions, for tasks and threads of their own.
    pub(crate) fn into_halves(self) -> (ReadHalf, WriteHalf) {
        match self {
            Self::Tcp(stream) => {
                let (reader, writer) = stream.into_split();
                (ReadHalf::Tcp(reader), WriteHalf::Tcp(writer))
            }
            #[cfg(unix)]
            Self::Unix(stream) => {
                let (reader, writer) = stream.into_split();
                (ReadHalf::Unix(reader), WriteHalf::Unix(writer))
            }
        }
    }
}

/// A connection between two runtimes.
#[derive(Debug)]
pub(super) enum Adrift {
    Tcp(std::net::TcpStream),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

impl Adrift {
    /// Takes the connection into the runtime that this is called in.
    pub(super) fn enter(self) -> io::Result<Stream> {
        match self {
            Self::Tcp(stream) => TcpStream::from_std(stream).map(Stream::Tcp),
            #[cfg(unix)]
            Self::Unix(stream) => UnixStream::from_std(stream).map(Stream::Unix),
        }
    }
}

/// The direction to this process.
#[derive(Debug)]
pub(crate) enum ReadHalf {
    Tcp(tcp::OwnedReadHalf),
    #[cfg(unix)]
    Unix(unix::OwnedReadHalf),
}

/// The direction from this process; it ends when it is dropped.
#[derive(Debug)]
pub(crate) enum WriteHalf {
    Tcp(tcp::OwnedWriteHalf),
    #[cfg(unix)]
    Unix(unix::OwnedWriteHalf),
}

impl WriteHalf {
    /// Waits until the system takes bytes.
    pub(super) async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(half) => half.writable().await,
            #[cfg(unix)]
            Self::Unix(half) => half.writable().await,
        }
    }

    /// Writes what the system takes at once; from any thread.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(half) => half.try_write(bytes),
            #[cfg(unix)]
            Self::Unix(half) => half.try_write(bytes),
        }
    }
}

impl AsyncRead for ReadHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(half) => Pin::new(half).poll_read(task, buf),
            #[cfg(unix)]
            Self::Unix(half) => Pin::new(half).poll_read(task, buf),
        }
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(self: Pin<&mut Self>, task: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(half) => Pin::new(half).poll_write(task, buf),
            #[cfg(unix)]
            Self::Unix(half) => Pin::new(half).poll_write(task, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(half) => Pin::new(half).poll_flush(task),
            #[cfg(unix)]
            Self::Unix(half) => Pin::new(half).poll_flush(task),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(half) => Pin::new(half).poll_shutdown(task),
            #[cfg(unix)]
            Self::Unix(half) => Pin::new(half).poll_shutdown(task),
        }
    }
}
