//! What rebalances cost a group, from the beginning of the run on: pauses in numbers, and drawn over its partitions.

use super::lanes::{LEFT, round_times};
use super::owners::{self, Frame};
use crate::ui::dom;
use crate::ui::hooks::{use_lab, use_texts, use_width};
use crate::ui::i18n::Texts;
use crate::ui::lab::session::Command;
use crate::ui::same::Same;
use crate::ui::words::span;
use delivery_lab::view::GroupLane;
use std::rc::Rc;
use yew::prelude::*;

const RIGHT: f64 = 14.0;

#[derive(Properties, PartialEq)]
pub struct HistoryProps {
    pub groups: Same<Vec<GroupLane>>,
    /// Which of them.
    pub group: Rc<str>,
    /// Of nodes.
    pub names: Rc<[Rc<str>]>,
    /// It is drawn up to here,
    pub now_us: u64,
    /// and has room up to here.
    pub end_us: u64,
}

/// How often a group paused, the longest time, and all of them for all partitions.
pub fn cost(lane: &GroupLane, now_us: u64) -> (usize, u64, u64) {
    let stops = lane.stops(now_us);
    let longest = stops.iter().map(|it| it.longest_us).max().unwrap_or(0);
    (stops.len(), longest, stops.iter().map(|it| it.total_us).sum())
}

/// The same in one line.
pub fn pauses(lane: &GroupLane, now_us: u64, t: &Texts) -> String {
    match cost(lane, now_us) {
        (0, ..) => t.no_stops.to_owned(),
        (count, longest, all) => (t.stops)(count, &span(longest), &span(all)),
    }
}

/// Bands from the beginning on. A click goes there.
#[component]
pub fn History(props: &HistoryProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let holder = use_node_ref();
    let width = use_width(&holder, 900.0).max(520.0);
    let Some(lane) = props.groups.iter().find(|it| it.group == props.group) else { return html! {} };
    let end = props.end_us.max(props.now_us).max(1);
    let room = width - LEFT - RIGHT;
    let x = move |us: u64| LEFT + us as f64 / end as f64 * room;
    let frame = Frame { x: &x, left: LEFT, from: 0, to: end, now: props.now_us, names: &props.names };
    let bands = owners::height(lane.rows.len());
    let height = bands + 20.0;
    let onclick = Callback::from(move |event: MouseEvent| {
        // Events are delegated: their current target is the page's root.
        let svg = dom::element(event.target()).and_then(|it| it.closest("svg.history").ok().flatten());
        let Some(svg) = svg else { return };
        let share = (f64::from(event.client_x()) - svg.get_bounding_client_rect().left() - LEFT) / room;
        if (-0.01..=1.0).contains(&share) {
            lab.go(Command::SeekTime((share.max(0.0) * end as f64) as u64));
        }
    });
    let said = pauses(lane, props.now_us, t);
    let now = x(props.now_us);
    html! {
        <>
            <p class="pauses" title={t.stops_help}><b>{ &said }</b></p>
            <div class="lanes" ref={holder} tabindex="0" role="region" aria-label={format!("{}: {said}", t.pauses)} data-scroll="history">
                <svg class="timeline history" width={width.to_string()} height={height.to_string()} viewBox={format!("0 0 {width} {height}")} role="img" aria-label={said.clone()} {onclick}>
                    <clipPath id="in-history"><rect x={(LEFT - 2.0).to_string()} width={(room + RIGHT).to_string()} height={height.to_string()} /></clipPath>
                    { for round_times(0, end, (room / 90.0) as u64).map(|(at, text)| html! {
                        <g key={at} class="tick"><path d={format!("M{:.1} 14 V{bands:.1}", x(at))} /><text x={format!("{:.1}", x(at))} y={(bands + 14.0).to_string()}>{ text }</text></g>
                    }) }
                    <g data-group={lane.group.clone()}>{ owners::draw(lane, &frame, "url(#in-history)", t) }</g>
                    <path class="now" d={format!("M{now:.1} 6 V{bands:.1}")} />
                </svg>
            </div>
        </>
    }
}
