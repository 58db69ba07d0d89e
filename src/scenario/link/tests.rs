//! Links, there and back. Those that were written once are held in `tests/links.rs`.

use super::*;
use crate::scenario::format::What;
use crate::scenario::{parse, set};

fn changed(id: &str, changes: &[&str]) -> Link {
    let mut scenario = library::get(id).expect("it is in the library");
    changes.iter().for_each(|change| set(&mut scenario, change).expect(change));
    Link::from(scenario)
}

/// Its text, which says the same again.
fn text_of(link: &Link) -> String {
    let written = write(link);
    let opened = read(&written.query, &written.hash);
    assert_eq!(opened.mistakes, [], "{written:?}");
    assert_eq!(opened.link, *link, "{written:?}");
    assert_eq!(read_text(&format!("https://example.org/lab/{}", written.suffix())), opened);
    written.suffix()
}

fn crash(us: u64) -> Input {
    let what = What::Crash { node: "broker-1".into(), back_after: None };
    Input { at: Moment::at(us), what, message: None, kind: None }
}

#[test]
fn a_link_names_a_scenario_and_a_seed() {
    let opened = read_text("https://example.org/lab/?scenario=commit-after&seed=7&embed=1#stage");
    assert_eq!((opened.link.scenario.id.as_deref(), opened.link.scenario.seed), (Some("commit-after"), 7));
    assert!(opened.mistakes.is_empty());
    assert_eq!(text_of(&changed("commit-after", &["seed=7"])), "?scenario=commit-after&seed=7");
    assert_eq!(read("", "").link, changed(FIRST, &[]));
}

#[test]
fn what_differs_is_in_the_hash() {
    let link = changed("lost-ack", &["shop.acks=1", "mailer.commit=before", "orders.min.insync.replicas="]);
    assert_eq!(
        text_of(&link),
        "?scenario=lost-ack&seed=42#set=orders.min.insync.replicas=&set=shop.acks=1&set=mailer.commit=before&v=1"
    );
}

#[test]
fn settings_of_groups_are_in_it() {
    let link = changed("share-group", &["share.delivery.count.limit=3"]);
    let text = text_of(&link);
    assert!(text.ends_with("#set=group.workers.share.delivery.count.limit=3&v=1"), "{text}");
    text_of(&Link::from(Scenario { id: None, ..link.scenario }));
}

#[test]
fn what_was_done_and_the_moment_are_in_it_too() {
    let mut link = changed("lost-ack", &[]);
    link.inputs = vec![crash(1_201_500)];
    link.at = Some(Moment { us: 1_300_000, nth: Some(2) });
    assert_eq!(
        text_of(&link),
        "?scenario=lost-ack&seed=42#inputs/0/at.us=1201500&inputs/0/do=crash&inputs/0/node=broker-1&t=1300000&t.nth=2&v=1"
    );
}

#[test]
fn a_scenario_of_ones_own_is_whole_in_its_link() {
    let own = parse(r#"{ "version": 1, "seed": 9, "topics": [ { "name": "a/b & c=d" } ] }"#).expect("valid");
    assert_eq!(
        text_of(&Link::from(own)),
        "#base=none&seed=9&topics/a%2Fb%20%26%20c%3Dd/partitions=1&topics/a%2Fb%20%26%20c%3Dd/replication.factor=3&v=1"
    );
    let opened = read_text("?scenario=commit-after#base=none&v=1");
    assert_eq!((opened.link.scenario, opened.mistakes), (Scenario::default(), Vec::new()));
}

#[test]
fn what_is_long_is_deflated() {
    let mut link = changed("lost-ack", &[]);
    link.inputs = (0..50).map(|nth| crash(1_000 * nth)).collect();
    let text = text_of(&link);
    assert!(text.starts_with("?scenario=lost-ack&seed=42#z1.") && text.len() < LONG / 2, "{text}");
    // Every scenario of the library as one's own.
    for id in library::ids() {
        let mut link = changed(id, &[]);
        link.scenario.id = Some("mine".into());
        assert!(text_of(&link).starts_with("#z1."));
    }
}

#[test]
fn a_file_says_the_same() {
    let mut link = changed("lost-ack", &["shop.acks=1"]);
    (link.inputs, link.at) = (vec![crash(5), crash(7)], Some(Moment::at(9)));
    assert_eq!(parse_file(&link), Ok(link.clone()));
    let broken =
        to_json(&link).to_string().replace("\"at.us\":7", "\"at.us\":-7").replace("\"seed\":42", "\"seed\":\"x\"");
    let mistakes: String = super::parse(&broken).expect_err("wrong").iter().map(|it| format!("{it}\n")).collect();
    assert!(
        mistakes.contains("inputs[1].at.us: expected") && mistakes.contains("scenario.seed: expected"),
        "{mistakes}"
    );
}

fn parse_file(link: &Link) -> Result<Link, Vec<Mistake>> {
    super::parse(&to_json(link).to_string())
}

#[test]
fn a_mistake_in_one_part_loses_no_other() {
    let opened = read_text(
        "?scenario=lost-ack&seed=7#set=shop.acks=many&set=shop.retries=3&consumers/mailer/processing.ms=fast&inputs/0/at.us=5\
         &inputs/0/do=crahs&inputs/1/at.us=6&inputs/1/do=crash&inputs/1/node=broker-1&shop.linger.ms=0&t=77&v=1",
    );
    let mut link = changed("lost-ack", &["seed=7", "shop.retries=3"]);
    (link.inputs, link.at) = (vec![crash(6)], Some(Moment::at(77)));
    assert_eq!(opened.link, link);
    let told: Vec<&str> = opened.mistakes.iter().map(|mistake| mistake.place.as_str()).collect();
    assert_eq!(told, ["#shop.linger.ms", "#consumers/mailer/processing.ms", "#set=shop.acks=many", "inputs[0]"]);
}

#[test]
fn changes_that_need_each_other_may_stand_in_any_order() {
    let opened = read_text(
        "?scenario=lost-ack#set=shop.nothing=1&topics/orders=&topics/jobs/partitions=2&producers/shop/topic=jobs&consumers/mailer/topics=jobs&v=1",
    );
    assert_eq!(opened.mistakes.len(), 1, "{:?}", opened.mistakes);
    assert_eq!(opened.link.scenario.topics.iter().map(|it| &*it.name).collect::<Vec<_>>(), ["jobs"]);
}

#[test]
fn a_link_of_another_version_is_refused_and_its_query_used() {
    for hash in ["set=shop.acks=1&v=2", "z2.AAAA", "z17"] {
        let opened = read("scenario=commit-first&seed=3", hash);
        assert_eq!(opened.link, changed("commit-first", &["seed=3"]), "{hash}");
        assert_eq!(opened.mistakes.len(), 1, "{hash}");
        assert!(opened.mistakes[0].problem.contains("this Lab reads"), "{:?}", opened.mistakes);
    }
}
