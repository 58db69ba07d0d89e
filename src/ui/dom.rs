//! What the page asks of the browser, with everything that may be forbidden guarded.

use wasm_bindgen::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Document, Element, EventTarget, HtmlElement, HtmlInputElement, HtmlSelectElement, Window};

/// The window. There is one wherever this runs.
pub fn window() -> Window {
    gloo::utils::window()
}

/// The document.
pub fn document() -> Document {
    gloo::utils::document()
}

/// Milliseconds of a clock that never goes back.
pub fn now_ms() -> f64 {
    window().performance().map_or(0.0, |clock| clock.now())
}

/// What was stored under a key; none where storage is forbidden.
pub fn stored(key: &str) -> Option<String> {
    window().local_storage().ok().flatten()?.get_item(key).ok().flatten()
}

/// Stores a text, where that is allowed.
pub fn store(key: &str, value: &str) {
    if let Ok(Some(storage)) = window().local_storage() {
        let _ = storage.set_item(key, value);
    }
}

/// Whether a media query matches.
pub fn media(query: &str) -> bool {
    window().match_media(query).ok().flatten().is_some_and(|list| list.matches())
}

/// Whether people want to be spared motion.
pub fn reduced_motion() -> bool {
    media("(prefers-reduced-motion: reduce)")
}

/// Sets an attribute of `<html>`.
pub fn set_root(name: &str, value: &str) {
    if let Some(root) = document().document_element() {
        let _ = root.set_attribute(name, value);
    }
}

/// What an input or a select says.
pub fn value_of(target: Option<EventTarget>) -> String {
    let Some(target) = target else { return String::new() };
    match target.dyn_into::<HtmlInputElement>() {
        Ok(input) => input.value(),
        Err(other) => match other.dyn_into::<HtmlSelectElement>() {
            Ok(select) => select.value(),
            Err(other) => other.dyn_into::<web_sys::HtmlTextAreaElement>().map_or(String::new(), |area| area.value()),
        },
    }
}

/// What a numeric input says.
pub fn number_of(target: Option<EventTarget>) -> Option<f64> {
    target?.dyn_into::<HtmlInputElement>().ok().map(|input| input.value_as_number()).filter(|number| number.is_finite())
}

/// Whether a checkbox is ticked.
pub fn checked(target: Option<EventTarget>) -> bool {
    target.and_then(|target| target.dyn_into::<HtmlInputElement>().ok()).is_some_and(|input| input.checked())
}

/// The element an event came from.
pub fn element(target: Option<EventTarget>) -> Option<Element> {
    target?.dyn_into().ok()
}

/// Gives the keyboard to an element, by its id.
pub fn focus_id(id: &str) {
    if let Some(element) = document().get_element_by_id(id) {
        focus(&element);
    }
}

/// Gives the keyboard to an element; SVG elements have `focus()` too.
pub fn focus(element: &Element) {
    if let Ok(function) = js_sys::Reflect::get(element, &JsValue::from_str("focus"))
        && let Ok(function) = function.dyn_into::<js_sys::Function>()
    {
        let _ = function.call0(element);
    }
}

/// Moves an element without an inline style attribute (a strict CSP forbids those, but not this).
pub fn place(element: &HtmlElement, left: f64, top: f64) {
    let style = element.style();
    let _ = style.set_property("left", &format!("{left}px"));
    let _ = style.set_property("top", &format!("{top}px"));
}

/// Moves the focus from the last thing in a box that can have it to the first, or back. True if it stood at that end.
pub fn wrap_tab(holder: &Element, backwards: bool) -> bool {
    let Ok(list) = holder.query_selector_all("button:not(:disabled), select, input, textarea, a[href]") else {
        return false;
    };
    let at = |index: u32| list.item(index).and_then(|node| node.dyn_into::<Element>().ok());
    let (Some(first), Some(last)) = (at(0), at(list.length().saturating_sub(1))) else { return false };
    let (end, other) = if backwards { (first, last) } else { (last, first) };
    let stands_there = document().active_element().is_some_and(|now| now == end);
    if stands_there {
        focus(&other);
    }
    stands_there
}

