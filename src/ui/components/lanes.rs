//! The lanes: one a node, arrows for messages, marks for what is worth one. The playhead is its own component, so that
//! the arrows are drawn only when there are others.

use super::owners::{self, Frame};
use super::swim;
use crate::ui::dom;
use crate::ui::hooks::{use_lab, use_texts, use_width};
use crate::ui::i18n::Texts;
use crate::ui::lab::session::Command;
use crate::ui::same::Same;
use crate::ui::state::{Action, Selection};
use crate::ui::words::{clock, data_r, node_name, records, shorten, text_width};
use delivery_lab::base::sort_short;
use delivery_lab::view::{ArrowView, GroupLane, MarkKind, MarkView, TimelineView};
use std::rc::Rc;
use yew::prelude::*;

pub(super) const LEFT: f64 = 104.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 40.0;
const LANE: f64 = 27.0;

#[derive(Properties, PartialEq)]
pub struct BoxProps {
    pub timeline: Same<TimelineView>,
    pub clock_us: u64,
    pub traffic: bool,
    /// Names, and ranks from top to bottom.
    pub nodes: Vec<(Rc<str>, u8)>,
}

/// From time and node to a point.
#[derive(Clone, PartialEq)]
pub(super) struct Scale {
    pub from: u64,
    pub to: u64,
    width: f64,
    /// The lane of each node, if it has one.
    lanes: Vec<Option<usize>>,
    /// How many transactional ids have a lane below them.
    swims: usize,
    /// How many partitions the groups have, whose lanes come last.
    groups: Vec<usize>,
}

impl Scale {
    pub fn x(&self, us: u64) -> f64 {
        let share = (us as f64 - self.from as f64) / (self.to - self.from).max(1) as f64;
        LEFT + share * (self.width - LEFT - RIGHT)
    }

    fn y(&self, node: u16) -> Option<f64> {
        let lane = (*self.lanes.get(usize::from(node))?)?;
        Some(TOP + lane as f64 * LANE)
    }

    fn time(&self, x: f64) -> u64 {
        let share = ((x - LEFT) / (self.width - LEFT - RIGHT)).clamp(0.0, 1.0);
        self.from + (share * (self.to - self.from) as f64) as u64
    }

    /// The middle of the lane of a transactional id.
    pub fn swim(&self, at: usize) -> f64 {
        TOP + (self.lanes.iter().flatten().count() + at) as f64 * LANE
    }

    /// Where the lane of a group begins.
    pub fn group(&self, at: usize) -> f64 {
        let above = self.groups[..at].iter().map(|rows| owners::height(*rows) + 8.0);
        self.swim(self.swims) - 14.0 + above.sum::<f64>()
    }

    fn height(&self) -> f64 {
        self.group(self.groups.len()) + 26.0
    }
}

/// The rank of controllers, whose lanes are shown only with the traffic.
pub const CONTROLLERS: u8 = 2;

/// From top to bottom: producers, brokers, controllers, processors, consumers.
fn lanes_of(nodes: &[(Rc<str>, u8)], traffic: bool) -> Vec<Option<usize>> {
    let mut order: Vec<usize> = (0..nodes.len()).filter(|id| traffic || nodes[*id].1 != CONTROLLERS).collect();
    sort_short(&mut order, |a, b| (nodes[*a].1, *a) < (nodes[*b].1, *b));
    (0..nodes.len()).map(|id| order.iter().position(|it| *it == id)).collect()
}

