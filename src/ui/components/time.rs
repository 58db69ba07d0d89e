//! Time: transport, speed, clock, scrubber, branches, lanes.

use super::lanes::{CONTROLLERS, LanesBox};
use crate::ui::dom;
use crate::ui::hooks::{use_lab, use_texts};
use crate::ui::lab::session::Command;
use crate::ui::player::{SPEEDS, Speed};
use crate::ui::same::Same;
use crate::ui::words::{clock, grouped, span};
use delivery_lab::view::{BranchView, ClusterView, NodeBody, TimelineView};
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct TimeProps {
    pub view: Same<ClusterView>,
    pub clock_us: u64,
    pub end_us: u64,
    pub playing: bool,
    pub speed: Speed,
    pub timeline: Same<TimelineView>,
    pub branches: Same<Vec<BranchView>>,
    pub traffic: bool,
    pub window_us: u64,
    pub touched: bool,
    /// Whether there are buttons to move in time.
    pub transport: bool,
    /// Whether there are lanes.
    pub lanes: bool,
}

#[component]
pub fn Time(props: &TimeProps) -> Html {
    let t = use_texts();
    let nodes = props.view.nodes.iter().map(|node| {
        let rank = match node.body {
            NodeBody::Producer(_) => 0,
            NodeBody::Broker(_) => 1,
            NodeBody::Controller(_) => CONTROLLERS,
            NodeBody::Processor(_) => 3,
            NodeBody::Consumer(_) => 4,
            NodeBody::Sink(_) => 5,
        };
        (node.name.clone(), rank)
    });
    let title = format!("{} {}", grouped(props.view.events), t.events);
    if !props.transport && !props.lanes {
        return html! {};
    }
    html! {
        <section class="time" aria-label={t.time}>
            if props.transport { <div class="transport">
                <Transport playing={props.playing} invite={!props.touched} />
                <SpeedPicker speed={props.speed} />
                <span class="clock" {title}><span class="soft">{ "t = " }</span><b id="clock">{ clock(props.clock_us) }</b>{ " s" }
                    if props.view.finished { <em>{ t.finished }</em> }</span>
                <Scrubber clock_us={props.clock_us} end_us={props.end_us} />
                <Branches branches={props.branches.clone()} />
                if props.lanes { <Zoom window_us={props.window_us} /> }
            </div> }
            if props.lanes { <LanesBox timeline={props.timeline.clone()} clock_us={props.clock_us} traffic={props.traffic} nodes={nodes.collect::<Vec<_>>()} /> }
        </section>
    }
}

#[derive(Properties, PartialEq)]
struct TransportProps {
    playing: bool,
    invite: bool,
}

#[component]
fn Transport(props: &TransportProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let go = |command: Command| {
        let lab = lab.clone();
        Callback::from(move |_| lab.go(command.clone()))
    };
    let toggle = {
        let lab = lab.clone();
        Callback::from(move |_| lab.toggle())
    };
    let end = {
        let lab = lab.clone();
        Callback::from(move |_| lab.to_end())
    };
    let button = |id: &'static str,
                  name: &'static str,
                  key: &str,
                  shape: &'static str,
                  onclick: Callback<MouseEvent>| {
        html! {
            <button {id} class="icon" {onclick} aria-label={name} title={format!("{name} ({key})")}>{ icon(shape) }</button>
        }
    };
    let play = if props.playing { t.pause } else { t.play };
    html! {
        <div class="buttons">
            { button("to-start", t.to_start, "Home", "M3 3h2v10h-2z M14 3v10l-8 -5z", go(Command::SeekTime(0))) }
            { button("step-back", t.step_back, "←", "M12 3v10l-8 -5z", go(Command::StepBack)) }
            <button id="play" class={classes!("play", props.invite.then_some("inviting"))} onclick={toggle} title={format!("{play} (␣)")}>
                { icon(if props.playing { "M3 3h4v10h-4z M9 3h4v10h-4z" } else { "M4 2v12l10 -6z" }) }{ play }
            </button>
            { button("step", t.step, "→", "M4 3v10l8 -5z", go(Command::Step)) }
            { button("to-end", t.to_end, "End", "M11 3h2v10h-2z M2 3v10l8 -5z", end) }
        </div>
    }
}

