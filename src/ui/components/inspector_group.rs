//! The inspector's half for consumer groups: members over their partitions, and how far each partition is.
//!
//! A band says two things at once: what the coordinator assigned, and what the member has in its hands. Where they differ, a
//! rebalance is under way, or a member does not know yet that it is none any more.

use super::group_history::History;
use super::group_records::{Records, members};
use super::group_share::{self, Shares};
use super::inspector::{facts, or_dash, table, text};
use crate::ui::i18n::Texts;
use crate::ui::lab::Lab;
use crate::ui::lines::names as node_names;
use crate::ui::same::Same;
use crate::ui::state::{Action, Selection};
use crate::ui::words::{node_name, short_member};
use delivery_lab::view::{ClusterView, ConsumerView, GroupMemberView, GroupView, NodeBody, NodeView, ReplicaRole};
use std::rc::Rc;
use yew::prelude::*;

/// What a node reads, if it is an application that reads.
fn reader(node: &NodeView) -> Option<&ConsumerView> {
    match &node.body {
        NodeBody::Consumer(it) => Some(it),
        NodeBody::Processor(it) => Some(&it.reader),
        _ => None,
    }
}

/// All groups with whoever coordinates them.
fn groups(view: &ClusterView) -> impl Iterator<Item = (&NodeView, &GroupView)> {
    view.nodes.iter().flat_map(|node| {
        let groups: &[GroupView] = if let NodeBody::Broker(it) = &node.body { &it.groups } else { &[] };
        groups.iter().map(|group| (&**node, group))
    })
}

/// Their names, those that applications name included.
pub fn names(view: &ClusterView) -> Vec<Rc<str>> {
    let named = view.nodes.iter().filter_map(|node| reader(node)?.group.clone());
    let mut names: Vec<Rc<str>> = named.chain(groups(view).map(|(_, it)| it.group.clone())).collect();
    delivery_lab::base::sort_long(&mut names, |a, b| a < b);
    names.dedup();
    names
}

/// A button that leads to a group.
fn link(id: &Rc<str>, lab: &Lab) -> Html {
    let (lab, to) = (lab.clone(), Selection::Group(id.clone()));
    let onclick = Callback::from(move |_| lab.tell(Action::Select(to.clone())));
    html! { <button class="link" {onclick}>{ &**id }</button> }
}

/// What a coordinator coordinates, as a table.
pub fn coordinated(list: &[GroupView], lab: &Lab) -> Html {
    if list.is_empty() {
        return html! {};
    }
    let rows = list.iter().map(|it| {
        vec![
            link(&it.group, lab),
            text(it.state),
            text(it.generation),
            text(or_dash(it.assignor.as_deref())),
            text(it.members.len()),
            text(&it.home),
        ]
    });
    let heads = ["group.id", "state", "generation", "assignor", "members", "kept in"];
    table("group coordinator", &heads, rows.collect())
}

/// The group of a member, above what is its own.
pub fn of_node(view: &Same<ClusterView>, node: &NodeView, end_us: u64, lab: &Lab, t: &Texts) -> Html {
    let member = reader(node).filter(|it| it.membership.is_some());
    member.and_then(|it| it.group.as_ref()).map_or_else(Html::default, |id| group(view, id, end_us, lab, t))
}

/// A group: its state, its members' partitions, how far each is, and what it all cost.
pub fn group(view: &Same<ClusterView>, id: &str, end_us: u64, lab: &Lab, t: &Texts) -> Html {
    let found = groups(view).find(|(_, it)| &*it.group == id);
    let history = view.groups.iter().any(|it| &*it.group == id);
    let history = html! {
        if history {
            <History groups={Same(view.groups.clone())} group={Rc::<str>::from(id)} names={node_names(view)} now_us={view.time_us} {end_us} />
        }
    };
    let Some((node, it)) = found else {
        return html! { <section class="group"><h3>{ "⬡ " }{ id }</h3><p class="soft">{ t.no_group_coordinator }</p>{ history }</section> };
    };
    let mut list = vec![("state", it.state.to_owned())];
    match it.assignment_epoch {
        Some(epoch) => {
            list.extend([("group epoch", it.generation.to_string()), ("assignment epoch", epoch.to_string())])
        }
        None => list.push(("generation", it.generation.to_string())),
    }
    list.extend([
        ("protocol", it.protocol.to_owned()),
        ("assignor", or_dash(it.assignor.as_deref())),
        ("members", it.members.len().to_string()),
        ("kept in", it.home.to_string()),
    ]);
    html! {
        <section class="group" aria-label={format!("group {id}")}>
            <h3>{ "⬡ " }{ id }<small>{ " group coordinator: " }{ node_name(&node.name) }</small></h3>
            { facts(list) }
            { matrix(view, it, lab, t) }
            if it.protocol == "share" { <Shares view={view.clone()} group={it.group.clone()} /> }
            { history }
            { members(it) }
            <Records node={node.id} partition={it.home.clone()} group={Some(it.group.clone())} events={view.events} />
        </section>
    }
}

