//! The page as a figure in another page: which part of it is shown, and the messages between it and its host.
//!
//! Messages are objects `{ type: "delivery-lab:NAME", v: 1, … }`. Out: `ready`, `resize`, `verdict`, `error`; in: `load`, `set-theme`,
//! `set-lang`, `seek`, `play`. Here is what they say; who may say it is decided in [`super::hooks`].
//!
//! Invariant: whatever a host sends is read here and becomes a request, a complaint, or nothing.

use super::i18n::Lang;
use super::state::Theme;
use delivery_lab::base::config::suggest::nearest;
use delivery_lab::scenario::Mistake;
use delivery_lab::scenario::link::{self, Opened};
use delivery_lab::view::VerdictView;
use serde_json::{Value, json};

/// What is seen of the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum View {
    /// The stage, time, and the verdict in a line.
    Stage,
    /// The lanes, time, and the verdict in a line.
    Timeline,
    /// The verdict with its ledger, and time.
    Ledger,
    /// All of these; settings are folded.
    #[default]
    Full,
}

impl View {
    const ALL: [View; 4] = [View::Stage, View::Timeline, View::Ledger, View::Full];

    /// Its word in links, and its class.
    pub const fn word(self) -> &'static str {
        match self {
            View::Stage => "stage",
            View::Timeline => "timeline",
            View::Ledger => "ledger",
            View::Full => "full",
        }
    }
}

/// How the page is embedded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Figure {
    /// What is seen of it.
    pub view: View,
    /// Whether there are buttons to move in time.
    pub controls: bool,
    /// Whether it plays at once.
    pub autoplay: bool,
}

impl Default for Figure {
    fn default() -> Self {
        Figure { view: View::default(), controls: true, autoplay: false }
    }
}

impl Figure {
    /// The stage stands in it.
    pub const fn stage(self) -> bool {
        matches!(self.view, View::Stage | View::Full)
    }

    /// The lanes do.
    pub const fn lanes(self) -> bool {
        matches!(self.view, View::Timeline | View::Full)
    }

    /// The ledger does, with all that is said of it.
    pub const fn ledger(self) -> bool {
        matches!(self.view, View::Ledger | View::Full)
    }
}

/// Words of a link that are about this.
pub const WORDS: [&str; 3] = ["view", "controls", "autoplay"];

/// Reads them, and says what is wrong with them.
pub fn words(get: impl Fn(&str) -> Option<String>) -> (Figure, Vec<Mistake>) {
    let mut figure = Figure::default();
    let mut mistakes = Vec::new();
    if let Some(word) = get("view") {
        match View::ALL.into_iter().find(|view| view.word() == word) {
            Some(view) => figure.view = view,
            None => {
                let hint = nearest(&word, View::ALL.into_iter().map(View::word));
                let hint = hint.map_or_else(String::new, |near| format!(" Did you mean \"{near}\"?"));
                let problem = format!("\"{word}\" is no view: stage, timeline, ledger or full.{hint}");
                mistakes.push(Mistake { place: "?view=".to_owned(), problem });
            }
        }
    }
    let mut flag = |name: &str, value: &mut bool| match get(name).as_deref() {
        None => {}
        Some("1") => *value = true,
        Some("0") => *value = false,
        Some(other) => {
            mistakes.push(Mistake { place: format!("?{name}="), problem: format!("\"{other}\" is neither 0 nor 1.") })
        }
    };
    flag("controls", &mut figure.controls);
    flag("autoplay", &mut figure.autoplay);
    (figure, mistakes)
}

/// What a host asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum Request {
    /// Another scenario, or what a link says.
    Load(Box<Opened>),
    /// Light or dark.
    Theme(Theme),
    /// Another language.
    Lang(Lang),
    /// To a moment, in microseconds.
    Seek(u64),
    /// To play, or to stop.
    Play(bool),
}

