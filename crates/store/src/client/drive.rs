//! Carries the agent's frames: connects, reconnects, and hands out what happened.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::time::{Instant, sleep};
use tokio_util::codec::{FramedRead, FramedWrite};

use super::{Shared, State};
use crate::address::Address;
use crate::agent::Happened;
use crate::daemon::listen::{ReadHalf, Stream, WriteHalf};
use crate::daemon::owner::{Handle, Session};
use crate::error::StoreError;
use crate::wire::codec::{FRAME_BYTES_MAX, Frames};
use crate::wire::{FromHome, PROTOCOL, ToHome};

/// Between two attempts to connect; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Where the home is.
#[derive(Debug)]
pub(super) enum Connector {
    Remote(Address),
    Local(Handle),
}

/// A connection.
#[expect(clippy::large_enum_variant, reason = "there is one for each client")]
enum Wire {
    Remote { source: Source, sink: Sink },
    Local(Session),
}

type Source = FramedRead<ReadHalf, Frames<FromHome, ToHome>>;
type Sink = FramedWrite<WriteHalf, Frames<FromHome, ToHome>>;

/// What the driver does until the last client is gone.
pub(super) async fn drive(shared: Arc<Shared>, connector: Connector, connect_within: Duration) {
    let (mut pause, mut down_since) = (PAUSE_MIN, Instant::now());
    while !shared.lock().is_closed {
        let why = match connector.connect().await {
            Ok(mut wire) => {
                shared.lock().agent.connected(shared.clock.now());
                let (why, has_stood) = converse(&shared, &mut wire).await;
                if has_stood {
                    (pause, down_since) = (PAUSE_MIN, Instant::now());
                }
                shared.lock().agent.disconnected();
                hand_out(&mut shared.lock());
                why
            }
            Err(why) => why,
        };
        if down_since.elapsed() >= connect_within {
            let mut state = shared.lock();
            state.agent.give_up(&StoreError::Unreachable { place: connector.place(), why });
            hand_out(&mut state);
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = shared.wake.notified() => sleep(PAUSE_MIN).await,
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
    let mut state = shared.lock();
    state.waiting.clear();
    state.watchers.values().for_each(super::Watcher::wake);
}

impl Connector {
    async fn connect(&self) -> Result<Wire, String> {
        match self {
            Self::Remote(place) => {
                let stream = Stream::connect(place).await.map_err(|error| error.to_string())?;
                let (reader, writer) = stream.into_halves();
                Ok(Wire::Remote {
                    source: FramedRead::new(reader, Frames::new(FRAME_BYTES_MAX)),
                    sink: FramedWrite::new(writer, Frames::new(FRAME_BYTES_MAX)),
                })
            }
            Self::Local(handle) => {
                handle.join(PROTOCOL).await.map(Wire::Local).map_err(|refusal| refusal.to_string())
            }
        }
    }

    fn place(&self) -> String {
        match self {
            Self::Remote(place) => place.to_string(),
            Self::Local(_) => "this process".to_owned(),
        }
    }
}

/// One connection to its end. Returns why it ended, and whether a session stood.
async fn converse(shared: &Shared, wire: &mut Wire) -> (String, bool) {
    let mut has_stood = false;
    loop {
        if let Err(why) = wire.send(shared).await {
            return (why, has_stood);
        }
        let next_tick = {
            let state = shared.lock();
            if state.is_closed {
                return ("the client is closed".into(), has_stood);
            }
            state.agent.next_tick().since(shared.clock.now()).clamp(1, 1000)
        };
        let frame = tokio::select! {
            frame = wire.next() => match frame {
                Ok(frame) => Some(frame),
                Err(why) => return (why, has_stood),
            },
            () = shared.wake.notified() => None,
            () = sleep(Duration::from_millis(next_tick)) => None,
        };
        // What a frame brings is handed out under the lock that took it in: no caller can leave in between.
        let mut state = shared.lock();
        if let Some(frame) = frame {
            state.agent.receive(frame, shared.clock.now());
        }
        state.agent.tick(shared.clock.now());
        has_stood |= state.agent.id().is_some();
        if let Some(why) = hand_out(&mut state) {
            return (why, has_stood);
        }
    }
}

impl Wire {
    /// Sends every frame that waits.
    async fn send(&mut self, shared: &Shared) -> Result<(), String> {
        let mut has_sent = false;
        loop {
            let Some(frame) = shared.lock().agent.poll_frame() else { break };
            has_sent = true;
            match self {
                Self::Remote { sink, .. } => {
                    sink.feed(frame).await.map_err(|error| error.to_string())?;
                }
                // The handle has joined already.
                Self::Local(_) if matches!(frame, ToHome::Hello { .. }) => {}
                Self::Local(session) => session.post.send(frame).await.map_err(|error| error.to_string())?,
            }
        }
        if let (Self::Remote { sink, .. }, true) = (self, has_sent) {
            sink.flush().await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// The next frame. Dropping the future loses nothing.
    async fn next(&mut self) -> Result<FromHome, String> {
        match self {
            Self::Remote { source, .. } => match source.next().await {
                Some(Ok(frame)) => Ok(frame),
                Some(Err(error)) => Err(error.to_string()),
                None => Err("the store closed the connection".into()),
            },
            Self::Local(session) => {
                let frame = session.inbox.recv().await;
                frame.ok_or_else(|| "the home has ended the session".into())
            }
        }
    }
}

/// Hands out what happened; a reason if the connection has to go.
pub(super) fn hand_out(state: &mut State) -> Option<String> {
    let mut end = None;
    while let Some(happened) = state.agent.poll_happened() {
        match happened {
            Happened::Done(ticket, outcome) => {
                if let Some(waiter) = state.waiting.remove(&ticket) {
                    // A caller who is gone has taken its waiter along.
                    let _ = waiter.done.send(outcome);
                }
            }
            Happened::Waits(ticket, place) => {
                if let Some(places) = state.waiting.get(&ticket).and_then(|waiter| waiter.places.as_ref()) {
                    let _ = places.send(place);
                }
            }
            Happened::Changed(changed) => state.changed(&changed),
            Happened::WatchGap(prefix) => state.gap(&prefix),
            Happened::Down(why) => end = Some(why.to_string()),
            Happened::Up(_) | Happened::Invalidated(..) => {}
        }
    }
    end
}
