//! A home that other processes reach: listens, frames, and gives each connection a session.

pub(crate) mod listen;
mod outbox;
pub(crate) mod owner;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::runtime;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::codec::FramedRead;

use crate::backend::Backend;
use crate::clock::Clock;
use crate::error::{Refusal, ServeError};
use crate::home::Home;
use crate::wire::codec::Frames;
use crate::wire::{FromHome, Says, ToHome};

use listen::{Listener, ReadHalf, Stream};
use outbox::{Outbox, Packet, Wire};
use owner::{Handle, Owner, Post};

/// Time for the first frame of a connection.
const HELLO_WITHIN: Duration = Duration::from_secs(5);

/// Time for the last frame of a connection.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// Serves `home` at `listener` until `shutdown` is over; then ends every session. What was acknowledged is durable
/// whether or not this function ever returns; dropping its future ends the sessions too.
///
/// # Errors
/// [`ServeError::Failed`] where the storage below failed so that it has to be opened again.
pub async fn serve<B: Backend + 'static>(
    home: Home<B>,
    clock: Clock,
    listener: Listener,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let elsewhere = home.is_far().then(runtime::Handle::current);
    let mut owner = Owner::spawn_beside(home, clock, elsewhere);
    let handle = owner.handle();
    let ends = async {
        tokio::select! {
            () = shutdown => {}
            () = owner.ended() => {}
        }
    };
    accept(&handle, &listener, ends).await;
    drop(listener);
    let stopped = tokio::task::spawn_blocking(|| owner.stop()).await;
    stopped.unwrap_or_else(|error| Err(ServeError::Failed { why: error.to_string() }))
}

/// Takes connections until `shutdown`.
async fn accept(handle: &Handle, listener: &Listener, shutdown: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(handle.limits().sessions_max));
    tokio::pin!(shutdown);
    loop {
        let stream = tokio::select! {
            () = &mut shutdown => return,
            accepted = listener.accept() => accepted,
        };
        let Ok(stream) = stream.and_then(Stream::leave) else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let place = Arc::clone(&places).try_acquire_owned();
        let own = handle.clone();
        handle.spawn(async move {
            let Ok(stream) = stream.enter() else { return };
            if let Ok(_place) = place {
                connection(&own, stream).await;
            } else {
                let limit = own.limits().sessions_max as u64;
                let why = Refusal::TooMany { what: "sessions".into(), found: limit + 1, limit };
                goodbye(&Connection::new(stream, &own).wire, why).await;
            }
        });
    }
}

struct Connection {
    source: Source,
    wire: Arc<Wire>,
}

type Source = FramedRead<ReadHalf, Frames<ToHome, FromHome>>;

impl Connection {
    fn new(stream: Stream, handle: &Handle) -> Self {
        let (reader, writer) = stream.into_halves();
        let frame_bytes_max = handle.limits().frame_bytes_max();
        Self { source: FramedRead::new(reader, Frames::new(frame_bytes_max)), wire: Wire::new(writer) }
    }

    async fn next(&mut self) -> Result<Option<ToHome>, Refusal> {
        let next = self.source.next().await.transpose();
        next.map_err(|error| Refusal::Protocol { message: error.to_string() })
    }
}

/// One connection from its first frame to its end.
async fn connection(handle: &Handle, stream: Stream) {
    let mut connection = Connection::new(stream, handle);
    let hello = tokio::time::timeout(HELLO_WITHIN, connection.next()).await;
    let (packets, rest) = mpsc::channel(handle.limits().outbox_max);
    let outbox = Outbox::Remote { wire: Arc::clone(&connection.wire), packets };
    let joined = match hello {
        Ok(Ok(Some(ToHome::Hello { protocol }))) => handle.admit(protocol, outbox).await,
        Ok(Ok(Some(_))) => Err(Refusal::Protocol { message: "the first frame is not a hello".into() }),
        Ok(Err(refusal)) => Err(refusal),
        Ok(Ok(None)) => return,
        Err(_) => Err(Refusal::SessionOver { why: "no hello within five seconds".into() }),
    };
    match joined {
        Ok(post) => converse(post, rest, connection).await,
        Err(why) => goodbye(&connection.wire, why).await,
    }
}

/// Pumps both directions until either ends. The session ends with its post, whatever ended it.
async fn converse(post: Post, rest: mpsc::Receiver<Packet>, mut connection: Connection) {
    let wire = Arc::clone(&connection.wire);
    let reading = async {
        loop {
            match connection.next().await {
                Ok(Some(frame)) => {
                    if post.send(frame).await.is_err() {
                        return None;
                    }
                }
                Ok(None) => return None,
                Err(refusal) => return Some(refusal),
            }
        }
    };
    let ended = tokio::select! {
        refusal = reading => refusal,
        _ = wire.drain(rest) => None,
    };
    drop(post);
    if let Some(why) = ended {
        goodbye(&wire, why).await;
    }
}

/// Says why and closes. A number of 0 stands outside the session's count.
async fn goodbye(wire: &Wire, why: Refusal) {
    let last = FromHome { seq: 0, says: Says::Goodbye { why } };
    // A peer that does not take its last frame does without it.
    let _ = tokio::time::timeout(GOODBYE_WITHIN, wire.last(&last)).await;
}