/// Copies a text, and says whether that worked.
pub fn copy(text: &str, done: impl Fn(bool) + 'static) {
    let navigator = window().navigator();
    let clipboard = js_sys::Reflect::get(&navigator, &JsValue::from_str("clipboard")).unwrap_or(JsValue::UNDEFINED);
    if clipboard.is_undefined() || clipboard.is_null() {
        done(false);
        return;
    }
    let promise = navigator.clipboard().write_text(text);
    let done = std::rc::Rc::new(done);
    let failed = done.clone();
    let yes = Closure::once_into_js(move |_: JsValue| done(true));
    let no = Closure::once_into_js(move |_: JsValue| failed(false));
    let then: js_sys::Function =
        js_sys::Reflect::get(&promise, &JsValue::from_str("then")).unwrap_or_default().unchecked_into();
    let _ = then.call2(&promise, &yes, &no);
}

/// Lets the browser save some bytes as a file.
pub fn download(name: &str, bytes: &[u8]) {
    let parts = js_sys::Array::of1(&js_sys::Uint8Array::from(bytes));
    let Ok(url) = web_sys::Blob::new_with_u8_array_sequence(&parts)
        .and_then(|blob| web_sys::Url::create_object_url_with_blob(&blob))
    else {
        return;
    };
    if let Ok(Ok(link)) = document().create_element("a").map(Element::dyn_into::<HtmlElement>) {
        let _ = link.set_attribute("href", &url).and_then(|()| link.set_attribute("download", name));
        link.click();
    }
    // Not at once: the browser has yet to read it.
    gloo::timers::callback::Timeout::new(10_000, move || drop(web_sys::Url::revoke_object_url(&url))).forget();
}

/// Reads a file as text.
pub fn read_file(file: &web_sys::File, done: impl FnOnce(String) + 'static) {
    let promise = file.text();
    let closure = Closure::once_into_js(move |text: JsValue| done(text.as_string().unwrap_or_default()));
    let then: js_sys::Function =
        js_sys::Reflect::get(&promise, &JsValue::from_str("then")).unwrap_or_default().unchecked_into();
    let _ = then.call1(&promise, &closure);
}

thread_local! {
    static HIGHLIGHT: Option<web_sys::CssStyleSheet> = adopted_sheet();
}

/// An empty style sheet that the document has adopted.
fn adopted_sheet() -> Option<web_sys::CssStyleSheet> {
    let sheet = web_sys::CssStyleSheet::new().ok()?;
    let list = js_sys::Array::of1(&sheet);
    js_sys::Reflect::set(&document(), &JsValue::from_str("adoptedStyleSheets"), &list).ok()?;
    Some(sheet)
}

/// Marks every place that shows a record (`data-r` lists them); one rule, so that nothing needs to be drawn again.
pub fn highlight(record: Option<&str>) {
    HIGHLIGHT.with(|sheet| {
        let Some(sheet) = sheet else { return };
        while sheet.delete_rule(0).is_ok() {}
        let Some(record) = record.filter(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit())) else {
            return;
        };
        let at = format!("[data-r~=\"{record}\"]");
        let _ = sheet.insert_rule(&format!(
            "svg {at} rect, svg {at} path.tip {{ stroke: var(--hot) !important; stroke-width: 3px !important; stroke-dasharray: none !important; }}"
        ));
        let _ =
            sheet.insert_rule(&format!("svg path{at}, svg line{at} {{ stroke: var(--hot) !important; stroke-width: 2.5px !important; }}"));
        let _ = sheet.insert_rule(&format!(":not(svg, svg *){at} {{ box-shadow: inset 0 0 0 2px var(--hot); }}"));
    });
}

/// The record that an element (or what it is in) shows first.
pub fn record_at(target: Option<EventTarget>) -> Option<String> {
    let holder = element(target)?.closest("[data-r]").ok().flatten()?;
    holder.get_attribute("data-r")?.split(' ').next().map(str::to_owned)
}
