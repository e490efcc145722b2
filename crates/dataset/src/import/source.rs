//! One file of any format as a stream of episodes.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use lrrc_episode::Episode;

use super::format::is_parquet;
use super::openai::Sessions;
use super::rows::{Object, Rows};
use super::{Defaults, Format, arena, evidence, trajectory};
use crate::DatasetError;
use crate::error::FieldFault;
use crate::shard::{Item, ShardReader};

/// The episodes of one file in order, neither checked nor counted.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    defaults: Defaults,
    kind: Kind,
}

type ReadRow = fn(&Object, &Defaults) -> Result<Episode, FieldFault>;

#[derive(Debug)]
enum Kind {
    Shard(Box<ShardReader>),
    Rows { rows: Box<Rows>, read: ReadRow },
    Log { rows: Box<Rows>, sessions: Box<Sessions>, ready: VecDeque<Item>, ended: bool },
}

impl Source {
    /// Opens a file; without a format, the one it seems to have.
    pub(crate) fn open(
        path: &Path,
        format: Option<Format>,
        defaults: Defaults,
    ) -> Result<Self, DatasetError> {
        let format = format.map_or_else(|| Format::detect(path), Ok)?;
        let rows = |wanted: &[&str]| {
            let rows = if is_parquet(path) { Rows::parquet(path, wanted) } else { Rows::lines(path) };
            rows.map(Box::new)
        };
        let kind = match format {
            Format::Episodes => Kind::Shard(Box::new(ShardReader::open(path)?)),
            Format::Arena => Kind::Rows { rows: rows(&arena::COLUMNS)?, read: arena::episode },
            Format::Trajectory => Kind::Rows { rows: rows(&trajectory::COLUMNS)?, read: trajectory::episode },
            Format::Evidence => Kind::Rows { rows: rows(&evidence::COLUMNS)?, read: evidence::episode },
            Format::OpenAi => Kind::Log {
                rows: Box::new(Rows::lines(path)?),
                sessions: Box::new(Sessions::new(defaults.clone())),
                ready: VecDeque::new(),
                ended: false,
            },
        };
        Ok(Self { path: path.to_owned(), defaults, kind })
    }

    /// The next episode or faulty row; an error ends the file.
    pub(crate) fn next(&mut self) -> Option<Result<Item, DatasetError>> {
        match &mut self.kind {
            Kind::Shard(shard) => shard.next(),
            Kind::Rows { rows, read } => {
                let (row, object) = match rows.next(&self.path)? {
                    Ok(row) => row,
                    Err(error) => return Some(Err(error)),
                };
                Some(Ok((row, object.and_then(|object| read(&object, &self.defaults)))))
            }
            Kind::Log { rows, sessions, ready, ended } => loop {
                if let Some(item) = ready.pop_front() {
                    return Some(Ok(item));
                }
                if *ended {
                    return None;
                }
                match rows.next(&self.path) {
                    Some(Err(error)) => return Some(Err(error)),
                    Some(Ok((row, record))) => {
                        match record.and_then(|record| sessions.add(row, &record)) {
                            Ok(()) => {}
                            Err(fault) => ready.push_back((row, Err(fault))),
                        }
                        ready.extend(sessions.overflow());
                    }
                    None => {
                        *ended = true;
                        ready.extend(sessions.finish());
                    }
                }
            },
        }
    }
}
