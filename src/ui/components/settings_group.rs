//! The settings of one producer, consumer, topic, or of the cluster.

use super::setting_field::{SettingField, WorkloadField};
use crate::ui::dom;
use crate::ui::edit::{Place, WorkField, workload};
use crate::ui::hooks::{use_lab, use_texts};
use delivery_lab::base::config::{ConfigKey, Properties, properties};
use delivery_lab::base::sort_short;
use delivery_lab::scenario::Scenario;
use std::rc::Rc;
use yew::prelude::*;

/// The keys that decide about delivery: they come right after the changed ones.
const FIRST: &[&str] = &[
    "acks",
    "enable.idempotence",
    "transactional.id",
    "transaction.timeout.ms",
    "retries",
    "request.timeout.ms",
    "delivery.timeout.ms",
    "linger.ms",
    "max.in.flight.requests.per.connection",
    "enable.auto.commit",
    "auto.commit.interval.ms",
    "isolation.level",
    "auto.offset.reset",
    "max.poll.records",
    "share.acknowledgement.mode",
    "share.acquire.mode",
    "transaction.version",
    "min.insync.replicas",
    "unclean.leader.election.enable",
    "replica.lag.time.max.ms",
    "broker.session.timeout.ms",
];

#[derive(Properties, PartialEq)]
pub struct GroupProps {
    pub place: Place,
    pub scenario: Rc<Scenario>,
    pub search: AttrValue,
    pub open: bool,
}

/// Whether a setting is there and says something else than the default.
pub fn is_changed(key: &ConfigKey, properties: &Properties) -> bool {
    properties.get(key.name).is_some_and(|value| value.trim() != key.default)
}

#[component]
pub fn SettingsGroup(props: &GroupProps) -> Html {
    let t = use_texts();
    let (all, all_work) = (use_state(|| false), use_state(|| false));
    let (place, scenario) = (props.place, &props.scenario);
    let set = place.properties(scenario);
    let searched = !props.search.is_empty();
    let fits = |name: &str| !searched || name.contains(&*props.search);

    let mut keys: Vec<&'static ConfigKey> = place.offered(scenario).filter(|key| fits(key.name)).collect();
    let rank = |key: &ConfigKey| FIRST.iter().position(|it| *it == key.name).unwrap_or(FIRST.len());
    let order = |key: &ConfigKey| (!is_changed(key, set), rank(key), key.importance);
    sort_short(&mut keys, |a, b| order(a) < order(b));
    let first = |key: &&&ConfigKey| is_changed(key, set) || rank(key) < FIRST.len();
    let few = keys.iter().take_while(first).count();
    let (more, shown) = (keys.len() - few, if searched || *all { keys.len() } else { few });
    let mut work: Vec<_> = workload(scenario, place).into_iter().filter(|field| fits(field.key)).collect();
    let usual = |field: &WorkField| !searched && field.minor && !field.is_changed();
    let more_work = work.iter().filter(|field| usual(field)).count();
    if !*all_work {
        work.retain(|field| !usual(field));
    }
    if keys.is_empty() && work.is_empty() {
        return html! {};
    }

    let kind = match place {
        Place::Producer(_) => t.producer,
        Place::Consumer(_) | Place::Sender(_) => t.consumer,
        Place::Reader(_) | Place::Writer(_) => t.processor,
        Place::Group(_) => t.group,
        Place::Topic(_) => t.topic,
        Place::Cluster => t.cluster,
    };
    let unfold = |state: &UseStateHandle<bool>, more: usize| {
        let (open, state) = (**state, state.clone());
        let onclick = Callback::from(move |_: MouseEvent| state.set(!open));
        html! {
            if more > 0 && !searched {
                <button class="link more" {onclick}>{ if open { t.fewer.to_owned() } else { (t.more_defaults)(more) } }</button>
            }
        }
    };
    let changed = place.offered(scenario).filter(|key| is_changed(key, set)).count();
    let open = props.open || searched;
    html! {
        <details {open}>
            <summary>
                { kind }{ " " }<b>{ place.name(scenario) }</b>
                { match place { Place::Reader(_) => t.reads, Place::Writer(_) | Place::Sender(_) => t.writes, _ => "" } }
                if changed > 0 { <span class="count" aria-hidden="true">{ changed }</span> }
            </summary>
            { for keys[..shown].iter().map(|key| html! {
                <SettingField key={key.name} {place} setting={*key} scenario={scenario.clone()} />
            }) }
            { unfold(&all, more) }
            if !work.is_empty() || more_work > 0 {
                <h3>{ t.workload }</h3>
                { for work.into_iter().map(|field| html! {
                    <WorkloadField key={field.key} {place} field={field.clone()} scenario={scenario.clone()} />
                }) }
                { unfold(&all_work, more_work) }
            }
            if !searched { <PropertiesText {place} scenario={scenario.clone()} /> }
        </details>
    }
}

