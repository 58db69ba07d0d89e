//! The verdict in a line, for a figure that has no room for the ledger.

use crate::ui::hooks::use_texts;
use crate::ui::same::Same;
use crate::ui::why::{Why, banner};
use crate::ui::words::records;
use delivery_lab::view::ClusterView;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct OneLineProps {
    pub view: Same<ClusterView>,
    pub reason: Option<Why>,
}

/// Claim and observation with a mark, what is to be said, and why.
#[component]
pub fn OneLine(props: &OneLineProps) -> Html {
    let t = use_texts();
    let view = &props.view;
    let it = &view.verdict;
    let (mark, class) = if it.holds { ("✓", "holds") } else { ("✗", "broken") };
    let when = if view.finished { t.in_the_end } else { t.so_far };
    let duplicated = if it.ledger.duplicated.is_empty() { &it.ledger.log_duplicated } else { &it.ledger.duplicated };
    let broken = [
        (t.lost, &it.ledger.lost),
        (t.duplicated, duplicated),
        (t.reordered, &it.ledger.reordered),
        (t.aborted_read, &it.ledger.aborted_read),
    ];
    let spoken = if view.finished { (t.banner)(&banner(view)) } else { String::new() };
    html! {
        <section class="oneline" aria-label={t.verdict}>
            <p class="claims">
                <b {class}>{ mark }{ " " }{ if it.holds { t.holds } else { t.broken } }</b>
                <span>{ t.claim }{ " " }<b id="claimed">{ (t.guarantee_word)(it.claimed) }</b></span>
                <span>{ when }{ " " }<b id="observed">{ (t.guarantee_word)(it.observed) }</b></span>
                { for broken.iter().filter(|(_, list)| !list.is_empty()).map(|(name, list)| html! {
                    <span class="tally" title={records(list)}><b>{ list.len() }</b>{ " " }{ *name }</span>
                }) }
            </p>
            <p id="banner">{ (t.banner)(&banner(view)) }
                if let Some(reason) = &props.reason { { " " }<span class="reason">{ (t.why)(reason) }</span> }
            </p>
            <span class="sr" role="status" aria-live="polite">{ spoken }</span>
        </section>
    }
}
