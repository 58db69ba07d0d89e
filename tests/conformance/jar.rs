//! Reads a file out of a jar: just enough of the zip format.

use std::path::Path;

/// The entry `name` of the jar at `path`.
pub fn read_entry(jar: &[u8], name: &str) -> Option<Vec<u8>> {
    let end = (0..jar.len().saturating_sub(21)).rev().find(|at| jar[*at..].starts_with(b"PK\x05\x06"))?;
    let (entries, mut at) = (u16_at(jar, end + 10), u32_at(jar, end + 16));
    for _ in 0..entries {
        let method = u16_at(jar, at + 10);
        let (packed, local) = (u32_at(jar, at + 20), u32_at(jar, at + 42));
        let (name_len, extra, comment) = (u16_at(jar, at + 28), u16_at(jar, at + 30), u16_at(jar, at + 32));
        if &jar[at + 46..at + 46 + name_len] == name.as_bytes() {
            let data = local + 30 + u16_at(jar, local + 26) + u16_at(jar, local + 28);
            let bytes = &jar[data..data + packed];
            return match method {
                0 => Some(bytes.to_vec()),
                _ => miniz_oxide::inflate::decompress_to_vec(bytes).ok(),
            };
        }
        at += 46 + name_len + extra + comment;
    }
    None
}

/// The jar in `folder` whose name begins with `prefix`.
pub fn find(folder: &Path, prefix: &str) -> Vec<u8> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let found = entries.flatten().find(|entry| {
        entry.file_name().to_string_lossy().starts_with(prefix)
            && entry.path().extension().is_some_and(|extension| extension == "jar")
    });
    let found = found.unwrap_or_else(|| panic!("no {prefix}*.jar in {}", folder.display()));
    std::fs::read(found.path()).expect("a readable jar")
}

fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    u16_at(bytes, at) | u16_at(bytes, at + 2) << 16
}
