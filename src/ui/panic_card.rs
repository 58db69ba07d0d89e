//! When the engine finds a bug in itself: a card with what is needed to see it again, instead of a dead page.
//!
//! Invariant: the hook touches neither the session nor the component tree, both may be in the middle of something.

use super::dom;
use super::state::Input;
use delivery_lab::scenario::{Scenario, to_json};
use std::cell::RefCell;

thread_local! {
    static RUN: RefCell<(String, Vec<String>)> = RefCell::default();
}

/// A scenario begins.
pub fn loaded(scenario: &Scenario) {
    let text = to_json(scenario).to_string();
    RUN.with(|run| {
        if let Ok(mut run) = run.try_borrow_mut() {
            *run = (text, Vec::new());
        }
    });
}

/// A person made something go wrong.
pub fn input(input: &Input) {
    let on = input.message.map_or_else(|| "null".to_owned(), |id| id.to_string());
    let line = format!(
        "{{\"at_us\":{},\"branch\":{},\"message\":{on},\"what\":{:?}}}",
        input.at_us,
        input.branch,
        format!("{:?}", input.what)
    );
    RUN.with(|run| {
        if let Ok(mut run) = run.try_borrow_mut() {
            run.1.push(line);
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
    let (scenario, inputs) = RUN.with(|run| run.try_borrow().map(|run| run.clone()).unwrap_or_default());
    let korean =
        document.document_element().and_then(|root| root.get_attribute("lang")).is_some_and(|lang| lang == "ko");
    let report = format!("{{\"panic\":{what:?},\"scenario\":{scenario},\"inputs\":[{}]}}", inputs.join(","));
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
        let link = add(
            "a",
            if korean {
                "같은 시나리오를 처음부터 다시 열기"
            } else {
                "Open the same scenario again from its start"
            },
        )?;
        link.set_attribute("href", &again(&scenario)).ok()?;
        let body = document.body()?;
        body.set_text_content(None);
        body.append_child(&main).ok()?;
        Some(())
    };
    let _ = card();
}

/// A link to the start of the run, as far as a link can say it.
fn again(scenario: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(scenario).unwrap_or_default();
    let id = value.get("id").and_then(|id| id.as_str()).unwrap_or("lost-ack");
    let seed = value.get("seed").map_or_else(String::new, |seed| format!("&seed={seed}"));
    format!("?scenario={id}{seed}")
}
