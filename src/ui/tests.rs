//! Components rendered natively from what a real session shows.

use super::components::{StageBox, Verdict};
use super::i18n::Lang;
use super::lab::Lab;
use super::lab::session::Command;
use super::same::Same;
use super::state::Selection;
use super::why::{Handover, Why};
use delivery_lab::scenario::{Scenario, library, parse, set};
use delivery_lab::view::{ClusterView, NodeBody, ReplicaRole};
use std::rc::Rc;
use yew::prelude::*;

#[derive(Properties, PartialEq, Clone)]
struct PageProps {
    lab: Lab,
    view: Same<ClusterView>,
    lang: Lang,
}

/// What the app puts around components.
#[component]
fn Page(props: &PageProps) -> Html {
    let view = props.view.clone();
    html! {
        <ContextProvider<Lab> context={props.lab.clone()}>
        <ContextProvider<Lang> context={props.lang}>
            <StageBox view={view.clone()} clock_us={view.time_us} traffic=false selection={Selection::None} />
            <Verdict scenario={Rc::new(props.lab.scenario())} written={Rc::new(props.lab.scenario())} runs={Same(Rc::default())} view={view.clone()} filter={None} story={None} reason={None} />
        </ContextProvider<Lang>>
        </ContextProvider<Lab>>
    }
}

/// The page at the end of a scenario, or at a moment of it.
fn page(id: &str, changes: &[&str], at_us: Option<u64>, lang: Lang) -> String {
    let mut scenario = library::get(id).expect("it is in the library");
    changes.iter().for_each(|change| set(&mut scenario, change).expect("a valid setting"));
    page_of(Lab::new(scenario).expect("a valid scenario"), at_us, lang)
}

fn page_of(lab: Lab, at_us: Option<u64>, lang: Lang) -> String {
    lab.go(at_us.map_or(Command::SeekTime(60_000_000), Command::SeekTime));
    let view: Rc<ClusterView> = lab.shot(false).view;
    let props = PageProps { lab, view: Same(view), lang };
    pollster::block_on(yew::LocalServerRenderer::<Page>::with_props(props).hydratable(false).render())
}

fn count(text: &str, what: &str) -> usize {
    text.matches(what).count()
}

#[test]
fn the_duplicate_stands_in_every_log_twice_and_in_the_ledger() {
    let html = page("lost-ack", &[], Some(1_100_000), Lang::En);
    assert!(count(&html, "cell committed dup") >= 6, "twice on three brokers: {html}");
    assert!(html.contains("Record 3 was processed more than once."));
    assert!(html.contains("data-status=\"twice\""));
    assert_eq!(count(&html, "★ leader<"), 1);
    assert!(html.contains("ISR 0 · 1 · 2"));
}

#[test]
fn idempotence_cures_it() {
    let html = page("lost-ack", &["shop.enable.idempotence=true"], None, Lang::En);
    assert!(!html.contains(" dup"), "no cell is marked");
    assert!(html.contains("All is well: 20 processed, none lost, none twice."));
}

#[test]
fn before_the_first_event_nobody_is_dead_and_nothing_is_claimed_to_have_happened() {
    let html = page("lost-ack", &[], Some(0), Lang::En);
    assert!(!html.contains(">dead<") && !html.contains("crossed"));
    assert!(html.contains("Nothing has happened yet."));
}

#[test]
fn a_crashed_broker_is_crossed_and_its_log_still_readable() {
    let html = page("leader-only-ack", &[], Some(900_000), Lang::En);
    assert_eq!(count(&html, "class=\"crossed\""), 1);
    let broker = &html[html.find("data-node=\"broker-0\"").expect("the broker")..];
    let broker = &broker[..broker.find("data-node=\"broker-1\"").expect("the next")];
    assert!(broker.contains("class=\"cell"), "{broker}");
}

#[test]
fn korean_texts_and_kafkas_own_terms() {
    let html = page("lost-ack", &[], None, Lang::Ko);
    assert!(html.contains("레코드 3: 두 번 이상 처리되었습니다."));
    for term in ["ISR", "HW", "epoch"] {
        assert!(html.contains(term), "{term} stays as it is");
    }
}

