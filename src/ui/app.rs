//! The root: reads the link, owns the reducer, plays the frames, listens to the keyboard, and lays the page out.

use super::components::{
    EventsTab, Header, HelpDialog, Inspector, Lede, Notices, OneLine, PopoverLayer, Settings, ShareDialog, StageBox,
    Tabs, Time, Verdict,
};
use super::embed::{Figure, View};
use super::hooks::{use_animation_frame, use_host, use_keyboard};
use super::i18n::Lang;
use super::lab::{DEFAULT_WINDOW_US, Lab, session::Command};
use super::same::Same;
use super::state::{Action, Notice, Selection, State, Tab, Theme};
use super::{dom, query};
use delivery_lab::scenario::{library, link};
use std::rc::Rc;
use web_sys::{DragEvent, FocusEvent, PointerEvent};
use yew::prelude::*;

struct Boot {
    lab: Lab,
    state: State,
}

/// Reads the link and sets the first run up.
fn boot() -> Boot {
    let asked = query::read();
    let mut mistakes = asked.mistakes;
    let t = asked.lang.texts();
    let mut written = asked.opened.base;
    let (lab, more) = Lab::open(&asked.opened.link).unwrap_or_else(|more| {
        mistakes.extend(more);
        written = library::get(link::FIRST).expect("invariant: the first scenario is in the library");
        Lab::open(&written.clone().into()).expect("invariant: the first scenario can be set up")
    });
    mistakes.extend(more);
    let refused = |mistakes: Vec<_>| Notice::Refused { what: t.the_link.to_owned(), mistakes: mistakes.into() };
    let notices = if mistakes.is_empty() { Vec::new() } else { vec![refused(mistakes)] };
    let scenario = Rc::new(lab.scenario());
    let shot = lab.shot(true);
    let state = State {
        lang: asked.lang,
        theme: asked.theme,
        embed: asked.embed,
        figure: asked.figure,
        written: Rc::new(written),
        scenario,
        view: shot.view,
        clock_us: shot.clock_us,
        end_us: shot.end_us,
        playing: false,
        speed: shot.speed,
        rest: shot.rest.expect("invariant: it was asked for"),
        selection: Selection::None,
        popover: None,
        tab: Tab::Events,
        traffic: false,
        window_us: DEFAULT_WINDOW_US,
        notices: Rc::new(notices),
        help: false,
        sharing: false,
        filter: None,
        touched: shot.clock_us > 0,
        ended: None,
        runs: Rc::default(),
    };
    Boot { lab, state }
}

/// Reads a scenario from a text (a file, the clipboard) and runs it; what is wrong is shown, and the present run stays.
pub fn open_text(lab: &Lab, lang: Lang, text: &str) {
    let what = lang.texts().the_file;
    match link::parse(text) {
        Ok(link) => drop(lab.open_file(what, link)),
        Err(mistakes) => lab.tell(Action::Notice(Notice::Refused { what: what.to_owned(), mistakes: mistakes.into() })),
    }
}

#[component]
pub fn App() -> Html {
    let boot = use_memo((), |()| boot());
    let state = {
        let first = boot.state.clone();
        use_reducer(move || first)
    };
    let lab = boot.lab.clone();
    lab.attach(state.dispatcher());

    use_root(state.lang, state.theme);
    use_address(&lab, state.lang, state.embed);
    let on_frame = use_callback(lab.clone(), |now, lab| lab.frame(now));
    use_animation_frame(state.playing, on_frame);
    let on_key = use_callback(
        (lab.clone(), state.popover.is_some(), state.help, state.sharing),
        |key: String, (lab, popover, help, share)| {
            press(
                lab,
                &key,
                [(*share, Action::Share(false)), (*help, Action::Help(false)), (*popover, Action::ClosePopover)],
            )
        },
    );
    use_keyboard(on_key);
    use_paste(&lab, state.lang);
    let page = use_node_ref();
    use_host(&lab, &state, &page);

    let over = Callback::from(|event: PointerEvent| dom::highlight(dom::record_at(event.target()).as_deref()));
    let focus = Callback::from(|event: FocusEvent| dom::highlight(dom::record_at(event.target()).as_deref()));
    let ondragover = Callback::from(|event: DragEvent| event.prevent_default());
    let ondrop = use_callback((lab.clone(), state.lang), |event: DragEvent, (lab, lang)| {
        event.prevent_default();
        let file = event.data_transfer().and_then(|data| data.files()).and_then(|files| files.get(0));
        if let Some(file) = file {
            let (lab, lang) = (lab.clone(), *lang);
            dom::read_file(&file, move |text| open_text(&lab, lang, &text));
        }
    });

    // Not as a link: the hash holds the run.
    let skip = Callback::from(|event: MouseEvent| {
        event.prevent_default();
        dom::focus_id("stage");
    });
    let view = Same(state.view.clone());
    let embed = state.embed;
    // What is not embedded is whole.
    let figure = if embed { state.figure } else { Figure::default() };
    let whole = figure.view == View::Full;
    let class = classes!("page", embed.then(|| format!("embed view-{}", figure.view.word())));
    let settings = html! {
        <Settings scenario={state.scenario.clone()} written={state.written.clone()} inputs={Same(state.rest.inputs.clone())}
            view={view.clone()} />
    };
    let story = state.rest.story.as_ref().map(|(record, lines)| (*record, Same(lines.clone())));
    html! {
        <ContextProvider<Lab> context={lab.clone()}>
        <ContextProvider<Lang> context={state.lang}>
        <div ref={page} {class} onpointerover={over} onfocusin={focus} {ondragover} {ondrop}>
            if figure.stage() { <a class="skip" href="#stage" onclick={skip}>{ state.lang.texts().skip }</a> }
            if !embed {
                <Header scenario={state.scenario.clone()} written={state.written.clone()} theme={state.theme} />
            }
            if whole { <Lede scenario={state.scenario.clone()} written={state.written.clone()} touched={state.touched} /> }
            <Notices notices={Same(state.notices.clone())} written={state.written.clone()} />
            <main>
                if !embed { { settings.clone() } }
                if figure.stage() {
                    <StageBox view={view.clone()} clock_us={state.clock_us} traffic={state.traffic}
                        selection={state.selection.clone()} figure={embed} />
                }
                if figure.ledger() {
                    <Verdict view={view.clone()} scenario={state.scenario.clone()} written={state.written.clone()}
                        runs={Same(state.runs.clone())} filter={state.filter} {story} reason={state.rest.reason.clone()} />
                } else {
                    <OneLine view={view.clone()} reason={state.rest.reason.clone()} />
                }
            </main>
            <Time lanes={figure.lanes()} transport={figure.controls} view={view.clone()} clock_us={state.clock_us} end_us={state.end_us} playing={state.playing}
                speed={state.speed} timeline={Same(state.rest.timeline.clone())} branches={Same(state.rest.branches.clone())}
                traffic={state.traffic} window_us={state.window_us} touched={state.touched} />
            if embed && whole { <Folded name={state.lang.texts().settings}>{ settings }</Folded> }
            if !embed {
                <section class="below" aria-label={state.lang.texts().events}>
                    <Tabs tab={state.tab} />
                    if state.tab == Tab::Events {
                        <EventsTab lines={Same(state.rest.lines.clone())} traffic={state.traffic} />
                    } else {
                        <Inspector view={view.clone()} selection={state.selection.clone()} end_us={state.end_us} />
                    }
                </section>
            }
            if let Some(popover) = state.popover {
                <PopoverLayer {popover} {view} />
            }
            if state.help {
                <HelpDialog />
            }
            if state.sharing {
                <ShareDialog />
            }
        </div>
        </ContextProvider<Lang>>
        </ContextProvider<Lab>>
    }
}

