//! What a group's coordinator keeps: its members as `kafka-consumer-groups.sh --describe --members --verbose` lists them, and
//! its records in the log as `kafka-dump-log.sh` prints them.

use super::inspector::{or_dash, table, text};
use crate::ui::hooks::{use_lab, use_texts};
use delivery_lab::view::GroupView;
use std::rc::Rc;
use yew::prelude::*;

/// How many records are shown.
const RECORDS: usize = 48;

/// `orders: 0, 1 · invoices: 2`.
fn by_topic(partitions: &[Rc<str>]) -> String {
    let mut out = String::new();
    let mut last = "";
    for partition in partitions {
        let (topic, index) = partition.rsplit_once('-').unwrap_or((partition, ""));
        let before = match (out.is_empty(), topic == last) {
            (_, true) => ", ".to_owned(),
            (true, _) => format!("{topic}: "),
            _ => format!(" · {topic}: "),
        };
        out.push_str(&before);
        out.push_str(index);
        last = topic;
    }
    if out.is_empty() { "–".to_owned() } else { out }
}

/// Who is a member, with its assignment; in the consumer protocol also with what it shall have and must give up.
pub fn members(group: &GroupView) -> Html {
    if group.members.is_empty() {
        return html! {};
    }
    let by_epochs = group.assignment_epoch.is_some();
    let rows = group.members.iter().map(|it| {
        let mut row = vec![
            text(&it.member_id),
            text(or_dash(it.instance_id.as_deref())),
            text(&it.client_id),
            text(it.assigned.len()),
            text(by_topic(&it.assigned)),
        ];
        if let Some(it) = &it.reconciling {
            let more = [it.epoch.to_string(), it.state.to_owned(), by_topic(&it.target), by_topic(&it.revoking)];
            row.extend(more.into_iter().map(Html::from));
        }
        row
    });
    let heads = [
        "consumer id",
        "group.instance.id",
        "client.id",
        "#partitions",
        "current assignment",
        "current epoch",
        "state",
        "target assignment",
        "pending revocation",
    ];
    table("members", &heads[..if by_epochs { 9 } else { 5 }], rows.collect())
}

#[derive(Properties, PartialEq)]
pub struct RecordsProps {
    /// The broker.
    pub node: u16,
    /// A partition of `__consumer_offsets`, or another internal one.
    pub partition: Rc<str>,
    /// Of this group only.
    #[prop_or_default]
    pub group: Option<Rc<str>>,
    /// The moment: so many events were handled.
    pub events: u64,
}

/// What a coordinator's log holds: the newest record of each key.
#[component]
pub fn Records(props: &RecordsProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let key = (props.node, props.partition.clone(), props.group.clone(), props.events);
    let records = use_memo((key, lab), |((node, partition, group, _), lab)| {
        lab.coordinator_records(*node, partition, group.as_deref(), RECORDS)
    });
    if records.is_empty() {
        return html! {};
    }
    let rows = records.iter().map(|it| {
        html! { <tr key={it.offset.to_string()}><td>{ it.offset }</td><td>{ &*it.key }</td><td>{ it.value.as_deref().unwrap_or("null") }</td></tr> }
    });
    let caption = match &props.group {
        Some(group) => (t.records_about)(&props.partition, group),
        None => (t.records_in)(&props.partition),
    };
    html! {
        <div class="scroll" tabindex="0" role="region" aria-label={caption.clone()} data-scroll="records">
            <table class="plain records">
                <caption>{ caption }</caption>
                <thead><tr><th scope="col">{ "offset" }</th><th scope="col">{ "key" }</th><th scope="col">{ "payload" }</th></tr></thead>
                <tbody>{ for rows }</tbody>
            </table>
        </div>
    }
}