/// Transactions of four records each, every second one aborted; the consumer reads everything.
const ABORTS: &str = r#"{ "version": 1, "seed": 7, "topics": [ { "name": "orders" } ],
    "producers": [ { "name": "shop", "topic": "orders", "records": 12, "rate.per.second": 20, "transaction.records": 4,
                     "abort.every": 2, "config": { "transactional.id": "shop-tx" } } ],
    "consumers": [ { "name": "mailer", "group": "mail", "topics": ["orders"], "config": { "enable.auto.commit": "false" } } ] }"#;

fn aborts() -> Lab {
    Lab::new(parse(ABORTS).expect("a scenario")).expect("a valid scenario")
}

#[test]
fn aborted_records_and_markers_have_shapes_of_their_own() {
    let html = page_of(aborts(), None, Lang::En);
    assert!(count(&html, "cell committed aborted") >= 9, "three records on three brokers: {html}");
    assert!(count(&html, "control commits") >= 3 && count(&html, "control aborts") >= 3);
    assert!(
        html.contains("hidden from read_committed") && html.contains("abort marker"),
        "the legend says what they are"
    );
    assert!(html.contains("data-status=\"dirty\""), "and a reader of everything has acted on them");
    assert!(html.contains("although their transaction was aborted"));
}

#[test]
fn what_lies_behind_the_last_stable_offset_is_there_and_pale() {
    let lab = aborts();
    let open = |view: &ClusterView| {
        let log = view.nodes.iter().find_map(|node| match &node.body {
            NodeBody::Broker(it) => it.partitions.iter().find(|it| it.role == ReplicaRole::Leader && !it.internal),
            _ => None,
        });
        log.is_some_and(|log| log.last_stable_offset + 2 <= log.high_watermark)
    };
    let at = (0..400).map(|step| step * 3_000).find(|at| {
        lab.go(Command::SeekTime(*at));
        open(&lab.shot(false).view)
    });
    let html = page_of(lab, Some(at.expect("a transaction is open for a while")), Lang::En);
    assert!(html.contains("veiled") && html.contains("class=\"corner\"") && html.contains("class=\"veil\""), "{html}");
    assert!(html.contains(">LSO ") && html.contains(">HW "), "two flags");
    assert!(html.contains("of them hidden from read_committed"), "said in words too");
    assert!(html.contains("IN_TRANSACTION"), "the producer's state");
}

#[test]
fn where_nothing_is_transactional_nothing_speaks_of_transactions() {
    let html = page("lost-ack", &[], None, Lang::En);
    for word in ["LSO", "veiled", "txn", "hidden from", "open transaction"] {
        assert!(!html.contains(word), "{word}");
    }
}

#[test]
fn a_leaders_log_shows_how_far_its_readers_are() {
    let html = page("lost-ack", &[], None, Lang::En);
    assert_eq!(count(&html, "class=\"reader own"), 1, "one reader, and followers are not read");
    assert_eq!(count(&html, "class=\"reader stored"), 1);
    assert!(html.contains("mail: committed ") && html.contains("mailer: position "));
    assert!(html.contains("· gen 1"), "its card names its generation");
    assert!(html.contains(">member<"), "and has room for the word");
}

/// What the page gives as the reason, at the end of a scenario.
fn reason(id: &str) -> Option<Why> {
    reason_of(library::get(id).expect("it is in the library"))
}

fn reason_of(scenario: Scenario) -> Option<Why> {
    let lab = Lab::new(scenario).expect("a valid scenario");
    lab.go(Command::SeekTime(60_000_000));
    lab.shot(true).rest.and_then(|rest| rest.reason)
}

