//! The documentation (`www/docs`) and the recipes are held to what they say: every page is well formed, every relative link
//! leads somewhere, both languages show the same figures, every figure and link opens a scenario without a complaint, and
//! what `data-claim` claims of it is what the engine shows.

use delivery_lab::scenario::{Trial, link};
use delivery_lab::session::report::Report;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

#[path = "docs/html.rs"]
mod html;

use html::{Element, Page, read};

const LANGS: [&str; 2] = ["en", "ko"];

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder, but those that git does not know of.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries.map(|entry| entry.expect("a readable folder").path()) {
        let name = entry.file_name().expect("it has a name").to_string_lossy().into_owned();
        if entry.is_dir()
            && !matches!(name.as_str(), "node_modules" | "build" | "static" | "lab")
            && !name.starts_with('.')
        {
            found.extend(files(&entry));
        } else if entry.is_file() {
            found.push(entry);
        }
    }
    found.sort();
    found
}

/// The site's pages by their path from its root: `en/index.html`.
fn pages() -> BTreeMap<String, Page> {
    let root = project().join("www/docs");
    let html = files(&root).into_iter().filter(|path| path.extension().is_some_and(|it| it == "html"));
    let named = html.map(|path| {
        let name = path.strip_prefix(&root).expect("it is inside").to_string_lossy().into_owned();
        (name, read(&fs::read_to_string(&path).expect("a readable page")))
    });
    named.collect()
}

fn check(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// The pages of one language, by name.
fn of<'a>(all: &'a BTreeMap<String, Page>, lang: &str) -> BTreeMap<&'a str, &'a Page> {
    let prefix = format!("{lang}/");
    all.iter().filter_map(|(name, page)| Some((name.strip_prefix(&prefix)?, page))).collect()
}

#[test]
fn pages_are_well_formed() {
    let mut complaints = Vec::new();
    for (name, page) in pages() {
        complaints.extend(page.complaints.iter().map(|it| format!("{name}: {it}")));
        complaints.extend(form(&page).into_iter().map(|it| format!("{name}: {it}")));
    }
    check(&complaints);
}

/// What every page must have, and no page may have.
fn form(page: &Page) -> Vec<String> {
    let mut complaints = Vec::new();
    for (what, wanted) in [("html", 1), ("title", 1), ("main", 1), ("h1", 1)] {
        let there = page.all(what).count();
        if there != wanted {
            complaints.push(format!("{there} <{what}>, {wanted} expected"));
        }
    }
    let mut ids = BTreeSet::new();
    for element in &page.elements {
        let line = element.line;
        if element.get("id").is_some_and(|id| !ids.insert(id)) {
            complaints.push(format!("line {line}: the id {:?} is there twice", element.get("id")));
        }
        // The Content-Security-Policy of the reference page allows neither.
        if element.get("style").is_some()
            || element.name == "style"
            || element.attributes.keys().any(|it| it.starts_with("on"))
        {
            complaints.push(format!("line {line}: inline style or script"));
        }
        if element.name == "script" && (element.get("src").is_none() || !element.text.is_empty()) {
            complaints.push(format!("line {line}: an inline script"));
        }
        if element.name == "img" && element.get("alt").is_none() {
            complaints.push(format!("line {line}: a picture without a text"));
        }
        if element.name == "th" && element.get("scope").is_none() {
            complaints.push(format!("line {line}: a heading of what? <th> needs a scope"));
        }
        if element.name == "a" && element.text.trim().is_empty() {
            complaints.push(format!("line {line}: a link without a text"));
        }
    }
    let levels: Vec<u8> = page.elements.iter().filter_map(|it| heading(&it.name)).collect();
    if levels.windows(2).any(|two| two[1] > two[0] + 1) {
        complaints.push(format!("a level of headings is left out: {levels:?}"));
    }
    complaints
}

fn heading(name: &str) -> Option<u8> {
    name.strip_prefix('h')?.parse().ok()
}

