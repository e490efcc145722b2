//! An etcd of the tests' own: a free loopback port, a folder that goes with it, killed when it is dropped.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lrrc_store::{EtcdBackend, EtcdConfig};
use tempfile::TempDir;

pub(crate) struct EtcdServer {
    folder: TempDir,
    ports: [u16; 2],
    process: Child,
}

impl EtcdServer {
    /// A server, or `None` where etcd is not installed. In CI that is a failure.
    pub(crate) fn start() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ports = free_ports();
        let process = match spawn(folder.path(), ports) {
            Ok(process) => process,
            Err(error) => {
                let why = format!("etcd cannot be started ({error}); on Debian: apt-get install etcd-server");
                assert!(std::env::var_os("CI").is_none(), "{why}");
                println!("SKIPPED: {why}");
                return None;
            }
        };
        let server = Self { folder, ports, process };
        server.wait_until_it_answers();
        Some(server)
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// The store under `root`, which no other test uses.
    pub(crate) fn open(&self, root: &str) -> EtcdBackend {
        let config = EtcdConfig { root: format!("{root}/"), ..EtcdConfig::at(self.endpoint()) };
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
        self.process = spawn(self.folder.path(), self.ports).expect("etcd, which was started before");
        self.wait_until_it_answers();
    }

    fn wait_until_it_answers(&self) {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            match EtcdBackend::connect(&EtcdConfig::at(self.endpoint())) {
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

fn spawn(folder: &Path, [client, peer]: [u16; 2]) -> std::io::Result<Child> {
    let [client, peer] = [client, peer].map(|port| format!("http://127.0.0.1:{port}"));
    Command::new("etcd")
        .arg("--data-dir")
        .arg(folder.join("data"))
        .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
        .args(["--initial-cluster", &format!("default={peer}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}
