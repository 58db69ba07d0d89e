//! Damaged links, made by hand: each is told, none panics, and what is good in it is used.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use delivery_lab::scenario::link::{self, Input, Link, Moment, Opened};
use delivery_lab::scenario::{build, library, set};
use delivery_lab::session::Session;
use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};

/// What is told of a link, and the link itself.
fn told(text: &str) -> (String, Opened) {
    let opened = link::read_text(text);
    assert!(build(&opened.link.scenario).is_ok(), "{text}");
    let told = opened.mistakes.iter().map(|mistake| format!("{mistake}\n")).collect();
    (told, opened)
}

/// One setting, one input, a moment: good entries beside the bad ones.
const GOOD: &str = "set=shop.linger.ms=3&inputs/0/at.us=300000&inputs/0/do=crash&inputs/0/node=broker-1&t=310000";

fn good() -> Link {
    let mut scenario = library::get("lost-ack").expect("it is in the library");
    scenario.seed = 7;
    set(&mut scenario, "shop.linger.ms=3").expect("valid");
    let what = delivery_lab::scenario::format::What::Crash { node: "broker-1".into(), back_after: None };
    let input = Input { at: Moment::at(300_000), what, message: None, kind: None };
    Link { scenario, inputs: vec![input], at: Some(Moment::at(310_000)) }
}

#[test]
fn the_good_one_is_good() {
    let opened = link::read_text(&format!("?scenario=lost-ack&seed=7#{GOOD}&v=1"));
    assert_eq!((opened.link, opened.mistakes), (good(), Vec::new()));
}

/// A bad entry among good ones, and what is told of it.
const BAD_ENTRIES: &[(&str, &str)] = &[
    ("producers", "expected path=value"),
    ("=1", "a path has 1 to 8 names"),
    ("producers//acks=1", "a path has 1 to 8 names"),
    ("a/b/c/d/e/f/g/h/i=1", "a path has 1 to 8 names"),
    ("producers/sh%zzop/records=1", "two hexadecimal digits follow a %"),
    ("producers/shop/records=1%", "two hexadecimal digits follow a %"),
    ("producers/%ff%fe/records=1", "is no UTF-8"),
    ("prodcuers/shop/records=1", "did you mean \"producers\"?"),
    ("주문=1", "nobody knows this word; known: id, seed"),
    ("set=", "expected KEY=VALUE"),
    ("set=shop.acks", "expected KEY=VALUE"),
    ("set=shop.acks=many", "Invalid value many for configuration acks"),
    ("set=shop.ackz=1", "did you mean \"acks\"?"),
    ("set=shp.acks=1", "nothing here is called \"shp.acks\""),
    ("set=seed=-1", "is not a seed"),
    ("set=orders.partitions=900", "expected a whole number from 1 to 64"),
    ("producers/shop/records=-5", "expected a whole number"),
    ("producers/shop/records=1e9", "expected a whole number"),
    ("producers/shop/records=99999999999999999999999", "expected a whole number"),
    ("producers/shop/config/acks=7", "Invalid value 7 for configuration acks"),
    ("producers/shop/config/acks/x=7", "and has no parts"),
    ("producers/shop/topic=oders", "there is no topic \"oders\"; did you mean \"orders\"?"),
    ("producers/shop/topic=", "\"topic\" is missing"),
    ("producers/shop/name=", "\"name\" is missing"),
    ("producers/bakery/records=3", "\"topic\" is missing"),
    ("producers=nothing", "expected a list"),
    ("producers={}", "expected a list"),
    ("topics/jobs=", "there is no \"jobs\" to take away"),
    ("topics/orders=", "there is no topic \"orders\""),
    ("topics/orders/partitions=0", "expected a whole number from 1 to 64"),
    ("topics/orders/replication.factor=9", "9 replicas need as many brokers"),
    ("consumers/mailer/commit=later", "\"after-sync\""),
    ("consumers/mailer/members=33", "from 1 to 32"),
    ("consumers/mailer/topics=[", "expected a list of texts"),
    ("consumers/mailer/sink/dedupe=magic", "\"unique-key\""),
    ("cluster/brokers=1", "replicas need as many brokers"),
    ("cluster=3", "expected an object"),
    ("network/latency.us=9,5", "expected [least, most] in microseconds"),
    ("network/latency.us=9", "expected [least, most] in microseconds"),
    ("faults/0/do=explode", "unknown verb \"explode\""),
    ("faults/0/on/nth=0", "expected a whole number"),
    ("faults/9/do=crash", "\"9\" is no place here"),
    ("faults/-1/do=crash", "is no place here"),
    ("faults/x/do=crash", "is no place here"),
    ("faults/1/do=crash", "a fault fires either \"at.ms\" or \"on\""),
    ("faults/1/do=crash&faults/1/at.ms=5", "\"node\" is missing"),
    ("until/max.ms=soon", "expected milliseconds"),
    ("until/quiet=perhaps", "expected true or false"),
    ("inputs/1/do=crash", "\"at.us\" is missing"),
    ("inputs/1/at.us=yesterday", "expected a whole number"),
    ("inputs/1/at.us=99999999999999999", "expected a whole number"),
    ("inputs/1/at.us=5", "\"do\" is missing"),
    ("inputs/7/at.us=5", "\"7\" is no place here"),
    ("inputs/1/at.us=5&inputs/1/do=stall", "\"message\" is missing"),
    ("inputs/1/at.us=5&inputs/1/do=crash&inputs/1/node=broker-0&inputs/1/message=3", "only reset, stall and delay"),
    ("inputs/1/at.us=5&inputs/1/do=crash&inputs/1/node=broker-0&inputs/1/nth=-1", "expected a whole number"),
    ("inputs/1/at.us=5&inputs/1/do=crash&inputs/1/nod=broker-0", "did you mean \"node\"?"),
    ("inputs/1=5", "expected an object"),
    ("t.nth=many", "expected a whole number"),
    ("id/x=1", "and has no parts"),
];