#[test]
fn the_reason_given_is_the_one_that_the_scenario_is_about() {
    let told = |id: &str, right: fn(&Why) -> bool| {
        let why = reason(id);
        assert!(why.as_ref().is_some_and(right), "{id}: {why:?}");
    };
    told("lost-ack", |why| matches!(why, Why::SentAgain { .. }));
    told("restart-resend", |why| matches!(why, Why::Restarted { .. }));
    told("forgotten-producer", |why| matches!(why, Why::Forgotten { .. }));
    told("aborted-but-read", |why| matches!(why, Why::AbortedRead));
    told("blocked-behind-lso", |why| matches!(why, Why::Undone));
    told("late-end-txn", |why| matches!(why, Why::CommittedAnyway));
    told("leader-only-ack", |why| matches!(why, Why::CutOff | Why::NotReplicated));
    told("fire-and-forget", |why| matches!(why, Why::NobodyAsked));
    told("commit-first", |why| matches!(why, Why::CommittedFirst));
    told("side-effects", |why| matches!(why, Why::EffectOutside { times: 2 }));
    told("commit-after", |why| matches!(why, Why::ReadAgain { .. }));
}

#[test]
fn a_long_transactional_id_leaves_room_for_its_name() {
    let html = page("bad-transactional-id", &[], Some(4_000_000), Lang::En);
    assert!(html.contains(">txn id<") && html.contains(">till-") && !html.contains(">…<"), "{html}");
}

/// Two members that share four partitions, and what is said of them.
fn group(of_each: &str, more: &str) -> Scenario {
    let text = r#"{ "version": 1, "seed": 11, "topics": [ { "name": "orders", "partitions": 4 } ],
        "producers": [ { "name": "shop", "topic": "orders", "records": 80, "rate.per.second": 20, "key": "record" } ],
        "consumers": [ { "name": "mailer", "members": 2, "group": "mail", "topics": ["orders"], "commit": "after-sync", EACH } ] MORE }"#;
    parse(&text.replace("EACH", of_each).replace("MORE", more)).expect("a scenario")
}

#[test]
fn who_takes_a_partition_over_repeats_what_was_not_committed_and_the_page_says_why() {
    let slow = r#""processing.ms": 300, "config": { "enable.auto.commit": "false", "auto.offset.reset": "earliest", "max.poll.interval.ms": "1000", "session.timeout.ms": "6000" }"#;
    let why = reason_of(group(slow, ""));
    assert!(matches!(&why, Some(Why::ReadElsewhere { how: Handover::TooSlow, .. })), "{why:?}");
    let quick = r#""processing.ms": 40, "config": { "enable.auto.commit": "false", "auto.offset.reset": "earliest", "session.timeout.ms": "6000" }"#;
    let crash = r#", "faults": [ { "on": { "event": "processed", "node": "mailer-1", "nth": 9 }, "do": "crash", "node": "mailer-1" } ]"#;
    let why = reason_of(group(quick, crash));
    assert!(
        matches!(&why, Some(Why::ReadElsewhere { how: Handover::Died, first, second }) if first == "mailer-1" && second == "mailer-2"),
        "{why:?}"
    );
}

#[test]
fn what_stood_there_before_the_first_reader_is_lost_for_want_of_a_committed_offset() {
    let latest = r#""processing.ms": 1, "config": { "enable.auto.commit": "false", "auto.offset.reset": "latest", "metadata.max.age.ms": "5000" }"#;
    let grows = r#", "faults": [ { "at.ms": 1000, "do": "create_partitions", "topic": "orders", "count": 6 } ]"#;
    let mut scenario = group(latest, grows);
    set(&mut scenario, "shop.metadata.max.age.ms=200").expect("a setting");
    let why = reason_of(scenario);
    assert!(matches!(&why, Some(Why::BeganBehind { position, .. }) if *position > 0), "{why:?}");
}

#[test]
fn the_verdict_says_what_rebalances_cost() {
    let quick = r#""processing.ms": 5, "config": { "enable.auto.commit": "false", "auto.offset.reset": "earliest", "session.timeout.ms": "6000" }"#;
    let crash = r#", "faults": [ { "at.ms": 2000, "do": "crash", "node": "mailer-1" } ]"#;
    let html = page_of(Lab::new(group(quick, crash)).expect("valid"), None, Lang::En);
    let pauses = &html[html.find("data-pauses=\"mail\"").expect("a line for the group")..];
    assert!(pauses.contains("1 pause · longest ") && pauses.contains(" in all"), "{}", &pauses[..300]);
    assert!(
        !page("lost-ack", &[], None, Lang::En).contains("data-pauses"),
        "one member of one partition shares nothing"
    );
}