#[test]
fn every_relative_link_leads_somewhere() {
    let all = pages();
    let mut complaints = Vec::new();
    for (name, page) in &all {
        for element in &page.elements {
            for address in ["href", "src"].into_iter().filter_map(|key| element.get(key)) {
                if let Err(problem) = follow(name, address, &all) {
                    complaints.push(format!("{name}: line {}: {address}: {problem}", element.line));
                }
            }
        }
    }
    check(&complaints);
}

/// Follows a link of a page, as the published site would.
fn follow(from: &str, address: &str, all: &BTreeMap<String, Page>) -> Result<(), String> {
    if address.contains(':') || address.starts_with('/') {
        return Err("not relative".to_owned());
    }
    let (path, anchor) = address.split_once('#').map_or((address, None), |(path, anchor)| (path, Some(anchor)));
    let path = path.split('?').next().unwrap_or(path);
    let mut steps: Vec<&str> = ["docs"].into_iter().chain(from.split('/')).collect();
    if !path.is_empty() {
        steps.pop();
        for step in path.split('/') {
            match step {
                "." => {}
                ".." => drop(steps.pop().ok_or("outside of what is published")?),
                step => steps.push(step),
            }
        }
    }
    let target = steps.join("/");
    if target == "index.html" {
        return Ok(()); // The Lab itself; what is behind the # is its state.
    }
    if let Some(page) = target.strip_prefix("docs/").and_then(|name| all.get(name)) {
        return match anchor {
            Some(id) if !page.elements.iter().any(|it| it.get("id") == Some(id)) => Err(format!("no id {id} there")),
            _ => Ok(()),
        };
    }
    if target.ends_with(".html") {
        return Err(format!("there is no page {target}"));
    }
    // Published from www: embed.js, docs/docs.css. The API is built.
    let built = ["delivery-lab.js", "delivery-lab.d.ts"].contains(&target.as_str()) || target.starts_with("posters/");
    if built || project().join("www").join(&target).is_file() { Ok(()) } else { Err(format!("there is no {target}")) }
}

#[test]
fn both_languages_have_the_same_pages_and_figures() {
    let all = pages();
    let [en, ko] = LANGS.map(|lang| of(&all, lang));
    assert_eq!(en.keys().collect::<Vec<_>>(), ko.keys().collect::<Vec<_>>());
    let mut complaints = Vec::new();
    for (name, page) in &en {
        let other = ko[name];
        for (lang, page, from) in [("en", page, "ko"), ("ko", &other, "en")] {
            let html = page.all("html").next().expect("checked above");
            if html.get("lang") != Some(lang) {
                complaints.push(format!("{lang}/{name}: its language is {:?}", html.get("lang")));
            }
            let there = format!("../{from}/{name}");
            let translations = page.elements.iter().filter(|it| it.get("hreflang") == Some(from));
            let right = translations.filter(|it| it.get("href") == Some(&there)).count();
            if right != 2 {
                complaints.push(format!("{lang}/{name}: {right} links to {there}, in head and header 2 expected"));
            }
        }
        let (ours, theirs) = (outline(page), outline(other));
        if ours != theirs {
            let at = ours.iter().zip(&theirs).position(|(a, b)| a != b).unwrap_or(ours.len().min(theirs.len()));
            complaints.push(format!("{name}: en has {:?}, ko has {:?}", ours.get(at), theirs.get(at)));
        }
    }
    check(&complaints);
}

/// What must not depend on the language: sections, figures, links into the Lab, what is claimed of them.
fn outline(page: &Page) -> Vec<String> {
    let kept = |element: &Element| {
        let part = |key: &str| element.get(key).unwrap_or("").replace("lang=ko", "lang=en");
        match element.name.as_str() {
            "h1" | "h2" | "h3" => Some(format!("{} {}", element.name, part("id"))),
            "delivery-lab" => {
                Some(format!("{} {} {} {}", part("scenario"), part("state"), part("view"), part("data-claim")))
            }
            "a" => {
                Some(format!("{} {}", part("href"), part("data-claim"))).filter(|_| element.get("hreflang").is_none())
            }
            _ => None,
        }
    };
    page.elements.iter().filter_map(kept).collect()
}

