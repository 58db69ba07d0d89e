//! The link: `?scenario=…&seed=…&embed=1&lang=ko&theme=dark`. What is wrong in it is named, what is right is used.

use super::dom;
use super::embed::{self, Figure};
use super::i18n::Lang;
use super::state::Theme;
use delivery_lab::base::config::suggest::nearest;
use delivery_lab::scenario::{Mistake, Scenario, library, link};
use web_sys::UrlSearchParams;

/// What a link asks for.
pub struct Asked {
    pub scenario: Scenario,
    pub lang: Lang,
    pub theme: Theme,
    pub embed: bool,
    pub figure: Figure,
    pub mistakes: Vec<Mistake>,
}

/// What a link may say.
const WORDS: [&str; 5] = ["scenario", "seed", "lang", "theme", "embed"];

/// The words before the equals signs of a query. Those that others put into every link (`utm_source`) are not ours.
fn words(search: &str) -> Vec<String> {
    let parts = search.trim_start_matches('?').split('&').filter_map(|part| part.split('=').next());
    parts.filter(|word| !word.is_empty() && !word.contains(['_', '%'])).map(str::to_owned).collect()
}

/// Reads the page's address.
pub fn read() -> Asked {
    let search = dom::window().location().search().unwrap_or_default();
    let query = UrlSearchParams::new_with_str(&search).ok();
    let get = |name: &str| query.as_ref().and_then(|query| query.get(name));
    let (scenario, mut mistakes) = link::read(get("scenario").as_deref(), get("seed").as_deref());
    let mut wrong = |place: &str, problem: String| mistakes.push(Mistake { place: format!("?{place}="), problem });
    let lang = get("lang").and_then(|word| {
        let lang = Lang::from_word(&word);
        if lang.is_none() {
            wrong("lang", format!("\"{word}\" is not spoken here: en or ko."));
        }
        lang
    });
    for word in words(&search) {
        if !WORDS.contains(&word.as_str()) && !embed::WORDS.contains(&word.as_str()) {
            let near = nearest(&word, WORDS.into_iter());
            let hint =
                near.map_or_else(|| format!("known: {}", WORDS.join(", ")), |near| format!("did you mean \"{near}\"?"));
            wrong(&word, format!("nobody knows this word; {hint}"));
        }
    }
    let theme = get("theme").and_then(|word| {
        let theme = Theme::from_word(&word);
        if theme.is_none() {
            wrong("theme", format!("\"{word}\" is no theme: auto, light or dark."));
        }
        theme
    });
    let (figure, wrong) = embed::words(get);
    mistakes.extend(wrong);
    let stored_lang = || dom::stored("delivery-lab.lang").and_then(|word| Lang::from_word(&word));
    let browser_lang = || Lang::from_word(dom::window().navigator().language()?.split('-').next()?);
    let stored_theme = || dom::stored("delivery-lab.theme").and_then(|word| Theme::from_word(&word));
    Asked {
        scenario,
        lang: lang.or_else(stored_lang).or_else(browser_lang).unwrap_or(Lang::En),
        theme: theme.or_else(stored_theme).unwrap_or(Theme::Auto),
        embed: get("embed").is_some_and(|word| word != "0"),
        figure,
        mistakes,
    }
}

/// The link to a scenario and its seed; none for one that is not in the library.
pub fn link(scenario: &Scenario) -> Option<String> {
    let id = scenario.id.as_deref().filter(|id| library::ids().any(|known| known == *id))?;
    let location = dom::window().location();
    let base = format!("{}{}", location.origin().ok()?, location.pathname().ok()?);
    Some(format!("{base}?scenario={id}&seed={}", scenario.seed))
}

/// A choice made with a button: it is kept, and what the address says about it stays true.
pub fn choose(word: &str, value: &str) {
    dom::store(&format!("delivery-lab.{word}"), value);
    change(|query| {
        if query.get(word).is_some() {
            query.set(word, value);
        }
    });
}

/// Puts the scenario into the address; whatever else is in the address stays.
pub fn remember(scenario: &Scenario) {
    change(|query| match scenario.id.as_deref() {
        Some(id) => {
            query.set("scenario", id);
            query.set("seed", &scenario.seed.to_string());
        }
        None => {
            query.delete("scenario");
            query.delete("seed");
        }
    });
}

/// Changes the address, where the host allows it.
fn change(edit: impl FnOnce(&UrlSearchParams)) {
    let search = dom::window().location().search().unwrap_or_default();
    let Ok(query) = UrlSearchParams::new_with_str(&search) else { return };
    edit(&query);
    let Ok(history) = dom::window().history() else { return };
    let address = format!("?{}", String::from(query.to_string()));
    if address == search || (search.is_empty() && address == "?") {
        return;
    }
    let _ = history.replace_state_with_url(&wasm_bindgen::JsValue::NULL, "", Some(&address));
}
