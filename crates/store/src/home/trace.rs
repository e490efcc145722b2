//! One line an action, as the specification names it; `lrrc_coherence::trace` replays them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use lrrc_coherence::trace::{FORMAT, Header, TraceLine};
use lrrc_coherence::{AgentId, Conflict, Event, Millis, Outcome, Record, Rules};
use serde::Serialize;

use super::Home;
use crate::error::ServeError;
use crate::name::Name;

/// Where a home writes down its actions, one JSON object a line.
pub struct Trace {
    out: Box<dyn Write + Send>,
    fault: Option<io::Error>,
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Trace").field("fault", &self.fault).finish_non_exhaustive()
    }
}

impl Trace {
    /// A trace into `out`, which is flushed after each line.
    #[must_use]
    pub fn to(out: impl Write + Send + 'static) -> Self {
        Self { out: Box::new(out), fault: None }
    }

    /// A trace into a new file.
    ///
    /// # Errors
    /// [`ServeError::Trace`] where the file exists or cannot be made.
    pub fn create(path: &Path) -> Result<Self, ServeError> {
        let file = File::create_new(path)
            .map_err(|source| ServeError::Trace { path: path.display().to_string(), source })?;
        Ok(Self::to(BufWriter::new(file)))
    }

    /// Why the trace stops short, if it does. A home whose trace fails goes on without it.
    #[must_use]
    pub fn fault(&self) -> Option<&io::Error> {
        self.fault.as_ref()
    }

    /// Begins the trace: the first line says under which rules the home decides.
    pub(super) fn begin(&mut self, rules: &Rules) {
        self.write(&Header { coherence_trace: FORMAT, rules: rules.clone() });
    }

    fn write(&mut self, line: &impl Serialize) {
        if self.fault.is_some() {
            return;
        }
        let written = serde_json::to_vec(line).map_err(io::Error::from).and_then(|mut bytes| {
            bytes.push(b'\n');
            self.out.write_all(&bytes)?;
            self.out.flush()
        });
        self.fault = written.err();
    }
}

impl<B> Home<B> {
    /// The trace, if there is one.
    #[must_use]
    pub fn trace(&self) -> Option<&Trace> {
        self.trace.as_ref()
    }

    /// Writes down one event on one artifact.
    pub(super) fn note(
        &mut self,
        name: &Name,
        event: &Event,
        records: [Option<&Record>; 2],
        result: &Result<Outcome, Conflict>,
        now: Millis,
    ) {
        let Some(trace) = &mut self.trace else { return };
        let [before, after] = records;
        trace.write(&TraceLine::of_step(name, event, now, before, result, after));
    }

    /// Writes down a commit of several.
    pub(super) fn note_all(
        &mut self,
        agent: AgentId,
        members: impl IntoIterator<Item = (Name, lrrc_coherence::Write)>,
        refused: Option<&Conflict>,
        now: Millis,
    ) {
        let Some(trace) = &mut self.trace else { return };
        let members = members.into_iter().map(|(name, write)| (name.into(), write)).collect();
        trace.write(&TraceLine::of_all(agent, members, now, refused.cloned()));
    }
}
