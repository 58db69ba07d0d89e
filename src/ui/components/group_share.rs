//! A share group's partitions: every record in flight as a cell, with how often it was delivered and who has it.
//!
//! A cell says by its shape what became of the record: a member's colour = acquired and locked for it, dashed = available
//! (again), green = acknowledged, struck = archived. The number in a cell is the record's, the one below it how often it has
//! been delivered.

use super::inspector::{facts, text};
use super::inspector_group::own_class;
use crate::ui::hooks::use_texts;
use crate::ui::same::Same;
use crate::ui::words::node_name;
use delivery_lab::view::{ClusterView, NodeBody, NodeStatus, NodeView, ShareCell, SharePartitionView};
use std::rc::Rc;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct SharesProps {
    pub view: Same<ClusterView>,
    pub group: Rc<str>,
}

/// Its share-partitions, with the broker that leads each.
pub fn of_group<'a>(
    view: &'a ClusterView,
    group: &'a str,
) -> impl Iterator<Item = (&'a NodeView, &'a SharePartitionView)> {
    view.nodes.iter().flat_map(move |node| {
        let shares: &[SharePartitionView] = if let NodeBody::Broker(it) = &node.body { &it.shares } else { &[] };
        shares.iter().filter(move |it| &*it.group == group).map(move |it| (&**node, it))
    })
}

/// Whose member id that is. A dead process knows it no more, but the coordinator does: its locks outlive it.
fn owner<'a>(view: &'a ClusterView, member: &str) -> Option<&'a NodeView> {
    let is = |node: &&Rc<NodeView>| match &node.body {
        NodeBody::Consumer(it) => it.membership.as_ref().is_some_and(|it| &*it.member_id == member),
        _ => false,
    };
    let groups = || {
        view.nodes.iter().filter_map(|node| if let NodeBody::Broker(it) = &node.body { Some(&it.groups) } else { None })
    };
    let known = || groups().flatten().flat_map(|it| &it.members).find(|it| &*it.member_id == member);
    let called = || known().and_then(|it| view.nodes.iter().find(|node| node.name == it.client_id));
    view.nodes.iter().find(is).or_else(called).map(|node| &**node)
}

/// How many offsets are in each state.
fn count(it: &SharePartitionView, state: &str) -> usize {
    it.cells.iter().filter(|cell| cell.state == state).count()
}

#[component]
pub fn Shares(props: &SharesProps) -> Html {
    let t = use_texts();
    let view = &props.view;
    let cell = |it: &ShareCell| {
        let owner = it.member.as_deref().and_then(|member| owner(view, member));
        let class = classes!("sharec", it.state.to_ascii_lowercase(), own_class(owner.map(|node| node.id)));
        let record = it.record.map(|it| it.to_string());
        let gone = [NodeStatus::Crashed, NodeStatus::Stopped, NodeStatus::PoweredOff];
        let dead = |node: &NodeView| if gone.contains(&node.status) { "† " } else { "" };
        let by = owner.map_or_else(String::new, |node| format!(", {}{}", dead(node), node_name(&node.name)));
        let said = (t.share_cell)(it.offset, record.as_deref().unwrap_or("–"), it.state, it.deliveries, &by);
        html! {
            <li key={it.offset.to_string()} {class} data-r={record.clone()} data-state={it.state} title={said.clone()}>
                <b>{ record.unwrap_or_else(|| "·".to_owned()) }</b><small>{ format!("×{}", it.deliveries) }</small><span class="sr">{ said }</span>
            </li>
        }
    };
    let partition = |(node, it): (&NodeView, &SharePartitionView)| {
        html! {
            <div key={&*it.partition} class="sharep" data-share={it.partition.clone()}>
                <h4>{ &*it.partition }<small>{ " " }{ node_name(&node.name) }</small></h4>
                { facts(vec![
                    ("start offset", it.start_offset.to_string()), ("end offset", it.end_offset.to_string()),
                    ("available", count(it, "AVAILABLE").to_string()), ("acquired", count(it, "ACQUIRED").to_string()),
                    ("acknowledged", count(it, "ACKNOWLEDGED").to_string()), ("archived", count(it, "ARCHIVED").to_string()),
                ]) }
                <ol class="cells">{ for it.cells.iter().map(cell) }</ol>
            </div>
        }
    };
    let all: Vec<Html> = of_group(view, &props.group).map(partition).collect();
    if all.is_empty() {
        return html! {};
    }
    let states = ["acquired", "available", "acknowledged", "archived"].into_iter().zip(t.share_states);
    html! {
        <section class="shares" aria-label={t.share_in_flight}>
            <h3>{ t.share_in_flight }</h3>
            { for all }
            <p class="soft keys">{ for states.map(|(class, said)| html! { <span key={class}><i class={classes!("sharec", class)} />{ text(said) }</span> }) }</p>
        </section>
    }
}