#[derive(Properties, PartialEq)]
struct TextProps {
    place: Place,
    scenario: Rc<Scenario>,
}

/// Copies the settings out as `.properties`, and takes them in. What is wrong is named; what is right is applied.
#[component]
fn PropertiesText(props: &TextProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let draft = use_state(|| None::<String>);
    let problems = use_state(Vec::<String>::new);
    let said = use_state(|| "");
    let (place, scenario) = (props.place, props.scenario.clone());
    let copy = {
        let (scenario, said) = (scenario.clone(), said.clone());
        Callback::from(move |_| {
            let said = said.clone();
            dom::copy(&properties::to_text(place.properties(&scenario)), move |done| {
                said.set(if done { t.copied } else { t.copy_failed });
            });
        })
    };
    let open = {
        let (draft, problems, scenario) = (draft.clone(), problems.clone(), scenario.clone());
        Callback::from(move |_| {
            problems.set(Vec::new());
            draft.set(Some(properties::to_text(place.properties(&scenario))));
        })
    };
    let oninput = {
        let draft = draft.clone();
        Callback::from(move |event: InputEvent| draft.set(Some(dom::value_of(event.target()))))
    };
    let apply = {
        let (draft, problems, lab) = (draft.clone(), problems.clone(), lab.clone());
        Callback::from(move |_| {
            let (good, wrong) = read_properties(place, &scenario, draft.as_deref().unwrap_or_default());
            let mut new = (*scenario).clone();
            *place.properties_mut(&mut new) = good;
            new.drop_empty_groups();
            if lab.load(t.the_setting, new, false) && wrong.is_empty() {
                draft.set(None);
            }
            problems.set(wrong);
        })
    };
    let cancel = {
        let draft = draft.clone();
        Callback::from(move |_| draft.set(None))
    };
    let id = format!("paste-{place:?}");
    html! {
        <div class="properties">
            <button class="link" onclick={copy}>{ t.copy_properties }</button>
            <button class="link" onclick={open} aria-expanded={draft.is_some().to_string()}>{ t.paste_properties }</button>
            <span class="said" role="status">{ *said }</span>
            if let Some(text) = &*draft {
                <label class="block" for={id.clone()}>{ t.paste_hint }</label>
                <textarea {id} rows="6" spellcheck="false" value={text.clone()} {oninput} />
                if !problems.is_empty() {
                    <ul class="errors" role="alert">{ for problems.iter().map(|it| html! { <li>{ it }</li> }) }</ul>
                }
                <div class="row">
                    <button class="primary" onclick={apply}>{ t.apply }</button>
                    <button onclick={cancel}>{ t.cancel }</button>
                </div>
            }
        </div>
    }
}

/// The good settings of a text, and what is wrong with the rest.
fn read_properties(place: Place, scenario: &Scenario, text: &str) -> (Properties, Vec<String>) {
    let (mut good, lines) = properties::parse_text(text);
    let mut wrong: Vec<String> = lines.iter().map(ToString::to_string).collect();
    // A setting can be wrong only together with another: taking one out may show the next.
    for _ in 0..4 {
        let errors = place.check(scenario, &good);
        if errors.is_empty() {
            return (good, wrong);
        }
        for error in errors {
            good.remove(&error.key);
            wrong.push(error.message);
        }
    }
    (Properties::new(), wrong)
}
