//! Kafka's primitive types as bytes: the alphabet of metadata and coordinator records.
//!
//! Flexible messages (KIP-482) write lengths as unsigned varints of length + 1 (0 is null) and end with tagged fields.
//! In Kafka: `ByteBufferAccessor`, `ByteUtils`, the generated message classes.

use super::Uuid;
use crate::base::BrokerId;
use bytes::Bytes;
use std::rc::Rc;

/// Bytes that are not what they claim to be.
#[derive(Clone, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum WireError {
    /// The bytes end too early.
    #[error("{0} bytes are missing")]
    Truncated(usize),
    /// Bytes are left over.
    #[error("Found {0} byte(s) of garbage after the message")]
    Garbage(usize),
    /// A field has a value that it cannot have.
    #[error("{0}")]
    Invalid(&'static str),
}

/// Writes a message.
#[derive(Clone, Default, Debug)]
pub struct Writer {
    bytes: Vec<u8>,
}

/// The tagged fields at the end of a flexible message, in ascending order of their tags.
#[derive(Clone, Default, Debug)]
pub struct TaggedFields {
    fields: Vec<(u32, Vec<u8>)>,
}

impl Writer {
    /// All that was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// INT8
    pub fn i8(&mut self, value: i8) {
        self.bytes.extend(value.to_be_bytes());
    }
    /// BOOLEAN
    pub fn bool(&mut self, value: bool) {
        self.i8(i8::from(value));
    }
    /// INT16
    pub fn i16(&mut self, value: i16) {
        self.bytes.extend(value.to_be_bytes());
    }
    /// UINT16
    pub fn u16(&mut self, value: u16) {
        self.bytes.extend(value.to_be_bytes());
    }
    /// INT32
    pub fn i32(&mut self, value: i32) {
        self.bytes.extend(value.to_be_bytes());
    }
    /// INT64
    pub fn i64(&mut self, value: i64) {
        self.bytes.extend(value.to_be_bytes());
    }
    /// UUID
    pub fn uuid(&mut self, value: Uuid) {
        self.bytes.extend(value.high.to_be_bytes());
        self.bytes.extend(value.low.to_be_bytes());
    }
    /// UNSIGNED_VARINT
    pub fn unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
    /// The length of a compact array or string.
    pub fn compact_len(&mut self, len: usize) {
        self.unsigned_varint(u32::try_from(len + 1).expect("invariant: our own arrays are short"));
    }
    /// STRING, as before KIP-482.
    pub fn string(&mut self, value: &str) {
        self.i16(i16::try_from(value.len()).expect("invariant: names are at most 32767 bytes long"));
        self.bytes.extend(value.as_bytes());
    }
    /// NULLABLE_STRING, as before KIP-482.
    pub fn nullable_string(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.string(value),
            None => self.i16(-1),
        }
    }
    /// BYTES, as before KIP-482.
    pub fn bytes(&mut self, value: &[u8]) {
        self.i32(i32::try_from(value.len()).expect("invariant: our own bytes are short"));
        self.bytes.extend(value);
    }
    /// COMPACT_BYTES
    pub fn compact_bytes(&mut self, value: &[u8]) {
        self.compact_len(value.len());
        self.bytes.extend(value);
    }
    /// COMPACT_STRING
    pub fn compact_string(&mut self, value: &str) {
        self.compact_len(value.len());
        self.bytes.extend(value.as_bytes());
    }
    /// COMPACT_NULLABLE_STRING
    pub fn compact_nullable_string(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.compact_string(value),
            None => self.unsigned_varint(0),
        }
    }
    /// A compact array of broker ids.
    pub fn brokers(&mut self, brokers: &[BrokerId]) {
        self.compact_len(brokers.len());
        brokers.iter().for_each(|broker| self.i32(broker.0));
    }
    /// A compact array of UUIDs.
    pub fn uuids(&mut self, uuids: impl ExactSizeIterator<Item = Uuid>) {
        self.compact_len(uuids.len());
        uuids.for_each(|uuid| self.uuid(uuid));
    }
    /// The end of a flexible message that has no tagged fields to write.
    pub fn no_tagged_fields(&mut self) {
        self.unsigned_varint(0);
    }
    /// The end of a flexible message.
    pub fn tagged_fields(&mut self, tagged: &TaggedFields) {
        self.unsigned_varint(tagged.fields.len() as u32);
        for (tag, value) in &tagged.fields {
            self.unsigned_varint(*tag);
            self.unsigned_varint(value.len() as u32);
            self.bytes.extend(value);
        }
    }
}

