//! When the engine finds a bug in itself: a card with what is needed to see it again, instead of a dead page.
//!
//! Invariant: the hook touches neither the session nor the component tree, both may be in the middle of something.

use super::{dom, query};
use delivery_lab::scenario::link::{self, Link, Written};
use delivery_lab::scenario::to_json;
use std::cell::RefCell;

/// What is being run.
#[derive(Clone, Default)]
struct Run {
    scenario: String,
    inputs: String,
    link: Option<Written>,
}

thread_local! {
    static RUN: RefCell<Run> = RefCell::default();
}

/// This is being run now, with what was done to it.
pub fn remember(link: &Link) {
    let whole = link::to_json(link);
    let inputs = whole.get("inputs").map_or_else(|| "[]".to_owned(), ToString::to_string);
    // Not at the moment that is shown: there it might happen again at once.
    let link = Link { at: None, ..link.clone() };
    let now = Run { scenario: to_json(&link.scenario).to_string(), inputs, link: Some(link::write(&link)) };
    RUN.with(|run| {
        if let Ok(mut run) = run.try_borrow_mut() {
            *run = now;
        }
    });
}

/// Shows the card whenever a panic happens.
pub fn install() {
    // Yew's renderer sets its own hook when it starts, unless it is told of another.
    yew::set_custom_panic_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        show(&info.to_string());
    }));
}

fn show(what: &str) {
    let document = dom::document();
    if document.get_element_by_id("panic").is_some() {
        return;
    }
    let Run { scenario, inputs, link } = RUN.with(|run| run.try_borrow().map(|run| run.clone()).unwrap_or_default());
    let scenario = if scenario.is_empty() { "null".to_owned() } else { scenario };
    let inputs = if inputs.is_empty() { "[]".to_owned() } else { inputs };
    let korean =
        document.document_element().and_then(|root| root.get_attribute("lang")).is_some_and(|lang| lang == "ko");
    let report = format!("{{\"panic\":{what:?},\"scenario\":{scenario},\"inputs\":{inputs}}}");
    let card = || -> Option<()> {
        let main = document.create_element("main").ok()?;
        main.set_id("panic");
        main.set_class_name("panic");
        main.set_attribute("role", "alert").ok()?;
        let add = |tag: &str, text: &str| -> Option<web_sys::Element> {
            let element = document.create_element(tag).ok()?;
            element.set_text_content(Some(text));
            main.append_child(&element).ok()?;
            Some(element)
        };
        add(
            "h1",
            if korean {
                "Delivery Lab이 스스로의 오류를 발견하고 멈췄습니다"
            } else {
                "Delivery Lab stopped: it found a bug in itself"
            },
        )?;
        add("pre", what)?;
        add(
            "p",
            if korean {
                "아래 내용에는 이 실행을 그대로 재현하는 데 필요한 모든 것(시나리오, seed, 입력)이 있습니다."
            } else {
                "Below is all that is needed to run into it again: scenario, seed and inputs. Please attach it to a report."
            },
        )?;
        let area = add("textarea", &report)?;
        area.set_attribute("readonly", "").ok()?;
        area.set_attribute("rows", "8").ok()?;
        area.set_attribute("aria-label", "JSON").ok()?;
        let way = |text: &str, href: &str| -> Option<()> {
            let paragraph = add("p", "")?;
            let link = document.create_element("a").ok()?;
            link.set_text_content(Some(text));
            link.set_attribute("href", href).ok()?;
            paragraph.append_child(&link).ok().map(drop)
        };
        let again = link.as_ref().map_or_else(|| "?".to_owned(), query::afresh);
        way(
            if korean {
                "같은 실행을 처음부터 다시 열기 (시나리오, 설정, 입력 포함)"
            } else {
                "Open the same run again from its start, with its settings and inputs"
            },
            &again,
        )?;
        way(if korean { "첫 시나리오로 새로 시작하기" } else { "Begin anew with the first scenario" }, "?")?;
        let body = document.body()?;
        body.set_text_content(None);
        body.append_child(&main).ok()?;
        Some(())
    };
    let _ = card();
}
