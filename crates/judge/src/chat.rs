//! One request and one reply of the chat-completions interface, without the wire.

use lrrc_episode::TokenCounter;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Tokens that each message costs beside its content, and those that open the reply: the rule that OpenAI publishes
/// for its chat models (*How to count tokens with tiktoken*), rounded up. Other models differ by a few tokens.
const MESSAGE_TOKENS: u64 = 4;
const REPLY_TOKENS: u64 = 3;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: &'static str,
    /// Its text.
    pub content: String,
}

impl Message {
    /// A message of the user.
    #[must_use]
    pub fn user(content: impl Into<String>) -> Self {
        Self::new("user", content)
    }

    pub(crate) fn new(role: &'static str, content: impl Into<String>) -> Self {
        Self { role, content: content.into() }
    }
}

/// Neighbours of one role as one message, since many chat templates want roles to alternate.
pub(crate) fn merged(messages: impl IntoIterator<Item = Message>) -> Vec<Message> {
    let mut merged: Vec<Message> = Vec::new();
    for message in messages.into_iter().filter(|message| !message.content.is_empty()) {
        match merged.last_mut().filter(|last| last.role == message.role) {
            Some(last) => {
                last.content.push_str("\n\n");
                last.content.push_str(&message.content);
            }
            None => merged.push(message),
        }
    }
    merged
}

/// What every request of a game has in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatOptions {
    /// Name of the model, as the endpoint knows it.
    pub model: String,
    /// Most tokens of a reply.
    pub max_tokens: u32,
    /// Seed of the endpoint's sampling, where it takes one; the temperature is 0.
    pub seed: Option<u64>,
}

/// A request that is ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The exact bytes of the body.
    pub body: Vec<u8>,
    /// cl100k_base tokens of the messages.
    pub input_tokens: u64,
    /// Most tokens of the reply.
    pub output_tokens_max: u64,
    /// Name of the reply in a cache: BLAKE3 of the model's name and the body, in hexadecimal. The address of the
    /// endpoint is no part of it.
    pub key: String,
    /// Name of the model.
    pub model: String,
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: &'a [Message],
    temperature: u8,
    max_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    stream: bool,
}

impl Ask {
    /// The request with these messages.
    #[must_use]
    pub fn new(messages: &[Message], options: &ChatOptions, counter: &TokenCounter) -> Self {
        let ChatOptions { model, max_tokens, seed } = options;
        let body =
            Body { model, messages, temperature: 0, max_tokens: *max_tokens, seed: *seed, stream: false };
        let body = serde_json::to_vec(&body).expect("texts and numbers are JSON");
        let hash = blake3::Hasher::new().update(model.as_bytes()).update(&[0]).update(&body).finalize();
        let tokens = |message: &Message| u64::from(counter.count(&message.content)) + MESSAGE_TOKENS;
        Self {
            input_tokens: messages.iter().map(tokens).sum::<u64>() + REPLY_TOKENS,
            output_tokens_max: u64::from(*max_tokens),
            key: hash.to_hex().to_string(),
            body,
            model: model.clone(),
        }
    }
}

/// Tokens as the endpoint counted them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the request.
    pub prompt_tokens: u64,
    /// Tokens of the reply, hidden reasoning included.
    pub completion_tokens: u64,
}

/// What an endpoint answered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reply {
    /// The text of the first choice; `None` where there is none, as after a refusal.
    pub text: Option<String>,
    /// Whether the reply ended at the limit of its length.
    pub cut: bool,
    /// Tokens, where the endpoint reports them.
    pub usage: Option<Usage>,
}

impl Reply {
    /// Reads a chat completion; `None` where the text is no such thing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let choice = value.get("choices")?.get(0)?;
        let content = choice.get("message")?.as_object()?.get("content");
        Some(Self {
            text: content.and_then(content_text),
            cut: choice.get("finish_reason").and_then(Value::as_str) == Some("length"),
            usage: value.get("usage").and_then(|usage| {
                let tokens = |key: &str| usage.get(key)?.as_u64();
                let prompt_tokens = tokens("prompt_tokens")?;
                Some(Usage { prompt_tokens, completion_tokens: tokens("completion_tokens").unwrap_or(0) })
            }),
        })
    }
}

/// A content is a text, or a list of parts with texts.
fn content_text(content: &Value) -> Option<String> {
    match content {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part.get("text")?.as_str());
            Some(texts.collect()).filter(|text: &String| !text.is_empty())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use lrrc_episode::Encoding;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn neighbours_of_one_role_are_one_message() {
        let said =
            [("system", "a"), ("user", "b"), ("user", ""), ("user", "c"), ("assistant", "d"), ("user", "e")];
        let messages = merged(said.map(|(role, text)| Message::new(role, text)));
        let shown: Vec<_> = messages.iter().map(|message| (message.role, message.content.as_str())).collect();
        assert_eq!(shown, [("system", "a"), ("user", "b\n\nc"), ("assistant", "d"), ("user", "e")]);
    }

    #[test]
    fn the_key_is_a_function_of_model_and_body() {
        let counter = TokenCounter::new(Encoding::Cl100kBase);
        let ask = |model: &str, text: &str, seed| {
            let options = ChatOptions { model: model.to_owned(), max_tokens: 9, seed };
            Ask::new(&[Message::new("user", text)], &options, &counter)
        };
        let one = ask("m", "hello world", None);
        assert_eq!((one.input_tokens, one.output_tokens_max), (2 + 4 + 3, 9));
        let text = String::from_utf8(one.body.clone()).expect("JSON is UTF-8");
        let messages = r#"[{"role":"user","content":"hello world"}]"#;
        assert_eq!(
            text,
            format!(r#"{{"model":"m","messages":{messages},"temperature":0,"max_tokens":9,"stream":false}}"#)
        );
        assert_eq!(one, ask("m", "hello world", None));
        for other in
            [ask("n", "hello world", None), ask("m", "hello", None), ask("m", "hello world", Some(1))]
        {
            assert_ne!(one.key, other.key);
        }
    }

    #[test]
    fn replies_of_several_servers_are_read() {
        let usage = r#""usage": {"prompt_tokens": 7, "completion_tokens": 2}"#;
        let read = Reply::parse(&format!(
            r#"{{"choices": [{{"message": {{"content": "yes"}}, "finish_reason": "length"}}], {usage}}}"#
        ));
        let usage = Some(Usage { prompt_tokens: 7, completion_tokens: 2 });
        assert_eq!(read, Some(Reply { text: Some("yes".to_owned()), cut: true, usage }));
        let parts =
            r#"{"choices": [{"message": {"content": [{"type": "text", "text": "a"}, {"text": "b"}]}}]}"#;
        assert_eq!(Reply::parse(parts).and_then(|reply| reply.text).as_deref(), Some("ab"));
        let refused = r#"{"choices": [{"message": {"content": null, "refusal": "no"}}]}"#;
        assert_eq!(Reply::parse(refused), Some(Reply::default()));
        for other in [
            "",
            "<html>",
            "{}",
            r#"{"error": {"message": "x"}}"#,
            r#"{"choices": []}"#,
            r#"{"choices": [3]}"#,
        ] {
            assert_eq!(Reply::parse(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_reply_breaks_the_parser(text in "(\\{|\\}|\\[|\\]|\"choices\"|\"message\"|\"content\"|:|,|null|1|\"\\PC\"){0,20}") {
            let _ = Reply::parse(&text);
        }
    }
}