/// Figures and links into the Lab: (where, the link, what is claimed of it).
fn openings(all: &BTreeMap<String, Page>) -> Vec<(String, String, Option<String>)> {
    let mut found = Vec::new();
    for (name, page) in all {
        for element in &page.elements {
            let place = format!("{name}: line {}", element.line);
            let claim = element.get("data-claim").map(str::to_owned);
            if element.name == "delivery-lab" {
                found.push((place, figure(element), claim));
            } else if let Some(at) = element.get("href").and_then(|href| href.find("?scenario=")) {
                found.push((place, element.attributes["href"][at..].to_owned(), claim));
            }
        }
    }
    found
}

/// The link that a figure shows.
fn figure(element: &Element) -> String {
    let part = |sign: &str, key: &str| element.get(key).map_or_else(String::new, |it| format!("{sign}{it}"));
    format!("{}{}{}", part("?scenario=", "scenario"), part("&seed=", "seed"), part("#", "state"))
}

#[test]
fn every_figure_has_its_link_inside_and_shows_the_page_s_language() {
    let mut complaints = Vec::new();
    for (name, page) in pages() {
        for (at, element) in page.elements.iter().enumerate().filter(|(_, it)| it.name == "delivery-lab") {
            let lang = &name[..2];
            let place = format!("{name}: line {}", element.line);
            if element.get("lang") != Some(lang) {
                complaints.push(format!("{place}: the figure speaks {:?}", element.get("lang")));
            }
            let (before, state) = figure(element).split_once('#').map_or_else(
                || (figure(element), String::new()),
                |(before, state)| (before.to_owned(), format!("#{state}")),
            );
            let wanted = format!("../../index.html{before}&lang={lang}{state}");
            let link = page.elements.iter().find(|it| it.parent == Some(at)).and_then(|it| it.get("href"));
            if link != Some(&wanted) {
                complaints.push(format!("{place}: inside is {link:?}, expected {wanted:?}"));
            }
        }
    }
    check(&complaints);
}

#[test]
fn what_is_claimed_of_figures_and_links_is_what_the_engine_shows() {
    let mut reports: BTreeMap<String, Value> = BTreeMap::new();
    let mut complaints = Vec::new();
    let mut claims = 0;
    for (place, address, claim) in openings(&pages()) {
        let opened = link::read_text(&address.replace("&lang=en", "").replace("&lang=ko", ""));
        complaints.extend(opened.mistakes.iter().map(|mistake| format!("{place}: {address}: {mistake}")));
        let Some(claim) = claim else { continue };
        let key = address.replace("&lang=ko", "&lang=en").replace("&lang=en", "");
        let report = reports.entry(key).or_insert_with(|| {
            let scenario = &opened.link.scenario;
            assert!(opened.link.inputs.is_empty(), "{place}: nothing here replays inputs");
            let mut trial = Trial::new(scenario).unwrap_or_else(|mistakes| panic!("{place}: {mistakes:?}"));
            trial.finish();
            serde_json::from_str(&Report::of(scenario, &trial).to_json()).expect("a report is JSON")
        });
        claims += 1;
        complaints.extend(held_against(&claim, report).into_iter().map(|it| format!("{place}: {address}: {it}")));
    }
    assert!(claims > 60, "only {claims} claims: where are the figures?");
    check(&complaints);
}

/// `observed=at-most-once lost=7-19 duplicated=none`: words against the report. Lists of records must be the same to the last one.
fn held_against(claim: &str, report: &Value) -> Vec<String> {
    let differs = |word: &str| {
        let (key, value) = word.split_once('=').ok_or_else(|| format!("{word} claims nothing"))?;
        let shown = match &report["ledger"][key] {
            Value::Array(records) => ranges(records),
            Value::Number(count) => count.to_string(),
            _ => report["guarantee"][key].as_str().ok_or_else(|| format!("the report has no {key}"))?.to_owned(),
        };
        if shown == value { Ok(()) } else { Err(format!("{key}={value} is claimed, {shown} is shown")) }
    };
    claim.split_whitespace().filter_map(|word| differs(word).err()).collect()
}

