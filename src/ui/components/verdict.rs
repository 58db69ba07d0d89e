//! The verdict: what the settings claim, what was observed, the counts, the ledger, and why.

use super::ledger::Ledger;
use super::runs::{RunSoFar, Runs};
use super::stage::transactional;
use crate::ui::hooks::{use_lab, use_lang, use_texts};
use crate::ui::i18n::{Banner, Tone};
use crate::ui::lines::Line;
use crate::ui::same::Same;
use crate::ui::state::{Action, Filter};
use crate::ui::why::{Why, accused, banner, why};
use crate::ui::words::{clock, data_r};
use delivery_lab::scenario::Scenario;
use delivery_lab::view::{ClusterView, LedgerRow, VerdictView};
use std::rc::Rc;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct VerdictProps {
    pub view: Same<ClusterView>,
    pub scenario: Rc<Scenario>,
    pub written: Rc<Scenario>,
    pub runs: Same<Vec<RunSoFar>>,
    pub filter: Option<Filter>,
    pub story: Option<(u32, Same<Vec<Line>>)>,
    pub reason: Option<Why>,
}

#[component]
pub fn Verdict(props: &VerdictProps) -> Html {
    let t = use_texts();
    let view = &props.view;
    let said = banner(view);
    let records: Vec<u32> = accused(view).map_or(Vec::new(), |(_, list)| list.to_vec());
    let filtered: Option<Vec<u32>> = props.filter.map(|filter| {
        let it = &view.verdict.ledger;
        match filter {
            Filter::Lost => it.lost.clone(),
            Filter::Duplicated if it.duplicated.is_empty() => it.log_duplicated.clone(),
            Filter::Duplicated => it.duplicated.clone(),
            Filter::Reordered => it.reordered.clone(),
            Filter::AbortedRead => it.aborted_read.clone(),
        }
    });
    let row = props.story.as_ref().and_then(|(record, _)| view.ledger.rows.get(*record as usize).map(Same::from));
    html! {
        <aside class="verdict" aria-label={t.verdict}>
            <h2>{ t.verdict }</h2>
            <BannerBox {said} {records} reason={props.reason.clone()} open={row.is_some()} />
            <Claim verdict={Same(view.verdict.clone())} finished={view.finished} filter={props.filter} transactional={transactional(view)} />
            <Runs scenario={props.scenario.clone()} written={props.written.clone()} view={view.clone()} runs={props.runs.clone()} />
            if let (Some((record, lines)), Some(row)) = (&props.story, row) {
                <Story record={*record} lines={lines.clone()} {row} />
            }
            <Ledger ledger={Same(view.ledger.clone())} only={filtered} open={props.story.as_ref().map(|(record, _)| *record)} />
        </aside>
    }
}

#[derive(Properties, PartialEq)]
struct BannerProps {
    said: Banner,
    records: Vec<u32>,
    reason: Option<Why>,
    /// A story is open below.
    open: bool,
}

