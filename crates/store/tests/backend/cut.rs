//! A way to a server that can be cut, as a network between machines can.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A loopback port that leads to another one, until it is cut.
pub(crate) struct Way {
    pub(crate) endpoint: String,
    /// The connections that stand; `None` while the way is cut.
    streams: Arc<Mutex<Option<Vec<TcpStream>>>>,
}

impl Way {
    /// A way to `http://127.0.0.1:PORT`.
    pub(crate) fn to(endpoint: &str) -> Self {
        let place = endpoint.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("a bound port"));
        let streams = Arc::new(Mutex::new(Some(Vec::new())));
        let open = Arc::clone(&streams);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Some(open) = &mut *open.lock().expect("nobody panicked") else { continue };
                let Ok(far) = TcpStream::connect(&place) else { continue };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let [from, to, kept] =
                        [from, to, from].map(|stream| stream.try_clone().expect("a stream"));
                    open.push(kept);
                    std::thread::spawn(move || copy(from, to));
                }
            }
        });
        Self { endpoint, streams }
    }

    pub(crate) fn cut(&self) {
        let streams = self.streams.lock().expect("nobody panicked").take();
        for stream in streams.into_iter().flatten() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn heal(&self) {
        *self.streams.lock().expect("nobody panicked") = Some(Vec::new());
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
