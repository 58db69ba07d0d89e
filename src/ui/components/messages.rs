//! Messages on their wires: a request is a filled pill that names its records, a response an outlined one that names its
//! error, a lost one is struck through, one that hangs waits in the middle.
//!
//! They lie over the drawing as elements of their own, because the browser can move those without drawing them again.

use super::stage::opener;
use crate::ui::geometry::Stage;
use crate::ui::hooks::{use_lab, use_texts};
use crate::ui::i18n::{MessageWords, Texts};
use crate::ui::same::Same;
use crate::ui::state::Target;
use crate::ui::words::{data_r, node_name, records, tenths, text_width};
use delivery_lab::base::SortedMap;
use delivery_lab::view::{ClusterView, MessageFate, MessageView};
use std::rc::Rc;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct MessagesProps {
    pub stage: Rc<Stage>,
    pub view: Same<ClusterView>,
    pub clock_us: u64,
    pub traffic: bool,
}

/// A node's name in the view.
fn name(view: &ClusterView, id: u16) -> Rc<str> {
    view.nodes.get(usize::from(id)).map_or_else(|| Rc::from(""), |node| node.name.clone())
}

/// A message in words, for labels and lists.
pub fn label(message: &MessageView, view: &ClusterView, t: &Texts) -> String {
    words(message, &name(view, message.from), &name(view, message.to), t)
}

/// The same, where only the names of the nodes are known.
pub fn label_among(message: &MessageView, names: &[Rc<str>], t: &Texts) -> String {
    let name = |id: u16| names.get(usize::from(id)).map_or("", |name| &**name);
    words(message, name(message.from), name(message.to), t)
}

fn words(message: &MessageView, from: &str, to: &str, t: &Texts) -> String {
    (t.message_label)(&MessageWords {
        api: message.api,
        response: message.response,
        from: &node_name(from),
        to: &node_name(to),
        records: &records(&message.records),
        error: message.error,
        lost: message.fate == MessageFate::Lost,
        stalled: message.fate == MessageFate::Stalled,
    })
}

/// What the pill says.
pub fn pill_text(message: &MessageView, t: &Texts) -> String {
    let list = records(&message.records);
    match (message.response, message.error) {
        (true, Some(error)) => error.to_owned(),
        (true, None) if message.api == "Produce" => (t.acknowledges)(&list),
        _ if list.is_empty() => message.api.to_owned(),
        _ => format!("{} {list}", message.api),
    }
}

#[component]
pub fn Messages(props: &MessagesProps) -> Html {
    let t = use_texts();
    let mut hanging: SortedMap<(u16, u16), usize> = SortedMap::new();
    let shown = props.view.messages.iter().filter(|it| {
        let gone = it.fate == MessageFate::Flying && it.arrives_us.is_some_and(|arrives| arrives < props.clock_us);
        (props.traffic || !it.quiet) && !gone
    });
    let pills = shown.filter_map(|message| {
        let (wire, forward) = props.stage.wire(message.from, message.to)?;
        let mut behind = 0;
        if message.fate != MessageFate::Flying {
            let count = hanging.entry((message.from, message.to)).or_default();
            behind = *count;
            *count += 1;
        }
        let share = share(message, props.clock_us);
        let (x, y) = wire.at(if forward { share } else { 1.0 - share });
        // Requests above the wire, responses below; what will not arrive makes way for what does.
        let lane = if message.response { 15.0 } else { -15.0 };
        let lane = if wire.inner {
            lane * 0.4
        } else if message.fate == MessageFate::Flying {
            lane
        } else {
            lane * 2.8
        };
        let y = y + lane + behind.min(4) as f64 * 28.0;
        // Near the edge it is moved in, so that it can be read.
        let edge = pill_width(message, t) / 2.0 + 2.0;
        let x = x.clamp(edge, (props.stage.width - edge).max(edge));
        let message: Same<_> = message.into();
        // Only the place changes from frame to frame: what stands there is drawn once.
        Some(html! {
            <div key={message.id} class="moved" style={format!("transform:translate({}px,{}px)", tenths(x), tenths(y))}>
                <Pill message={message.clone()} from={name(&props.view, message.from)} to={name(&props.view, message.to)} />
            </div>
        })
    });
    html! { <div class="messages">{ for pills }</div> }
}

fn pill_width(message: &MessageView, t: &Texts) -> f64 {
    if message.quiet { 12.0 } else { text_width(&pill_text(message, t), 11.5) + 22.0 }
}

#[derive(Properties, PartialEq)]
struct PillProps {
    message: Same<MessageView>,
    from: Rc<str>,
    to: Rc<str>,
}

#[component]
fn Pill(props: &PillProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let message = &props.message;
    let (onclick, onkeydown) = opener(&lab, Target::Message(message.id));
    let class = classes!(
        "msg",
        if message.response { "res" } else { "req" },
        message.error.map(|_| "err"),
        message.quiet.then_some("quiet"),
        match message.fate {
            MessageFate::Flying => None,
            MessageFate::Stalled => Some("stalled"),
            MessageFate::Lost => Some("lost"),
        },
    );
    let mut label = words(message, &props.from, &props.to, t);
    let content = if message.quiet {
        html! { <i class="dot"></i> }
    } else {
        let text = pill_text(message, t);
        // Its name begins with what can be read on it.
        if !label.starts_with(&text) {
            label = format!("{text}: {label}");
        }
        html! { { text } }
    };
    html! {
        <button {class} aria-label={label} {onclick} {onkeydown}
            data-r={data_r(&message.records)} data-message={message.id.to_string()}>
            { content }
            if message.fate == MessageFate::Lost { <i class="strike"></i> }
            if message.fate == MessageFate::Stalled { <i class="hang"></i> }
        </button>
    }
}

/// How far along its wire a message is.
fn share(message: &MessageView, clock_us: u64) -> f64 {
    let passed = clock_us.saturating_sub(message.sent_us) as f64;
    match (message.fate, message.arrives_us) {
        (MessageFate::Flying, Some(arrives)) => {
            (passed / (arrives.saturating_sub(message.sent_us)).max(1) as f64).clamp(0.0, 1.0)
        }
        _ => (passed / 1_500.0).min(0.5),
    }
}
