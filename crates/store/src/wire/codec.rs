//! Frames on a stream of bytes: a length of four bytes, big end first, then MessagePack with named fields.
//!
//! Named fields cost some bytes and let a later version of either side add one.

use std::io;
use std::marker::PhantomData;

use bytes::{BufMut, BytesMut};
use serde::{Serialize, de::DeserializeOwned};
use tokio_util::codec::length_delimited::LengthDelimitedCodec;
use tokio_util::codec::{Decoder, Encoder};

/// Longest frame that goes from a home to an agent. A home takes frames of its own, lower bound; what it has taken under a
/// higher one, or in an earlier run, it still gives.
pub(crate) const FRAME_BYTES_MAX: usize = 1 << 30;

/// Length of a length.
const LENGTH_BYTES: usize = 4;

/// Why bytes are no frame.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// Bytes that say something else.
    #[error("a frame of {len} bytes cannot be read: {source}")]
    Read {
        /// Length of the frame.
        len: usize,
        /// What is wrong with it.
        source: rmp_serde::decode::Error,
    },
    /// A value that MessagePack cannot carry.
    #[error("a frame cannot be written: {0}")]
    Write(#[from] rmp_serde::encode::Error),
    /// The stream, or a frame that is too long.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Frames of type `In` from the stream, and of type `Out` to it.
#[derive(Debug)]
pub struct Frames<In, Out> {
    framing: LengthDelimitedCodec,
    types: PhantomData<(In, Out)>,
}

impl<In, Out> Frames<In, Out> {
    /// Takes and gives frames of at most `frame_bytes_max`.
    #[must_use]
    pub fn new(frame_bytes_max: usize) -> Self {
        let framing = LengthDelimitedCodec::builder().max_frame_length(frame_bytes_max).new_codec();
        Self { framing, types: PhantomData }
    }
}

impl<In: DeserializeOwned, Out> Decoder for Frames<In, Out> {
    type Item = In;
    type Error = CodecError;

    fn decode(&mut self, bytes: &mut BytesMut) -> Result<Option<In>, CodecError> {
        let Some(frame) = self.framing.decode(bytes)? else { return Ok(None) };
        rmp_serde::from_slice(&frame)
            .map(Some)
            .map_err(|source| CodecError::Read { len: frame.len(), source })
    }
}

impl<In, Out: Serialize> Encoder<Out> for Frames<In, Out> {
    type Error = CodecError;

    fn encode(&mut self, frame: Out, bytes: &mut BytesMut) -> Result<(), CodecError> {
        encode(&frame, self.framing.max_frame_length(), bytes)
    }
}

/// Lays a frame of at most `frame_bytes_max` behind what is in `bytes`.
pub(crate) fn encode(
    frame: &impl Serialize,
    frame_bytes_max: usize,
    bytes: &mut BytesMut,
) -> Result<(), CodecError> {
    let start = bytes.len();
    bytes.put_u32(0);
    let mut to = bytes.writer();
    rmp_serde::encode::write_named(&mut to, frame)?;
    let bytes = to.into_inner();
    let length = bytes.len() - start - LENGTH_BYTES;
    match u32::try_from(length) {
        Ok(word) if length <= frame_bytes_max => {
            bytes[start..start + LENGTH_BYTES].copy_from_slice(&word.to_be_bytes());
            Ok(())
        }
        _ => {
            bytes.truncate(start);
            let why = format!("a frame of {length} bytes, and at most {frame_bytes_max} are sent");
            Err(io::Error::new(io::ErrorKind::InvalidInput, why).into())
        }
    }
}