/// A member, or an application that would be one.
struct Line<'a> {
    node: Option<&'a NodeView>,
    member: Option<&'a GroupMemberView>,
}

impl Line<'_> {
    fn held(&self, partition: &str) -> bool {
        let read = self.node.and_then(reader);
        // A share consumer has no positions: it reads what it is assigned.
        let has = |it: &ConsumerView| {
            it.positions.iter().any(|one| &*one.partition == partition) || (it.share && self.assigned(partition))
        };
        read.is_some_and(|it| it.membership.is_some() && has(it))
    }

    fn assigned(&self, partition: &str) -> bool {
        self.member.is_some_and(|it| it.assigned.iter().any(|one| &**one == partition))
    }

    /// How it stands with a partition: a class, and the place of the words for it.
    fn stands(&self, partition: &str) -> Option<(&'static str, usize)> {
        let has = |list: &[Rc<str>]| list.iter().any(|one| &**one == partition);
        let assigned = self.assigned(partition);
        let (wanted, revoking) = self
            .member
            .and_then(|it| it.reconciling.as_ref())
            .map_or((assigned, false), |it| (has(&it.target), has(&it.revoking)));
        match (self.held(partition), assigned || wanted) {
            (held, _) if revoking || (held && assigned && !wanted) => Some(("going", 3)),
            (true, true) => Some(("held", 0)),
            (false, true) => Some(("due", if assigned { 1 } else { 4 })),
            (true, false) => Some(("stale", 2)),
            (false, false) => None,
        }
    }
}

/// Members as their coordinator knows them, then applications of the group that it does not know.
fn lines<'a>(view: &'a ClusterView, it: &'a GroupView) -> Vec<Line<'a>> {
    let is = |node: &NodeView, member: &GroupMemberView| match reader(node).and_then(|it| it.membership.as_ref()) {
        Some(it) => it.member_id == member.member_id,
        // A dead process is a member until its session ends.
        None => node.name == member.client_id,
    };
    let mut lines: Vec<Line<'a>> = Vec::new();
    for member in &it.members {
        let node = view.nodes.iter().find(|node| is(node, member));
        lines.push(Line { node: node.map(|node| &**node), member: Some(member) });
    }
    let others =
        view.nodes.iter().filter(|node| reader(node).is_some_and(|it_is| it_is.group.as_ref() == Some(&it.group)));
    for node in others {
        if !lines.iter().any(|line| line.node.is_some_and(|it| it.id == node.id)) {
            lines.push(Line { node: Some(node), member: None });
        }
    }
    // As they stand on the stage.
    delivery_lab::base::sort_short(&mut lines, |a, b| place(a) < place(b));
    lines
}

fn place(line: &Line<'_>) -> u16 {
    line.node.map_or(u16::MAX, |node| node.id)
}

