//! The Hugging Face hub, and the only file that knows its client.
//!
//! The token comes from `HF_TOKEN` or the file that `huggingface-cli login` writes; `HF_ENDPOINT` moves the server,
//! `HF_HUB_OFFLINE` keeps to the local cache, `HF_HOME` moves that cache.

use std::path::PathBuf;
use std::time::Duration;

use hf_hub::repository::{RepoTreeEntry, RepoTypeDataset};
use hf_hub::{HFClient, HFError, HFRepositorySync};
use thiserror::Error;

/// The hub does not give the data set.
#[derive(Debug, Error)]
pub enum HubError {
    /// The name is not `owner/name`.
    #[error("{repo:?} is not a data set of the hub")]
    BadName {
        /// What was asked for.
        repo: String,
    },
    /// The data set is gated, or the token is missing or refused.
    #[error("{repo}: the hub refuses access (HTTP {status})")]
    Gated {
        /// The data set.
        repo: String,
        /// 401 without a good token, 403 without permission.
        status: u16,
    },
    /// There is no such data set, file or revision.
    #[error("{repo}: not found on the hub{}", path.as_ref().map(|path| format!(": {path}")).unwrap_or_default())]
    Missing {
        /// The data set.
        repo: String,
        /// The file, if the data set is there.
        path: Option<String>,
    },
    /// The data set has no Parquet or JSONL.
    #[error("{repo}: holds no .parquet or .jsonl file")]
    NoData {
        /// The data set.
        repo: String,
    },
    /// The hub cannot be reached.
    #[error("{repo}: cannot reach {endpoint}: {message}")]
    Offline {
        /// The data set.
        repo: String,
        /// The server.
        endpoint: String,
        /// What the network said.
        message: String,
    },
    /// `HF_HUB_OFFLINE` is set and the cache does not hold the data set.
    #[error("{repo}: HF_HUB_OFFLINE is set and the local cache does not hold it")]
    NotCached {
        /// The data set.
        repo: String,
    },
    /// Anything else.
    #[error("{repo}: {message}")]
    Other {
        /// The data set.
        repo: String,
        /// What the client said.
        message: String,
    },
}

impl HubError {
    /// What the user can do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::BadName { .. } => "write hf:OWNER/NAME, or hf:OWNER/NAME:PATH for one file".to_owned(),
            Self::Gated { repo, .. } => format!(
                "accept the terms at https://huggingface.co/datasets/{repo}, then set HF_TOKEN to a token that may \
                 read it, or log in with huggingface-cli"
            ),
            Self::Missing { repo, .. } => format!(
                "check the spelling at https://huggingface.co/datasets/{repo}; a private data set needs HF_TOKEN"
            ),
            Self::NoData { .. } => {
                "name a file with hf:OWNER/NAME:PATH, or download and convert it".to_owned()
            }
            Self::Offline { .. } => {
                "check the network or HF_ENDPOINT, or download the file elsewhere and pass --from FILE"
                    .to_owned()
            }
            Self::NotCached { .. } => {
                "unset HF_HUB_OFFLINE to fetch it once, or point HF_HOME to a cache that holds it".to_owned()
            }
            Self::Other { .. } => "download the file by hand and pass --from FILE".to_owned(),
        }
    }
}

/// How to reach the hub.
#[derive(Debug, Clone, Default)]
pub struct HubOptions {
    /// The server; `HF_ENDPOINT` or huggingface.co if there is none.
    pub endpoint: Option<String>,
    /// Folder of the cache; that of `HF_HOME` if there is none.
    pub cache: Option<PathBuf>,
    /// Keep to the cache.
    pub offline: bool,
}

