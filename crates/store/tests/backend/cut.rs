//! A way to a server that can be cut, as a network between machines can.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A loopback port that leads to another one, until it is cut.
pub(crate) struct Way {
    pub(crate) endpoint: String,
    /// The connections that stand; `None` while the way is cut.
    streams: Arc<Mutex<Option<Vec<TcpStream>>>>,
    /// Whether bytes are held back, as by a server that is stopped.
    is_held: Arc<AtomicBool>,
}

impl Way {
    /// A way to `http://127.0.0.1:PORT`.
    pub(crate) fn to(endpoint: &str) -> Self {
        let place = endpoint.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("a bound port"));
        let streams = Arc::new(Mutex::new(Some(Vec::new())));
        let is_held = Arc::new(AtomicBool::new(false));
        let (open, held) = (Arc::clone(&streams), Arc::clone(&is_held));
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Some(open) = &mut *open.lock().expect("nobody panicked") else { continue };
                let Ok(far) = TcpStream::connect(&place) else { continue };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let [from, to, kept] =
                        [from, to, from].map(|stream| stream.try_clone().expect("a stream"));
                    open.push(kept);
                    let held = Arc::clone(&held);
                    std::thread::spawn(move || copy(from, to, &held));
                }
            }
        });
        Self { endpoint, streams, is_held }
    }

    pub(crate) fn cut(&self) {
        let streams = self.streams.lock().expect("nobody panicked").take();
        for stream in streams.into_iter().flatten() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn hold(&self) {
        self.is_held.store(true, Ordering::SeqCst);
    }

    pub(crate) fn heal(&self) {
        self.is_held.store(false, Ordering::SeqCst);
        self.streams.lock().expect("nobody panicked").get_or_insert_default();
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, is_held: &AtomicBool) {
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        while is_held.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
