//! Which store a command means, and how it gets a client of it.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use lrrc_store::{Address, Client, ClientConfig, Clock, HomeConfig, Owner, StoreError};
use miette::{IntoDiagnostic, miette};

use super::{ContentsArgs, open_home, runtime};
use crate::bounds::tame;

/// Where a store is unless the user says otherwise.
const FOLDER: &str = ".lrrc/store";
/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// How long a short command waits for a store that has taken its connection.
const PATIENCE: Duration = Duration::from_secs(30);
/// Room for the path of a Unix socket with the zero at its end, in bytes, on Linux; a few systems have less.
const SOCKET_PATH_BYTES: usize = 108;

/// Which store.
#[derive(Debug, Args)]
pub(crate) struct PlaceArgs {
    /// Folder of the store.
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    pub(super) folder: PathBuf,
    /// Where the store listens: unix:PATH or tcp:127.0.0.1:PORT; the socket in its folder if not given.
    #[arg(long, value_name = "ADDRESS", value_parser = tame::<Address>)]
    at: Option<Address>,
}

impl PlaceArgs {
    pub(super) fn address(&self) -> Address {
        self.at.clone().unwrap_or_else(|| Address::Unix(self.folder.join("socket")))
    }

    /// A command of this store to copy into a shell: `rest` and the options that lead here.
    pub(super) fn command(&self, rest: &str) -> String {
        let mut line = format!("lrrc store {rest}");
        if self.folder != Path::new(FOLDER) {
            line += &format!(" --folder {}", quoted(&self.folder.display().to_string()));
        }
        if let Some(at) = &self.at {
            line += &format!(" --at {}", quoted(&at.to_string()));
        }
        line
    }

    async fn connect(&self) -> Result<Client, StoreError> {
        let config = ClientConfig { connect_within: CONNECT_WITHIN, ..ClientConfig::default() };
        Client::connect(&self.address(), config).await
    }

    /// What `asked` gives, unless the store is silent for longer than a short command waits.
    pub(super) async fn in_time<T>(
        &self,
        asked: impl Future<Output = Result<T, StoreError>>,
    ) -> miette::Result<T> {
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(done) => done.map_err(|error| self.report(error)),
            Err(_) => Err(miette!(
                help = "it runs, but is stopped or overloaded; what was to be written may have landed",
                "the store at {} gave no answer within {} s",
                self.address(),
                PATIENCE.as_secs()
            )),
        }
    }

    /// A client of the daemon.
    pub(super) async fn client(&self) -> miette::Result<Client> {
        self.in_time(self.connect()).await
    }

    /// Does short work with a client of the daemon.
    pub(super) fn with_client<F: Future<Output = Result<T, StoreError>>, T>(
        &self,
        work: impl FnOnce(Client) -> F,
    ) -> miette::Result<T> {
        runtime()?.block_on(self.in_time(async { work(self.connect().await?).await }))
    }

    /// Does work with a client of the daemon, or, where none answers, of a home that this process opens meanwhile; then
    /// large contents are looked for where `contents` says.
    pub(super) fn with_or_without_daemon<F: Future<Output = Result<T, StoreError>>, T>(
        &self,
        contents: &ContentsArgs,
        work: impl Fn(Client) -> F,
    ) -> miette::Result<T> {
        let runtime = runtime()?;
        // The work may take as long as there are contents; only the connection is waited for with a bound.
        let connected = async { Ok(self.connect().await) };
        match runtime.block_on(self.in_time(connected))? {
            Ok(client) => return runtime.block_on(work(client)).map_err(|error| self.report(error)),
            Err(StoreError::Unreachable { .. })
                if self.folder.join("store.redb").exists() && self.is_empty() => {}
            Err(error) => return Err(self.report(error)),
        }
        let (place, folder) = (self.address(), self.folder.display());
        eprintln!(
            "no daemon answers at {place}, so this process opens {folder} itself, for as long as it runs"
        );
        let (clock, config) = (Clock::start(), HomeConfig::default());
        let owner = Owner::spawn(open_home(&self.folder, contents.address(), config, clock)?, clock);
        let done = runtime
            .block_on(async { work(Client::local(owner.handle(), ClientConfig::default()).await?).await });
        owner.stop().into_diagnostic()?;
        done.map_err(|error| self.report(error))
    }

    /// Whether nobody listens at the place, as opposed to one that cannot be reached.
    fn is_empty(&self) -> bool {
        self.probe().is_err_and(|error| is_absence(&error))
    }

    /// What the system says of a connection to the place. A process that is stopped may leave the system without room for
    /// another connection, and the attempt waits; that somebody is there is known then.
    fn probe(&self) -> io::Result<()> {
        let (place, (tell, told)) = (self.address(), std::sync::mpsc::channel());
        std::thread::spawn(move || tell.send(connect(&place)));
        told.recv_timeout(CONNECT_WITHIN).unwrap_or(Ok(()))
    }

    /// Why there was no connection, and what to do: only where nobody listens does it help to start a store.
    pub(super) fn unreachable(&self, why: &str) -> miette::Report {
        let place = self.address();
        let elsewhere = "--folder or --at names another store";
        match self.probe() {
            Err(error) if is_absence(&error) => miette!(
                help = format!("start one with: {}\n{elsewhere}", self.command("serve")),
                "no store answers at {place} ({error})"
            ),
            Err(error) if error.kind() == ErrorKind::InvalidInput => self.too_long(),
            Err(error) => miette!(help = elsewhere, "cannot reach a store at {place}: {error}"),
            Ok(()) => miette!(
                help = format!("it runs, but is stopped, overloaded or no store; {elsewhere}"),
                "the store at {place} does not answer: {why}"
            ),
        }
    }

    /// The system's own words say neither the limit nor that a socket may lie elsewhere.
    pub(super) fn too_long(&self) -> miette::Report {
        let place = self.address();
        miette!(
            help = "let it listen elsewhere: --at unix:/tmp/NAME or --at tcp:127.0.0.1:PORT, the same for serve and for every command",
            "the path of a Unix socket, and of the temporary one that serve makes beside it, takes less than {SOCKET_PATH_BYTES} bytes; {place} is too long"
        )
    }
}

fn connect(place: &Address) -> io::Result<()> {
    match place {
        #[cfg(unix)]
        Address::Unix(path) => std::os::unix::net::UnixStream::connect(path).map(drop),
        #[cfg(not(unix))]
        Address::Unix(_) => Err(ErrorKind::Unsupported.into()),
        Address::Tcp(place) => std::net::TcpStream::connect(place).map(drop),
    }
}

/// Whether the system says that nobody listens.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

/// The text as one word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "._/-:@%+=,[]".contains(c);
    if text.chars().all(is_plain) && !text.is_empty() {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        assert_eq!(quoted("/tmp/a-b"), "/tmp/a-b");
        assert_eq!(quoted("my store"), "'my store'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
