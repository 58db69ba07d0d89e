//! A fault to be written: when, and what.

use crate::ui::dom;
use crate::ui::hooks::use_texts;
use delivery_lab::base::{Duration, Time};
use delivery_lab::protocol::ApiKey;
use delivery_lab::scenario::format::{EventWord, Fault, What, When};
use delivery_lab::sim::AdminTask;
use std::rc::Rc;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct FormProps {
    pub fault: Option<Fault>,
    pub names: Vec<Rc<str>>,
    /// The fault, or none for "never mind".
    pub done: Callback<Option<Fault>>,
}

/// What is typed, as text.
#[derive(Clone, PartialEq)]
struct Draft {
    when: String,
    at_ms: String,
    kind: String,
    event: String,
    from: String,
    to: String,
    nth: String,
    verb: String,
    node: String,
    other: String,
    for_ms: String,
    by_ms: String,
    /// What an administrator asks for is kept as it is; files and links can say it.
    task: Option<AdminTask>,
    one_way: bool,
    partition: String,
    offset: String,
}

/// The verbs, and whether they strike a message.
const VERBS: &[(&str, bool)] = &[
    ("crash", false),
    ("shutdown", false),
    ("power_loss", false),
    ("restart", false),
    ("pause", false),
    ("resume", false),
    ("partition", false),
    ("heal", false),
    ("slow", false),
    ("skew_clock", false),
    ("corrupt", false),
    ("slow_disk", false),
    ("full_disk", false),
    ("reset", true),
    ("stall", true),
    ("delay", true),
];

fn text(name: &Option<Rc<str>>) -> String {
    name.as_deref().unwrap_or_default().to_owned()
}

fn ms(span: Option<Duration>) -> String {
    span.map_or_else(String::new, |span| span.as_millis().to_string())
}

impl Draft {
    fn new(fault: Option<&Fault>, names: &[Rc<str>]) -> Draft {
        let node = names.first().map_or_else(String::new, |name| name.to_string());
        let mut draft = Draft {
            when: "at".into(),
            at_ms: "500".into(),
            kind: "ProduceResponse".into(),
            event: "appended".into(),
            from: String::new(),
            to: String::new(),
            nth: "1".into(),
            verb: "crash".into(),
            node,
            other: String::new(),
            for_ms: String::new(),
            by_ms: "1000".into(),
            task: None,
            one_way: false,
            partition: String::new(),
            offset: String::new(),
        };
        let Some(fault) = fault else { return draft };
        match &fault.when {
            When::At(at) => draft.at_ms = Duration(at.us_since_origin()).as_millis().to_string(),
            When::Message { kind, from, to, nth } => {
                draft.when = "message".into();
                (draft.kind, draft.from, draft.to, draft.nth) =
                    (kind.to_string(), text(from), text(to), nth.to_string());
            }
            When::Event { kind, node, nth } => {
                draft.when = "event".into();
                (draft.event, draft.from, draft.nth) = (kind.word().to_owned(), text(node), nth.to_string());
            }
        }
        draft.set_what(&fault.what);
        draft
    }

    fn set_what(&mut self, what: &What) {
        let mut set = |verb: &str, node: &Rc<str>, span: Option<Duration>| {
            (self.verb, self.node, self.for_ms) = (verb.to_owned(), node.to_string(), ms(span));
        };
        match what {
            What::Crash { node, back_after } => set("crash", node, *back_after),
            What::PowerLoss { node, back_after } => set("power_loss", node, *back_after),
            What::Shutdown { node, back_after } => set("shutdown", node, *back_after),
            What::Admin(task) => (self.verb, self.task) = (task.verb().into(), Some(task.clone())),
            What::Restart { node } => set("restart", node, None),
            What::Pause { node, duration } => set("pause", node, *duration),
            What::Resume { node } => set("resume", node, None),
            What::Partition { a, b, one_way, duration } => {
                set("partition", a, *duration);
                (self.other, self.one_way) = (text(b), *one_way);
            }
            What::Heal { a, b } => {
                set("heal", a, None);
                self.other = text(b);
            }
            What::Reset => self.verb = "reset".into(),
            What::Stall => self.verb = "stall".into(),
            What::Delay { by } => (self.verb, self.by_ms) = ("delay".into(), ms(Some(*by))),
            What::Slow { a, b, by, duration } => {
                (self.verb, self.node, self.other) = ("slow".into(), text(a), text(b));
                (self.by_ms, self.for_ms) = (ms(Some(*by)), ms(*duration));
            }
            What::SkewClock { node, by_ms } => {
                (self.verb, self.node, self.by_ms) = ("skew_clock".into(), node.to_string(), by_ms.to_string());
            }
            What::Corrupt { node, partition, offset } => {
                set("corrupt", node, None);
                self.partition = text(partition);
                self.offset = offset.map_or_else(String::new, |it| it.to_string());
            }
            What::SlowDisk { node, by, duration } => {
                set("slow_disk", node, *duration);
                self.by_ms = ms(Some(*by));
            }
            What::FullDisk { node, duration } => set("full_disk", node, *duration),
        }
    }