/// Members over partitions, and below each partition how far it is.
fn matrix(view: &ClusterView, it: &GroupView, lab: &Lab, t: &Texts) -> Html {
    let ends = ends(view, it);
    if ends.is_empty() {
        return html! {};
    }
    let by_epochs = it.assignment_epoch.is_some();
    let caption = format!("{} × {}", it.group, it.topics.join(", "));
    let number = |it: Option<i64>| it.map_or_else(|| "–".to_owned(), |it| it.to_string());
    let committed = |partition: &str| it.committed.iter().find(|one| &*one.0 == partition).map(|one| one.1);
    let share = |partition: &str| {
        group_share::of_group(view, &it.group).map(|(_, it)| it).find(|it| &*it.partition == partition)
    };
    let lag = |partition: &str, end: i64| match share(partition) {
        Some(it) => Some((end - it.start_offset - i64::from(it.done)).max(0)),
        None => committed(partition).map(|at| (end - at).max(0)),
    };
    let position = |partition: &str| {
        let all = view.nodes.iter().filter_map(|node| reader(node)).filter(|one| one.group.as_ref() == Some(&it.group));
        let at = all.flat_map(|one| &one.positions).filter(|one| &*one.partition == partition);
        at.filter_map(|one| one.position).map(|at| at.to_string()).collect::<Vec<_>>()
    };
    let cells = |name: &'static str, of: &dyn Fn(&str, i64) -> String| {
        let cells = ends.iter().map(|(partition, end)| html! { <td>{ of(partition, *end) }</td> });
        html! { <tr key={name} class="sum"><th scope="row">{ name }</th>{ for cells }</tr> }
    };
    html! {
        <>
            <div class="scroll" tabindex="0" role="region" aria-label={caption.clone()} data-scroll="group">
                <table class="plain own">
                    <caption>{ caption }</caption>
                    <thead><tr><th scope="col">{ "member" }</th>{ for ends.iter().map(|(partition, _)| html! { <th scope="col" key={&**partition}>{ &**partition }</th> }) }</tr></thead>
                    <tbody>
                        { for lines(view, it).iter().enumerate().map(|(at, line)| row(at, line, it, &ends, lab, t)) }
                        if it.protocol == "share" {
                            { cells("start offset", &|partition, _| number(share(partition).map(|it| it.start_offset))) }
                            { cells("in flight", &|partition, _| number(share(partition).map(|it| it.cells.len() as i64))) }
                        } else {
                            { cells("committed", &|partition, _| number(committed(partition))) }
                            { cells("position", &|partition, _| {
                                let at = position(partition);
                                if at.is_empty() { "–".to_owned() } else { at.join(" / ") }
                            }) }
                        }
                        { cells("high watermark", &|_, end| end.to_string()) }
                        { cells("lag", &|partition, end| number(lag(partition, end))) }
                    </tbody>
                </table>
            </div>
            <p class="soft">{ (t.lag_of)(&it.group, ends.iter().filter_map(|(partition, end)| lag(partition, *end)).sum()) }</p>
            <p class="soft keys">{ for ["held", "due", "stale", "going"].iter().zip(t.owned).take(if by_epochs { 4 } else { 3 }).map(|(class, text)| html! { <span key={*class}><i class={*class} />{ text }</span> }) }</p>
        </>
    }
}

/// A member has its colour wherever it is drawn.
pub fn own_class(node: Option<u16>) -> String {
    node.map_or_else(|| "ghost".to_owned(), |node| format!("own{}", node % 6))
}

fn row(at: usize, line: &Line<'_>, it: &GroupView, ends: &[(Rc<str>, i64)], lab: &Lab, t: &Texts) -> Html {
    let (lab, id) = (lab.clone(), line.node.map(|node| node.id));
    let onclick = Callback::from(move |_| lab.tell(Action::Select(id.map_or(Selection::None, Selection::Node))));
    let alive = line.node.and_then(reader).is_some_and(|it| it.membership.is_some());
    let dead = line.member.is_some() && !alive;
    let name = line.node.map(|node| &node.name).or_else(|| line.member.map(|it| &it.client_id));
    let name = format!("{}{}", if dead { "† " } else { "" }, name.map_or("", |name| &**name));
    let said = match line.member {
        Some(member) => {
            let star = if it.leader.as_ref() == Some(&member.member_id) { " ★" } else { "" };
            let name = member.instance_id.as_deref().unwrap_or(short_member(&member.member_id));
            let place = member.reconciling.as_ref();
            let place = place.map_or_else(String::new, |it| format!(" · {} · {}", (t.epoch)(it.epoch), it.state));
            format!("{name}{star}{place}")
        }
        None => t.not_member.to_owned(),
    };
    let cells = ends.iter().map(|(partition, _)| match line.stands(partition) {
        Some((class, words)) => {
            let said = t.owned[words];
            html! { <td class={class} title={said}><i class={class} role="img" aria-label={said} /></td> }
        }
        None => html! { <td /> },
    });
    html! {
        <tr key={at} class={own_class(id)}>
            <th scope="row">
                if id.is_some() { <button class="link" {onclick}>{ name }</button> } else { { name } }
                <small title={line.member.map(|it| it.member_id.to_string())}>{ said }</small>
            </th>
            { for cells }
        </tr>
    }
}

/// The partitions of the group's topics, as their leaders know them, with the high watermark.
fn ends(view: &ClusterView, it: &GroupView) -> Vec<(Rc<str>, i64)> {
    let bodies =
        view.nodes.iter().filter_map(|node| if let NodeBody::Broker(it) = &node.body { Some(it) } else { None });
    let mut found: Vec<(Rc<str>, i64)> = Vec::new();
    for one in bodies.flat_map(|it| &it.partitions) {
        let wanted = one.name.rsplit_once('-').is_some_and(|(topic, _)| it.topics.iter().any(|name| &**name == topic));
        let known = found.iter_mut().find(|(name, _)| *name == one.name);
        match known {
            _ if !wanted => {}
            Some(known) if one.role == ReplicaRole::Leader => known.1 = one.high_watermark,
            Some(_) => {}
            None => found.push((one.name.clone(), one.high_watermark)),
        }
    }
    found
}