#[test]
fn a_bad_entry_is_told_and_loses_no_good_one() {
    for (bad, says) in BAD_ENTRIES {
        for text in [format!("{GOOD}&{bad}&v=1"), format!("{bad}&{GOOD}&v=1")] {
            let (told, opened) = told(&format!("?scenario=lost-ack&seed=7#{text}"));
            // The second input cannot come before the first.
            let early = text.starts_with("inputs/1") && told.contains("is no place here: 0 to 0");
            assert!(told.contains(says) || early, "{bad}: {told}");
            let Link { scenario, inputs, at } = opened.link;
            assert_eq!((scenario, inputs), (good().scenario, good().inputs), "{bad}");
            assert!(at == good().at || bad.starts_with('t'), "{bad}");
        }
    }
}

/// A hash of which nothing can be read, and what is told of it.
fn bad_hashes() -> Vec<(String, &'static str)> {
    let packed = |text: &[u8]| URL_SAFE_NO_PAD.encode(compress_to_vec_zlib(text, 10));
    let whole = packed(GOOD.as_bytes());
    let mut flipped = compress_to_vec_zlib(GOOD.as_bytes(), 10);
    let middle = flipped.len() / 2;
    flipped[middle] ^= 4;
    let mut other_sum = compress_to_vec_zlib(GOOD.as_bytes(), 10);
    *other_sum.last_mut().expect("bytes") ^= 1;
    vec![
        (format!("{GOOD}&v=2"), "this Lab reads version 1"),
        (format!("v=&{GOOD}"), "this Lab reads version 1"),
        (format!("v=1.0&{GOOD}"), "this Lab reads version 1"),
        (format!("z2.{whole}"), "this Lab reads z1"),
        (format!("z99999999999999999999999999.{whole}"), "this Lab reads z1"),
        ("z1".to_owned(), "damaged or was cut"),
        ("z1.".to_owned(), "damaged or was cut"),
        (format!("z1.{}", &whole[..whole.len() - 1]), "damaged or was cut"),
        (format!("z1.{}", &whole[..whole.len() / 2]), "damaged or was cut"),
        (format!("z1.{}", &whole[4..]), "damaged or was cut"),
        (format!("z1.{}", &whole[1..]), "damaged or was cut"),
        (format!("z1.{}", URL_SAFE_NO_PAD.encode(&flipped)), "damaged or was cut"),
        (format!("z1.{}", URL_SAFE_NO_PAD.encode(&other_sum)), "its checksum is another"),
        (format!("z1.{}", whole.to_lowercase()), "damaged or was cut"),
        (format!("z1.{}", whole.replacen('e', "é", 1)), "no base64url"),
        (format!("z1.{} {}", &whole[..9], &whole[9..]), "no base64url"),
        (format!("z1.{}", URL_SAFE_NO_PAD.encode(compress_to_vec(GOOD.as_bytes(), 10))), "damaged or was cut"),
        (format!("z1.{}", URL_SAFE_NO_PAD.encode(GOOD)), "damaged or was cut"),
        (format!("z1.{}", packed(b"\xff\xfe&t=5")), "is no UTF-8"),
        (format!("z1.{}", packed(&vec![b'a'; 2 << 20])), "inflates to more than 1048576 bytes"),
        (format!("z1.{}", packed(&vec![0; 150 << 20])), "inflates to more than 1048576 bytes"),
        ("x".repeat(300_000) + "=1", "a link has 262144 at most"),
    ]
}

#[test]
fn of_a_hash_that_cannot_be_read_the_query_is_used() {
    let mut query = library::get("lost-ack").expect("it is in the library");
    query.seed = 7;
    for (hash, says) in bad_hashes() {
        let (told, opened) = told(&format!("?scenario=lost-ack&seed=7#{hash}"));
        let shown: String = hash.chars().take(80).collect();
        assert!(told.contains(says), "{shown}: {told}");
        assert!(told.len() < 1_000, "{shown}: {told}");
        assert_eq!(opened.link, Link::from(query.clone()), "{shown}");
    }
}

