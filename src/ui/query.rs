//! The page's address: `?scenario=…&seed=…&embed=1&lang=ko&theme=dark#…`. What is wrong in it is named, what is right is
//! used; what it says about the run is [`link`]'s.
//!
//! Invariant: words of others in the query stay where they are; where the host forbids to change the address, it stays.

use super::dom;
use super::embed::{self, Figure};
use super::i18n::Lang;
use super::state::Theme;
use delivery_lab::base::config::suggest::nearest;
use delivery_lab::scenario::Mistake;
use delivery_lab::scenario::link::{self, Link, Opened, Written};
use wasm_bindgen::JsValue;
use web_sys::UrlSearchParams;

/// What the address asks for.
pub struct Asked {
    pub opened: Opened,
    pub lang: Lang,
    pub theme: Theme,
    pub embed: bool,
    pub figure: Figure,
    pub mistakes: Vec<Mistake>,
}

/// What a query may say, beside what is for a page in a frame.
const WORDS: [&str; 5] = ["scenario", "seed", "lang", "theme", "embed"];

/// The words before the equals signs of a query. Those that others put into every link (`utm_source`) are not ours.
fn words(search: &str) -> Vec<String> {
    let parts = search.trim_start_matches('?').split('&').filter_map(|part| part.split('=').next());
    parts.filter(|word| !word.is_empty() && !word.contains(['_', '%'])).map(str::to_owned).collect()
}

fn search() -> String {
    dom::window().location().search().unwrap_or_default()
}

/// What a word of the query says.
pub fn word(name: &str) -> Option<String> {
    UrlSearchParams::new_with_str(&search()).ok()?.get(name)
}

/// What the address says about the run.
pub fn opened() -> Opened {
    link::read(&search(), &dom::window().location().hash().unwrap_or_default())
}

/// Reads the page's address.
pub fn read() -> Asked {
    let opened = opened();
    let mut mistakes = opened.mistakes.clone();
    let mut wrong = |place: &str, problem: String| mistakes.push(Mistake { place: format!("?{place}="), problem });
    let lang = word("lang").and_then(|word| {
        let lang = Lang::from_word(&word);
        if lang.is_none() {
            wrong("lang", format!("\"{word}\" is not spoken here: en or ko."));
        }
        lang
    });
    for word in words(&search()) {
        if !WORDS.contains(&word.as_str()) && !embed::WORDS.contains(&word.as_str()) {
            let near = nearest(&word, WORDS.into_iter());
            let hint =
                near.map_or_else(|| format!("known: {}", WORDS.join(", ")), |near| format!("did you mean \"{near}\"?"));
            wrong(&word, format!("nobody knows this word; {hint}"));
        }
    }
    let theme = word("theme").and_then(|word| {
        let theme = Theme::from_word(&word);
        if theme.is_none() {
            wrong("theme", format!("\"{word}\" is no theme: auto, light or dark."));
        }
        theme
    });
    let (figure, wrong) = embed::words(word);
    mistakes.extend(wrong);
    let stored_lang = || dom::stored("delivery-lab.lang").and_then(|word| Lang::from_word(&word));
    let browser_lang = || Lang::from_word(dom::window().navigator().language()?.split('-').next()?);
    let stored_theme = || dom::stored("delivery-lab.theme").and_then(|word| Theme::from_word(&word));
    Asked {
        opened,
        lang: lang.or_else(stored_lang).or_else(browser_lang).unwrap_or(Lang::En),
        theme: theme.or_else(stored_theme).unwrap_or(Theme::Auto),
        embed: word("embed").is_some_and(|word| word != "0"),
        figure,
        mistakes,
    }
}

/// The folder that the page is in.
pub fn folder() -> String {
    let location = dom::window().location();
    let path = location.pathname().unwrap_or_default();
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    format!("{}{folder}/", location.origin().unwrap_or_default())
}

/// The whole address of a link, for other people: nothing of this page's own language or theme.
pub fn address(written: &Written) -> String {
    let location = dom::window().location();
    let (origin, path) = (location.origin().unwrap_or_default(), location.pathname().unwrap_or_default());
    format!("{origin}{path}{}", written.suffix())
}

/// A choice made with a button: it is kept, and what the address says about it stays true.
pub fn choose(word: &str, value: &str) {
    dom::store(&format!("delivery-lab.{word}"), value);
    if let Ok(query) = UrlSearchParams::new_with_str(&search())
        && query.get(word).is_some()
    {
        query.set(word, value);
        let query = String::from(query.to_string());
        show(&query, &dom::window().location().hash().unwrap_or_default(), false);
    }
}

/// What stands behind this page's path for a link; whatever else is in the query stays.
fn behind(link: &Written) -> Option<(String, String)> {
    let query = UrlSearchParams::new_with_str(&search()).ok()?;
    let said = UrlSearchParams::new_with_str(&link.query).ok()?;
    for word in ["scenario", "seed"] {
        match said.get(word) {
            Some(value) => query.set(word, &value),
            None => query.delete(word),
        }
    }
    let hash = if link.hash.is_empty() { String::new() } else { format!("#{}", link.hash) };
    Some((String::from(query.to_string()), hash))
}

/// This page's address for a link, from its path on, such that following it loads the page anew: where only the hash
/// differed, a browser would stay.
pub fn afresh(link: &Written) -> String {
    let Some((query, hash)) = behind(link) else { return link.suffix() };
    let here = dom::window().location().href().unwrap_or_default();
    let same = here.split('#').next().is_some_and(|here| here.ends_with(&format!("?{query}")));
    format!("?{query}{}{hash}", if same { "&" } else { "" })
}

/// Puts a link into the address; `push` if "back" is to lead to the present one.
pub fn remember(link: &Link, push: bool) {
    if let Some((query, hash)) = behind(&link::write(link)) {
        show(&query, &hash, push);
    }
}

/// Changes the address, where the host allows it.
fn show(query: &str, hash: &str, push: bool) {
    let (before, before_hash) = (search(), dom::window().location().hash().unwrap_or_default());
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    if query == before && hash == before_hash {
        return;
    }
    let Ok(history) = dom::window().history() else { return };
    // An address of nothing but a path: an empty one would mean the present one.
    let path = dom::window().location().pathname().unwrap_or_default();
    let address = format!("{path}{query}{hash}");
    let _ = if push {
        history.push_state_with_url(&JsValue::NULL, "", Some(&address))
    } else {
        history.replace_state_with_url(&JsValue::NULL, "", Some(&address))
    };
}