#[component]
pub fn LanesBox(props: &BoxProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let holder = use_node_ref();
    let width = use_width(&holder, 1400.0).max(560.0);
    let timeline = &props.timeline;
    let scale = Scale {
        from: timeline.from_us,
        to: timeline.to_us,
        width,
        lanes: lanes_of(&props.nodes, props.traffic),
        swims: timeline.transactions.len(),
        groups: timeline.groups.iter().map(|it| it.rows.len()).collect(),
    };
    let seek = {
        let (lab, scale) = (lab.clone(), scale.clone());
        move |event: &PointerEvent| {
            // Events are delegated: their current target is the page's root.
            let svg = dom::element(event.target()).and_then(|it| it.closest("svg.timeline").ok().flatten());
            let Some(element) = svg else { return };
            let x = f64::from(event.client_x()) - element.get_bounding_client_rect().left();
            if x >= LEFT - 8.0 {
                lab.go(Command::SeekTime(scale.time(x)));
            }
        }
    };
    let onpointerdown = {
        let seek = seek.clone();
        Callback::from(move |event: PointerEvent| {
            if event.button() == 0 {
                seek(&event);
            }
        })
    };
    let onpointermove = Callback::from(move |event: PointerEvent| {
        if event.buttons() == 1 {
            seek(&event);
        }
    });
    let (w, h) = (width, scale.height());
    let x = scale.x(props.clock_us.clamp(scale.from, scale.to));
    html! {
        <div class="lanes" ref={holder} title={t.lanes_help} tabindex="0" data-scroll="lanes" role="region" aria-label={t.lanes}>
            <svg class="timeline" width={w.to_string()} height={h.to_string()} viewBox={format!("0 0 {w} {h}")} role="img" aria-label={t.lanes}
                {onpointerdown} {onpointermove}>
                <Lanes timeline={props.timeline.clone()} scale={scale} names={props.nodes.iter().map(|it| it.0.clone()).collect::<Vec<_>>()} traffic={props.traffic} />
                <Playhead {x} height={h} text={format!("{} s", clock(props.clock_us))} width={w} />
            </svg>
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct PlayheadProps {
    x: f64,
    height: f64,
    width: f64,
    text: String,
}

#[component]
fn Playhead(props: &PlayheadProps) -> Html {
    let shift = (props.x.clamp(LEFT + 20.0, props.width - 46.0) - props.x).clamp(-46.0, 46.0);
    html! {
        <g class="playhead" transform={format!("translate({:.1},0)", props.x)}>
            <path d={format!("M0 18 V{}", props.height - 4.0)} />
            <rect x={(shift - 43.0).to_string()} y="1" width="86" height="18" rx="9" /><text x={shift.to_string()} y="14">{ &props.text }</text>
        </g>
    }
}

#[derive(Properties, PartialEq)]
struct LanesProps {
    timeline: Same<TimelineView>,
    scale: Scale,
    names: Vec<Rc<str>>,
    traffic: bool,
}

#[component]
fn Lanes(props: &LanesProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let (scale, timeline) = (&props.scale, &props.timeline);
    let end = scale.width - RIGHT;
    let lines = props.names.iter().enumerate().filter_map(|(id, name)| {
        let y = scale.y(id as u16)?;
        let name = node_name(name);
        // The estimate is generous: what is a little too long is written smaller first.
        let (class, px) = if text_width(&name, 12.0) > LEFT - 16.0 { ("lane small", 9.6) } else { ("lane", 12.0) };
        Some(html! {
            <g key={id}>
                <text {class} x="12" y={(y + 4.0).to_string()}>{ shorten(&name, px, LEFT - 16.0) }</text>
                <path class="laneline" d={format!("M{LEFT} {y} H{end}")} />
            </g>
        })
    });
    let shown = |arrow: &&ArrowView| props.traffic || !arrow.quiet;
    let arrows = timeline.arrows.iter().filter(shown).filter_map(|arrow| draw_arrow(arrow, scale, &lab));
    let (flags, marks): (Vec<&MarkView>, Vec<&MarkView>) =
        timeline.marks.iter().partition(|mark| mark.kind == MarkKind::Fault);
    html! {
        <>
            <clipPath id="in-lanes"><rect x={(LEFT - 5.0).to_string()} width={(end - LEFT + 10.0).to_string()} height={scale.height().to_string()} /></clipPath>
            { ticks(scale) }
            { for lines }
            { for timeline.transactions.iter().enumerate().map(|(at, lane)| {
                let y = scale.swim(at);
                html! {
                    <g key={format!("t-{}", lane.transactional_id)}>
                        <text class="lane" x="12" y={(y + 4.0).to_string()}>{ "◆ " }{ shorten(&lane.transactional_id, 10.5, LEFT - 24.0) }</text>
                        <path class="laneline" d={format!("M{LEFT} {y} H{end}")} />
                    </g>
                }
            }) }
            { swim::lanes(&timeline.transactions, scale, &props.names, t, &lab) }
            { for timeline.groups.iter().enumerate().map(|(at, lane)| group(lane, scale.group(at), props, t, &lab)) }
            <g clip-path="url(#in-lanes)">
                { for arrows }
                { for marks.into_iter().filter_map(|mark| draw_mark(mark, scale, t)) }
                { for flags.into_iter().filter_map(|mark| draw_fault(mark, scale, t)) }
            </g>
            { labels(timeline, scale, props.traffic, t) }
        </>
    }
}

/// Round times of a span, at most so many, and how they are written.
pub(super) fn round_times(from: u64, to: u64, most: u64) -> impl Iterator<Item = (u64, String)> {
    let span = (to - from).max(1);
    let mut step = 1;
    for factor in [2, 5, 2].into_iter().cycle() {
        if span / step <= most {
            break;
        }
        step = if factor == 5 { step / 2 * 5 } else { step * 2 };
    }
    let first = from.div_ceil(step);
    (first..).map(move |at| at * step).take_while(move |at| *at <= to).map(move |at| {
        let text = if step >= 1_000 { format!("{}.{:03}", at / 1_000_000, at % 1_000_000 / 1_000) } else { clock(at) };
        (at, text)
    })
}

/// The lane of a group: a click selects it.
fn group(lane: &GroupLane, y: f64, props: &LanesProps, t: &Texts, lab: &crate::ui::lab::Lab) -> Html {
    let (lab, to) = (lab.clone(), Selection::Group(lane.group.clone()));
    let onclick = Callback::from(move |event: MouseEvent| {
        event.stop_propagation();
        lab.tell(Action::Select(to.clone()));
    });
    let (scale, timeline) = (&props.scale, &props.timeline);
    let x = |us| scale.x(us);
    let frame =
        Frame { x: &x, left: LEFT, from: scale.from, to: scale.to, now: timeline.until_us, names: &props.names };
    html! {
        <g key={&*lane.group} class="groups" data-group={lane.group.clone()} transform={format!("translate(0,{y:.1})")} {onclick}>
            <text class="lane head" x="12" y="12">{ "⬡ " }{ shorten(&lane.group, 10.5, LEFT - 24.0) }</text>
            { owners::draw(lane, &frame, "url(#in-lanes)", t) }
        </g>
    }
}

/// Times under the lanes, at round steps.
fn ticks(scale: &Scale) -> Html {
    let y = scale.height();
    round_times(scale.from, scale.to, 9).map(|(at, text)| {
        let x = scale.x(at);
        html! {
            <g key={at} class="tick"><path d={format!("M{x:.1} {} V{}", TOP - 10.0, y - 14.0)} /><text x={format!("{x:.1}")} y={(y - 2.0).to_string()}>{ text }</text></g>
        }
    }).collect()
}

fn draw_arrow(arrow: &ArrowView, scale: &Scale, lab: &crate::ui::lab::Lab) -> Option<Html> {
    let (y1, y2) = (scale.y(arrow.from)?, scale.y(arrow.to)?);
    let x1 = scale.x(arrow.sent_us);
    let going = arrow.ends_us.is_none();
    let x2 = arrow.ends_us.map_or(x1 + 10.0, |ends| scale.x(ends));
    // What was lost did not arrive: its arrow ends on the way.
    let (x2, y2) = if arrow.lost || going { (x1 + (x2 - x1).clamp(4.0, 14.0), y1 + (y2 - y1) * 0.6) } else { (x2, y2) };
    let class = classes!(
        "arr",
        if arrow.response { "res" } else { "req" },
        arrow.quiet.then_some("rep"),
        arrow.lost.then_some("gone"),
        arrow.error.map(|_| "refused"),
        going.then_some("going"),
    );
    let (lab, id) = (lab.clone(), arrow.id);
    let onclick = Callback::from(move |event: MouseEvent| {
        event.stop_propagation();
        lab.tell(Action::Select(Selection::Message(id)));
    });
    Some(html! {
        <g key={arrow.id} {class} data-r={data_r(&arrow.records)} data-arrow={arrow.id.to_string()} {onclick}>
            <path d={format!("M{x1:.1} {y1:.1} L{x2:.1} {y2:.1}")} data-r={data_r(&arrow.records)} />
            <circle cx={format!("{x1:.1}")} cy={y1.to_string()} r="2.6" />
            if arrow.lost { <path class="x" d={format!("M{:.1} {:.1} l9 9 m0 -9 l-9 9", x2 - 4.5, y2 - 4.5)} /> }
        </g>
    })
}

fn draw_mark(mark: &MarkView, scale: &Scale, t: &Texts) -> Option<Html> {
    let (x, y) = (scale.x(mark.at_us), scale.y(mark.node)?);
    let title = format!("{} {}", (t.mark)(mark.kind), mark.record.map_or_else(String::new, |it| it.to_string()));
    let (class, shape) = match mark.kind {
        MarkKind::Processed => ("done", html! { <circle r="4.5" /> }),
        MarkKind::Committed => ("commit", html! { <path d="M-4 0 L-1 3.5 L4.5 -4" /> }),
        MarkKind::Leader => ("leader", html! { <text y="-5">{ "★" }</text> }),
        MarkKind::Isr => ("isr", html! { <text y="-5">{ "ISR" }</text> }),
        MarkKind::Error => ("error", html! { <text y="-4">{ "!" }</text> }),
        MarkKind::Started => ("started", html! { <path d="M-4 5 L0 -5 L4 5 z" /> }),
        MarkKind::Truncated => ("cut", html! { <text y="-4">{ "✂" }</text> }),
        MarkKind::Fault => return None,
    };
    Some(html! {
        <g key={format!("m{}", mark.event)} class={classes!("tmark", class)} transform={format!("translate({x:.1},{y:.1})")} data-r={mark.record.map(|it| it.to_string())}>
            <title>{ title }</title>{ shape }
        </g>
    })
}

fn draw_fault(mark: &MarkView, scale: &Scale, t: &Texts) -> Option<Html> {
    let (x, y) = (scale.x(mark.at_us), scale.y(mark.node)?);
    let text = (t.mark)(MarkKind::Fault);
    let width = text_width(text, 11.0) + 12.0;
    Some(html! {
        <g key={format!("f{}", mark.event)} class="faultflag" transform={format!("translate({x:.1},0)")}>
            <path d={format!("M0 22 V{:.1}", scale.height() - 14.0)} /><circle cy={y.to_string()} r="4" />
            <rect y="20" width={width.to_string()} height="15" rx="3" /><text x="6" y="31.5">{ text }</text>
        </g>
    })
}

/// Labels where there is room: lost ones first, then requests with records.
fn labels(timeline: &TimelineView, scale: &Scale, traffic: bool, t: &Texts) -> Html {
    // What decides about transactions is worth a word like what carries records.
    let decides = |arrow: &ArrowView| matches!(arrow.api, "EndTxn" | "InitProducerId" | "TxnOffsetCommit");
    let rank = |arrow: &ArrowView| {
        (!arrow.lost, arrow.error.is_none(), arrow.api != "Produce" && arrow.api != "EndTxn", arrow.response)
    };
    let worth = |arrow: &&ArrowView| {
        (traffic || !arrow.quiet)
            && (arrow.lost
                || !arrow.records.is_empty()
                || (decides(arrow) && (!arrow.response || arrow.error.is_some()))
                || (arrow.error.is_some() && matches!(arrow.api, "Produce" | "Fetch" | "OffsetCommit")))
    };
    let mut arrows: Vec<&ArrowView> = timeline.arrows.iter().filter(worth).collect();
    sort_short(&mut arrows, |a, b| (rank(a), a.sent_us) < (rank(b), b.sent_us));
    let mut taken: Vec<(f64, f64, f64)> = Vec::new();
    let placed = arrows.into_iter().filter_map(|arrow| {
        let (y1, y2) = (scale.y(arrow.from)?, scale.y(arrow.to)?);
        let x = scale.x(arrow.sent_us) + 8.0;
        let y = if y2 > y1 { y1 + 13.0 } else { y1 - 5.0 };
        let name = match (arrow.response, arrow.error) {
            (_, Some(error)) => error.to_owned(),
            (true, None) if arrow.api == "Produce" => (t.acknowledges)(&records(&arrow.records)),
            _ => format!("{} {}", arrow.api, records(&arrow.records)),
        };
        let text = if arrow.lost { format!("{name} ✗ {}", t.lost) } else { name };
        let right = x + text_width(&text, 11.0) + 8.0;
        let free = taken.iter().all(|(left, end, at)| (at - y).abs() > 11.0 || right < *left || x > *end);
        if !free || right > scale.width - RIGHT || x < LEFT {
            return None;
        }
        taken.push((x, right, y));
        let class = classes!("arrl", (arrow.lost || arrow.error.is_some()).then_some("bad"));
        Some(html! { <text key={arrow.id} {class} x={format!("{x:.1}")} y={y.to_string()}>{ text }</text> })
    });
    html! { <g>{ for placed }</g> }
}
