//! A tar archive (POSIX ustar): the format every system unpacks, in forty lines.

use crate::base::Time;
use crate::log::files::NamedFile;

const BLOCK: usize = 512;

/// The files in a folder, with `now` as the time they were changed.
pub(super) fn archive(folder: &str, files: &[NamedFile], now: Time) -> Vec<u8> {
    let mut out = Vec::new();
    for file in files {
        out.extend(header(&format!("{folder}/{}", file.name), file.bytes.len(), now));
        out.extend_from_slice(&file.bytes);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    // Two empty blocks end it.
    out.resize(out.len() + 2 * BLOCK, 0);
    out
}

fn header(name: &str, size: usize, now: Time) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    // Names of more than 100 bytes are split at a slash; a topic's name has up to 249.
    let split = if name.len() > 100 { name.len() - name.rsplit('/').next().map_or(0, str::len) } else { 0 };
    if split > 0 {
        put(345, &name[..(split - 1).min(155)]);
    }
    put(0, &name[split..]);
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{size:011o}\0"));
    put(136, &format!("{:011o}\0", now.wall_clock_ms() / 1_000));
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_of_whole_blocks_and_its_headers_add_up() {
        let long = "t".repeat(120);
        for folder in ["orders-0", &long] {
            let files = [NamedFile::new("00000000000000000000.log", vec![7; 600]), NamedFile::new("empty", Vec::new())];
            let bytes = archive(folder, &files, Time::ORIGIN);
            assert_eq!(bytes.len(), BLOCK * (1 + 2 + 1 + 2));
            for (at, name, size) in [(0, "00000000000000000000.log", 600), (3 * BLOCK, "empty", 0)] {
                let mut header = bytes[at..at + BLOCK].to_vec();
                let text =
                    |from: usize, to: usize| String::from_utf8_lossy(&header[from..to]).trim_matches('\0').to_owned();
                let path =
                    if folder.len() > 100 { format!("{}/{}", text(345, 500), text(0, 100)) } else { text(0, 100) };
                assert_eq!(path, format!("{folder}/{name}"));
                assert_eq!(usize::from_str_radix(&text(124, 135), 8), Ok(size));
                let stored = u32::from_str_radix(&text(148, 154), 8);
                header[148..156].fill(b' ');
                assert_eq!(stored, Ok(header.iter().map(|byte| u32::from(*byte)).sum()));
            }
        }
    }
}
