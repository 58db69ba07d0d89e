//! What is selected, in full, in Kafka's words.

use super::files::{Download, Segments};
use super::group_records::Records;
use super::hex::Hex;
use super::strip::kind_class;
use super::{inspector_group, inspector_txn, messages};
use crate::ui::hooks::{use_lab, use_texts};
use crate::ui::i18n::Texts;
use crate::ui::lab::Lab;
use crate::ui::lines::names;
use crate::ui::same::Same;
use crate::ui::state::{Action, Selection};
use crate::ui::words::{clock, ids, node_name, records};
use delivery_lab::view::{
    BrokerView, CellKind, ClusterView, ConsumerView, ControllerView, NodeBody, NodeView, PartitionView, ProducerView,
    SinkView,
};
use std::rc::Rc;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct InspectorProps {
    pub view: Same<ClusterView>,
    pub selection: Selection,
    /// How far the run has come.
    pub end_us: u64,
}

#[component]
pub fn Inspector(props: &InspectorProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let view = &props.view;
    let node = |id: u16| view.nodes.get(usize::from(id)).map(Same::from);
    let content = match &props.selection {
        Selection::None => html! { <p class="soft pad">{ t.nothing_selected }</p> },
        Selection::Node(id) => html! {
            if let Some(node) = node(*id) {
                // A member is seen among the others.
                { inspector_group::of_node(view, &node, props.end_us, &lab, t) }
                <NodeBox {node} names={names(view)} />
            }
        },
        Selection::Partition(id, name) | Selection::Batch(id, name, _) => {
            let base = if let Selection::Batch(_, _, base) = props.selection { Some(base) } else { None };
            match node(*id).and_then(|node| partition(&node, name).map(|found| (node, found))) {
                Some((node, partition)) => {
                    html! { <PartitionBox broker={node.id} name={node.name.clone()} {partition} {base} events={view.events} /> }
                }
                None => html! { <p class="soft pad">{ t.nothing_selected }</p> },
            }
        }
        Selection::Transaction(id) => inspector_txn::transaction(view, id, t),
        Selection::Group(id) => inspector_group::group(view, id, props.end_us, &lab, t),
        Selection::Message(id) => match view.messages.iter().find(|it| it.id == *id) {
            Some(message) => {
                let arrives = message.arrives_us.map_or_else(|| "–".to_owned(), |us| format!("{} s", clock(us)));
                html! {
                    <>
                        <h3>{ messages::label(message, view, t) }</h3>
                        { facts(vec![
                            ("message", message.id.to_string()),
                            ("api", format!("{}{}", message.api, if message.response { "Response" } else { "Request" })),
                            ("error_code", message.error.unwrap_or("NONE").to_owned()),
                            ("records", records(&message.records)),
                            ("sent", format!("{} s", clock(message.sent_us))),
                            ("arrives", arrives),
                        ]) }
                    </>
                }
            }
            None => html! { <p class="soft pad">{ t.message_over }</p> },
        },
    };
    let hash = {
        let events = view.events;
        use_memo((events, lab.clone()), |(_, lab)| lab.state_hash())
    };
    html! {
        <div id="panel" class="inspector" role="tabpanel" aria-labelledby="tab-inspector">
            <nav class="chips" aria-label={t.inspector}>{ for view.nodes.iter().map(|node| html! {
                <NodeChip key={node.id} id={node.id} name={node.name.clone()} current={props.selection == Selection::Node(node.id)} /> }) }
                { for inspector_txn::transactions(view).into_iter().map(|(_, it)| chip("txn", "◆ ", &it.transactional_id, Selection::Transaction(it.transactional_id.clone()), &props.selection, &lab)) }
                { for inspector_group::names(view).iter().map(|it| chip("grp", "⬡ ", it, Selection::Group(it.clone()), &props.selection, &lab)) }</nav>
            { content }
            <p class="soft mono">{ "state hash " }{ &*hash }</p>
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct ChipProps {
    id: u16,
    name: Rc<str>,
    current: bool,
}

#[component]
fn NodeChip(props: &ChipProps) -> Html {
    let lab = use_lab();
    let id = props.id;
    let onclick = Callback::from(move |_| lab.tell(Action::Select(Selection::Node(id))));
    html! { <button {onclick} aria-pressed={props.current.to_string()}>{ node_name(&props.name) }</button> }
}

/// The chip of a transactional id, or of a group.
fn chip(
    class: &'static str,
    sign: &'static str,
    id: &Rc<str>,
    to: Selection,
    selection: &Selection,
    lab: &Lab,
) -> Html {
    let current = *selection == to;
    let lab = lab.clone();
    let onclick = Callback::from(move |_| lab.tell(Action::Select(to.clone())));
    html! { <button key={format!("{class}-{id}")} {class} {onclick} aria-pressed={current.to_string()}><span aria-hidden="true">{ sign }</span>{ &**id }</button> }
}

fn partition(node: &NodeView, name: &str) -> Option<Same<PartitionView>> {
    let NodeBody::Broker(broker) = &node.body else { return None };
    broker.partitions.iter().find(|it| &*it.name == name).map(Same::from)
}

/// Names and values.
pub(super) fn facts(list: Vec<(&'static str, String)>) -> Html {
    html! { <dl class="facts">{ for list.into_iter().map(|(name, value)| html! { <div key={name}><dt>{ name }</dt><dd>{ value }</dd></div> }) }</dl> }
}

/// A small table; the first column names the row.
pub(super) fn table(caption: &str, heads: &[&'static str], rows: Vec<Vec<Html>>) -> Html {
    html! {
        <div class="scroll" tabindex="0" role="region" aria-label={caption.to_owned()} data-scroll="table">
            <table class="plain">
                <caption>{ caption }</caption>
                <thead><tr>{ for heads.iter().map(|head| html! { <th scope="col" key={*head}>{ *head }</th> }) }</tr></thead>
                <tbody>{ for rows.into_iter().enumerate().map(|(at, row)| html! { <tr key={at}>{ for row.into_iter().map(|cell| html! { <td>{ cell }</td> }) }</tr> }) }</tbody>
            </table>
        </div>
    }
}

/// A text, or a dash where there is none.
pub(super) fn or_dash(text: Option<&str>) -> String {
    text.unwrap_or("–").to_owned()
}

pub(super) fn text(value: impl ToString) -> Html {
    Html::from(value.to_string())
}

#[derive(Properties, PartialEq)]
struct NodeProps {
    node: Same<NodeView>,
    names: Rc<[Rc<str>]>,
}

#[component]
fn NodeBox(props: &NodeProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let node = &props.node;
    let body = match &node.body {
        NodeBody::Broker(it) => broker(it, node.id, &lab, t),
        NodeBody::Controller(it) => controller(it, &props.names, node),
        NodeBody::Producer(it) => producer(it, &lab, t),
        NodeBody::Consumer(it) => consumer(it, t),
        NodeBody::Processor(it) => inspector_txn::processor(it, &lab, t),
        NodeBody::Sink(it) => html! { <>{ facts(vec![("dedupe", it.dedupe.to_string())]) }{ effects(it, t) }</> },
    };
    html! {
        <>
            <h3>{ node_name(&node.name) }<small>{ " " }{ (t.status)(node.status) }</small></h3>
            { body }
        </>
    }
}

fn broker(it: &BrokerView, id: u16, lab: &Lab, t: &Texts) -> Html {
    let rows = it.partitions.iter().map(|partition| {
        let (lab, name) = (lab.clone(), partition.name.clone());
        let select = Callback::from(move |_| lab.tell(Action::Select(Selection::Partition(id, name.clone()))));
        vec![
            html! { <button class="link" onclick={select}>{ &*partition.name }</button> },
            text(role(partition, t)),
            text(partition.leader),
            text(partition.leader_epoch),
            text(partition.partition_epoch),
            text(ids(&partition.isr)),
            text(partition.log_start_offset),
            text(partition.last_stable_offset),
            text(partition.high_watermark),
            text(partition.log_end_offset),
        ]
    });
    let heads =
        ["partition", "role", "leader", "leader epoch", "partition epoch", "ISR", "log start", "LSO", "HW", "LEO"];
    html! {
        <>
            { facts(vec![("broker_epoch", it.broker_epoch.to_string()), ("metadata_offset", it.metadata_offset.to_string())]) }
            { inspector_txn::coordinated(&it.transactions, lab) }
            { inspector_group::coordinated(&it.groups, lab) }
            { table("replicas", &heads, rows.collect()) }
        </>
    }
}

fn role(partition: &PartitionView, t: &Texts) -> &'static str {
    use delivery_lab::view::ReplicaRole;
    match partition.role {
        ReplicaRole::Leader => t.leader,
        ReplicaRole::Follower => t.follower,
        ReplicaRole::Offline => t.offline,
    }
}

fn controller(it: &ControllerView, names: &[Rc<str>], node: &NodeView) -> Html {
    let brokers = it.brokers.iter().map(|(id, epoch, fenced)| vec![text(id), text(epoch), text(fenced)]);
    let log = it.records.iter().rev();
    let log =
        log.map(|it| vec![text(it.offset), text(it.epoch), text(&it.text), text(if it.committed { "" } else { "…" })]);
    let called = |id: u16| names.get(usize::from(id)).map_or_else(|| id.to_string(), |name| node_name(name));
    let known = |id: Option<u16>| id.map_or_else(|| "–".to_owned(), called);
    let quorum = &it.quorum;
    let number = |offset: Option<i64>| offset.map_or_else(|| "–".to_owned(), |offset| offset.to_string());
    let replicas = quorum.voters.iter().chain(&quorum.observers);
    let replicas =
        replicas.map(|it| vec![text(called(it.node)), text(number(it.log_end_offset)), text(number(it.lag))]);
    html! {
        <>
            { facts(vec![
                ("role", quorum.role.unwrap_or("–").to_owned()),
                ("epoch", quorum.epoch.to_string()),
                ("leader", known(quorum.leader)),
                ("voted", known(quorum.voted)),
                ("high watermark", quorum.high_watermark.to_string()),
                ("log end offset", quorum.log_end_offset.to_string()),
            ]) }
            { table("quorum", &["node", "log end offset", "lag"], replicas.collect()) }
            { table("brokers", &["id", "broker epoch", "fenced"], brokers.collect()) }
            { table("__cluster_metadata", &["offset", "epoch", "record", ""], log.collect()) }
            <Download node={node.id} name={node.name.clone()} partition={Rc::<str>::from("__cluster_metadata-0")} />
        </>
    }
}

fn producer(it: &ProducerView, lab: &Lab, t: &Texts) -> Html {
    let id = identity(it);
    html! {
        <>
            { facts(vec![
                ("topic", it.topic.to_string()), ("producer id / epoch", id.clone()),
                ("sent", format!("{} / {}", it.sent, it.total)), ("acked", it.acked.to_string()), ("failed", it.failed.to_string()),
            ]) }
            if let Some(manager) = &it.manager { { inspector_txn::manager(manager, &id, lab, t) } }
            { on_its_way(it, t) }
            { settings(&it.settings, t) }
        </>
    }
}

/// Producer id and epoch.
pub(super) fn identity(it: &ProducerView) -> String {
    it.producer_id.map_or_else(|| "–".to_owned(), |(id, epoch)| format!("{id} / {epoch}"))
}

/// What a producer client has in flight, and in its buffer.
pub(super) fn on_its_way(it: &ProducerView, t: &Texts) -> Html {
    let buffer = it.buffer.iter().map(|(record, partition)| vec![text(record), text(partition)]);
    let flying = it.in_flight.iter().map(|it| {
        vec![text(records(&it.records)), text(it.to), text(it.attempt), text(format!("{} s", clock(it.deadline_us)))]
    });
    html! {
        <>
            { table(t.in_flight, &["records", "broker", "attempt", "request.timeout"], flying.collect()) }
            { table(t.buffer, &["record", "partition"], buffer.collect()) }
        </>
    }
}

/// Settings worth seeing, and which differ from Kafka's defaults.
pub(super) fn settings(list: &[(Rc<str>, Rc<str>, bool)], t: &Texts) -> Html {
    let rows =
        list.iter().map(|(key, value, changed)| vec![text(key), text(value), text(if *changed { "≠" } else { "" })]);
    table(t.settings, &["key", "value", ""], rows.collect())
}

/// A reader's place in its group, and how far it is in each partition.
pub(super) fn positions(it: &ConsumerView) -> Html {
    let number = |it: Option<i64>| it.map_or_else(|| "–".to_owned(), |it| it.to_string());
    let rows = it
        .positions
        .iter()
        .map(|one| vec![text(&one.partition), text(number(one.position)), text(number(one.committed)), text(one.lag)]);
    html! {
        <>
            if let Some(it) = &it.membership {
                { facts(vec![
                    ("member id", or_dash(Some(&*it.member_id).filter(|id| !id.is_empty()))),
                    (if it.by_epochs { "member epoch" } else { "generation" }, it.generation.to_string()), ("member state", it.state.to_owned()),
                ]) }
            }
            { table("positions", &["partition", "position", "committed", "lag"], rows.collect()) }
        </>
    }
}

/// What happened in an external system, and how it knows repetitions: a row for each record, then what it keeps.
pub(super) fn effects(it: &SinkView, t: &Texts) -> Html {
    let strategy = it.dedupe.split(' ').next().unwrap_or_default();
    let rows = it.rows.iter().map(|row| {
        let why = (t.sink_row)(strategy, row);
        let class = classes!(
            (row.effects > 1).then_some("twice"),
            (row.refused > 0).then_some("refused"),
            row.forgotten.then_some("forgotten")
        );
        html! {
            <tr key={row.record} {class} data-r={row.record.to_string()}>
                <th scope="row">{ row.record }</th><td>{ row.effects }</td><td>{ row.refused }</td><td>{ why }</td>
            </tr>
        }
    });
    let offsets = it.offsets.iter().map(|(partition, offset)| vec![text(partition), text(offset)]);
    let versions = it.versions.iter().map(|(entity, version)| vec![text(entity), text(version)]);
    html! {
        <>
            <p class="soft">{ (t.sink_strategy)(strategy) }</p>
            <div class="scroll" tabindex="0" role="region" aria-label={t.sink} data-scroll="sink">
                <table class="plain effects">
                    <caption>{ t.sink }{ " · " }{ &*it.dedupe }</caption>
                    <thead><tr>{ for ["record", "effects", "refused", ""].map(|head| html! { <th scope="col">{ head }</th> }) }</tr></thead>
                    <tbody>{ for rows }</tbody>
                </table>
            </div>
            if !it.offsets.is_empty() { { table(t.stored_offsets, &["partition", "next offset"], offsets.collect()) } }
            if !it.versions.is_empty() { { table(t.versions, &["entity", "version"], versions.collect()) } }
        </>
    }
}

fn consumer(it: &ConsumerView, t: &Texts) -> Html {
    html! {
        <>
            { facts(vec![
                ("group.id", or_dash(it.group.as_deref())),
                ("polled", records(&it.pending)), ("worker", records(&it.worker)),
            ]) }
            { positions(it) }
            if let Some(sink) = &it.sink { { effects(sink, t) } }
            { settings(&it.settings, t) }
        </>
    }
}

#[derive(Properties, PartialEq)]
struct PartitionProps {
    broker: u16,
    name: Rc<str>,
    partition: Same<PartitionView>,
    base: Option<i64>,
    /// The moment: so many events were handled.
    events: u64,
}

#[component]
fn PartitionBox(props: &PartitionProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let it = &*props.partition;
    let broker = props.broker;
    let batch = props.base.and_then(|base| lab.batch(broker, &it.name, base)).map(Rc::new);
    let shown = batch.as_ref().map(|batch| batch.base_offset);
    let cells = it.cells.iter().map(|cell| {
        let (lab, name, base) = (lab.clone(), it.name.clone(), cell.batch);
        let onclick = Callback::from(move |_| lab.tell(Action::Select(Selection::Batch(broker, name.clone(), base))));
        let class = classes!("cellb", if cell.committed { "committed" } else { "appended" }, cell.duplicate.then_some("dup"), kind_class(cell.kind));
        let sign = if cell.kind == CellKind::AbortMarker { "◇" } else { "◆" };
        let record = cell.record.map(|it| it.to_string());
        let said = format!("offset {}, record {}, batch {}", cell.offset, record.as_deref().unwrap_or("–"), cell.batch);
        let seen = record.clone().unwrap_or_else(|| sign.to_owned());
        let label = format!("{seen} {}: {said}", cell.offset);
        html! {
            <button key={cell.offset.to_string()} {class} {onclick} data-r={record.clone()} aria-label={label} title={said} aria-pressed={(shown == Some(cell.batch)).to_string()}>
                <b>{ seen }</b>{ " " }<small>{ cell.offset }</small>
            </button>
        }
    });
    let pending = it.pending_isr.as_deref().map_or_else(|| "–".to_owned(), ids);
    let or_none = |brokers: &[i32]| if brokers.is_empty() { "–".to_owned() } else { ids(brokers) };
    let followers = it.followers.iter().map(|one| {
        vec![
            text(one.broker),
            text(one.log_end_offset),
            text(format!("{} s", clock(one.last_caught_up_us))),
            text(one.in_sync),
        ]
    });
    let epochs = it.epochs.iter().map(|(epoch, start)| vec![text(epoch), text(start)]);
    html! {
        <>
            <h3>{ &*it.name }{ " · " }{ node_name(&props.name) }<small>{ " " }{ role(it, t) }</small></h3>
            { facts(vec![
                ("log start offset", it.log_start_offset.to_string()), ("LSO", it.last_stable_offset.to_string()),
                ("HW", it.high_watermark.to_string()), ("LEO", it.log_end_offset.to_string()),
                ("leader", it.leader.to_string()), ("leader epoch", it.leader_epoch.to_string()),
                ("partition epoch", it.partition_epoch.to_string()), ("replicas", ids(&it.replicas)),
                ("ISR", or_none(&it.isr)), ("pending ISR", pending), ("ELR", or_none(&it.elr)),
                ("adding replicas", or_none(&it.adding)), ("removing replicas", or_none(&it.removing)),
            ]) }
            <p class="soft">{ t.cells_help }</p>
            <div class="cells">{ for cells }</div>
            if let Some(base) = props.base { <Hex {batch} {broker} partition={it.name.clone()} base_offset={base} /> }
            if it.internal { <Records node={broker} partition={it.name.clone()} events={props.events} /> }
            <div class="tables">
                if !it.followers.is_empty() { { table("followers", &["broker", "LEO", "last caught up", "in sync"], followers.collect()) } }
                <Segments {broker} node={props.name.clone()} partition={props.partition.clone()} />
                { table("leader epochs", &["epoch", "start offset"], epochs.collect()) }
                { inspector_txn::producers(it) }
            </div>
        </>
    }
}
