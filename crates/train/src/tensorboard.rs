//! TensorBoard event files with scalars.
//!
//! An event file is a row of records: length, checksum of the length, a protocol buffer, checksum of the buffer.
//! A scalar needs four fields of the buffer, so they are written here; a failed write is an error like any other.

use std::io::{Error, Write};

/// The first record: version of the format.
///
/// # Errors
/// What the writer says.
pub(crate) fn write_header(file: &mut impl Write, seconds: f64) -> Result<(), Error> {
    let mut event = wall_time(seconds);
    field(&mut event, 3, b"brain.Event:2");
    record(file, &event)
}

/// One scalar.
///
/// # Errors
/// What the writer says.
pub(crate) fn write_scalar(
    file: &mut impl Write,
    seconds: f64,
    step: u64,
    tag: &str,
    value: f32,
) -> Result<(), Error> {
    let mut entry = Vec::new();
    field(&mut entry, 1, tag.as_bytes());
    entry.push(2 << 3 | 5); // simple_value, 32 bits
    entry.extend(value.to_le_bytes());
    let mut summary = Vec::new();
    field(&mut summary, 1, &entry);
    let mut event = wall_time(seconds);
    event.push(2 << 3); // step, variable length
    number(&mut event, step);
    field(&mut event, 5, &summary);
    record(file, &event)
}

fn wall_time(seconds: f64) -> Vec<u8> {
    let mut event = vec![1 << 3 | 1]; // wall_time, 64 bits
    event.extend(seconds.to_le_bytes());
    event
}

fn field(buffer: &mut Vec<u8>, tag: u8, content: &[u8]) {
    buffer.push(tag << 3 | 2);
    number(buffer, content.len() as u64);
    buffer.extend(content);
}

fn number(buffer: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        buffer.push(value as u8 | 0x80);
        value >>= 7;
    }
    buffer.push(value as u8);
}

fn record(file: &mut impl Write, event: &[u8]) -> Result<(), Error> {
    let length = (event.len() as u64).to_le_bytes();
    let mut bytes = Vec::with_capacity(event.len() + 16);
    bytes.extend(length);
    bytes.extend(masked(&length).to_le_bytes());
    bytes.extend(event);
    bytes.extend(masked(event).to_le_bytes());
    file.write_all(&bytes)
}

/// CRC-32C, rotated and shifted as the format asks.
fn masked(bytes: &[u8]) -> u32 {
    let crc = !bytes.iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0x82F6_3B78 } else { 0 })
    });
    crc.rotate_right(15).wrapping_add(0xA282_EAD8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_crc32c() {
        // The check value of CRC-32C over "123456789" is E3069283.
        assert_eq!(masked(b"123456789"), 0xE306_9283_u32.rotate_right(15).wrapping_add(0xA282_EAD8));
    }

    #[test]
    fn a_scalar_is_one_record_with_its_fields() {
        let mut file = Vec::new();
        write_scalar(&mut file, 1.5, 300, "a/b", 0.25).unwrap();
        let body = &file[12..file.len() - 4];
        assert_eq!(usize::from(file[0]), body.len());
        let expect = [9, 0, 0, 0, 0, 0, 0, 0xF8, 0x3F, 16, 0xAC, 2, 42, 12, 10, 10, 10, 3];
        assert_eq!(&body[..expect.len()], &expect);
        assert_eq!(&body[expect.len()..], [b'a', b'/', b'b', 21, 0, 0, 0x80, 0x3E]);
    }
}
