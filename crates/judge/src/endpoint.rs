//! The wire: one POST to an endpoint that the user names.

use std::{
    fmt,
    net::IpAddr,
    time::{Duration, SystemTime},
};

use reqwest::{
    Client, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
    redirect, retry,
};
use tokio::runtime::{Builder, Runtime};

use crate::{error::JudgeError, retry::retry_after};

/// Longest reply that is read.
const REPLY_BYTES: usize = 4 << 20;
/// Longest part of a body in a message.
const SAID_CHARS: usize = 300;
/// Time to reach the endpoint.
const CONNECT: Duration = Duration::from_secs(15);
/// Keys shorter than this are placeholders such as `none` and are not looked for in texts.
const KEY_CHARS: usize = 8;

/// A key that no text shows: neither [`fmt::Debug`] nor an error nor a file.
#[derive(Clone)]
pub struct Secret {
    key: String,
    header: HeaderValue,
}

impl Secret {
    /// A key as it stands in the environment; blanks around it are left out.
    ///
    /// # Errors
    /// [`JudgeError::Key`] if it is empty or cannot stand in a header.
    pub fn new(key: &str) -> Result<Self, JudgeError> {
        let key = key.trim();
        if key.is_empty() {
            return Err(JudgeError::Key);
        }
        let mut header = HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| JudgeError::Key)?;
        header.set_sensitive(true);
        Ok(Self { key: key.to_owned(), header })
    }

    /// The text without the key.
    fn redact(&self, text: &str) -> String {
        if self.key.len() < KEY_CHARS { text.to_owned() } else { text.replace(&self.key, "[API key]") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([API key])")
    }
}

/// An endpoint that speaks the chat-completions interface.
#[derive(Debug)]
pub struct Endpoint {
    url: Url,
    key: Option<Secret>,
    client: Client,
    runtime: Runtime,
}

/// Why an attempt brought nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It may work later; the wait that the server asked for.
    Passing(String, Option<Duration>),
    /// It will not.
    Final(JudgeError),
}

impl Endpoint {
    /// The endpoint at a base address such as `https://host/v1`; `timeout` bounds one whole request. Redirections are
    /// not followed, and an address of this machine is reached without a proxy.
    ///
    /// # Errors
    /// [`JudgeError::Address`] for an address that is not plain http or https, [`JudgeError::Client`] if the system
    /// refuses what a client needs.
    pub fn new(base: &str, key: Option<Secret>, timeout: Duration) -> Result<Self, JudgeError> {
        let url = address(base)?;
        let builder = Client::builder()
            .timeout(timeout)
            .connect_timeout(CONNECT)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .user_agent(concat!("lrrc/", env!("CARGO_PKG_VERSION")));
        let builder = if is_local(&url) { builder.no_proxy() } else { builder };
        let client = builder.build().map_err(|error| JudgeError::Client(chain(&error)))?;
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| JudgeError::Client(error.to_string()))?;
        Ok(Self { url, key, client, runtime })
    }

    /// The address that is asked.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Whether a key would travel in the clear to another machine.
    #[must_use]
    pub fn bares_key(&self) -> bool {
        self.key.is_some() && self.url.scheme() == "http" && !is_local(&self.url)
    }

    /// Sends a body once; the reply's text, without the key if the server repeats it.
    pub(crate) fn post(&self, body: &[u8]) -> Result<String, Failure> {
        self.runtime.block_on(self.exchange(body))
    }

    async fn exchange(&self, body: &[u8]) -> Result<String, Failure> {
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json");
        let request = match &self.key {
            Some(secret) => request.header(AUTHORIZATION, secret.header.clone()),
            None => request,
        };
        let passing = |error: reqwest::Error| Failure::Passing(chain(&error.without_url()), None);
        let mut response = request.body(body.to_vec()).send().await.map_err(passing)?;
        let status = response.status();
        let after = response.headers().get(RETRY_AFTER).and_then(|header| header.to_str().ok());
        let after = after.and_then(|header| retry_after(header, SystemTime::now()));
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(passing)? {
            if bytes.len() + chunk.len() > REPLY_BYTES {
                let said = format!("a reply of more than {REPLY_BYTES} bytes");
                return Err(Failure::Final(self.refused(status, &said)));
            }
            bytes.extend_from_slice(&chunk);
        }
        let text = self.redact(&String::from_utf8_lossy(&bytes));
        match status {
            status if status.is_success() => Ok(text),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
                Err(Failure::Passing(format!("{status}: {}", excerpt(&text)), after))
            }
            status if status.is_server_error() => {
                Err(Failure::Passing(format!("{status}: {}", excerpt(&text)), after))
            }
            status => Err(Failure::Final(self.refused(status, &excerpt(&text)))),
        }
    }

    fn refused(&self, status: StatusCode, said: &str) -> JudgeError {
        JudgeError::Refused { url: self.url.to_string(), status: status.as_u16(), said: said.to_owned() }
    }

    fn redact(&self, text: &str) -> String {
        self.key.as_ref().map_or_else(|| text.to_owned(), |secret| secret.redact(text))
    }
}

