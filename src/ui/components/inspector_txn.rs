//! The inspector's half for transactions: what a coordinator knows, what a client knows, what a log knows.

use super::inspector::{effects, facts, identity, on_its_way, or_dash, positions, settings, table, text};
use super::machine::machine;
use crate::ui::i18n::Texts;
use crate::ui::lab::Lab;
use crate::ui::state::{Action, Selection};
use crate::ui::words::{node_name, records, span};
use delivery_lab::view::{ClusterView, ManagerView, NodeBody, NodeView, PartitionView, ProcessorView, TransactionView};
use std::rc::Rc;
use yew::prelude::*;

/// All transactional ids with whoever coordinates them, by name.
pub fn transactions(view: &ClusterView) -> Vec<(&NodeView, &TransactionView)> {
    let brokers = view.nodes.iter().filter_map(|node| match &node.body {
        NodeBody::Broker(it) => Some(it.transactions.iter().map(|txn| (&**node, txn))),
        _ => None,
    });
    let mut found: Vec<_> = brokers.flatten().collect();
    delivery_lab::base::sort_short(&mut found, |a, b| a.1.transactional_id < b.1.transactional_id);
    found
}

/// A button that leads to a transactional id.
pub fn link(id: &Rc<str>, lab: &Lab) -> Html {
    let (lab, chosen) = (lab.clone(), id.clone());
    let onclick = Callback::from(move |_| lab.tell(Action::Select(Selection::Transaction(chosen.clone()))));
    html! { <button class="link" {onclick}>{ &**id }</button> }
}

/// What a coordinator coordinates, as a table.
pub fn coordinated(list: &[TransactionView], lab: &Lab) -> Html {
    if list.is_empty() {
        return html! {};
    }
    let rows = list.iter().map(|it| {
        let state = it.pending.map_or_else(|| it.state.to_owned(), |pending| format!("{} → {pending}", it.state));
        vec![
            link(&it.transactional_id, lab),
            text(state),
            text(it.producer_id),
            text(it.producer_epoch),
            text(it.partitions.join(" ")),
            text(&it.home),
        ]
    });
    let heads = ["transactional.id", "state", "producer id", "epoch", "partitions", "kept in"];
    table("transaction coordinator", &heads, rows.collect())
}

/// A transactional id: its metadata, and where it is in its life.
pub fn transaction(view: &ClusterView, id: &str, t: &Texts) -> Html {
    let Some((node, it)) = transactions(view).into_iter().find(|(_, it)| &*it.transactional_id == id) else {
        return html! { <><h3>{ id }</h3><p class="soft">{ t.no_coordinator }</p></> };
    };
    let second = |ms: i64| if ms < 0 { "–".to_owned() } else { format!("{}.{:03} s", ms / 1_000, ms % 1_000) };
    let number = |it: i64| if it < 0 { "–".to_owned() } else { it.to_string() };
    let partitions = if it.partitions.is_empty() { "–".to_owned() } else { it.partitions.join(" · ") };
    html! {
        <>
            <h3>{ id }<small>{ " transaction coordinator: " }{ node_name(&node.name) }</small></h3>
            { facts(vec![
                ("state", it.state.to_owned()), ("pending state", it.pending.unwrap_or("–").to_owned()),
                ("producer id", it.producer_id.to_string()), ("epoch", it.producer_epoch.to_string()),
                ("last epoch", number(it.last_producer_epoch.into())), ("previous producer id", number(it.previous_producer_id)),
                ("next producer id", number(it.next_producer_id)), ("partitions", partitions),
                ("transaction.timeout.ms", span(it.timeout_ms * 1_000)),
                ("started", second(it.start_ms)), ("changed", second(it.update_ms)),
                ("transaction.version", it.version.to_string()), ("kept in", it.home.to_string()),
            ]) }
            { machine(it.state, it.pending, t) }
        </>
    }
}

/// A client's transaction manager.
pub fn manager(it: &ManagerView, identity: &str, lab: &Lab, t: &Texts) -> Html {
    let list = |of: String| if of.is_empty() { "–".to_owned() } else { of };
    html! {
        <section class="manager" aria-label="transaction manager">
            <h3>{ "transaction manager " }{ link(&it.transactional_id, lab) }</h3>
            { facts(vec![
                ("state", it.state.to_owned()), ("producer id / epoch", identity.to_owned()),
                ("coordinator", it.coordinator.map_or_else(|| "–".to_owned(), |id| format!("broker {id}"))),
                ("partitions", list(it.partitions.join(" · "))), ("pending requests", list(it.pending.join(" · "))),
                ("last error", or_dash(it.error.as_deref())),
            ]) }
            if it.fenced { <p class="fence">{ t.fenced_by_newer }</p> }
        </section>
    }
}

/// A processor: what it reads, its transaction, what it writes.
pub fn processor(it: &ProcessorView, lab: &Lab, t: &Texts) -> Html {
    html! {
        <>
            { facts(vec![
                ("from", it.from.join(" · ")), ("to", it.to.join(" · ")), ("group.id", or_dash(it.reader.group.as_deref())),
                ("offsets", it.offsets.to_owned()), ("polled", records(&it.reader.pending)),
                ("producer id / epoch", identity(&it.writer)),
            ]) }
            if let Some(manager_view) = &it.writer.manager { { manager(manager_view, &identity(&it.writer), lab, t) } }
            <div class="tables">
                { positions(&it.reader) }
                { on_its_way(&it.writer, t) }
                { settings(&it.reader.settings, t) }
                { settings(&it.writer.settings, t) }
                if let Some(sink) = &it.sink { { effects(sink, t) } }
            </div>
        </>
    }
}

/// What a log knows of its producers, and which transactions were aborted in it.
pub fn producers(it: &PartitionView) -> Html {
    let rows = it.producers.iter().map(|one| {
        let batches = one.batches.iter().map(|(first, last, offset)| format!("{first}–{last} @ {offset}"));
        let coordinator = one.coordinator_epoch;
        vec![
            text(one.producer_id),
            text(one.epoch),
            text(batches.collect::<Vec<_>>().join(", ")),
            text(one.open_since.map_or_else(|| "–".to_owned(), |offset| format!("from {offset}"))),
            text(if coordinator < 0 { "–".to_owned() } else { coordinator.to_string() }),
        ]
    });
    let heads = ["producer id", "epoch", "last batches (sequence @ offset)", "open transaction", "coordinator epoch"];
    let aborted = it.aborted.iter().map(|one| {
        vec![text(one.producer_id), text(one.first_offset), text(one.last_offset), text(one.last_stable_offset)]
    });
    html! {
        <>
            if !it.producers.is_empty() { { table("producers", &heads, rows.collect()) } }
            if !it.aborted.is_empty() {
                { table("aborted transactions (.txnindex)", &["producer id", "first offset", "last offset", "LSO"], aborted.collect()) }
            }
        </>
    }
}
