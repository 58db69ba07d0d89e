//! `lab dump` prints what Kafka's DumpLogSegments printed of the same files.

use super::goldens::*;
use delivery_lab::log::dump::{Options, dump, is_dumpable};
use delivery_lab::metadata::record_json;
use delivery_lab::record::RawRecord;

/// All dumpable files under a golden directory, as Dump.java prints them.
fn ours(directory: &str) -> String {
    let mut out = String::new();
    for folder in names_in(directory).iter().filter(|name| name.ends_with("-0")) {
        for name in names_in(&format!("{directory}/{folder}")).iter().filter(|name| is_dumpable(name)) {
            let path = format!("{directory}/{folder}/{name}");
            let beside = |name: &str| {
                let there = names_in(&format!("{directory}/{folder}")).iter().any(|it| it == name);
                there.then(|| bytes_of(&format!("{directory}/{folder}/{name}")))
            };
            let metadata = |record: &RawRecord<'_>| (None, record_json(record.value.unwrap_or_default()).ok());
            let options = match &folder[..] {
                "__cluster_metadata-0" => Options { deep: true, print: true, decoder: Some(&metadata) },
                _ => Options { deep: true, print: !folder.starts_with("__"), decoder: None },
            };
            let dumped = dump(&path, &bytes_of(&path), &beside, options);
            out.push_str(&dumped.out);
            dumped.errors.lines().for_each(|line| out.extend(["! ", line, "\n"]));
        }
    }
    out
}

/// Without what we do not print on purpose: the records of compressed batches.
fn comparable(text: &str) -> Vec<&str> {
    let mut compressed = false;
    let mut kept = Vec::new();
    for line in text.lines() {
        if line.starts_with("baseOffset: ") {
            compressed = !line.contains(" compresscodec: none ");
        }
        let skipped = (compressed && line.starts_with("| ")) || line.contains("compressed with codec");
        if !skipped {
            kept.push(line);
        }
    }
    kept
}

#[test]
fn dumps_are_those_of_kafkas_tool() {
    for directory in ["closed", "crashed", "recovered"] {
        let theirs = std::fs::read_to_string(folder().join(format!("{directory}.dump.txt"))).expect("a golden");
        let ours = ours(directory);
        let (ours, theirs) = (comparable(&ours), comparable(&theirs));
        for (index, (our, their)) in ours.iter().zip(&theirs).enumerate() {
            assert_eq!(our, their, "{directory}.dump.txt, line {index} of what is compared");
        }
        assert_eq!(ours.len(), theirs.len(), "{directory}: {:?}", ours.get(theirs.len()).or(theirs.get(ours.len())));
    }
}
