//! The host of an embedded page: who it is, what it asks for, what it is told.
//!
//! Architecture Invariant: `ready` says nothing, so it may go to anybody, and is repeated until the host answers. The first
//! message of the window that holds this frame settles the host's origin; from then on everything goes to that origin, and
//! whatever comes from elsewhere is not even read.

use crate::ui::dom;
use crate::ui::embed::{self, Request};
use crate::ui::lab::Lab;
use crate::ui::lab::session::Command;
use crate::ui::state::{Action, Notice, State};
use delivery_lab::scenario::Mistake;
use gloo::events::EventListener;
use gloo::timers::callback::Interval;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use web_sys::{Element, IntersectionObserver, IntersectionObserverEntry, MessageEvent, ResizeObserver, Window};
use yew::prelude::*;

/// How often `ready` is said until somebody answers (real milliseconds), and how many times.
const AGAIN_MS: u32 = 400;
const TIMES: u32 = 150;

/// The host, if there is one.
struct Host {
    window: Window,
    origin: RefCell<Option<String>>,
    /// The latest of each kind, for when the host answers.
    latest: RefCell<Vec<(&'static str, Value)>>,
    /// It played when it went out of sight.
    paused: Cell<bool>,
}

impl Host {
    fn find() -> Option<Rc<Host>> {
        let (own, window) = (dom::window(), dom::window().parent().ok().flatten()?);
        let host = Host { window, origin: RefCell::default(), latest: RefCell::default(), paused: Cell::new(false) };
        (!js_sys::Object::is(&own, &host.window)).then(|| Rc::new(host))
    }

    /// Tells the host; before it has answered this is kept for it.
    fn tell(&self, name: &'static str, body: Value) {
        match &*self.origin.borrow() {
            Some(origin) => self.post(name, body, origin),
            None => {
                let mut latest = self.latest.borrow_mut();
                latest.retain(|(other, _)| *other != name);
                latest.push((name, body));
            }
        }
    }

    fn post(&self, name: &str, body: Value, origin: &str) {
        if let Ok(message) = js_sys::JSON::parse(&embed::message(name, body).to_string()) {
            let _ = self.window.post_message(&message, origin);
        }
    }

