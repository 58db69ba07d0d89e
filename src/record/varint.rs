//! Zig-zag variable-length integers, as Kafka's `ByteUtils` writes them.

/// Appends a 32-bit number.
pub(super) fn write_varint(out: &mut Vec<u8>, value: i32) {
    write_unsigned(out, u64::from(((value << 1) ^ (value >> 31)) as u32));
}

/// Appends a 64-bit number.
pub(super) fn write_varlong(out: &mut Vec<u8>, value: i64) {
    write_unsigned(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Bytes `value` takes.
pub(super) const fn size_of_varint(value: i32) -> usize {
    size_of_unsigned(((value << 1) ^ (value >> 31)) as u32 as u64)
}

/// Bytes `value` takes.
pub(super) const fn size_of_varlong(value: i64) -> usize {
    size_of_unsigned(((value << 1) ^ (value >> 63)) as u64)
}

/// A 32-bit number at `at`, which moves past it; None if the bytes end or the number is too long.
pub(super) fn read_varint(bytes: &[u8], at: &mut usize) -> Option<i32> {
    let raw = read_unsigned(bytes, at, 5)?;
    let raw = u32::try_from(raw).ok()?;
    Some(((raw >> 1) as i32) ^ -((raw & 1) as i32))
}

/// A 64-bit number at `at`, which moves past it; None if the bytes end or the number is too long.
pub(super) fn read_varlong(bytes: &[u8], at: &mut usize) -> Option<i64> {
    let raw = read_unsigned(bytes, at, 10)?;
    Some(((raw >> 1) as i64) ^ -((raw & 1) as i64))
}

fn write_unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

const fn size_of_unsigned(value: u64) -> usize {
    let bits = 64 - value.leading_zeros() as usize;
    if bits == 0 { 1 } else { bits.div_ceil(7) }
}

fn read_unsigned(bytes: &[u8], at: &mut usize, longest: u32) -> Option<u64> {
    let mut value = 0_u64;
    for index in 0..longest {
        let byte = *bytes.get(*at)?;
        *at += 1;
        if index == 9 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_encodings() {
        for (value, bytes) in [(0, vec![0]), (-1, vec![1]), (1, vec![2]), (-64, vec![0x7f]), (64, vec![0x80, 1])] {
            let mut out = Vec::new();
            write_varint(&mut out, value);
            assert_eq!(out, bytes);
            assert_eq!(size_of_varint(value), bytes.len());
        }
    }

    #[test]
    fn extremes_come_back() {
        for value in [i64::MIN, i64::MAX, 0, -1, 1, i64::from(i32::MAX), i64::from(i32::MIN)] {
            let mut out = Vec::new();
            write_varlong(&mut out, value);
            assert_eq!(out.len(), size_of_varlong(value));
            assert_eq!(read_varlong(&out, &mut 0), Some(value));
        }
        for value in [i32::MIN, i32::MAX] {
            let mut out = Vec::new();
            write_varint(&mut out, value);
            assert_eq!(read_varint(&out, &mut 0), Some(value));
        }
    }

    #[test]
    fn too_long_or_cut_off_is_refused() {
        assert_eq!(read_varint(&[0xff; 6], &mut 0), None);
        assert_eq!(read_varint(&[0xff, 0xff, 0xff, 0xff, 0x7f], &mut 0), None);
        assert_eq!(read_varlong(&[0xff; 11], &mut 0), None);
        assert_eq!(read_varint(&[0x80], &mut 0), None);
    }
}
