//! An etcd of the tests' own: a free loopback port, a folder that goes with it, killed when it is dropped.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lrrc_store::{EtcdBackend, EtcdConfig, EtcdTls};
use tempfile::TempDir;

pub(crate) struct EtcdServer {
    folder: TempDir,
    ports: [u16; 2],
    process: Child,
    secure: Secure,
}

/// What a server speaks TLS with, and how its clients have to; nothing of either for a server of plain HTTP.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secure {
    pub(crate) arguments: Vec<String>,
    pub(crate) tls: EtcdTls,
}

impl EtcdServer {
    /// A server, or `None` where etcd is not installed. In CI that is a failure.
    pub(crate) fn start() -> Option<Self> {
        Self::start_as(Secure::default())
    }

    /// A server that speaks TLS.
    pub(crate) fn start_as(secure: Secure) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ports = free_ports();
        let process = match spawn(folder.path(), ports, &secure) {
            Ok(process) => process,
            Err(error) => {
                let why = format!("etcd cannot be started ({error}); on Debian: apt-get install etcd-server");
                assert!(std::env::var_os("CI").is_none(), "{why}");
                println!("SKIPPED: {why}");
                return None;
            }
        };
        let server = Self { folder, ports, process, secure };
        server.wait_until_it_answers();
        Some(server)
    }

    pub(crate) fn endpoint(&self) -> String {
        self.secure.url(self.ports[0])
    }

    /// How a client of it connects.
    pub(crate) fn config(&self) -> EtcdConfig {
        EtcdConfig { tls: self.secure.tls.clone(), ..EtcdConfig::at(self.endpoint()) }
    }

    /// The store under `root`, which no other test uses.
    pub(crate) fn open(&self, root: &str) -> EtcdBackend {
        let config = EtcdConfig { root: format!("{root}/"), ..self.config() };
        EtcdBackend::connect(&config).expect("a running etcd")
    }

    /// `SIGKILL`.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("a process of our own");
        self.process.wait().expect("a process of our own");
    }

    /// Starts it again on what it left.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.process =
            spawn(self.folder.path(), self.ports, &self.secure).expect("etcd, which was started before");
        self.wait_until_it_answers();
    }

    fn wait_until_it_answers(&self) {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            match EtcdBackend::connect(&self.config()) {
                Ok(_) => return,
                Err(error) => assert!(Instant::now() < until, "etcd does not answer: {error}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for EtcdServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_ports() -> [u16; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("a bound port").port())
}

impl Secure {
    fn url(&self, port: u16) -> String {
        let scheme = if self.arguments.is_empty() { "http" } else { "https" };
        format!("{scheme}://127.0.0.1:{port}")
    }
}

fn spawn(folder: &Path, [client, peer]: [u16; 2], secure: &Secure) -> std::io::Result<Child> {
    let (client, peer) = (secure.url(client), format!("http://127.0.0.1:{peer}"));
    Command::new("etcd")
        .arg("--data-dir")
        .arg(folder.join("data"))
        .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
        .args(["--initial-cluster", &format!("default={peer}")])
        .args(&secure.arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}
