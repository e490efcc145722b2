//! Where the frames of a session go: to a task of this process, or on a wire.
//!
//! The home puts short frames on the wire itself, where the system takes them at once. What does not go at once, and what
//! is long, goes to the connection's own task, and every later frame behind it, so that frames keep their order. The task
//! may share the home's thread, so another one encodes what is long.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Buf, BytesMut};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::spawn_blocking;

use super::listen::WriteHalf;
use crate::wire::codec::{FRAME_BYTES_MAX, encode};
use crate::wire::{Answer, Body, FromHome, Piece, Says};

/// Longest content in a frame that the home's thread encodes, in bytes.
const SHORT_BYTES_MAX: usize = 64 << 10;

/// Contents that nobody asked for and that wait for one wire, in bytes. Beyond that a push becomes a signal, and the agent
/// asks for what it wants: one that stands still would fill the memory with versions.
const PUSHED_BYTES_MAX: usize = 16 << 20;

/// The home's end of a session.
#[derive(Debug)]
pub(super) enum Outbox {
    /// To a client of this process.
    Local(mpsc::Sender<FromHome>),
    /// To a client of another.
    Remote { wire: Arc<Wire>, packets: mpsc::Sender<Packet> },
}

/// What the connection's task writes.
#[derive(Debug)]
pub(super) enum Packet {
    Frame(FromHome),
    /// The end of a frame whose beginning is written.
    Rest(BytesMut),
    /// The leave for one more request, when all before it is written.
    Permit(OwnedSemaphorePermit),
}

/// A wire that the home and the connection's task write to.
#[derive(Debug)]
pub(super) struct Wire {
    half: WriteHalf,
    /// Packets that the task has not written; while there are any, it alone writes.
    queued: AtomicUsize,
    /// Bytes of content in pushes among them.
    pushed_bytes: AtomicUsize,
}

impl Wire {
    pub(super) fn new(half: WriteHalf) -> Arc<Self> {
        Arc::new(Self { half, queued: AtomicUsize::new(0), pushed_bytes: AtomicUsize::new(0) })
    }

    /// Writes a frame out of turn, the last one: from here on no other thread writes.
    pub(super) async fn last(&self, frame: &FromHome) -> io::Result<()> {
        self.queued.fetch_add(1, Ordering::AcqRel);
        self.all(Self::frame(frame)?).await
    }

    /// Writes what the home's thread has left to this task, until the session is over.
    pub(super) async fn drain(&self, mut packets: mpsc::Receiver<Packet>) -> io::Result<()> {
        while let Some(packet) = packets.recv().await {
            let pushed_bytes = packet.pushed_bytes();
            let bytes = match packet {
                Packet::Frame(frame) if is_short(&frame.says) => Self::frame(&frame)?,
                Packet::Frame(frame) => spawn_blocking(move || Self::frame(&frame)).await??,
                Packet::Rest(bytes) => bytes,
                Packet::Permit(permit) => {
                    drop(permit);
                    BytesMut::new()
                }
            };
            self.all(bytes).await?;
            self.pushed_bytes.fetch_sub(pushed_bytes, Ordering::AcqRel);
            self.queued.fetch_sub(1, Ordering::AcqRel);
        }
        Ok(())
    }

    fn frame(frame: &FromHome) -> io::Result<BytesMut> {
        let mut bytes = BytesMut::new();
        encode(frame, FRAME_BYTES_MAX, &mut bytes).map_err(io::Error::other)?;
        Ok(bytes)
    }

    async fn all(&self, mut bytes: BytesMut) -> io::Result<()> {
        while !bytes.is_empty() {
            self.half.writable().await?;
            self.put(&mut bytes)?;
        }
        Ok(())
    }

    /// A push that would make too much wait, as a signal.
    fn affordable(&self, frame: FromHome) -> FromHome {
        let waiting = self.pushed_bytes.load(Ordering::Acquire);
        match frame.says {
            Says::Pushed { name, mark, read, .. }
                if waiting > 0 && waiting + body_bytes(&read.body) > PUSHED_BYTES_MAX =>
            {
                FromHome { says: Says::Invalidate { name, mark }, ..frame }
            }
            says => FromHome { says, ..frame },
        }
    }

    /// Writes what the system takes at once.
    fn put(&self, bytes: &mut BytesMut) -> io::Result<()> {
        match self.half.try_write(bytes) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes.advance(written);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Packet {
    fn pushed_bytes(&self) -> usize {
        match self {
            Self::Frame(FromHome { says: Says::Pushed { read, .. }, .. }) => body_bytes(&read.body),
            _ => 0,
        }
    }
}

impl Outbox {
    /// Sends a frame without waiting; false where the session cannot take it, and is over.
    pub(super) fn send(&self, frame: FromHome) -> bool {
        match self {
            Self::Local(frames) => frames.try_send(frame).is_ok(),
            Self::Remote { wire, packets } => {
                let packet = if wire.queued.load(Ordering::Acquire) == 0 && is_short(&frame.says) {
                    let Ok(mut bytes) = Wire::frame(&frame) else { return false };
                    match wire.put(&mut bytes) {
                        Ok(()) if bytes.is_empty() => return true,
                        Ok(()) => Packet::Rest(bytes),
                        Err(_) => return false,
                    }
                } else {
                    Packet::Frame(wire.affordable(frame))
                };
                wire.pushed_bytes.fetch_add(packet.pushed_bytes(), Ordering::AcqRel);
                wire.queued.fetch_add(1, Ordering::AcqRel);
                packets.try_send(packet).is_ok()
            }
        }
    }
}

impl Outbox {
    /// Lets the session ask once more when what was said to it so far is written: one that asks and does not take the
    /// answers would fill the memory with them.
    pub(super) fn release(&self, permit: OwnedSemaphorePermit) {
        if let Self::Remote { wire, packets } = self
            && wire.queued.load(Ordering::Acquire) > 0
        {
            wire.queued.fetch_add(1, Ordering::AcqRel);
            // A full queue ends the session with the next frame.
            let _ = packets.try_send(Packet::Permit(permit));
        }
    }
}

/// Whether a frame is encoded in no time.
fn is_short(says: &Says) -> bool {
    let content_bytes = match says {
        Says::Pushed { read, .. } => body_bytes(&read.body),
        Says::Answer { outcome: Ok(Answer::Read(read)), .. } => body_bytes(&read.body),
        Says::Answer { outcome: Ok(Answer::Old { bytes, .. }), .. } => bytes.len(),
        Says::Answer {
            outcome: Ok(Answer::Listed { .. } | Answer::History(_) | Answer::Verified(_)),
            ..
        } => {
            return false;
        }
        _ => 0,
    };
    content_bytes <= SHORT_BYTES_MAX
}

fn body_bytes(body: &Body) -> usize {
    match body {
        Body::Same => 0,
        Body::Whole(bytes) => bytes.len(),
        Body::Delta { pieces, .. } => {
            let inserted = pieces.iter().map(|piece| match piece {
                Piece::Insert(bytes) => bytes.len(),
                Piece::Keep { .. } => 0,
            });
            inserted.sum()
        }
        Body::Sections(slices) => {
            slices.iter().filter_map(|slice| slice.bytes.as_ref()).map(bytes::Bytes::len).sum()
        }
    }
}