    fn strikes_message(&self) -> bool {
        VERBS.iter().any(|(verb, message)| *verb == self.verb && *message)
    }

    /// The fault, or the field that is wrong.
    fn fault(&self) -> Result<Fault, &'static str> {
        let number = |text: &str, field| text.trim().parse::<u64>().map_err(|_| field);
        let nth = || u32::try_from(number(&self.nth, "nth")?).ok().filter(|nth| *nth > 0).ok_or("nth");
        let name = |text: &str| (!text.is_empty()).then(|| Rc::from(text));
        let when = match &*self.when {
            "message" => {
                When::Message { kind: (&*self.kind).into(), from: name(&self.from), to: name(&self.to), nth: nth()? }
            }
            "event" => {
                let kind = EventWord::WORDS.iter().find(|(word, _)| *word == self.event).ok_or("event")?.1;
                When::Event { kind, node: name(&self.from), nth: nth()? }
            }
            _ => When::At(Time::ORIGIN + Duration::from_millis(number(&self.at_ms, "at.ms")?)),
        };
        let span = || -> Result<Option<Duration>, &'static str> {
            if self.for_ms.trim().is_empty() {
                Ok(None)
            } else {
                Ok(Some(Duration::from_millis(number(&self.for_ms, "for.ms")?)))
            }
        };
        let by = || number(&self.by_ms, "by.ms").map(Duration::from_millis);
        let node: Rc<str> = (&*self.node).into();
        let what = match &*self.verb {
            verb if self.task.as_ref().is_some_and(|task| task.verb() == verb) => {
                What::Admin(self.task.clone().ok_or("fault-do")?)
            }
            "crash" => What::Crash { node, back_after: span()? },
            "power_loss" => What::PowerLoss { node, back_after: span()? },
            "shutdown" => What::Shutdown { node, back_after: span()? },
            "restart" => What::Restart { node },
            "pause" => What::Pause { node, duration: span()? },
            "resume" => What::Resume { node },
            "partition" => What::Partition { a: node, b: name(&self.other), one_way: self.one_way, duration: span()? },
            "heal" => What::Heal { a: node, b: name(&self.other) },
            "slow" => What::Slow { a: Some(node), b: name(&self.other), by: by()?, duration: span()? },
            "skew_clock" => What::SkewClock { node, by_ms: self.by_ms.trim().parse().map_err(|_| "by.ms")? },
            "corrupt" => {
                let offset = self.offset.trim();
                let offset = if offset.is_empty() { None } else { Some(offset.parse().map_err(|_| "offset")?) };
                What::Corrupt { node, partition: name(self.partition.trim()), offset }
            }
            "slow_disk" => What::SlowDisk { node, by: by()?, duration: span()? },
            "full_disk" => What::FullDisk { node, duration: span()? },
            "reset" => What::Reset,
            "stall" => What::Stall,
            _ => What::Delay { by: by()? },
        };
        Ok(Fault { when, what })
    }
}