/// `3,7-19`, or `none`.
fn ranges(records: &[Value]) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for record in records.iter().filter_map(Value::as_u64) {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == record => *last = record,
            _ => runs.push((record, record)),
        }
    }
    let run = |(first, last): &(u64, u64)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    if runs.is_empty() { "none".to_owned() } else { runs.iter().map(run).collect::<Vec<_>>().join(",") }
}

#[test]
fn a_false_claim_is_found() {
    let report = serde_json::json!({ "ledger": { "lost": [1, 2, 3, 7], "duplicated": [], "sent": 20 },
                                     "guarantee": { "observed": "none" } });
    assert_eq!(held_against("lost=1-3,7 duplicated=none sent=20 observed=none", &report), Vec::<String>::new());
    assert_eq!(held_against("lost=1-3", &report), ["lost=1-3 is claimed, 1-3,7 is shown"]);
    assert_eq!(held_against("observed=at-most-once", &report), ["observed=at-most-once is claimed, none is shown"]);
    assert_eq!(held_against("los=none what", &report), ["the report has no los", "what claims nothing"]);
}

#[test]
fn the_documentation_knows_the_element() {
    let script = fs::read_to_string(project().join("www/embed.js")).expect("the element's script");
    let all = pages();
    for (lang, labels) in [("en", ["Run it", "Full playground"]), ("ko", ["실행해 보기", "전체 페이지"])] {
        let main = all[&format!("{lang}/index.html")].all("main").next().expect("a text").text.clone();
        for label in labels {
            assert!(main.contains(&format!("“{label}”")), "{lang}: {label} is not told of");
            assert!(script.contains(&format!("\"{label}\"")), "{lang}: no button is called {label}");
        }
        let reference = &all[&format!("{lang}/reference.html")];
        let told: BTreeSet<&str> = reference
            .all("code")
            .filter(|it| it.inside.last().is_some_and(|it| it == "th"))
            .map(|it| it.text.as_str())
            .collect();
        let fields = script
            .split("fields = \"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .expect("the element's attributes");
        for word in fields.split(' ').chain([
            "lang",
            "ready",
            "verdict",
            "resize",
            "error",
            "load",
            "play",
            "seek",
            "set-theme",
            "set-lang",
        ]) {
            assert!(told.contains(word), "{lang}: {word} is not in the reference");
        }
    }
}

#[test]
fn the_recipes_figures_open() {
    let mut complaints = Vec::new();
    let mut figures = 0;
    for path in files(&project().join("recipes")) {
        let name = path.strip_prefix(project()).expect("it is inside").display().to_string();
        if !path.extension().is_some_and(|it| it == "html" || it == "md" || it == "mdx") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a readable file");
        for tag in ["delivery-lab ", "DeliveryLab "] {
            // The README's of the recipes talk of the tag in words, too: only whole tags count. The shortcode's braces go.
            for (at, _) in text.match_indices(tag).filter(|(at, _)| text[..*at].ends_with(['<', ' '])) {
                let body = text[at + tag.len()..].split(['>', '<']).next().unwrap_or("");
                // A shortcode and MDX write & as it is.
                let body = body.trim_end_matches(['/', ' ']).replace("&amp;", "&").replace('&', "&amp;");
                let page = read(&format!("<br {body}>"));
                let Some(element) = page.elements.first().filter(|it| it.get("scenario").is_some()) else { continue };
                let link = figure(element);
                if link.contains("{{") || link.contains('…') || link.contains('{') {
                    continue; // A template's or a component's own words.
                }
                figures += 1;
                complaints.extend(page.complaints.iter().map(|it| format!("{name}: {link}: {it}")));
                let opened = link::read_text(&link);
                complaints.extend(opened.mistakes.iter().map(|mistake| format!("{name}: {link}: {mistake}")));
            }
        }
    }
    assert!(figures >= 8, "only {figures} figures in the recipes");
    check(&complaints);
}