/// A transport sign: fonts do not agree about them.
fn icon(shape: &'static str) -> Html {
    html! { <svg class="sign" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true"><path d={shape} /></svg> }
}

#[derive(Properties, PartialEq)]
struct SpeedProps {
    speed: Speed,
}

fn speed_name(speed: Speed, auto: &str) -> String {
    match speed {
        Speed::Auto => auto.to_owned(),
        Speed::Fixed(times, 1) => format!("×{times}"),
        Speed::Fixed(times, of) => format!("{times}/{of}"),
    }
}

#[component]
fn SpeedPicker(props: &SpeedProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let onchange = Callback::from(move |event: Event| {
        let chosen = dom::value_of(event.target());
        if let Some(speed) = SPEEDS.into_iter().find(|speed| speed_name(*speed, "auto") == chosen) {
            lab.set_speed(speed);
        }
    });
    html! {
        <label class="speed">{ t.speed }
            <select id="speed" {onchange}>
                { for SPEEDS.map(|speed| html! {
                    <option key={speed_name(speed, "auto")} value={speed_name(speed, "auto")} selected={speed == props.speed}>{ speed_name(speed, t.auto) }</option>
                }) }
            </select>
        </label>
    }
}

#[derive(Properties, PartialEq)]
struct ScrubberProps {
    clock_us: u64,
    end_us: u64,
}

#[component]
fn Scrubber(props: &ScrubberProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let oninput = Callback::from(move |event: InputEvent| {
        if let Some(us) = dom::number_of(event.target()) {
            lab.go(Command::SeekTime(us as u64));
        }
    });
    let end = props.end_us.max(1);
    html! {
        <input id="scrubber" class="scrubber" type="range" min="0" max={end.to_string()} step="1000" value={props.clock_us.min(end).to_string()}
            {oninput} aria-label={t.scrubber} title={t.scrubber} aria-valuetext={format!("{} s", clock(props.clock_us))} />
    }
}

#[derive(Properties, PartialEq)]
struct BranchesProps {
    branches: Same<Vec<BranchView>>,
}

#[component]
fn Branches(props: &BranchesProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    if props.branches.len() < 2 {
        return html! {};
    }
    let onchange = Callback::from(move |event: Event| {
        if let Ok(id) = dom::value_of(event.target()).parse() {
            lab.go(Command::SwitchBranch(id));
        }
    });
    html! {
        <label class="branch">{ t.branch }
            <select id="branch" {onchange}>
                { for props.branches.iter().map(|branch| html! {
                    <option key={branch.id} value={branch.id.to_string()} selected={branch.current}>
                        { (t.branch_name)(branch.id, &span(branch.fork_us)) }
                    </option>
                }) }
            </select>
        </label>
    }
}

#[derive(Properties, PartialEq)]
struct ZoomProps {
    window_us: u64,
}

/// The widths of the lanes' window.
const WINDOWS_US: [u64; 11] =
    [5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 10_000_000, 60_000_000];

#[component]
fn Zoom(props: &ZoomProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let at = WINDOWS_US.iter().position(|it| *it >= props.window_us).unwrap_or(WINDOWS_US.len() - 1);
    let to = |next: Option<usize>| {
        let lab = lab.clone();
        let width = next.and_then(|next| WINDOWS_US.get(next)).copied();
        let disabled = width.is_none();
        (Callback::from(move |_: MouseEvent| width.into_iter().for_each(|width| lab.set_window(width))), disabled)
    };
    let ((closer, no_closer), (wider, no_wider)) = (to(at.checked_sub(1)), to(Some(at + 1)));
    html! {
        <div class="zoom" role="group" aria-label={t.window}>
            <button class="icon" onclick={closer} disabled={no_closer} aria-label={t.zoom_in} title={t.zoom_in}>{ "+" }</button>
            <span title={t.window}>{ span(props.window_us) }</span>
            <button class="icon" onclick={wider} disabled={no_wider} aria-label={t.zoom_out} title={t.zoom_out}>{ "−" }</button>
        </div>
    }
}
