//! The text of a link's hash: entries `path=value` between ampersands, readable; or the same, deflated, as `z1.…`.
//!
//! Invariants: [`entries`] reads whatever [`readable`] and [`compressed`] write; no text, however long or damaged, makes it
//! panic or use more than [`MOST_INFLATED`] bytes; an entry that cannot be read loses only itself.
//!
//! A compressed hash is a zlib stream, whose Adler-32 tells a damaged link from a good one. A readable one ends with its
//! version, `v=1`: where that is missing, the end was cut off.

use crate::scenario::Mistake;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};

/// The version of links that this Lab writes, and reads.
pub const VERSION: u64 = 1;

/// Longer hashes are not looked at.
const MOST_HASH: usize = 256 * 1_024;
/// What a compressed hash may inflate to.
const MOST_INFLATED: usize = 1_024 * 1_024;
/// A place in the page, and no state.
const ANCHOR: &str = "stage";
/// More entries are not looked at.
const MOST_ENTRIES: usize = 2_000;
/// How deep a path may go: `faults/0/on/nth` has four steps.
const MOST_STEPS: usize = 8;
/// The best that deflate can do: it is done once a link.
const LEVEL: u8 = 10;

/// `producers/shop/config/acks=1`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The way to what is set.
    pub path: Vec<String>,
    /// What it is; empty for what is taken away.
    pub value: String,
}

impl Entry {
    /// How a message names it: `#producers/shop/config/acks`.
    pub fn place(&self) -> String {
        place(&self.path.join("/"))
    }
}

/// The place of something in the hash, and not more of it than a message can show.
pub fn place(text: &str) -> String {
    let shown: String = text.chars().take(60).collect();
    if shown.len() < text.len() { format!("#{shown}…") } else { format!("#{shown}") }
}

/// The entries of a hash, `#` or not, and what is wrong with it.
pub fn entries(hash: &str) -> (Vec<Entry>, Vec<Mistake>) {
    let mut mistakes = Vec::new();
    let hash = hash.strip_prefix('#').unwrap_or(hash);
    if hash.is_empty() || hash == ANCHOR {
        return (Vec::new(), mistakes);
    }
    if hash.len() > MOST_HASH {
        let problem = format!("it has {} bytes; a link has {MOST_HASH} at most. Nothing of it is used.", hash.len());
        return (Vec::new(), vec![Mistake { place: place("…"), problem }]);
    }
    if let Some(packed) = packed(hash) {
        return match packed.and_then(|body| inflate(body, &mut mistakes)) {
            Ok(text) => (split(&text, &mut mistakes), mistakes),
            Err(mistake) => (Vec::new(), vec![mistake]),
        };
    }
    let mut found = split(hash, &mut mistakes);
    match version(&mut found) {
        Some(version) if version == VERSION.to_string() => {}
        Some(version) => {
            let problem = format!(
                "the link is of version \"{}\"; this Lab reads version {VERSION}. A newer Lab wrote it: open it there. \
                 Only what stands before the # is used.",
                short(&version)
            );
            return (Vec::new(), vec![Mistake { place: place("v"), problem }]);
        }
        None => {
            let problem = format!("its end is missing: a whole link says v={VERSION}. What is there is used.");
            mistakes.push(Mistake { place: place("v"), problem });
        }
    }
    (found, mistakes)
}

/// What follows `z1.`, or a version that nobody here knows; none for a readable hash.
fn packed(hash: &str) -> Option<Result<&str, Mistake>> {
    let rest = hash.strip_prefix('z')?;
    let (version, body) = rest.split_once('.').unwrap_or((rest, ""));
    if version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if version == VERSION.to_string() {
        return Some(Ok(body));
    }
    let problem = format!(
        "the link is of version \"{}\"; this Lab reads z{VERSION}. A newer Lab wrote it: open it there. \
         Only what stands before the # is used.",
        short(version)
    );
    Some(Err(Mistake { place: place("z"), problem }))
}

