//! How a record lies in the backend.
//!
//! A commit writes the whole ledger, history and all, so its bytes are laid down without a walk through names: fixed
//! fields, big end first. The first byte is the format; format 1, MessagePack with named fields, is read as well.

use bytes::{Buf, BufMut, Bytes, TryGetError};
use lrrc_coherence::{
    AgentId, Claim, Digest, Edition, Generation, Incarnation, Ledger, Millis, Section, Version,
};
use serde::Deserialize;

use crate::error::Refusal;
use crate::wire::Divide;

const FORMAT: u8 = 2;
const FORMAT_NAMED: u8 = 1;

/// Version, digest, size, tokens, writer, time.
const EDITION_BYTES: usize = 8 + 32 + 8 + 4 + 4 + 8;

/// What lies in the backend under an artifact's key.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Stored {
    pub(super) ledger: Ledger,
    pub(super) divide: Divide,
}

/// The bytes of a record.
pub(super) fn encode(ledger: &Ledger, divide: Divide) -> Bytes {
    let mut to =
        Vec::with_capacity(96 + EDITION_BYTES * (1 + ledger.past.len()) + 96 * ledger.sections.len());
    to.put_u8(FORMAT);
    to.put_u8(match divide {
        Divide::ByName => 0,
        Divide::Whole => 1,
        Divide::Headings => 2,
        Divide::Pointers => 3,
    });
    to.put_u64(ledger.incarnation.0);
    to.put_u64(ledger.generation.0);
    put_edition(&mut to, &ledger.current);
    to.put_u64(ledger.past.len() as u64);
    for edition in &ledger.past {
        put_edition(&mut to, edition);
    }
    to.put_u64(ledger.sections.len() as u64);
    for Section { name, digest, changed_at } in &ledger.sections {
        to.put_u64(name.len() as u64);
        to.put_slice(name.as_bytes());
        to.put_slice(&digest.0);
        to.put_u64(changed_at.0);
    }
    to.put_u8(u8::from(ledger.claim.is_some()));
    if let Some(Claim { agent, since, expires, lease_ms }) = ledger.claim {
        to.put_u32(agent.0);
        [since.0, expires.0, lease_ms].into_iter().for_each(|word| to.put_u64(word));
    }
    to.into()
}

fn put_edition(to: &mut Vec<u8>, edition: &Edition) {
    let Edition { version, digest, size_bytes, tokens, writer, at } = edition;
    to.put_u64(version.0);
    to.put_slice(&digest.0);
    to.put_u64(*size_bytes);
    to.put_u32(*tokens);
    to.put_u32(writer.0);
    to.put_u64(at.0);
}

impl Stored {
    /// Reads a record.
    pub(super) fn decode(key: &str, bytes: &[u8]) -> Result<Self, Refusal> {
        let bad = |why: String| Refusal::Storage { message: format!("record {key:?} {why}") };
        match bytes.split_first() {
            Some((&FORMAT, rest)) => fields(rest).map_err(|why| bad(format!("cannot be read: {why}"))),
            Some((&FORMAT_NAMED, rest)) => {
                rmp_serde::from_slice(rest).map_err(|error| bad(format!("cannot be read: {error}")))
            }
            Some((format, _)) => {
                Err(bad(format!("has format {format}, and this program reads up to {FORMAT}")))
            }
            None => Err(bad("is empty".into())),
        }
    }
}

/// The ledger in a record as a backend holds it under the key of an artifact: for those who follow a backend beside its homes.
///
/// # Errors
/// [`Refusal::Storage`] with the key where the bytes are no record of a known format.
pub fn ledger_of(key: &str, record: &[u8]) -> Result<Ledger, Refusal> {
    Stored::decode(key, record).map(|stored| stored.ledger)
}

