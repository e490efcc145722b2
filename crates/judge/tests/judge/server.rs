//! A chat-completions server on this machine that answers what a script says and remembers what it was asked.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    /// Request line and headers.
    pub(crate) head: String,
    /// The body.
    pub(crate) body: Value,
}

impl Heard {
    /// The contents of all messages, one after the other.
    pub(crate) fn prompt(&self) -> String {
        let messages = self.body["messages"].as_array().expect("messages");
        messages.iter().filter_map(|message| message["content"].as_str()).collect::<Vec<_>>().join("\n")
    }
}

/// What the script answers.
pub(crate) enum Said {
    /// A completion with this text, and as many tokens as given.
    Text(String, [u64; 2]),
    /// A raw answer: status line, headers, body.
    Raw(&'static str, &'static str, String),
    /// Nothing: the connection is closed.
    Nothing,
}

/// A completion with a fixed number of tokens.
pub(crate) fn text(said: impl Into<String>) -> Said {
    Said::Text(said.into(), [100, 10])
}

/// A running server; its thread ends with the process.
pub(crate) struct Server {
    /// Its base address.
    pub(crate) base: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Server {
    /// Starts a server; `script` is given the number of the request, from 0, and the request.
    pub(crate) fn start(script: impl Fn(usize, &Heard) -> Said + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let base = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (log, script) = (Arc::clone(&heard), Arc::new(script));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (log, script) = (Arc::clone(&log), Arc::clone(&script));
                thread::spawn(move || serve(&stream.expect("a connection"), &log, &*script));
            }
        });
        Self { base, heard }
    }

    /// What was asked so far.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("no thread panics").clone()
    }
}

/// Answers one request and closes the connection.
fn serve(stream: &TcpStream, log: &Mutex<Vec<Heard>>, script: &dyn Fn(usize, &Heard) -> Said) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let length = head.to_lowercase().split("content-length: ").nth(1).and_then(|rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).expect("the whole body");
    let heard = Heard { head, body: serde_json::from_slice(&body).expect("a body of JSON") };
    let number = {
        let mut log = log.lock().expect("no thread panics");
        log.push(heard.clone());
        log.len() - 1
    };
    let (status, headers, body) = match script(number, &heard) {
        Said::Text(text, [prompt_tokens, completion_tokens]) => {
            let usage = json!({"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens});
            let choice = json!({"message": {"role": "assistant", "content": text}, "finish_reason": "stop"});
            ("200 OK", "", json!({"choices": [choice], "usage": usage}).to_string())
        }
        Said::Raw(status, headers, body) => (status, headers, body),
        Said::Nothing => return,
    };
    let length = body.len();
    // A client that has seen enough of a long body may have gone.
    let _ = write!(
        &mut &*stream,
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
}
