//! What happened, as text, newest first.

use crate::ui::dom;
use crate::ui::hooks::{use_lab, use_lang};
use crate::ui::i18n::Tone;
use crate::ui::lab::session::Command;
use crate::ui::lines::Line;
use crate::ui::same::Same;
use crate::ui::words::{clock, data_r};
use yew::prelude::*;

/// How many are in the document at first, and how many more each time.
const PAGE: usize = 60;

#[derive(Properties, PartialEq)]
pub struct EventsProps {
    pub lines: Same<Vec<Line>>,
    pub traffic: bool,
}

#[component]
pub fn EventsTab(props: &EventsProps) -> Html {
    let (lab, lang) = (use_lab(), use_lang());
    let t = lang.texts();
    let filter = use_state(String::new);
    let limit = use_state(|| PAGE);
    let on_filter = {
        let (lab, filter) = (lab.clone(), filter.clone());
        Callback::from(move |event: InputEvent| {
            let text = dom::value_of(event.target());
            lab.search(&text, lang);
            filter.set(text);
        })
    };
    // Another tab, and all is shown again.
    use_effect_with((), {
        let lab = lab.clone();
        move |()| move || lab.search("", lang)
    });
    let on_traffic = {
        let lab = lab.clone();
        Callback::from(move |event: Event| lab.show_traffic(dom::checked(event.target())))
    };
    let mut found: Vec<&Line> = props.lines.iter().take(*limit + 1).collect();
    let more = found.len() > *limit;
    found.truncate(*limit);
    let on_more = {
        let limit = limit.clone();
        Callback::from(move |_| limit.set(*limit + PAGE))
    };
    html! {
        <div id="panel" role="tabpanel" aria-labelledby="tab-events">
            <div class="tools">
                <input id="filter-events" type="search" placeholder={t.filter_events} aria-label={t.filter_events} value={(*filter).clone()} oninput={on_filter} autocomplete="off" />
                <label class="check"><input type="checkbox" checked={props.traffic} onchange={on_traffic} />{ t.show_traffic }</label>
            </div>
            if found.is_empty() { <p class="soft pad">{ t.no_events }</p> }
            <div class="eventlist" tabindex="0" role="region" aria-label={t.events} data-scroll="events">
            <ol class="events" reversed=true>
                { for found.iter().map(|line| html! { <EventRow key={format!("{}", line.event.id)} line={(*line).clone()} /> }) }
            </ol>
            if more { <button class="link pad" onclick={on_more}>{ "…" }{ " +" }{ PAGE }</button> }
            </div>
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct RowProps {
    line: Line,
}

#[component]
fn EventRow(props: &RowProps) -> Html {
    let (lab, t) = (use_lab(), use_lang().texts());
    let line = &props.line;
    let sentence = (t.event)(line);
    let class = match sentence.tone {
        Tone::Plain => "",
        Tone::Odd => "odd",
        Tone::Bad => "bad",
        Tone::Quiet => "quiet",
    };
    let at = line.event.at_us;
    let go = Callback::from(move |_| lab.go(Command::SeekTime(at)));
    let time = clock(at);
    html! {
        <li {class} data-r={data_r(&line.records)}>
            <button class="time" onclick={go} aria-label={(t.go_there)(&time)} title={(t.go_there)(&time)}>{ time }</button>
            <span><b>{ line.here() }</b>{ " " }{ sentence.text }</span>
        </li>
    }
}