fn inflate(body: &str, mistakes: &mut Vec<Mistake>) -> Result<String, Mistake> {
    let damaged = |problem: String| Mistake {
        place: place(&format!("z{VERSION}.")),
        problem: format!("the link is damaged or was cut: {problem}. Only what stands before the # is used."),
    };
    // What a sentence puts behind a link: a full stop, a bracket.
    let end = body.trim_end_matches(|it: char| !it.is_ascii_alphanumeric() && !matches!(it, '-' | '_'));
    if end.len() < body.len() {
        let problem = format!("\"{}\" behind it is no part of a link, and is left out", short(&body[end.len()..]));
        mistakes.push(Mistake { place: place(&format!("z{VERSION}.")), problem });
    }
    let bytes = URL_SAFE_NO_PAD.decode(end).map_err(|error| damaged(format!("no base64url ({error})")))?;
    let text = decompress_to_vec_zlib_with_limit(&bytes, MOST_INFLATED).map_err(|error| match error.status {
        TINFLStatus::HasMoreOutput => Mistake {
            place: place(&format!("z{VERSION}.")),
            problem: format!("it inflates to more than {MOST_INFLATED} bytes; nothing of it is used"),
        },
        TINFLStatus::Adler32Mismatch => damaged("its checksum is another".to_owned()),
        TINFLStatus::FailedCannotMakeProgress | TINFLStatus::NeedsMoreInput => damaged("its end is missing".to_owned()),
        _ => damaged("what it holds was not deflated".to_owned()),
    })?;
    String::from_utf8(text).map_err(|_| damaged("what it holds is no UTF-8".to_owned()))
}

/// Splits a text into entries. What cannot be one is told, and left out.
fn split(text: &str, mistakes: &mut Vec<Mistake>) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut parts = text.split('&').filter(|part| !part.is_empty());
    for part in parts.by_ref().take(MOST_ENTRIES) {
        match entry(part) {
            Ok(entry) => found.push(entry),
            Err(problem) => mistakes.push(Mistake { place: place(part), problem }),
        }
    }
    let more = parts.count();
    if more > 0 {
        let problem = format!("a link has {MOST_ENTRIES} entries at most; {more} more are left out");
        mistakes.push(Mistake { place: place("…"), problem });
    }
    found
}

fn entry(part: &str) -> Result<Entry, String> {
    let (key, value) = part.split_once('=').ok_or("expected path=value, such as set=shop.acks=1")?;
    let path: Vec<String> = key.split('/').map(unescape).collect::<Result<_, _>>()?;
    if path.len() > MOST_STEPS || path.iter().any(String::is_empty) {
        return Err(format!("a path has 1 to {MOST_STEPS} names between slashes, such as producers/shop/records"));
    }
    Ok(Entry { path, value: unescape(value)? })
}

/// Takes the version out of the entries.
fn version(entries: &mut Vec<Entry>) -> Option<String> {
    let place = entries.iter().position(|entry| entry.path == ["v"])?;
    Some(entries.remove(place).value)
}

fn short(text: &str) -> String {
    text.chars().take(20).collect()
}

/// `%3D` is an equals sign, as in every address.
pub fn unescape(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|it| char::from(it).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err("two hexadecimal digits follow a %; a % itself is %25".to_owned());
        };
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).map_err(|_| "what the % signs stand for is no UTF-8".to_owned())
}

/// What a hash holds as it is: mailers, chats and Markdown leave these alone.
fn is_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b',' | b'@' | b'$' | b';')
}

/// The entries as people can read them.
pub fn readable(entries: &[Entry]) -> String {
    let text = join(entries, is_safe, |byte| is_safe(byte) || matches!(byte, b'=' | b'/'));
    let text = String::from_utf8(text).expect("invariant: only ASCII is safe");
    if text.is_empty() { text } else { format!("{text}&v={VERSION}") }
}

/// The entries, deflated.
pub fn compressed(entries: &[Entry]) -> String {
    let plain = |byte| !matches!(byte, b'%' | b'&');
    let text = join(entries, |byte| plain(byte) && !matches!(byte, b'/' | b'='), plain);
    format!("z{VERSION}.{}", URL_SAFE_NO_PAD.encode(compress_to_vec_zlib(&text, LEVEL)))
}

/// One text of all entries; the bytes that names or values cannot hold as they are become `%XX`.
fn join(entries: &[Entry], in_names: impl Fn(u8) -> bool, in_values: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut out = Vec::new();
    for (nth, entry) in entries.iter().enumerate() {
        if nth > 0 {
            out.push(b'&');
        }
        for (step, name) in entry.path.iter().enumerate() {
            if step > 0 {
                out.push(b'/');
            }
            escape(&mut out, name, &in_names);
        }
        out.push(b'=');
        escape(&mut out, &entry.value, &in_values);
    }
    out
}

fn escape(out: &mut Vec<u8>, text: &str, keep: impl Fn(u8) -> bool) {
    for byte in text.bytes() {
        if keep(byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
}
