//! A home that other processes reach: listens, frames, and gives each connection a session.

pub(crate) mod listen;
pub(crate) mod owner;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::codec::{FramedRead, FramedWrite};

use crate::backend::Backend;
use crate::clock::Clock;
use crate::error::{Refusal, ServeError};
use crate::home::Home;
use crate::wire::codec::Frames;
use crate::wire::{FromHome, Says, ToHome};

use listen::{Listener, Stream};
use owner::{Handle, Owner, Session};

/// Time for the first frame of a connection.
const HELLO_WITHIN: Duration = Duration::from_secs(5);

/// Time for the last frame of a connection.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// Serves `home` at `listener` until `shutdown` is over; then ends every session. What was acknowledged is durable
/// whether or not this function ever returns.
///
/// # Errors
/// [`ServeError::Failed`] where the storage below failed so that it has to be opened again.
pub async fn serve<B: Backend + 'static>(
    home: Home<B>,
    clock: Clock,
    listener: Listener,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let mut owner = Owner::spawn(home, clock);
    let handle = owner.handle();
    let ends = async {
        tokio::select! {
            () = shutdown => {}
            () = owner.ended() => {}
        }
    };
    let mut connections = accept(&handle, &listener, ends).await;
    drop(listener);
    let stopped = tokio::task::spawn_blocking(|| owner.stop()).await;
    let last_words = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(GOODBYE_WITHIN, last_words).await;
    stopped.unwrap_or_else(|error| Err(ServeError::Failed { why: error.to_string() }))
}

/// Takes connections until `shutdown`; returns those that stand.
async fn accept(handle: &Handle, listener: &Listener, shutdown: impl Future<Output = ()>) -> JoinSet<()> {
    let places = Arc::new(Semaphore::new(handle.limits().sessions_max));
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        let stream = tokio::select! {
            () = &mut shutdown => return connections,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok(stream) = stream else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let handle = handle.clone();
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => {
                connections.spawn(async move {
                    connection(&handle, stream).await;
                    drop(place);
                });
            }
            Err(_) => {
                connections.spawn(async move {
                    let limit = handle.limits().sessions_max as u64;
                    let why = Refusal::TooMany { what: "sessions".into(), found: limit + 1, limit };
                    goodbye(&mut Connection::new(stream, &handle).sink, why).await;
                });
            }
        }
    }
}

struct Connection {
    source: Source,
    sink: Sink,
}

type Source = FramedRead<ReadHalf<Stream>, Frames<ToHome, FromHome>>;
type Sink = FramedWrite<WriteHalf<Stream>, Frames<ToHome, FromHome>>;

impl Connection {
    fn new(stream: Stream, handle: &Handle) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let frame_bytes_max = handle.limits().frame_bytes_max();
        Self {
            source: FramedRead::new(reader, Frames::new(frame_bytes_max)),
            sink: FramedWrite::new(writer, Frames::new(frame_bytes_max)),
        }
    }

    async fn next(&mut self) -> Result<Option<ToHome>, Refusal> {
        next(&mut self.source).await
    }
}

async fn next(source: &mut Source) -> Result<Option<ToHome>, Refusal> {
    let next = source.next().await.transpose();
    next.map_err(|error| Refusal::Protocol { message: error.to_string() })
}

/// One connection from its first frame to its end.
async fn connection(handle: &Handle, stream: Stream) {
    let mut connection = Connection::new(stream, handle);
    let hello = tokio::time::timeout(HELLO_WITHIN, connection.next()).await;
    let joined = match hello {
        Ok(Ok(Some(ToHome::Hello { protocol }))) => handle.join(protocol).await,
        Ok(Ok(Some(_))) => Err(Refusal::Protocol { message: "the first frame is not a hello".into() }),
        Ok(Err(refusal)) => Err(refusal),
        Ok(Ok(None)) => return,
        Err(_) => Err(Refusal::SessionOver { why: "no hello within five seconds".into() }),
    };
    match joined {
        Ok(session) => converse(session, connection).await,
        Err(why) => goodbye(&mut connection.sink, why).await,
    }
}

/// Pumps both directions until either ends. The session ends with its post, whatever ended it.
async fn converse(session: Session, connection: Connection) {
    let Session { post, inbox } = session;
    let Connection { mut source, mut sink } = connection;
    let reading = async {
        loop {
            match next(&mut source).await {
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
    let ended = {
        let writing = write(inbox, &mut sink);
        tokio::select! {
            refusal = reading => refusal,
            () = writing => None,
        }
    };
    drop(post);
    if let Some(why) = ended {
        goodbye(&mut sink, why).await;
    }
}

/// Writes what the home says; frames that lie ready are flushed together.
async fn write(mut inbox: mpsc::Receiver<FromHome>, sink: &mut Sink) {
    while let Some(frame) = inbox.recv().await {
        let mut next = Some(frame);
        while let Some(frame) = next {
            if sink.feed(frame).await.is_err() {
                return;
            }
            next = inbox.try_recv().ok();
        }
        if sink.flush().await.is_err() {
            return;
        }
    }
    let _ = sink.close().await;
}

/// Says why and closes. A number of 0 stands outside the session's count.
async fn goodbye(sink: &mut Sink, why: Refusal) {
    let last = FromHome { seq: 0, says: Says::Goodbye { why } };
    let _ = tokio::time::timeout(GOODBYE_WITHIN, async {
        let _ = sink.send(last).await;
        let _ = sink.close().await;
    })
    .await;
}