/// Why the fields of a record are none.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error("it ends early: {0}")]
    Short(#[from] TryGetError),
    #[error("it says {0}, which nothing is")]
    Word(u64),
    #[error("a name in it is no text")]
    Text(#[from] std::string::FromUtf8Error),
    #[error("{0} bytes follow it")]
    Long(usize),
}

fn fields(mut from: &[u8]) -> Result<Stored, Unread> {
    let from = &mut from;
    let divide = match from.try_get_u8()? {
        0 => Divide::ByName,
        1 => Divide::Whole,
        2 => Divide::Headings,
        3 => Divide::Pointers,
        other => return Err(Unread::Word(other.into())),
    };
    let (incarnation, generation) = (Incarnation(from.try_get_u64()?), Generation(from.try_get_u64()?));
    let current = edition(from)?;
    let past = (0..from.try_get_u64()?).map(|_| edition(from)).collect::<Result<_, _>>()?;
    let sections = (0..from.try_get_u64()?).map(|_| section(from)).collect::<Result<_, _>>()?;
    let claim = match from.try_get_u8()? {
        0 => None,
        1 => Some(Claim {
            agent: AgentId(from.try_get_u32()?),
            since: Millis(from.try_get_u64()?),
            expires: Millis(from.try_get_u64()?),
            lease_ms: from.try_get_u64()?,
        }),
        other => return Err(Unread::Word(other.into())),
    };
    if from.has_remaining() {
        return Err(Unread::Long(from.remaining()));
    }
    Ok(Stored { ledger: Ledger { incarnation, generation, current, past, sections, claim }, divide })
}

fn edition(from: &mut &[u8]) -> Result<Edition, Unread> {
    Ok(Edition {
        version: Version(from.try_get_u64()?),
        digest: digest(from)?,
        size_bytes: from.try_get_u64()?,
        tokens: from.try_get_u32()?,
        writer: AgentId(from.try_get_u32()?),
        at: Millis(from.try_get_u64()?),
    })
}

fn section(from: &mut &[u8]) -> Result<Section, Unread> {
    let length = from.try_get_u64()?;
    let available = from.remaining();
    let length =
        usize::try_from(length).ok().filter(|length| *length <= available).ok_or(Unread::Word(length))?;
    let mut name = vec![0; length];
    from.try_copy_to_slice(&mut name)?;
    Ok(Section {
        name: String::from_utf8(name)?,
        digest: digest(from)?,
        changed_at: Version(from.try_get_u64()?),
    })
}

fn digest(from: &mut &[u8]) -> Result<Digest, Unread> {
    let mut digest = [0; 32];
    from.try_copy_to_slice(&mut digest)?;
    Ok(Digest(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every field has bytes of its own.
    fn stored() -> Stored {
        let edition = |version: u64| Edition {
            version: Version(version),
            digest: Digest(std::array::from_fn(|at| at as u8 + version as u8)),
            size_bytes: version + 100,
            tokens: version as u32 + 200,
            writer: AgentId(version as u32 + 300),
            at: Millis(version + 400),
        };
        let section = |name: &str| Section {
            name: name.into(),
            digest: Digest([name.len() as u8; 32]),
            changed_at: Version(name.len() as u64),
        };
        let claim = Claim { agent: AgentId(7), since: Millis(8), expires: Millis(9), lease_ms: 10 };
        let ledger = Ledger {
            incarnation: Incarnation(5),
            generation: Generation(6),
            current: edition(3),
            past: vec![edition(1), edition(2)],
            sections: vec![section(""), section("Überschrift")],
            claim: Some(claim),
        };
        Stored { ledger, divide: Divide::Headings }
    }

    #[test]
    fn a_record_reads_back_and_no_part_of_one_does() {
        for divide in [Divide::ByName, Divide::Whole, Divide::Headings, Divide::Pointers] {
            for claim in [None, stored().ledger.claim] {
                let mut stored = Stored { divide, ..stored() };
                stored.ledger.claim = claim;
                let bytes = encode(&stored.ledger, divide);
                assert_eq!(Stored::decode("a/plan", &bytes).ok(), Some(stored));
                for length in 0..bytes.len() {
                    assert!(Stored::decode("a/plan", &bytes[..length]).is_err(), "{length} bytes");
                }
                assert!(Stored::decode("a/plan", &[&bytes[..], &[0]].concat()).is_err());
            }
        }
    }

    #[test]
    fn a_record_of_the_first_format_is_read() {
        #[derive(serde::Serialize)]
        struct Named {
            ledger: Ledger,
            divide: Divide,
        }
        let Stored { ledger, divide } = stored();
        let mut bytes = vec![FORMAT_NAMED];
        bytes.extend(rmp_serde::to_vec_named(&Named { ledger, divide }).expect("MessagePack"));
        assert_eq!(Stored::decode("a/plan", &bytes).ok(), Some(stored()));
        bytes[0] = 9;
        let refused = Stored::decode("a/plan", &bytes).expect_err("a format of the future").to_string();
        assert!(refused.contains("has format 9, and this program reads up to 2"), "{refused}");
    }
}