/// `BASE/chat/completions`; a base that ends so already is taken as it is.
fn address(base: &str) -> Result<Url, JudgeError> {
    let fault = |url: &str, why: &str| JudgeError::Address { url: url.to_owned(), why: why.to_owned() };
    // What is no address of http may hold a password anywhere, so its text is not repeated.
    let hidden = |why: &str| fault("(not shown)", why);
    let mut url = Url::parse(base.trim()).map_err(|error| hidden(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(hidden("the address starts with neither http:// nor https://"));
    }
    let named = !url.username().is_empty() || url.password().is_some();
    if named || url.query().is_some() || url.fragment().is_some() {
        let host = url.host_str().unwrap_or_default();
        return Err(fault(host, "has a user, password, query or fragment; a key goes into the environment"));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    let path = path.strip_suffix("/chat/completions").unwrap_or(&path);
    url.set_path(&format!("{path}/chat/completions"));
    Ok(url)
}

fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An error with its causes, since the outermost of them seldom says what happened.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The start of a body on one line.
pub(crate) fn excerpt(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SAID_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None if line.is_empty() => "(nothing)".to_owned(),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_completed_or_refused() {
        for (base, url) in [
            ("http://localhost:8000/v1", "http://localhost:8000/v1/chat/completions"),
            ("https://api.example.com/v1/", "https://api.example.com/v1/chat/completions"),
            ("http://[::1]:9", "http://[::1]:9/chat/completions"),
            ("http://h/v1/chat/completions", "http://h/v1/chat/completions"),
        ] {
            assert_eq!(address(base).expect("an address").as_str(), url);
        }
        for base in [
            "localhost:8000",
            "ftp://h/v1",
            "http://",
            "http://h/v1?key=hunter2",
            "http://u:hunter2@h/v1",
            "u:hunter2@h",
        ] {
            let told = address(base).expect_err(base).to_string();
            assert!(!told.contains("hunter2"), "{told}");
        }
    }

    #[test]
    fn a_key_to_another_machine_needs_encryption() {
        let bares = |base: &str| {
            let key = Secret::new("sk-0123456789").expect("a key");
            Endpoint::new(base, Some(key), CONNECT).expect("an endpoint").bares_key()
        };
        let clear =
            ["http://localhost/v1", "http://127.0.0.1:80", "https://h/v1", "http://[::1]/"].map(bares);
        assert_eq!(clear, [false; 4]);
        assert!(bares("http://10.0.0.7/v1"));
    }

    #[test]
    fn a_key_is_never_shown() {
        let key = Secret::new(" sk-0123456789\n").expect("a key");
        assert_eq!(key.redact("wrong key sk-0123456789!"), "wrong key [API key]!");
        let endpoint = Endpoint::new("http://localhost/v1", Some(key), CONNECT).expect("an endpoint");
        assert!(!format!("{endpoint:?}").contains("0123456789"));
        assert!(matches!(Secret::new("a\nb"), Err(JudgeError::Key)));
        assert!(matches!(Secret::new(" "), Err(JudgeError::Key)));
    }

    #[test]
    fn an_excerpt_is_one_short_line() {
        assert_eq!(excerpt(" a\n b "), "a b");
        assert_eq!(excerpt(""), "(nothing)");
        assert_eq!(excerpt(&"é".repeat(400)).chars().count(), SAID_CHARS + 1);
    }
}