/// Reads a message. None if it is not of our kind or says nothing but that its sender is there (`hello`).
pub fn read(message: &Value) -> Option<Result<Request, Vec<Mistake>>> {
    let name = message.get("type")?.as_str()?.strip_prefix("delivery-lab:")?;
    if message.get("v").and_then(Value::as_u64) != Some(1) {
        return Some(Err(wrong("v", "only version 1 of these messages is spoken here")));
    }
    let word = |field: &str| message.get(field).and_then(Value::as_str);
    Some(match name {
        "hello" => return None,
        "load" => load(message),
        "set-theme" => word("theme")
            .and_then(Theme::from_word)
            .map(Request::Theme)
            .ok_or_else(|| wrong("theme", "expected \"auto\", \"light\" or \"dark\"")),
        "set-lang" => word("lang")
            .and_then(Lang::from_word)
            .map(Request::Lang)
            .ok_or_else(|| wrong("lang", "expected \"en\" or \"ko\"")),
        "seek" => message
            .get("us")
            .and_then(whole)
            .map(Request::Seek)
            .ok_or_else(|| wrong("us", "expected microseconds since the beginning: a whole number from 0 on")),
        "play" => message
            .get("playing")
            .and_then(Value::as_bool)
            .map(Request::Play)
            .ok_or_else(|| wrong("playing", "expected true or false")),
        other => Err(wrong("type", &format!("\"{other}\" is none of: load, set-theme, set-lang, seek, play"))),
    })
}

/// A scenario as an object or a text of the format, or the id of one in the library with the state of a link.
fn load(message: &Value) -> Result<Request, Vec<Mistake>> {
    let state = message.get("state").and_then(Value::as_str).unwrap_or_default();
    let found = match message.get("scenario") {
        Some(Value::String(id)) if !id.trim_start().starts_with('{') => link::open(Some(id), None, state),
        Some(Value::String(text)) => link::parse(text)?.into(),
        Some(object @ Value::Object(_)) => link::parse(&object.to_string())?.into(),
        None if state.contains('?') => link::read_text(state),
        None if !state.is_empty() => link::open(None, None, state),
        _ => return Err(wrong("scenario", "expected the id of a scenario of the library, or a scenario")),
    };
    if found.mistakes.is_empty() { Ok(Request::Load(Box::new(found))) } else { Err(found.mistakes) }
}

/// JavaScript's numbers are whole if they say so.
fn whole(number: &Value) -> Option<u64> {
    number.as_u64().or_else(|| number.as_f64().filter(|it| *it >= 0.0 && *it < 1e15).map(|it| it as u64))
}

fn wrong(place: &str, problem: &str) -> Vec<Mistake> {
    vec![Mistake { place: place.to_owned(), problem: problem.to_owned() }]
}

/// A message to the host.
pub fn message(name: &str, mut body: Value) -> Value {
    if let Some(fields) = body.as_object_mut() {
        fields.insert("type".to_owned(), json!(format!("delivery-lab:{name}")));
        fields.insert("v".to_owned(), json!(1));
    }
    body
}

/// Claim, observation and counts, for `verdict`.
pub fn verdict(it: &VerdictView, finished: bool) -> Value {
    let ledger = &it.ledger;
    let duplicated = if ledger.duplicated.is_empty() { &ledger.log_duplicated } else { &ledger.duplicated };
    json!({
        "claimed": it.claimed, "observed": it.observed, "holds": it.holds, "finished": finished,
        "counts": { "lost": ledger.lost.len(), "duplicated": duplicated.len(), "reordered": ledger.reordered.len(),
                    "abortedRead": ledger.aborted_read.len() },
    })
}

/// A figure has little room: what is wrong, without the list of all that would be right.
fn first_sentence(text: &str) -> &str {
    let end = [". ", "? "].iter().filter_map(|it| text.find(it)).min();
    end.map_or(text, |end| &text[..=end])
}

