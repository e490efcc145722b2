//! Frames on a stream of bytes: a length of four bytes, big end first, then MessagePack with named fields.
//!
//! Named fields cost some bytes and let a later version of either side add one.

use std::io;
use std::marker::PhantomData;

use bytes::{Bytes, BytesMut};
use serde::{Serialize, de::DeserializeOwned};
use tokio_util::codec::length_delimited::LengthDelimitedCodec;
use tokio_util::codec::{Decoder, Encoder};

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
        Ok(self.framing.encode(Bytes::from(rmp_serde::to_vec_named(&frame)?), bytes)?)
    }
}