/// The live region: it changes only when there is something else to say.
#[component]
fn BannerBox(props: &BannerProps) -> Html {
    let (lab, lang) = (use_lab(), use_lang());
    let t = lang.texts();
    let class = match props.said {
        Banner::Ready => "banner ready",
        Banner::Fine { .. } => "banner fine",
        Banner::Lost { .. } => "banner bad",
        _ => "banner odd",
    };
    // Counting aloud would be a nuisance: what is spoken leaves the running number out.
    let spoken = match &props.said {
        Banner::Ready | Banner::Fine { finished: false, .. } => String::new(),
        other => (t.banner)(other),
    };
    let first = props.records.first().copied();
    let ask = Callback::from(move |_| lab.open_story(first));
    html! {
        <div {class} data-r={data_r(&props.records)}>
            <p id="banner">{ (t.banner)(&props.said) }</p>
            if let Some(reason) = props.reason.as_ref().filter(|_| !props.open) { <p class="reason">{ (t.why)(reason) }</p> }
            if let Some(record) = first.filter(|_| !props.open) { <button class="link" onclick={ask}>{ (t.story)(record) }</button> }
            <span class="sr" role="status" aria-live="polite">{ spoken }</span>
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct ClaimProps {
    verdict: Same<VerdictView>,
    finished: bool,
    filter: Option<Filter>,
    transactional: bool,
}

#[component]
fn Claim(props: &ClaimProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let verdict = &props.verdict;
    let it = &verdict.ledger;
    let count = |filter: Filter, name: &'static str, list: &[u32], bad: bool| {
        let lab = lab.clone();
        let pressed = props.filter == Some(filter);
        let first = list.first().copied();
        let onclick = Callback::from(move |_| {
            lab.tell(Action::Filter((!pressed).then_some(filter)));
            if !pressed && first.is_some() {
                lab.open_story(first);
            }
        });
        let class = (!list.is_empty()).then_some(if bad { "bad" } else { "warn" });
        html! {
            <button {class} {onclick} aria-pressed={pressed.to_string()} data-count={name} disabled={list.is_empty() && !pressed}>
                <b>{ list.len() }</b>{ name }
            </button>
        }
    };
    let duplicated = if it.duplicated.is_empty() { &it.log_duplicated } else { &it.duplicated };
    let because = verdict
        .because
        .iter()
        .map(|(key, value, node)| match &**node {
            "" => format!("{key}={value}"),
            node => format!("{node}: {key}={value}"),
        })
        .collect::<Vec<_>>()
        .join("\n");
    let when = if props.finished { t.in_the_end } else { t.so_far };
    let (mark, word, class) = if verdict.holds { ("✓", t.holds, "holds") } else { ("✗", t.broken, "broken") };
    html! {
        <>
            <div class="claim" title={format!("{}\n{because}", t.because)}>
                <span>{ t.claim }</span><b id="claimed">{ (t.guarantee_word)(verdict.claimed) }</b></div>
            <div class="claim"><span>{ when }</span>
                <b id="observed">{ (t.guarantee_word)(verdict.observed) }{ " " }<span {class}>{ word }{ " " }{ mark }</span></b></div>
            <div class={classes!("counts", props.transactional.then_some("four"))} role="group" aria-label={t.verdict}>
                { count(Filter::Lost, t.lost, &it.lost, true) }
                { count(Filter::Duplicated, t.duplicated, duplicated, false) }
                { count(Filter::Reordered, t.reordered, &it.reordered, false) }
                if props.transactional { { count(Filter::AbortedRead, t.aborted_read, &it.aborted_read, true) } }
            </div>
            if !verdict.violations.is_empty() {
                <div class="notice bad" role="alert"><div><b>{ t.violations }</b><ul>
                    { for verdict.violations.iter().map(|it| html! { <li>{ &**it }</li> }) }</ul></div></div>
            }
        </>
    }
}

#[derive(Properties, PartialEq)]
struct StoryProps {
    record: u32,
    lines: Same<Vec<Line>>,
    row: Same<LedgerRow>,
}

/// The chain of events that led to a record's fate.
#[component]
fn Story(props: &StoryProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let close = {
        let lab = lab.clone();
        Callback::from(move |_| lab.open_story(None))
    };
    let reason = why(&props.row, &props.lines);
    let items = props.lines.iter().enumerate().map(|(index, line)| {
        let sentence = (t.event)(line);
        let at = line.event.at_us;
        let go = {
            let lab = lab.clone();
            Callback::from(move |_| lab.go(crate::ui::lab::session::Command::SeekTime(at)))
        };
        let time = clock(at);
        let class = match sentence.tone { Tone::Bad => "bad", Tone::Odd => "odd", Tone::Quiet => "quiet", Tone::Plain => "" };
        html! {
            <li key={format!("{}-{index}", line.event.id)} {class}>
                <button class="time" onclick={go} aria-label={(t.go_there)(&time)} title={(t.go_there)(&time)}>{ time }</button>
                <span><b>{ line.here() }</b>{ " " }{ sentence.text }</span>
            </li>
        }
    });
    let title: Rc<str> = (t.story)(props.record).into();
    html! {
        <section class="story" aria-label={title.clone()} data-r={props.record.to_string()}>
            <div class="popover-head"><b>{ &*title }</b>
                <button class="icon small" onclick={close} aria-label={t.story_close} title={t.story_close}>{ "✕" }</button></div>
            if let Some(reason) = reason { <p class="why">{ (t.why)(&reason) }</p> }
            <ol tabindex="0" data-scroll="story">{ for items }</ol>
        </section>
    }
}
