//! CRC-32C for the browser. Natively the processor has an instruction for it, and the `crc32c` crate uses that.
//!
//! The tables are made when first needed: computing them is quicker than downloading them.

use std::sync::LazyLock;

/// The Castagnoli polynomial, lowest bit first.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// `TABLES[k][b]`: what byte `b` does to the CRC when `k` more bytes follow.
static TABLES: LazyLock<[[u32; 256]; 8]> = LazyLock::new(|| {
    let mut tables = [[0; 256]; 8];
    for (byte, entry) in tables[0].iter_mut().enumerate() {
        let shift = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
        *entry = (0..8).fold(byte as u32, shift);
    }
    for follow in 1..8 {
        for byte in 0..256 {
            let before = tables[follow - 1][byte];
            tables[follow][byte] = before >> 8 ^ tables[0][before as usize & 0xff];
        }
    }
    tables
});

/// The CRC-32C of some bytes.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    let tables = &*TABLES;
    let (words, rest) = bytes.as_chunks::<8>();
    let crc = words.iter().fold(!0, |crc, word| {
        let word = u64::from_le_bytes(*word) ^ u64::from(crc);
        (0..8).fold(0, |crc, at| crc ^ tables[7 - at][(word >> (8 * at)) as usize & 0xff])
    });
    !rest.iter().fold(crc, |crc, byte| crc >> 8 ^ tables[0][(crc as u8 ^ byte) as usize])
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    #[test]
    fn both_are_the_same() {
        let bytes: Vec<u8> = (0..200_u8).map(|at| at.wrapping_mul(151) ^ 0x5a).collect();
        for len in 0..bytes.len() {
            assert_eq!(super::crc32c(&bytes[..len]), crc32c::crc32c(&bytes[..len]));
        }
    }
}
