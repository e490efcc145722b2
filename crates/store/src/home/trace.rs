//! One line an action, as the specification names it; `lrrc_coherence::trace` replays them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use lrrc_coherence::trace::{Action, TraceLine, What};
use lrrc_coherence::{AgentId, Conflict, Event, Line, Millis, Record};

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

    fn write(&mut self, line: &TraceLine) {
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
        before: Option<&Record>,
        after: Option<&Record>,
        conflict: Option<&Conflict>,
        now: Millis,
    ) {
        let Some(trace) = &mut self.trace else { return };
        let line = |record: Option<&Record>| {
            event.agent().zip(record).map_or(Line::Invalid, |(agent, record)| record.line(agent))
        };
        trace.write(&TraceLine {
            action: action(event),
            agent: event.agent(),
            at: now,
            what: What::Step { artifact: name.as_str().to_owned(), event: event.clone() },
            version: after.map(|record| record.ledger().current.version),
            generation: after.map(|record| record.ledger().generation),
            before: line(before),
            after: line(after),
            conflict: conflict.cloned(),
        });
    }

    /// Writes down a commit of several.
    pub(super) fn note_all(
        &mut self,
        agent: AgentId,
        names: &[&Name],
        writes: &[lrrc_coherence::Write],
        lines: [Line; 2],
        conflict: Option<&Conflict>,
        now: Millis,
    ) {
        let Some(trace) = &mut self.trace else { return };
        let members = names.iter().map(|name| name.as_str().to_owned()).zip(writes.iter().cloned()).collect();
        trace.write(&TraceLine {
            action: Action::CommitAll,
            agent: Some(agent),
            at: now,
            what: What::All { agent, members },
            version: None,
            generation: None,
            before: lines[0],
            after: lines[1],
            conflict: conflict.cloned(),
        });
    }
}

fn action(event: &Event) -> Action {
    match event {
        Event::Create { .. } => Action::Create,
        Event::Read { .. } => Action::Read,
        Event::Hit { .. } => Action::ReadHit,
        Event::Acquire { .. } => Action::Acquire,
        Event::Commit { .. } => Action::Commit,
        Event::CommitCas { .. } => Action::CommitCas,
        Event::Renew { .. } => Action::Renew,
        Event::Release { .. } => Action::Release,
        Event::AgentLost { .. } => Action::AgentLost,
        Event::LeaseOver => Action::LeaseOver,
        Event::Delete { .. } => Action::Delete,
        Event::Observed { .. } => Action::Observe,
    }
}
