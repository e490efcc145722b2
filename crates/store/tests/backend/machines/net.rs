//! A way from each process to etcd that can be cut: a network namespace behind a pair of virtual cables where the system
//! lets us make one, and otherwise a port that stops to pass bytes on. Either way nothing is closed: what was sent into
//! the cut arrives late or never, as on a network.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

const POLL: Duration = Duration::from_millis(5);

/// Ways that this process has opened.
static OPENED: AtomicU8 = AtomicU8::new(0);

/// How a way is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Namespace,
    Port,
}

impl Kind {
    /// Namespaces where they can be made: as root, with the `ip` of iproute2.
    pub(crate) fn available() -> Self {
        let probe = format!("lrrc-probe-{}", std::process::id());
        let made = ip(&["netns", "add", &probe]).is_ok();
        if made {
            let _ = ip(&["netns", "del", &probe]);
        }
        if made { Self::Namespace } else { Self::Port }
    }
}

/// The way of one process.
pub(crate) struct Way {
    port: Port,
    namespace: Option<Namespace>,
}

impl Way {
    /// A way to `server`.
    pub(crate) fn open(kind: Kind, server: SocketAddr) -> Self {
        let namespace =
            (kind == Kind::Namespace).then(|| Namespace::make(OPENED.fetch_add(1, Ordering::SeqCst) % 64));
        let host = namespace.as_ref().map_or(Ipv4Addr::LOCALHOST, |namespace| namespace.host);
        Self { port: Port::open(host.into(), server), namespace }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.port.address)
    }

    /// The program, to be started at the far end.
    pub(crate) fn command(&self, program: &std::path::Path) -> Command {
        match &self.namespace {
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", &namespace.name]).arg(program);
                command
            }
            None => Command::new(program),
        }
    }

    pub(crate) fn cut(&self, is_cut: bool) {
        match &self.namespace {
            Some(namespace) => {
                let state = if is_cut { "down" } else { "up" };
                ip(&["link", "set", &namespace.cable(), state]).expect("a cable of our own");
            }
            None => self.port.is_cut.store(is_cut, Ordering::SeqCst),
        }
    }
}

/// `lo` and one end of a pair of cables; it goes with its owner.
struct Namespace {
    name: String,
    host: Ipv4Addr,
}

impl Namespace {
    /// Its addresses are of the range that is set aside for tests of networks.
    fn make(at: u8) -> Self {
        let id = std::process::id();
        let name = format!("lrrc-{id}-{at}");
        let [host, guest] = [1, 2].map(|end| Ipv4Addr::new(198, 18, id.to_be_bytes()[3], 4 * at + end));
        let made = Self { name, host };
        let (name, cable) = (made.name.as_str(), made.cable());
        let guests = format!("{cable}g");
        let run = |args: &[&str]| ip(args).unwrap_or_else(|why| panic!("ip {}: {why}", args.join(" ")));
        run(&["netns", "add", name]);
        run(&["link", "add", &cable, "type", "veth", "peer", "name", &guests, "netns", name]);
        run(&["addr", "add", &format!("{host}/30"), "dev", &cable]);
        run(&["link", "set", &cable, "up"]);
        run(&["-n", name, "addr", "add", &format!("{guest}/30"), "dev", &guests]);
        run(&["-n", name, "link", "set", &guests, "up"]);
        run(&["-n", name, "link", "set", "lo", "up"]);
        made
    }

    /// Names of devices have at most 15 bytes.
    fn cable(&self) -> String {
        self.name.replace("lrrc-", "l")
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = ip(&["link", "del", &self.cable()]);
        let _ = ip(&["netns", "del", &self.name]);
    }
}

fn ip(args: &[&str]) -> Result<(), String> {
    let run = Command::new("ip").args(args).stdout(Stdio::null()).output();
    let output = run.map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// A port that passes bytes on to the server, both ways, unless it is cut.
struct Port {
    address: SocketAddr,
    is_cut: Arc<AtomicBool>,
}

impl Port {
    fn open(host: IpAddr, server: SocketAddr) -> Self {
        let listener = TcpListener::bind((host, 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let is_cut = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_cut);
        // The threads end with the process: nothing waits for them.
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let flag = Arc::clone(&flag);
                std::thread::spawn(move || {
                    while flag.load(Ordering::SeqCst) {
                        std::thread::sleep(POLL);
                    }
                    if let Ok(far) = TcpStream::connect(server) {
                        pass_both(near, far, &flag);
                    }
                });
            }
        });
        Self { address, is_cut }
    }
}

fn pass_both(near: TcpStream, far: TcpStream, is_cut: &Arc<AtomicBool>) {
    let (Ok(near_reads), Ok(far_reads)) = (near.try_clone(), far.try_clone()) else { return };
    let flag = Arc::clone(is_cut);
    std::thread::spawn(move || pass(near_reads, far, &flag));
    pass(far_reads, near, is_cut);
}

/// Passes bytes on to the end of either stream; holds them while the way is cut.
fn pass(mut from: TcpStream, mut to: TcpStream, is_cut: &AtomicBool) {
    let _ = (from.set_read_timeout(Some(POLL)), to.set_nodelay(true));
    let mut bytes = vec![0; 64 << 10];
    loop {
        let read = match from.read(&mut bytes) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(_) => break,
        };
        while is_cut.load(Ordering::SeqCst) {
            std::thread::sleep(POLL);
        }
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(std::net::Shutdown::Both), to.shutdown(std::net::Shutdown::Both));
}
