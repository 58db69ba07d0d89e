//! The dialog that makes links: the address of this run, a tag for a page of one's own, the same as a file.

use crate::ui::dom;
use crate::ui::hooks::{use_lab, use_lang};
use crate::ui::i18n::Lang;
use crate::ui::lab::Lab;
use crate::ui::query;
use crate::ui::state::Action;
use crate::ui::words::clock;
use delivery_lab::scenario::library;
use delivery_lab::scenario::link::{self, LONG, Link, Written};
use web_sys::Element;
use yew::prelude::*;

/// What of the run goes into the link.
#[derive(Clone, Copy, PartialEq)]
struct Chosen {
    moment: bool,
    inputs: bool,
}

impl Chosen {
    fn of(self, lab: &Lab) -> Link {
        let mut link = lab.link();
        link.at = link.at.filter(|_| self.moment);
        if !self.inputs {
            link.inputs.clear();
        }
        link
    }
}

#[component]
pub fn ShareDialog() -> Html {
    let (lab, lang) = (use_lab(), use_lang());
    let t = &lang.texts().sharing;
    let now = use_memo((), |()| lab.link());
    let chosen = use_state(|| Chosen { moment: false, inputs: true });
    // What copying came to: of the link, of the tag.
    let said = use_state(|| ["", ""]);
    let holder = use_node_ref();
    use_effect_with((), |()| {
        let before: Option<Element> = dom::document().active_element();
        dom::focus_id("copy-link");
        move || {
            if let Some(before) = before {
                dom::focus(&before);
            }
        }
    });
    let close = {
        let lab = lab.clone();
        Callback::from(move |_: MouseEvent| lab.tell(Action::Share(false)))
    };
    let onkeydown = {
        let holder = holder.clone();
        Callback::from(move |event: KeyboardEvent| {
            let Some(element) = holder.cast::<Element>().filter(|_| event.key() == "Tab") else { return };
            if dom::wrap_tab(&element, event.shift_key()) {
                event.prevent_default();
            }
        })
    };
    let link = chosen.of(&lab);
    let written = link::write(&link);
    let address = query::address(&written);
    let tag = tag(&link, &written, &address, lang);
    let copy = |text: &str, which: usize| {
        let (text, said) = (text.to_owned(), said.clone());
        let (done, failed) = (lang.texts().copied, lang.texts().copy_failed);
        Callback::from(move |_: MouseEvent| {
            let said = said.clone();
            dom::copy(&text, move |copied| {
                let mut all = ["", ""];
                all[which] = if copied { done } else { failed };
                said.set(all);
            });
        })
    };
    let download = {
        let name = link.scenario.id.as_deref().unwrap_or("scenario").to_owned();
        let text = serde_json::to_string_pretty(&link::to_json(&link)).unwrap_or_default();
        Callback::from(move |_: MouseEvent| dom::download(&format!("{name}.json"), text.as_bytes()))
    };
    let pick = |choose: fn(Chosen) -> Chosen| {
        let (chosen, said) = (chosen.clone(), said.clone());
        Callback::from(move |_: Event| {
            chosen.set(choose(*chosen));
            said.set(["", ""]);
        })
    };
    let characters = address.chars().count();
    html! {
        <>
            <div class="veil dark" onclick={close.clone()}></div>
            <div class="dialog share" role="dialog" aria-modal="true" aria-labelledby="share-title" ref={holder} {onkeydown}>
                <div class="popover-head"><h2 id="share-title">{ t.title }</h2>
                    <button id="share-close" class="icon small" onclick={close} aria-label={lang.texts().close} title={lang.texts().close}>{ "✕" }</button></div>
                <p>{ t.hint }</p>
                if let Some(at) = now.at {
                    <fieldset role="radiogroup"><legend>{ t.opens }</legend>
                        <label><input type="radio" name="share-at" id="share-start" checked={!chosen.moment}
                            onchange={pick(|it| Chosen { moment: false, ..it })} />{ t.at_start }</label>
                        <label><input type="radio" name="share-at" id="share-moment" checked={chosen.moment}
                            onchange={pick(|it| Chosen { moment: true, ..it })} />{ (t.at_moment)(&clock(at.us)) }</label>
                    </fieldset>
                }
                if !now.inputs.is_empty() {
                    <label><input type="checkbox" id="share-inputs" checked={chosen.inputs}
                        onchange={pick(|it| Chosen { inputs: !it.inputs, ..it })} />{ (t.with_inputs)(now.inputs.len()) }</label>
                }
                <label class="text" for="share-link">{ t.link }<small id="share-length">{ (t.length)(characters) }</small></label>
                <textarea id="share-link" readonly=true rows="3" value={address.clone()} aria-describedby="share-length" />
                if characters > LONG { <p class="warning" id="share-long" role="status">{ t.too_long }</p> }
                <div class="row"><button id="copy-link" onclick={copy(&address, 0)}>{ t.copy_link }</button>
                    <span class="said" role="status">{ said[0] }</span></div>
                <label class="text" for="share-tag">{ t.tag }</label>
                <textarea id="share-tag" readonly=true rows="4" value={tag.clone()} />
                <div class="row"><button id="copy-tag" onclick={copy(&tag, 1)}>{ t.copy_tag }</button>
                    <span class="said" role="status">{ said[1] }</span></div>
                <div class="row"><button id="download-json" onclick={download}>{ t.download }</button><small>{ t.file }</small></div>
            </div>
        </>
    }
}

/// The tag, with a link inside for hosts that strip scripts.
fn tag(link: &Link, written: &Written, address: &str, lang: Lang) -> String {
    let known = link.scenario.id.as_deref().and_then(library::get);
    let mut attributes = String::new();
    let mut add = |name: &str, value: &str| attributes.push_str(&format!(" {name}=\"{}\"", escaped(value)));
    if let Some(known) = known {
        add("scenario", known.id.as_deref().unwrap_or_default());
        // A figure with a seed of its own has no poster.
        if known.seed != link.scenario.seed {
            add("seed", &link.scenario.seed.to_string());
        }
    }
    if !written.hash.is_empty() {
        add("state", &written.hash);
    }
    let title =
        link.scenario.about.as_deref().map_or_else(|| lang.texts().own_scenario.into(), |it| lang.of(&it.title));
    format!(
        "<script src=\"{}embed.js\" async></script>\n<delivery-lab{attributes}>\n  <a href=\"{}\">{}</a>\n</delivery-lab>",
        escaped(&query::folder()),
        escaped(address),
        escaped(&title)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}
