//! The engine against a real Kafka. The scripts in `tests/golden/kafka/scripts` were run against Apache Kafka 4.3
//! (`make conformance` does it again); here the engine runs them, and must answer field by field as Kafka did. What
//! differs on purpose is listed in `tests/golden/kafka/differences.md`.

#![cfg(not(target_arch = "wasm32"))]

#[path = "conformance/batch.rs"]
mod batch;
#[path = "conformance/client.rs"]
mod client;
#[allow(dead_code)]
#[path = "broker/cluster.rs"]
mod cluster;
#[path = "conformance/consumer_bytes.rs"]
mod consumer_bytes;
#[path = "conformance/differences.rs"]
mod differences;
#[path = "conformance/draw.rs"]
mod draw;
#[path = "conformance/draw_share.rs"]
mod draw_share;
#[path = "conformance/golden.rs"]
mod golden;
#[path = "conformance/jar.rs"]
mod jar;
#[path = "conformance/kafka.rs"]
mod kafka;
#[path = "conformance/player.rs"]
mod player;
#[path = "conformance/recorder.rs"]
mod recorder;
#[path = "conformance/schema.rs"]
mod schema;
#[path = "conformance/script.rs"]
mod script;
#[path = "conformance/settings.rs"]
mod settings;
#[path = "conformance/shorthand.rs"]
mod shorthand;
#[path = "conformance/shorthand_groups.rs"]
mod shorthand_groups;
#[path = "conformance/shorthand_share.rs"]
mod shorthand_share;
#[path = "conformance/shorthand_transactions.rs"]
mod shorthand_transactions;
#[path = "conformance/translate.rs"]
mod translate;
#[path = "conformance/translate_admin.rs"]
mod translate_admin;
#[path = "conformance/translate_control.rs"]
mod translate_control;
#[path = "conformance/translate_groups.rs"]
mod translate_groups;
#[path = "conformance/translate_share.rs"]
mod translate_share;
#[path = "conformance/translate_transactions.rs"]
mod translate_transactions;
#[path = "conformance/wire.rs"]
mod wire;
#[path = "conformance/words.rs"]
mod words;

use std::path::Path;

/// Families, with commas between them; none means all.
fn only_these() -> Vec<String> {
    let families = std::env::var("DELIVERY_LAB_FAMILY").unwrap_or_default();
    families.split(',').filter(|family| !family.is_empty()).map(str::to_string).collect()
}

/// Every sequence of every family. Whoever works on one family names it in `DELIVERY_LAB_FAMILY`.
#[test]
fn the_engine_answers_as_kafka_did() {
    let folder = script::folder();
    let list = std::fs::read_to_string(folder.join("differences.md")).expect("the list of differences");
    let mut listed = differences::listed(&list);
    let mut wrong = Vec::new();
    let mut unrecorded = Vec::new();
    let mut count = 0;
    // Families know nothing of each other.
    let only = only_these();
    let is_meant = |family: &String| only.is_empty() || only.contains(family);
    let families: Vec<_> = script::families(&folder).into_iter().filter(|(family, _)| is_meant(family)).collect();
    let played: Vec<Vec<Vec<golden::Answer>>> = std::thread::scope(|scope| {
        let play = |(_, sequences): &(_, Vec<script::Sequence>)| sequences.iter().map(player::play).collect();
        let plays: Vec<_> = families.iter().map(|family| scope.spawn(move || play(family))).collect();
        plays.into_iter().map(|play| play.join().expect("it was played to the end")).collect()
    });
    for ((family, sequences), answers) in families.iter().zip(&played) {
        let goldens = golden::read(&folder.join(format!("{family}.json")));
        for (sequence, ours) in sequences.iter().zip(answers) {
            let name = format!("{family}/{}", sequence.name);
            let recorded = goldens.iter().find(|(recorded, _)| *recorded == sequence.name);
            let Some((_, kafka)) = recorded.filter(|(_, kafka)| differences::same_steps(kafka, ours)) else {
                unrecorded.push(name);
                continue;
            };
            let found = differences::compare(&name, kafka, ours);
            wrong.extend(differences::unlisted(found, &mut listed));
            count += 1;
        }
    }
    let stale: Vec<String> = listed.iter().filter(|row| !row.used).map(differences::Listed::row).collect();
    let mut report = String::new();
    for it in &wrong {
        report += &format!("  {} {}\n    Kafka: {}\n    ours:  {}\n", it.place, it.field, it.kafka, it.ours);
    }
    assert!(wrong.is_empty(), "{} fields in {count} sequences differ from Kafka's:\n{report}", wrong.len());
    assert!(unrecorded.is_empty(), "make conformance records what is missing: {unrecorded:?}");
    if !only.is_empty() {
        return;
    }
    assert!(stale.is_empty(), "differences.md lists what is no longer so: {stale:#?}");
    assert!(count >= 400, "only {count} sequences");
}

/// Writes the scripts of groups at random anew. Which seeds there are is said in `draw.rs`.
#[test]
#[ignore = "overwrites scripts, which have to be recorded then"]
fn draw_scripts_of_random_groups() {
    draw::write_all(&script::folder().join("scripts"));
}

/// `make conformance` runs this: it needs Kafka's jars (`DELIVERY_LAB_KAFKA`) and Java.
#[test]
#[ignore = "needs a real Kafka: make conformance"]
fn record_goldens_from_a_real_kafka() {
    let jars = std::env::var("DELIVERY_LAB_KAFKA").expect("make conformance sets DELIVERY_LAB_KAFKA");
    let java = std::env::var("DELIVERY_LAB_JAVA").unwrap_or_else(|_| "java".to_string());
    let only = only_these();
    let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/conformance");
    let mut recorder = recorder::Recorder::start(Path::new(&jars), &java, &logs);
    let folder = script::folder();
    for (family, sequences) in script::families(&folder) {
        if only.is_empty() || only.contains(&family) {
            recorder.record(&folder, &family, &sequences);
        }
    }
}