#[derive(Properties, PartialEq)]
struct FoldedProps {
    name: &'static str,
    children: Html,
}

/// What is there only once it has been asked for.
#[component]
fn Folded(props: &FoldedProps) -> Html {
    let open = use_state_eq(|| false);
    let onclick = {
        let open = open.clone();
        Callback::from(move |_| open.set(!*open))
    };
    html! {
        <section class="folded">
            <button id="unfold" aria-expanded={open.to_string()} {onclick}>{ if *open { "▾ " } else { "▸ " } }{ props.name }</button>
            if *open { { props.children.clone() } }
        </section>
    }
}

/// Keeps `<html>` in step.
#[hook]
fn use_root(lang: Lang, theme: Theme) {
    use_effect_with((lang, theme), |(lang, theme)| {
        dom::set_root("lang", lang.word());
        dom::set_root("data-theme", theme.word());
    });
}

/// The address follows the run, and the run the address: "back", "forward", and whoever writes into it.
#[hook]
fn use_address(lab: &Lab, lang: Lang, embed: bool) {
    use_effect_with((lab.clone(), embed), |(lab, embed)| {
        if !embed {
            lab.follow_address();
        }
    });
    use_effect_with((lab.clone(), lang), |(lab, lang)| {
        let (lab, lang) = (lab.clone(), *lang);
        let listener = gloo::events::EventListener::new(&dom::window(), "popstate", move |_| {
            lab.arrive(lang.texts().the_link, query::opened());
        });
        move || drop(listener)
    });
}

/// A scenario can be pasted anywhere but into a field.
#[hook]
fn use_paste(lab: &Lab, lang: Lang) {
    use wasm_bindgen::JsCast;
    use_effect_with((lab.clone(), lang), |(lab, lang)| {
        let (lab, lang) = (lab.clone(), *lang);
        let listener = gloo::events::EventListener::new(&dom::document(), "paste", move |event| {
            let in_field = dom::element(event.target())
                .is_some_and(|at| at.closest("input, textarea, select").ok().flatten().is_some());
            let data = event.dyn_ref::<web_sys::ClipboardEvent>().and_then(web_sys::ClipboardEvent::clipboard_data);
            let text = data.and_then(|data| data.get_data("text").ok()).unwrap_or_default();
            if !in_field && text.trim_start().starts_with('{') {
                open_text(&lab, lang, &text);
            }
        });
        move || drop(listener)
    });
}

/// A key that nothing else wanted. True if it was used. What is open, and how it is closed: the uppermost first.
fn press(lab: &Lab, key: &str, open: [(bool, Action); 3]) -> bool {
    if let Some((_, close)) = open.into_iter().find(|(open, _)| *open) {
        if key == "Escape" {
            lab.tell(close);
        }
        return key == "Escape";
    }
    match key {
        " " | "k" => lab.toggle(),
        "ArrowLeft" | "," => lab.go(Command::StepBack),
        "ArrowRight" | "." => lab.go(Command::Step),
        "Home" => lab.go(Command::SeekTime(0)),
        "End" => lab.to_end(),
        "?" => lab.tell(Action::Help(true)),
        _ => return false,
    }
    true
}