/// What was refused, for `error`; `fatal` if there is nothing to show instead.
pub fn error(mistakes: &[Mistake], fatal: bool) -> Value {
    let all: Vec<Value> = mistakes.iter().map(|it| json!({ "place": it.place, "problem": it.problem })).collect();
    let problem = mistakes.iter().map(|it| first_sentence(&it.problem)).collect::<Vec<_>>().join(" ");
    json!({ "problem": problem, "mistakes": all, "fatal": fatal })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &[(&str, &str)]) -> (Figure, Vec<Mistake>) {
        words(|name| query.iter().find(|(word, _)| *word == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn what_a_link_says_of_the_figure() {
        assert_eq!(asked(&[]), (Figure { view: View::Full, controls: true, autoplay: false }, Vec::new()));
        let (figure, mistakes) = asked(&[("view", "ledger"), ("controls", "0"), ("autoplay", "1")]);
        assert_eq!(figure, Figure { view: View::Ledger, controls: false, autoplay: true });
        assert!(mistakes.is_empty() && figure.ledger() && !figure.stage() && !figure.lanes());
        let (figure, mistakes) = asked(&[("view", "stag"), ("controls", "no"), ("autoplay", "1")]);
        assert_eq!(figure, Figure { autoplay: true, ..Figure::default() }, "what is right is used");
        assert_eq!(mistakes.len(), 2);
        assert!(mistakes[0].problem.contains("Did you mean \"stage\"?"), "{mistakes:?}");
    }

    fn reads(text: &str) -> Option<Result<Request, Vec<Mistake>>> {
        read(&serde_json::from_str(text).expect("JSON"))
    }

    #[test]
    fn messages_of_others_are_none_of_ours() {
        for other in [
            "1",
            "null",
            "{}",
            r#"{"type":"webpackOk","v":1}"#,
            r#"{"type":7}"#,
            r#"{"type":"delivery-lab:hello","v":1}"#,
        ] {
            assert_eq!(reads(other), None, "{other}");
        }
    }

    #[test]
    fn what_a_host_may_ask_for() {
        let ok = |text: &str| reads(text).expect("ours").expect("right");
        assert_eq!(ok(r#"{"type":"delivery-lab:seek","v":1,"us":1500000}"#), Request::Seek(1_500_000));
        assert_eq!(ok(r#"{"type":"delivery-lab:seek","v":1,"us":2.5}"#), Request::Seek(2));
        assert_eq!(ok(r#"{"type":"delivery-lab:play","v":1,"playing":false}"#), Request::Play(false));
        assert_eq!(ok(r#"{"type":"delivery-lab:set-theme","v":1,"theme":"dark"}"#), Request::Theme(Theme::Dark));
        assert_eq!(ok(r#"{"type":"delivery-lab:set-lang","v":1,"lang":"ko"}"#), Request::Lang(Lang::Ko));
        let loaded = |text: &str| match ok(text) {
            Request::Load(opened) => opened.link,
            other => panic!("{other:?}"),
        };
        let found =
            loaded(r#"{"type":"delivery-lab:load","v":1,"scenario":"commit-first","state":"set=shop.acks=1&t=5&v=1"}"#);
        assert_eq!(found.scenario.id.as_deref(), Some("commit-first"));
        assert_eq!((&*found.scenario.producers[0].config["acks"], found.at.map(|at| at.us)), ("1", Some(5)));
        for state in ["base=commit-first&t=5&v=1", "https://example.org/?scenario=commit-first#t=5&v=1"] {
            let found = loaded(&format!(r#"{{"type":"delivery-lab:load","v":1,"state":"{state}"}}"#));
            assert_eq!((found.scenario.id.as_deref(), found.at.map(|at| at.us)), (Some("commit-first"), Some(5)));
        }
        let own = r#"{"type":"delivery-lab:load","v":1,"scenario":{"version":1,"topics":[{"name":"orders"}]}}"#;
        assert_eq!(loaded(own).scenario.id, None);
    }

    #[test]
    fn a_figure_is_told_the_first_sentence() {
        let long = "there is no \"a\"; did you mean \"b\"? Known: b, c. \"b\" is shown instead.";
        let told = error(&[Mistake { place: "?scenario=".to_owned(), problem: long.to_owned() }], true);
        assert_eq!(told["problem"], "there is no \"a\"; did you mean \"b\"?");
        assert_eq!(told["mistakes"][0]["problem"], long);
        assert_eq!(first_sentence("shop.linger.ms is 5"), "shop.linger.ms is 5");
    }

    #[test]
    fn what_is_wrong_with_a_message_is_named() {
        for (text, place) in [
            (r#"{"type":"delivery-lab:seek","v":1,"us":-1}"#, "us"),
            (r#"{"type":"delivery-lab:play","v":1}"#, "playing"),
            (r#"{"type":"delivery-lab:play","v":2,"playing":true}"#, "v"),
            (r#"{"type":"delivery-lab:explode","v":1}"#, "type"),
            (r#"{"type":"delivery-lab:load","v":1,"scenario":"lost-akc"}"#, "scenario"),
            (r#"{"type":"delivery-lab:load","v":1,"scenario":{"version":1,"topicz":[]}}"#, "topicz"),
            (r#"{"type":"delivery-lab:load","v":1,"scenario":7}"#, "scenario"),
        ] {
            let mistakes = reads(text).expect("ours").expect_err(text);
            assert!(mistakes.iter().any(|it| it.to_string().contains(place)), "{text}: {mistakes:?}");
        }
    }
}
