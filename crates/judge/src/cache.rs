//! Replies on disk, one file a request.

use std::{
    fs,
    path::{Path, PathBuf},
};

use lrrc_model::write_atomic;
use serde::{Deserialize, Serialize};

use crate::{
    chat::{Ask, Reply},
    error::JudgeError,
};

/// Version of the files.
const FORMAT: u32 = 1;

/// A folder of replies. Files are replaced whole, so a run that is stopped leaves only complete ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    dir: PathBuf,
}

/// What a cache has for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The reply.
    Reply(Reply),
    /// Nothing.
    Nothing,
    /// A file that cannot be used, and why; the request is sent again and the file replaced.
    Damaged(String),
}

#[derive(Serialize, Deserialize)]
struct Entry {
    format: u32,
    model: String,
    reply: Reply,
    /// BLAKE3 of the reply as compact JSON.
    check: String,
}

impl Cache {
    /// A cache in this folder, which is made when the first reply is stored.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file of a request.
    #[must_use]
    pub fn path(&self, ask: &Ask) -> PathBuf {
        self.dir.join(format!("{}.json", ask.key))
    }

    /// The stored reply to a request.
    #[must_use]
    pub fn find(&self, ask: &Ask) -> Found {
        let path = self.path(ask);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Found::Nothing,
            Err(error) => return Found::Damaged(format!("{}: {error}", path.display())),
        };
        let damaged = |why: String| Found::Damaged(format!("{}: {why}", path.display()));
        match serde_json::from_str::<Entry>(&text) {
            Err(error) => damaged(error.to_string()),
            Ok(entry) if entry.format != FORMAT => {
                damaged(format!("format {} is not the known {FORMAT}", entry.format))
            }
            Ok(entry) if entry.check != check(&entry.reply) => damaged("its hash does not match".to_owned()),
            Ok(entry) => Found::Reply(entry.reply),
        }
    }

    /// Stores a reply.
    ///
    /// # Errors
    /// [`JudgeError::Cache`] with the file.
    pub fn store(&self, ask: &Ask, reply: &Reply) -> Result<(), JudgeError> {
        let path = self.path(ask);
        let fault = |why: String| JudgeError::Cache { path: path.clone(), why };
        fs::create_dir_all(&self.dir).map_err(|error| fault(error.to_string()))?;
        let entry =
            Entry { format: FORMAT, model: ask.model.clone(), reply: reply.clone(), check: check(reply) };
        let text = serde_json::to_vec_pretty(&entry).expect("texts and numbers are JSON");
        write_atomic(&path, &text).map_err(|error| fault(error.to_string()))
    }
}

fn check(reply: &Reply) -> String {
    let text = serde_json::to_vec(reply).expect("texts and numbers are JSON");
    blake3::hash(&text).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use lrrc_episode::{Encoding, TokenCounter};

    use super::*;
    use crate::chat::{ChatOptions, Message, Usage};

    #[test]
    fn a_stored_reply_is_found_and_a_damaged_one_is_told() {
        let dir = tempfile::tempdir().expect("a folder");
        let cache = Cache::new(dir.path().join("judge"));
        let options = ChatOptions { model: "m".to_owned(), max_tokens: 4, seed: None };
        let ask = Ask::new(&[Message::new("user", "hi")], &options, &TokenCounter::new(Encoding::Cl100kBase));
        assert_eq!(cache.find(&ask), Found::Nothing);
        let usage = Some(Usage { prompt_tokens: 5, completion_tokens: 1 });
        let reply = Reply { text: Some("ho".to_owned()), cut: false, usage };
        cache.store(&ask, &reply).expect("a writable folder");
        assert_eq!(cache.find(&ask), Found::Reply(reply.clone()));
        let text = fs::read_to_string(cache.path(&ask)).expect("the file");
        for (damaged, why) in [
            (text.replace("\"ho\"", "\"no\""), "hash"),
            (text[..text.len() / 2].to_owned(), "EOF"),
            (text.replace("\"format\": 1", "\"format\": 2"), "format 2"),
        ] {
            fs::write(cache.path(&ask), damaged).expect("the file");
            assert!(matches!(cache.find(&ask), Found::Damaged(told) if told.contains(why)), "{why}");
        }
        cache.store(&ask, &reply).expect("a writable folder");
        assert_eq!(cache.find(&ask), Found::Reply(reply));
    }
}