    /// What came, if it is the host's, and in words that can be read.
    fn hear(&self, event: &MessageEvent) -> Option<Value> {
        let source = event.source()?;
        if !js_sys::Object::is(&source, &self.window) {
            return None;
        }
        let text = js_sys::JSON::stringify(&event.data()).ok()?.as_string()?;
        let value: Value = serde_json::from_str(&text).ok()?;
        value.get("type")?.as_str()?.strip_prefix("delivery-lab:")?;
        let settled = self.origin.borrow().is_some();
        if !settled {
            *self.origin.borrow_mut() = Some(event.origin());
            for (name, body) in self.latest.take() {
                self.tell(name, body);
            }
        }
        (self.origin.borrow().as_deref() == Some(&*event.origin())).then_some(value)
    }
}

fn obey(lab: &Lab, host: &Host, what: &str, message: &Value) {
    let request = match embed::read(message) {
        None => return,
        Some(Err(mistakes)) => return complain(lab, host, what, mistakes),
        Some(Ok(request)) => request,
    };
    match request {
        Request::Load(opened) => {
            if let Err(mistakes) = lab.try_follow(*opened) {
                complain(lab, host, what, mistakes);
            }
        }
        Request::Theme(theme) => lab.tell(Action::Theme(theme)),
        Request::Lang(lang) => lab.tell(Action::Lang(lang)),
        Request::Seek(us) => lab.go(Command::SeekTime(us)),
        Request::Play(playing) => {
            host.paused.set(false);
            if playing != lab.playing() {
                lab.play(playing);
            }
        }
    }
}

fn complain(lab: &Lab, host: &Host, what: &str, mistakes: Vec<Mistake>) {
    host.tell("error", embed::error(&mistakes, false));
    lab.tell(Action::Notice(Notice::Refused { what: what.to_owned(), mistakes: mistakes.into() }));
}

/// Talks with the host, plays at once if that is asked for, and stands still out of sight. Does nothing but for an embedded page.
#[hook]
pub fn use_host(lab: &Lab, state: &State, page: &NodeRef) {
    let embedded = state.embed;
    let host = use_memo((), |()| if embedded { Host::find() } else { None });
    let what = state.lang.texts().the_message;
    let refused = state.notices.iter().find_map(|notice| match notice {
        Notice::Refused { mistakes, .. } => {
            mistakes.iter().any(|it| it.place == "?scenario=").then(|| mistakes.clone())
        }
        Notice::Changed(_) => None,
    });
    let autoplay = embedded && state.figure.autoplay;
    use_effect_with((), {
        let (lab, host) = ((*lab).clone(), host.clone());
        move |()| {
            if autoplay {
                lab.play(true);
            }
            let links = (*host).clone().map(|host| {
                if let Some(mistakes) = refused {
                    host.tell("error", embed::error(&mistakes, true));
                }
                (listen(&lab, &host, what), announce(&host))
            });
            move || drop(links)
        }
    });
    let verdict = embedded.then(|| embed::verdict(&state.view.verdict, state.view.finished));
    use_effect_with(verdict, {
        let host = host.clone();
        move |verdict| {
            if let (Some(host), Some(verdict)) = (&*host, verdict) {
                host.tell("verdict", verdict.clone());
            }
        }
    });
    use_effect_with((), {
        let (lab, page) = ((*lab).clone(), page.clone());
        move |()| {
            let page = page.cast::<Element>().filter(|_| embedded);
            let watch = page.map(|page| (size(&page, (*host).clone()), sight(&page, &lab, (*host).clone())));
            move || drop(watch)
        }
    });
}

fn listen(lab: &Lab, host: &Rc<Host>, what: &'static str) -> EventListener {
    let (lab, host) = (lab.clone(), host.clone());
    EventListener::new(&dom::window(), "message", move |event| {
        let Some(event) = event.dyn_ref::<MessageEvent>() else { return };
        if let Some(message) = host.hear(event) {
            obey(&lab, &host, what, &message);
        }
    })
}

/// Says that the page is there until the host has answered.
fn announce(host: &Rc<Host>) -> Interval {
    let say = |host: &Host| host.post("ready", json!({}), "*");
    say(host);
    let (host, left) = (host.clone(), Cell::new(TIMES));
    Interval::new(AGAIN_MS, move || {
        if host.origin.borrow().is_none() && left.get() > 0 {
            left.set(left.get() - 1);
            say(&host);
        }
    })
}

/// An observer with the closure that it calls.
struct Watch {
    stop: Box<dyn Fn()>,
    _called: Closure<dyn FnMut(js_sys::Array)>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        (self.stop)();
    }
}

/// Tells the host how tall the page is.
fn size(page: &Element, host: Option<Rc<Host>>) -> Option<Watch> {
    let host = host?;
    let measured = page.clone();
    let last = Cell::new(0);
    let closure = Closure::<dyn FnMut(js_sys::Array)>::new(move |_| {
        let height = measured.scroll_height();
        if last.replace(height) != height {
            host.tell("resize", json!({ "height": height }));
        }
    });
    let observer = ResizeObserver::new(closure.as_ref().unchecked_ref()).ok()?;
    observer.observe(page);
    Some(Watch { stop: Box::new(move || observer.disconnect()), _called: closure })
}

/// Stops while nobody can see the page, and goes on when it is seen again. In a frame, sight is that of the window around it.
fn sight(page: &Element, lab: &Lab, host: Option<Rc<Host>>) -> Option<Watch> {
    let host = host?;
    let lab = lab.clone();
    let closure = Closure::<dyn FnMut(js_sys::Array)>::new(move |entries: js_sys::Array| {
        let last = entries.pop();
        let Some(entry) = last.dyn_ref::<IntersectionObserverEntry>() else { return };
        if entry.is_intersecting() {
            if host.paused.take() {
                lab.play(true);
            }
        } else if lab.playing() {
            lab.play(false);
            host.paused.set(true);
        }
    });
    let observer = IntersectionObserver::new(closure.as_ref().unchecked_ref()).ok()?;
    observer.observe(page);
    Some(Watch { stop: Box::new(move || observer.disconnect()), _called: closure })
}