#[component]
pub fn FaultForm(props: &FormProps) -> Html {
    let t = use_texts();
    let draft = {
        let (fault, names) = (props.fault.clone(), props.names.clone());
        use_state(move || Draft::new(fault.as_ref(), &names))
    };
    let problem = use_state(|| None::<&'static str>);
    use_effect_with((), |()| dom::focus_id("fault-when"));
    let set = |put: fn(&mut Draft, String)| {
        let draft = draft.clone();
        Callback::from(move |event: Event| {
            let mut new = (*draft).clone();
            put(&mut new, dom::value_of(event.target()));
            if new.when != "message" && new.strikes_message() {
                new.verb = "crash".into();
            }
            draft.set(new);
        })
    };
    let input = |label: &'static str, id: &'static str, value: &str, put: fn(&mut Draft, String)| {
        html! {
            <label for={id}>{ label }<input {id} type="text" inputmode="numeric" value={value.to_owned()} onchange={set(put)}
                aria-invalid={(*problem == Some(id)).then_some("true")} autocomplete="off" /></label>
        }
    };
    let choose = |label: &'static str,
                  id: &'static str,
                  value: &str,
                  options: Vec<(String, String)>,
                  put: fn(&mut Draft, String)| {
        html! {
            <label for={id}>{ label }<select {id} onchange={set(put)}>
                { for options.into_iter().map(|(word, name)| html! { <option key={word.clone()} value={word.clone()} selected={word == value}>{ name }</option> }) }
            </select></label>
        }
    };
    let nodes = |any: Option<&str>| {
        let any = any.map(|any| (String::new(), any.to_owned()));
        any.into_iter().chain(props.names.iter().map(|name| (name.to_string(), name.to_string()))).collect::<Vec<_>>()
    };
    let same = |word: &str| (word.to_owned(), word.to_owned());
    let kinds = ApiKey::ALL.iter().flat_map(|api| [same(api.request_name()), same(api.response_name())]).collect();
    let events = EventWord::WORDS.iter().map(|(word, _)| same(word)).collect();
    let verbs = VERBS.iter().filter(|(_, message)| !message || draft.when == "message");
    let verbs = verbs.map(|(verb, _)| ((*verb).to_owned(), (t.verb)(verb).to_owned()));
    let verbs = verbs.chain(draft.task.as_ref().map(|task| (task.verb().to_owned(), task.verb().to_owned()))).collect();
    let whens = vec![
        ("at".into(), t.fault_at_ms.into()),
        ("message".into(), t.fault_on_message.into()),
        ("event".into(), t.fault_on_event.into()),
    ];
    let ways = vec![("both".to_owned(), t.both_ways.to_owned()), ("one".to_owned(), t.one_way.to_owned())];
    let verb = &*draft.verb;
    let save = {
        let (draft, problem, done) = (draft.clone(), problem.clone(), props.done.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            match draft.fault() {
                Ok(fault) => done.emit(Some(fault)),
                Err(field) => problem.set(Some(field)),
            }
        })
    };
    let cancel = {
        let done = props.done.clone();
        Callback::from(move |_| done.emit(None))
    };
    html! {
        <form class="fault-form" onsubmit={save}>
            { choose(t.fault_when, "fault-when", &draft.when, whens, |it, value| it.when = value) }
            if draft.when == "at" { { input(t.fault_at_ms, "at.ms", &draft.at_ms, |it, value| it.at_ms = value) } }
            if draft.when == "message" {
                { choose(t.fault_kind, "fault-kind", &draft.kind, kinds, |it, value| it.kind = value) }
                { choose(t.fault_from, "fault-from", &draft.from, nodes(Some(t.anyone)), |it, value| it.from = value) }
                { choose(t.fault_to, "fault-to", &draft.to, nodes(Some(t.anyone)), |it, value| it.to = value) }
            }
            if draft.when == "event" {
                { choose(t.fault_kind, "fault-event", &draft.event, events, |it, value| it.event = value) }
                { choose(t.fault_node, "fault-at", &draft.from, nodes(Some(t.anyone)), |it, value| it.from = value) }
            }
            if draft.when != "at" { { input(t.fault_nth, "nth", &draft.nth, |it, value| it.nth = value) } }
            { choose(t.fault_do, "fault-do", verb, verbs, |it, value| it.verb = value) }
            if !draft.strikes_message() && draft.task.as_ref().is_none_or(|task| task.verb() != verb) { { choose(t.fault_node, "fault-node", &draft.node, nodes(None), |it, value| it.node = value) } }
            if matches!(verb, "partition" | "heal" | "slow") {
                { choose(t.fault_to, "fault-other", &draft.other, nodes(Some(t.everyone)), |it, value| it.other = value) }
            }
            if verb == "partition" {
                { choose(t.fault_ways, "fault-ways", if draft.one_way { "one" } else { "both" }, ways, |it, value| it.one_way = value == "one") }
            }
            if verb == "corrupt" {
                { input(t.topic_partition, "partition", &draft.partition, |it, value| it.partition = value) }
                { input(t.offset, "offset", &draft.offset, |it, value| it.offset = value) }
            }
            if matches!(verb, "slow" | "delay" | "skew_clock" | "slow_disk") { { input(t.fault_by_ms, "by.ms", &draft.by_ms, |it, value| it.by_ms = value) } }
            if matches!(verb, "crash" | "shutdown" | "power_loss" | "pause" | "partition" | "slow" | "slow_disk" | "full_disk") {
                { input(t.fault_for_ms, "for.ms", &draft.for_ms, |it, value| it.for_ms = value) }
            }
            if let Some(field) = *problem {
                <p class="error" role="alert">{ field }{ ": " }{ (t.expected_number)(if field == "nth" { 1 } else { 0 }, 4_294_967_295) }</p>
            }
            <div class="row">
                <button class="primary" type="submit">{ t.apply }</button>
                <button type="button" onclick={cancel}>{ t.cancel }</button>
            </div>
        </form>
    }
}
