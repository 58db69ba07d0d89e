//! Runs of one scenario with other settings, beside the present one: what rebalances cost, and what was lost or repeated.

use super::group_history::{cost, pauses};
use crate::ui::edit::changes;
use crate::ui::hooks::{use_lab, use_texts};
use crate::ui::same::Same;
use crate::ui::state::{Action, Selection};
use crate::ui::words::span;
use delivery_lab::scenario::Scenario;
use delivery_lab::view::ClusterView;
use std::rc::Rc;
use yew::prelude::*;

/// A run and its end, or how far it is.
pub type RunSoFar = (Rc<Scenario>, Rc<ClusterView>);

#[derive(Properties, PartialEq)]
pub struct RunsProps {
    pub scenario: Rc<Scenario>,
    pub written: Rc<Scenario>,
    pub view: Same<ClusterView>,
    pub runs: Same<Vec<RunSoFar>>,
}

/// What was changed: `group.protocol=consumer`.
fn label(written: &Scenario, run: &Scenario, as_written: &str) -> String {
    let changed = changes(written, run);
    let each = changed.iter().map(|(_, key, _, value)| format!("{key}={value}"));
    let all = each.collect::<Vec<_>>().join(", ");
    if all.is_empty() { as_written.to_owned() } else { all }
}

/// What all groups paused.
fn of_all(view: &ClusterView) -> (usize, u64, u64) {
    let costs = view.groups.iter().map(|lane| cost(lane, view.time_us));
    costs.fold((0, 0, 0), |sum, it| (sum.0 + it.0, sum.1.max(it.1), sum.2 + it.2))
}

/// Only where a group shares something: a line for each group, then the runs so far.
#[component]
pub fn Runs(props: &RunsProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let view = &props.view;
    let lines = view.groups.iter().map(|lane| {
        let (lab, to) = (lab.clone(), Selection::Group(lane.group.clone()));
        let onclick = Callback::from(move |_| lab.tell(Action::Select(to.clone())));
        html! {
            <p key={&*lane.group} class="pauses" data-pauses={lane.group.clone()} title={t.stops_help}>
                <button class="link" {onclick}>{ "⬡ " }{ &*lane.group }</button>{ " " }<span>{ pauses(lane, view.time_us, t) }</span>
            </p>
        }
    });
    // A bar for the sum of each, against the largest.
    let most = props.runs.iter().map(|(_, view)| of_all(view).2).chain([of_all(view).2]).max().unwrap_or(0);
    let row = |name: String, now: bool, view: &ClusterView| {
        let (count, longest, all) = of_all(view);
        let ledger = &view.verdict.ledger;
        html! {
            <tbody key={name.clone()} class={now.then_some("now")} aria-current={now.then_some("true")}>
                <tr><th scope="rowgroup" colspan="5">{ name }<i aria-hidden="true" style={format!("width:{}%", all * 100 / most.max(1))} /></th></tr>
                <tr><td>{ count }</td><td>{ span(longest) }</td><td>{ span(all) }</td>
                    <td>{ ledger.duplicated.len() }</td><td>{ ledger.lost.len() }</td></tr>
            </tbody>
        }
    };
    let earlier = props.runs.iter().filter(|(_, view)| !view.groups.is_empty());
    let mut rows: Vec<Html> =
        earlier.map(|(run, view)| row(label(&props.written, run, t.as_written), false, view)).collect();
    if !rows.is_empty() {
        rows.push(row(label(&props.written, &props.scenario, t.as_written), true, view));
    }
    html! {
        <>
            { for lines }
            if !rows.is_empty() && !view.groups.is_empty() {
                <table class="plain runs">
                    <caption>{ t.runs_so_far }</caption>
                    <thead><tr>{ for [t.pauses, t.longest, t.in_all, t.duplicated, t.lost].map(|head| html! { <th scope="col">{ head }</th> }) }</tr></thead>
                    { for rows }
                </table>
            }
        </>
    }
}