impl HubOptions {
    /// What the environment says.
    #[must_use]
    pub fn from_env() -> Self {
        let offline = std::env::var("HF_HUB_OFFLINE").unwrap_or_default();
        let offline = matches!(offline.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on");
        Self { endpoint: None, cache: None, offline }
    }
}

/// Fetches a data set, `OWNER/NAME` or one file of it as `OWNER/NAME:PATH`, into the local cache.
///
/// # Errors
/// See [`HubError`].
pub fn fetch(spec: &str, options: &HubOptions) -> Result<Vec<PathBuf>, HubError> {
    let (repo, path) = spec.split_once(':').map_or((spec, None), |(repo, path)| (repo, Some(path)));
    let (owner, name) = match repo.split_once('/') {
        Some((owner, name)) if !owner.is_empty() && !name.is_empty() && !name.contains('/') => (owner, name),
        _ => return Err(HubError::BadName { repo: repo.to_owned() }),
    };
    if options.offline {
        return cached(repo, path, options);
    }
    let client = client(options).map_err(|error| explain(repo, "the hub", error))?;
    let endpoint = client.endpoint().to_owned();
    let explained = |error| explain(repo, &endpoint, error);
    let client = hf_hub::HFClientSync::from_inner(client).map_err(explained)?;
    let dataset = client.dataset(owner, name);
    let paths = match path {
        Some(path) => vec![path.to_owned()],
        None => data_files(&dataset).map_err(explained)?,
    };
    if paths.is_empty() {
        return Err(HubError::NoData { repo: repo.to_owned() });
    }
    let download = |path: &String| dataset.download_file().filename(path.clone()).send().map_err(explained);
    paths.iter().map(download).collect()
}

fn client(options: &HubOptions) -> Result<HFClient, HFError> {
    const ATTEMPTS: usize = 3;
    let mut builder =
        HFClient::builder().retry_max_attempts(ATTEMPTS).retry_base_delay(Duration::from_millis(200));
    if let Some(endpoint) = &options.endpoint {
        builder = builder.endpoint(endpoint.as_str());
    }
    if let Some(cache) = &options.cache {
        builder = builder.cache_dir(cache.as_path());
    }
    builder.build()
}

fn is_data(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    path.ends_with(".parquet") || path.ends_with(".jsonl")
}

fn data_files(dataset: &HFRepositorySync<RepoTypeDataset>) -> Result<Vec<String>, HFError> {
    let entries = dataset.list_tree().recursive(true).send()?;
    let files = entries.into_iter().filter_map(|entry| match entry {
        RepoTreeEntry::File { path, .. } => Some(path),
        RepoTreeEntry::Directory { .. } => None,
    });
    let mut files: Vec<String> = files.filter(|path| is_data(path)).collect();
    files.sort_unstable();
    Ok(files)
}

/// The files of the newest snapshot in the cache: `datasets--OWNER--NAME/snapshots/REVISION/…`.
fn cached(repo: &str, path: Option<&str>, options: &HubOptions) -> Result<Vec<PathBuf>, HubError> {
    let not_cached = || HubError::NotCached { repo: repo.to_owned() };
    let client = client(options).map_err(|error| explain(repo, "the cache", error))?;
    let folder = client.cache_dir().join(format!("datasets--{}", repo.replace('/', "--")));
    let revision = std::fs::read_to_string(folder.join("refs").join("main")).map_err(|_| not_cached())?;
    let snapshot = folder.join("snapshots").join(revision.trim());
    let mut files = Vec::new();
    let mut folders = vec![snapshot.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).map_err(|_| not_cached())?.flatten() {
            let file = entry.path();
            if file.is_dir() {
                folders.push(file);
            } else if path
                .map_or_else(|| is_data(&file.to_string_lossy()), |path| file == snapshot.join(path))
            {
                files.push(file);
            }
        }
    }
    files.sort_unstable();
    if files.is_empty() { Err(not_cached()) } else { Ok(files) }
}

fn explain(repo: &str, endpoint: &str, error: HFError) -> HubError {
    let repo = repo.to_owned();
    match error {
        HFError::AuthRequired { .. } => HubError::Gated { repo, status: 401 },
        HFError::Forbidden { .. } => HubError::Gated { repo, status: 403 },
        HFError::RepoNotFound { .. } => HubError::Missing { repo, path: None },
        HFError::EntryNotFound { path, .. } | HFError::LocalEntryNotFound { path } => {
            HubError::Missing { repo, path: Some(path) }
        }
        HFError::RevisionNotFound { revision, .. } => HubError::Missing { repo, path: Some(revision) },
        HFError::Http { context } => match (context.status.as_u16(), context.error_code.as_deref()) {
            (_, Some("RepoNotFound")) | (404, _) => HubError::Missing { repo, path: None },
            (status @ (401 | 403), _) => HubError::Gated { repo, status },
            (status, _) => HubError::Other { repo, message: format!("the hub answers HTTP {status}") },
        },
        HFError::Request { source, .. } => {
            HubError::Offline { repo, endpoint: endpoint.to_owned(), message: root_cause(&source) }
        }
        other => HubError::Other { repo, message: other.to_string() },
    }
}

/// The innermost message, such as "connection refused".
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
