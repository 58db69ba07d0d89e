//! The ledger: one row a record. Long ledgers are windowed: only rows in sight are in the document.

use crate::ui::hooks::{use_lab, use_texts};
use crate::ui::same::Same;
use delivery_lab::view::{LedgerRow, LedgerView, RowStatus, TopicCounts};
use std::rc::Rc;
use web_sys::HtmlElement;
use yew::prelude::*;

/// The height of a row, as the style sheet has it.
const ROW: f64 = 26.0;
/// Rows in the document at once, and how many of them before the first in sight.
const WINDOW: usize = 60;
const BEFORE: usize = 15;

#[derive(Properties, PartialEq)]
pub struct LedgerProps {
    pub ledger: Same<LedgerView>,
    /// Only these records.
    pub only: Option<Vec<u32>>,
    /// Whose story is open.
    pub open: Option<u32>,
}

#[component]
pub fn Ledger(props: &LedgerProps) -> Html {
    let t = use_texts();
    let first = use_state_eq(|| 0usize);
    let holder = use_node_ref();
    let onscroll = {
        let (first, holder) = (first.clone(), holder.clone());
        Callback::from(move |_: Event| {
            if let Some(element) = holder.cast::<HtmlElement>() {
                let row = (f64::from(element.scroll_top()) / ROW) as usize;
                // In steps, so that scrolling does not draw for every pixel.
                first.set(row.saturating_sub(BEFORE) / 10 * 10);
            }
        })
    };
    let rows: Vec<&Rc<LedgerRow>> = match &props.only {
        Some(only) => only.iter().filter_map(|record| props.ledger.rows.get(*record as usize)).collect(),
        None => props.ledger.rows.iter().collect(),
    };
    let start = (*first).min(rows.len().saturating_sub(1) / 10 * 10);
    let end = (start + WINDOW).min(rows.len());
    let space = |rows: usize, key: &'static str| {
        html! {
            if rows > 0 { <tr {key} class="space" aria-hidden="true"><td colspan="8" height={(rows as f64 * ROW).to_string()}></td></tr> }
        }
    };
    html! {
        <div class="ledger" ref={holder} {onscroll} tabindex="0" data-scroll="ledger" role="region" aria-label={t.ledger}>
            <table>
                <thead><tr>
                    <th scope="col">{ "#" }</th>
                    { for t.columns.iter().map(|(short, long)| html! { <th key={*short} scope="col"><abbr title={*long}>{ *short }</abbr></th> }) }
                    <th scope="col"><span class="sr">{ t.verdict }</span></th>
                </tr></thead>
                <tbody>
                    { space(start, "above") }
                    { for rows[start..end].iter().map(|row| html! {
                        <Row key={row.record} row={Same::from(*row)} open={props.open == Some(row.record)} />
                    }) }
                    { space(rows.len() - end, "below") }
                </tbody>
            </table>
            if rows.is_empty() { <p class="soft">{ t.nothing_sent }</p> }
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct RowProps {
    row: Same<LedgerRow>,
    open: bool,
}

#[component]
fn Row(props: &RowProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let row = &props.row;
    let (record, open) = (row.record, props.open);
    let toggle = {
        let lab = lab.clone();
        Callback::from(move |()| lab.open_story((!open).then_some(record)))
    };
    let onclick = {
        let toggle = toggle.clone();
        Callback::from(move |_: MouseEvent| toggle.emit(()))
    };
    let on_button = Callback::from(move |event: MouseEvent| {
        event.stop_propagation();
        toggle.emit(());
    });
    let flag = |yes: bool| if yes { "●" } else { "·" }.to_owned();
    let count = |times: u32| match times {
        0 => "·".to_owned(),
        1 => "●".to_owned(),
        many => many.to_string(),
    };
    let acked = if row.error.is_some() { "✗".to_owned() } else { flag(row.acked) };
    // Several topics and several groups have a sign each, in the order of the record's way.
    let topics = |of: fn(&TopicCounts) -> u32, sum: u32| -> String {
        match row.by_topic.as_slice() {
            [] if row.aborted > 0 && sum == row.aborted => "◇".to_owned(),
            [] => count(sum - row.aborted.min(sum)),
            each => each
                .iter()
                .map(|it| if of(it) == 0 && it.aborted > 0 { "◇".to_owned() } else { count(of(it)) })
                .collect(),
        }
    };
    let groups = |of: fn(&(u32, u32)) -> u32, sum: u32| -> String {
        match row.by_group.as_slice() {
            [] | [_] => count(sum),
            groups => groups.iter().map(|group| count(of(group))).collect(),
        }
    };
    let cells = [
        flag(row.sent),
        acked,
        topics(|it| it.appended, row.appended),
        topics(|it| it.committed, row.committed),
        groups(|it| it.0, row.delivered),
        groups(|it| it.1, row.processed),
    ];
    let class = match row.status {
        RowStatus::Waiting => "wait",
        RowStatus::Sending | RowStatus::Stored | RowStatus::BehindLso | RowStatus::Processing => "now",
        RowStatus::Once => "once",
        RowStatus::LogDuplicated | RowStatus::Duplicated => "twice",
        RowStatus::AbortedRead => "dirty",
        RowStatus::TakenBack | RowStatus::DeadLettered | RowStatus::Rejected => "aborted",
        RowStatus::Refused => "refused",
        RowStatus::Lost | RowStatus::AckedLost => "lost",
    };
    let title = row.error.as_ref().map(ToString::to_string);
    html! {
        <tr class={classes!(class, open.then_some("open"))} data-r={record.to_string()} data-status={class} {onclick} {title}>
            <th scope="row"><button onclick={on_button} aria-expanded={open.to_string()} aria-label={(t.row_label)(record)}>{ record }</button></th>
            { for cells.iter().enumerate().map(|(at, cell)| html! { <td key={at}>{ cell }</td> }) }
            <td class="lab">{ (t.row_status)(row.status) }</td>
        </tr>
    }
}