/// A query or a hash that is good but for something, and what is told of it.
const NEARLY: &[(&str, &str)] = &[
    ("?scenario=lost-akc&seed=7#{}&v=1", "there is no scenario \"lost-akc\"; did you mean \"lost-ack\"?"),
    ("?scenario=%ff&seed=7#{}&v=1", "?scenario=: what the % signs stand for is no UTF-8"),
    ("?scenario=&seed=7#{}&v=1", "there is no scenario \"\""),
    ("?scenario=%F0%9F%92%A5&seed=7#{}&v=1", "there is no scenario \"💥\""),
    ("?scenario=commit-first&seed=7#base=lost-acks&{}&v=1", "there is no scenario \"lost-acks\""),
    ("?scenario=lost-ack&seed=7#{}", "its end is missing: a whole link says v=1"),
    ("?scenario=lost-ack&seed=7#{}&v", "expected path=value"),
];

#[test]
fn what_is_nearly_right_is_used_and_told() {
    for (text, says) in NEARLY {
        let (told, opened) = told(&text.replace("{}", GOOD));
        assert!(told.contains(says), "{text}: {told}");
        assert_eq!(opened.link, good(), "{text}");
    }
    let packed = URL_SAFE_NO_PAD.encode(compress_to_vec_zlib(GOOD.as_bytes(), 10));
    for behind in [").", ">", "…", "%29"] {
        let (told, opened) = told(&format!("?scenario=lost-ack&seed=7#z1.{packed}{behind}"));
        assert!(told.contains("is no part of a link") || behind == "%29", "{behind}: {told}");
        assert!(opened.link == good() || behind == "%29", "{behind}");
    }
    for seed in ["x", "-1", "1.5", "99999999999999999999", "", "%00"] {
        let (told, opened) = told(&format!("?scenario=lost-ack&seed={seed}#{GOOD}&v=1"));
        assert!(told.contains("is no seed: expected a whole number from 0 to"), "{seed}: {told}");
        assert_eq!(opened.link.inputs, good().inputs);
        assert_eq!(opened.link.scenario.producers, good().scenario.producers);
    }
}

#[test]
fn too_much_is_told_and_the_first_of_it_used() {
    let many: String =
        (1..800).map(|nth| format!("&inputs/{nth}/at.us={}&inputs/{nth}/do=heal", 300_000 + nth)).collect();
    let (said, opened) = told(&format!("?scenario=lost-ack&seed=7#{GOOD}{many}&v=1"));
    assert!(said.contains("inputs: 800 of them; the first 500 are used"), "{said}");
    assert_eq!(opened.link.inputs, good().inputs);
    let many: String = (0..3_000).map(|nth| format!("&topics/t{nth}/partitions=1")).collect();
    let (said, opened) = told(&format!("?scenario=lost-ack&seed=7#{GOOD}{many}&v=1"));
    assert!(said.contains("a link has 2000 entries at most; "), "{said}");
    assert!(said.contains("a scenario has 200 at most"), "{said}");
    assert_eq!(opened.link.inputs, good().inputs);
    let (said, _) = told(&format!(
        "#base=none&producers={}&v=1",
        serde_json::json!(vec![serde_json::json!({"name":"a","topic":"b"}); 5_000])
    ));
    assert!(said.contains("a scenario has 400 at most"), "{said}");
}

#[test]
fn what_can_only_be_told_when_it_runs_is_told_then() {
    for (input, says) in [
        ("at.us=9&inputs/0/do=crash&inputs/0/node=broker-7", "there is no node \"broker-7\""),
        ("at.us=9&inputs/0/do=corrupt&inputs/0/node=broker-0&inputs/0/partition=x", "\"x\" is no partition"),
        ("at.us=9&inputs/0/do=stall&inputs/0/message=1", "message 1 is not on its way"),
        ("at.us=9&inputs/0/do=reset&inputs/0/message=18446744073709551615", "is not on its way"),
        ("at.us=31000000000000&inputs/0/do=resume&inputs/0/node=broker-0", "\"until\" ends the run"),
    ] {
        let (told, opened) = told(&format!("?scenario=lost-ack#inputs/0/{input}&t=400000&v=1"));
        assert_eq!(told, "");
        let (session, mistakes) = Session::open(&opened.link).expect("the scenario runs");
        assert!(mistakes.len() == 1 && mistakes[0].to_string().contains(says), "{input}: {mistakes:?}");
        assert!(session.inputs().is_empty());
    }
}

#[test]
fn there_are_enough_of_them() {
    let all = BAD_ENTRIES.len() * 2 + bad_hashes().len() + NEARLY.len();
    assert!(all >= 50, "{all}");
}
