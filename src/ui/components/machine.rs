//! The state machine of a transactional id, drawn, with the present state lit (Kafka's `TransactionState`, its eight states and
//! every legal transition). What the drawing says is also said in words below it.

use crate::ui::i18n::Texts;
use delivery_lab::protocol::TransactionState;
use delivery_lab::protocol::TransactionState::{
    CompleteAbort, CompleteCommit, Dead, Empty, Ongoing, PrepareAbort, PrepareCommit, PrepareEpochFence,
};
use yew::prelude::*;

const WIDTH: f64 = 126.0;
const HEIGHT: f64 = 28.0;

/// The middle of each state.
const PLACES: [(TransactionState, f64, f64); 8] = [
    (Empty, 70.0, 118.0),
    (Ongoing, 232.0, 118.0),
    (PrepareCommit, 402.0, 50.0),
    (CompleteCommit, 572.0, 50.0),
    (PrepareEpochFence, 232.0, 186.0),
    (PrepareAbort, 402.0, 186.0),
    (CompleteAbort, 572.0, 186.0),
    (Dead, 572.0, 118.0),
];

/// From, to, the line; the last four only with `transaction.version` 2.
const TRANSITIONS: [(TransactionState, TransactionState, &str); 19] = [
    (Empty, Empty, "M46 104 C42 86 66 86 62 102"),
    (Empty, Ongoing, "M133 118 H167"),
    (Empty, Dead, "M36 132 V226 Q36 232 42 232 H644 Q650 232 650 226 V124 Q650 118 644 118 H637"),
    (Ongoing, Ongoing, "M190 104 C186 86 210 86 206 102"),
    (Ongoing, PrepareCommit, "M272 104 L345 66"),
    (Ongoing, PrepareAbort, "M272 132 L345 170"),
    (Ongoing, PrepareEpochFence, "M220 132 V170"),
    (PrepareEpochFence, PrepareAbort, "M295 190 H337"),
    (PrepareCommit, CompleteCommit, "M465 46 H507"),
    (PrepareAbort, CompleteAbort, "M465 182 H507"),
    (CompleteCommit, Ongoing, "M520 64 V78 Q520 84 514 84 H246 Q240 84 240 90 V102"),
    (CompleteAbort, Ongoing, "M520 172 V158 Q520 152 514 152 H246 Q240 152 240 146 V134"),
    (CompleteCommit, Empty, "M590 36 V20 Q590 14 584 14 H82 Q76 14 76 20 V102"),
    (CompleteAbort, Empty, "M590 200 V216 Q590 222 584 222 H62 Q56 222 56 216 V134"),
    (CompleteCommit, Dead, "M588 64 V102"),
    (CompleteAbort, Dead, "M588 172 V134"),
    (Empty, PrepareAbort, "M84 132 V206 Q84 212 90 212 H384 Q390 212 390 206 V202"),
    (CompleteCommit, PrepareAbort, "M509 60 L446 170"),
    (CompleteAbort, PrepareAbort, "M509 194 H467"),
];
/// Where those of version 2 begin.
const VERSION_2: usize = 16;

/// The machine, with this state lit and that one about to come.
pub fn machine(now: &str, pending: Option<&str>, t: &Texts) -> Html {
    let next: Vec<&str> = TRANSITIONS.iter().filter(|it| it.0.name() == now).map(|it| it.1.name()).collect();
    let mut text = (t.machine)(now, &next.join(", "));
    if let Some(pending) = pending {
        text = format!("{text} {}", (t.machine_pending)(pending));
    }
    let lines = TRANSITIONS.iter().enumerate().map(|(at, (from, to, d))| {
        let open = from.name() == now;
        let class = classes!("go", open.then_some("next"), (at >= VERSION_2).then_some("late"));
        let end = if open { "url(#tip-next)" } else { "url(#tip)" };
        html! { <path key={at} {class} d={*d} marker-end={end}><title>{ format!("{} → {}", from.name(), to.name()) }</title></path> }
    });
    let states = PLACES.iter().map(|(state, x, y)| {
        let name = state.name();
        let class = classes!("state", (name == now).then_some("now"), (Some(name) == pending).then_some("coming"));
        html! {
            <g key={name} {class} data-state={name} transform={format!("translate({x},{y})")}>
                <rect x={(-WIDTH / 2.0).to_string()} y={(-HEIGHT / 2.0).to_string()} width={WIDTH.to_string()} height={HEIGHT.to_string()} rx="14" />
                <text y="4">{ name }</text>
            </g>
        }
    });
    let head = |id: &'static str| {
        html! {
            <marker {id} viewBox="0 0 8 8" refX="7" refY="4" markerUnits="userSpaceOnUse" markerWidth="9" markerHeight="9" orient="auto"><path d="M0 0.5 L8 4 L0 7.5 z" /></marker>
        }
    };
    html! {
        <figure class="machine" tabindex="0" aria-label={text.clone()} role="group" data-scroll="machine" data-now={now.to_owned()}>
            <svg width="660" height="240" viewBox="0 0 660 240" role="img" aria-label={text.clone()}>
                <defs>{ head("tip") }{ head("tip-next") }</defs>
                { for lines }
                { for states }
            </svg>
            <figcaption class="soft">{ text }{ " " }{ t.machine_dashed }</figcaption>
        </figure>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use delivery_lab::coordinator::transaction::is_legal;

    #[test]
    fn the_drawing_has_exactly_the_legal_transitions() {
        for from in TransactionState::ALL {
            for to in TransactionState::ALL {
                let drawn = TRANSITIONS.iter().filter(|it| (it.0, it.1) == (from, to)).count();
                assert_eq!(drawn, usize::from(is_legal(from, to)), "{} → {}", from.name(), to.name());
            }
        }
    }

    #[test]
    fn every_state_has_its_place() {
        assert!(TransactionState::ALL.iter().all(|state| PLACES.iter().filter(|it| it.0 == *state).count() == 1));
    }
}