impl TaggedFields {
    /// Adds a field; tags come in ascending order.
    pub fn field(&mut self, tag: u32, write: impl FnOnce(&mut Writer)) {
        assert!(self.fields.last().is_none_or(|(last, _)| *last < tag), "invariant: tags ascend");
        let mut writer = Writer::default();
        write(&mut writer);
        self.fields.push((tag, writer.into_bytes()));
    }

    /// Adds a field if there is a value.
    pub fn maybe<T>(&mut self, tag: u32, value: Option<T>, write: impl FnOnce(&mut Writer, T)) {
        if let Some(value) = value {
            self.field(tag, |writer| write(writer, value));
        }
    }
}

/// Reads a message; never panics, whatever the bytes.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        match self.bytes.split_at_checked(len) {
            Some((taken, rest)) => {
                self.bytes = rest;
                Ok(taken)
            }
            None => Err(WireError::Truncated(len - self.bytes.len())),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// The message must be over.
    pub fn finish(&self) -> Result<(), WireError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(WireError::Garbage(self.bytes.len())) }
    }

    /// INT8
    pub fn i8(&mut self) -> Result<i8, WireError> {
        Ok(i8::from_be_bytes(self.array()?))
    }
    /// BOOLEAN
    pub fn bool(&mut self) -> Result<bool, WireError> {
        Ok(self.i8()? != 0)
    }
    /// INT16
    pub fn i16(&mut self) -> Result<i16, WireError> {
        Ok(i16::from_be_bytes(self.array()?))
    }
    /// UINT16
    pub fn u16(&mut self) -> Result<u16, WireError> {
        Ok(u16::from_be_bytes(self.array()?))
    }
    /// INT32
    pub fn i32(&mut self) -> Result<i32, WireError> {
        Ok(i32::from_be_bytes(self.array()?))
    }
    /// INT64
    pub fn i64(&mut self) -> Result<i64, WireError> {
        Ok(i64::from_be_bytes(self.array()?))
    }
    /// UUID
    pub fn uuid(&mut self) -> Result<Uuid, WireError> {
        Ok(Uuid { high: u64::from_be_bytes(self.array()?), low: u64::from_be_bytes(self.array()?) })
    }
    /// UNSIGNED_VARINT
    pub fn unsigned_varint(&mut self) -> Result<u32, WireError> {
        let mut value = 0_u32;
        for shift in (0..35).step_by(7) {
            let [byte] = self.array()?;
            if shift == 28 && byte > 0x0f {
                return Err(WireError::Invalid("the varint is too long"));
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(WireError::Invalid("the varint is too long"))
    }
    /// The length of a compact array or string, None for null.
    pub fn compact_len(&mut self) -> Result<Option<usize>, WireError> {
        Ok(self.unsigned_varint()?.checked_sub(1).map(|len| len as usize))
    }
    fn text(&mut self, len: usize) -> Result<Rc<str>, WireError> {
        let text = std::str::from_utf8(self.take(len)?).map_err(|_| WireError::Invalid("a string is not UTF-8"))?;
        Ok(Rc::from(text))
    }
    /// STRING, as before KIP-482.
    pub fn string(&mut self) -> Result<Rc<str>, WireError> {
        let len = usize::try_from(self.i16()?).map_err(|_| WireError::Invalid("a string must not be null"))?;
        self.text(len)
    }
    /// NULLABLE_STRING, as before KIP-482.
    pub fn nullable_string(&mut self) -> Result<Option<Rc<str>>, WireError> {
        match usize::try_from(self.i16()?) {
            Ok(len) => self.text(len).map(Some),
            Err(_) => Ok(None),
        }
    }
    /// BYTES, or COMPACT_BYTES; null reads as empty.
    pub fn bytes(&mut self, compact: bool) -> Result<Bytes, WireError> {
        let len = if compact { self.compact_len()? } else { usize::try_from(self.i32()?).ok() };
        Ok(Bytes::copy_from_slice(self.take(len.unwrap_or(0))?))
    }
    /// NULLABLE_BYTES, as before KIP-482.
    pub fn nullable_bytes(&mut self) -> Result<Option<Bytes>, WireError> {
        match usize::try_from(self.i32()?) {
            Ok(len) => Ok(Some(Bytes::copy_from_slice(self.take(len)?))),
            Err(_) => Ok(None),
        }
    }
    /// COMPACT_STRING
    pub fn compact_string(&mut self) -> Result<Rc<str>, WireError> {
        self.compact_nullable_string()?.ok_or(WireError::Invalid("a string must not be null"))
    }
    /// COMPACT_NULLABLE_STRING
    pub fn compact_nullable_string(&mut self) -> Result<Option<Rc<str>>, WireError> {
        match self.compact_len()? {
            Some(len) => Ok(Some(self.text(len)?)),
            None => Ok(None),
        }
    }
    /// A compact array; null reads as empty.
    pub fn array_of<T>(&mut self, mut one: impl FnMut(&mut Self) -> Result<T, WireError>) -> Result<Vec<T>, WireError> {
        (0..self.compact_len()?.unwrap_or(0)).map(|_| one(self)).collect()
    }
    /// A compact array of broker ids.
    pub fn brokers(&mut self) -> Result<Vec<BrokerId>, WireError> {
        self.array_of(|reader| Ok(BrokerId(reader.i32()?)))
    }
    /// The tagged fields that end a flexible message: `read` gets each tag with its bytes; tags it does not know it
    /// leaves alone.
    pub fn tagged_fields(
        &mut self,
        mut read: impl FnMut(u32, &mut Reader<'a>) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        for _ in 0..self.unsigned_varint()? {
            let tag = self.unsigned_varint()?;
            let len = self.unsigned_varint()? as usize;
            read(tag, &mut Reader::new(self.take(len)?))?;
        }
        Ok(())
    }
    /// Tagged fields of which none is of interest.
    pub fn skip_tagged_fields(&mut self) -> Result<(), WireError> {
        self.tagged_fields(|_, _| Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_kafkas() {
        for (value, bytes) in
            [(0, vec![0]), (127, vec![0x7f]), (128, vec![0x80, 1]), (u32::MAX, vec![0xff, 0xff, 0xff, 0xff, 0x0f])]
        {
            let mut writer = Writer::default();
            writer.unsigned_varint(value);
            assert_eq!(writer.into_bytes(), bytes);
            assert_eq!(Reader::new(&bytes).unsigned_varint(), Ok(value));
        }
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).unsigned_varint().is_err());
    }

    #[test]
    fn a_length_that_promises_too_much_is_refused() {
        assert_eq!(Reader::new(&[9, b'a']).compact_string(), Err(WireError::Truncated(7)));
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f]).brokers().is_err());
        assert!(Reader::new(&[0xff, 0xff]).string().is_err());
    }

    #[test]
    fn unknown_tags_are_skipped() {
        let mut tagged = TaggedFields::default();
        tagged.field(0, |writer| writer.i32(5));
        tagged.field(9, |writer| writer.compact_string("later"));
        let mut writer = Writer::default();
        writer.tagged_fields(&tagged);
        let bytes = writer.into_bytes();
        let (mut reader, mut seen) = (Reader::new(&bytes), None);
        let read = reader.tagged_fields(|tag, field| {
            if tag == 0 {
                seen = Some(field.i32()?);
            }
            Ok(())
        });
        assert_eq!((read, seen, reader.finish()), (Ok(()), Some(5), Ok(())));
    }
}
