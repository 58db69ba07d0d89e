//! Components rendered natively from what a real session shows.

use super::components::{StageBox, Verdict};
use super::i18n::Lang;
use super::lab::Lab;
use super::lab::session::Command;
use super::same::Same;
use super::state::Selection;
use delivery_lab::scenario::{library, set};
use delivery_lab::view::ClusterView;
use std::rc::Rc;
use yew::prelude::*;

#[derive(Properties, PartialEq, Clone)]
struct PageProps {
    lab: Lab,
    view: Same<ClusterView>,
    lang: Lang,
}

/// What the app puts around components.
#[component]
fn Page(props: &PageProps) -> Html {
    let view = props.view.clone();
    html! {
        <ContextProvider<Lab> context={props.lab.clone()}>
        <ContextProvider<Lang> context={props.lang}>
            <StageBox view={view.clone()} clock_us={view.time_us} traffic=false selection={Selection::None} />
            <Verdict view={view.clone()} filter={None} story={None} reason={None} />
        </ContextProvider<Lang>>
        </ContextProvider<Lab>>
    }
}

/// The page at the end of a scenario, or at a moment of it.
fn page(id: &str, changes: &[&str], at_us: Option<u64>, lang: Lang) -> String {
    let mut scenario = library::get(id).expect("it is in the library");
    changes.iter().for_each(|change| set(&mut scenario, change).expect("a valid setting"));
    let lab = Lab::new(scenario).expect("a valid scenario");
    lab.go(at_us.map_or(Command::SeekTime(60_000_000), Command::SeekTime));
    let view: Rc<ClusterView> = lab.shot(false).view;
    let props = PageProps { lab, view: Same(view), lang };
    pollster::block_on(yew::LocalServerRenderer::<Page>::with_props(props).hydratable(false).render())
}

fn count(text: &str, what: &str) -> usize {
    text.matches(what).count()
}

#[test]
fn the_duplicate_stands_in_every_log_twice_and_in_the_ledger() {
    let html = page("lost-ack", &[], Some(1_100_000), Lang::En);
    assert!(count(&html, "cell committed dup") >= 6, "twice on three brokers: {html}");
    assert!(html.contains("Record 3 was processed more than once."));
    assert!(html.contains("data-status=\"twice\""));
    assert_eq!(count(&html, ">★ leader<"), 1);
    assert!(html.contains("ISR 0 · 1 · 2"));
}

#[test]
fn idempotence_cures_it() {
    let html = page("lost-ack", &["shop.enable.idempotence=true"], None, Lang::En);
    assert!(!html.contains(" dup"), "no cell is marked");
    assert!(html.contains("All is well: 20 processed, none lost, none twice."));
}

#[test]
fn before_the_first_event_nobody_is_dead_and_nothing_is_claimed_to_have_happened() {
    let html = page("lost-ack", &[], Some(0), Lang::En);
    assert!(!html.contains(">dead<") && !html.contains("crossed"));
    assert!(html.contains("Nothing has happened yet."));
}

#[test]
fn a_crashed_broker_is_crossed_and_its_log_still_readable() {
    let html = page("leader-only-ack", &[], Some(900_000), Lang::En);
    assert_eq!(count(&html, "class=\"crossed\""), 1);
    let broker = &html[html.find("data-node=\"broker-0\"").expect("the broker")..];
    let broker = &broker[..broker.find("data-node=\"broker-1\"").expect("the next")];
    assert!(broker.contains("class=\"cell"), "{broker}");
}

#[test]
fn korean_texts_and_kafkas_own_terms() {
    let html = page("lost-ack", &[], None, Lang::Ko);
    assert!(html.contains("레코드 3: 두 번 이상 처리되었습니다."));
    for term in ["ISR", "HW", "epoch"] {
        assert!(html.contains(term), "{term} stays as it is");
    }
}

/// A view as it is while a transaction is open: of `orders-0` on broker 0 the records from 5 on belong to it, 2 and 3 were aborted.
fn with_transactions(view: &ClusterView) -> ClusterView {
    use delivery_lab::view::{
        AbortedView, Activity, CellKind, ManagerView, NodeBody, ProducerStateView, TransactionView,
    };
    let mut view = view.clone();
    for node in &mut view.nodes {
        let node = Rc::make_mut(node);
        match &mut node.body {
            NodeBody::Broker(broker) => {
                for partition in &mut broker.partitions {
                    let it = Rc::make_mut(partition);
                    for cell in &mut it.cells {
                        cell.kind = match cell.offset {
                            2 | 3 => CellKind::Aborted,
                            4 => CellKind::AbortMarker,
                            0 => CellKind::Kept,
                            1 => CellKind::CommitMarker,
                            _ => CellKind::Open,
                        };
                        cell.record = cell.record.filter(|_| !cell.kind.is_control());
                    }
                    it.last_stable_offset = it.high_watermark.min(5);
                    it.aborted =
                        vec![AbortedView { producer_id: 1000, first_offset: 2, last_offset: 4, last_stable_offset: 5 }];
                    it.producers = vec![ProducerStateView {
                        producer_id: 1000,
                        epoch: 3,
                        batches: vec![(0, 0, 5), (1, 2, 6)],
                        open_since: Some(5),
                        coordinator_epoch: 0,
                    }];
                }
                if node.id == 0 {
                    broker.transactions = vec![TransactionView {
                        transactional_id: "shop-tx".into(),
                        home: "__transaction_state-7".into(),
                        producer_id: 1000,
                        producer_epoch: 3,
                        last_producer_epoch: 2,
                        previous_producer_id: 1000,
                        next_producer_id: -1,
                        timeout_ms: 60_000,
                        state: "Ongoing",
                        pending: Some("PrepareCommit"),
                        partitions: vec!["orders-0".into()],
                        start_ms: 812,
                        update_ms: 845,
                        version: 2,
                    }];
                }
            }
            NodeBody::Producer(it) => {
                it.manager = Some(ManagerView {
                    transactional_id: "shop-tx".into(),
                    state: "FATAL_ERROR",
                    partitions: vec!["orders-0".into()],
                    pending: vec!["EndTxn"],
                    error: Some("PRODUCER_FENCED".into()),
                    fenced: true,
                });
                it.settings.push(("transactional.id".into(), "shop-tx".into(), true));
                it.producer_id = Some((1000, 3));
                node.doing = Activity::ProducerFenced;
            }
            _ => {}
        }
    }
    view
}

#[derive(Properties, PartialEq, Clone)]
struct LookProps {
    lab: Lab,
    view: Same<ClusterView>,
    lang: Lang,
    timeline: Same<delivery_lab::view::TimelineView>,
    selection: Selection,
}

#[component]
fn Look(props: &LookProps) -> Html {
    let view = props.view.clone();
    let timeline = props.timeline.clone();
    let nodes = view
        .nodes
        .iter()
        .map(|n| {
            (
                n.name.clone(),
                match n.name.as_ref() {
                    "shop" => 0,
                    "mailer" => 3,
                    x if x.starts_with("contr") => 2,
                    _ => 1,
                },
            )
        })
        .collect::<Vec<_>>();
    html! {
        <ContextProvider<Lab> context={props.lab.clone()}>
        <ContextProvider<Lang> context={props.lang}>
            <main style="grid-template-columns:minmax(0,1fr) 296px">
            <StageBox view={view.clone()} clock_us={view.time_us} traffic=false selection={Selection::None} />
            <Verdict view={view.clone()} filter={None} story={None} reason={None} />
            </main>
            <section class="time"><super::components::LanesBox {timeline} clock_us={view.time_us} traffic=false {nodes} /></section>
            <super::components::Inspector view={view.clone()} selection={props.selection.clone()} clock_us={view.time_us} />
        </ContextProvider<Lang>>
        </ContextProvider<Lab>>
    }
}

#[test]
fn zz_look() {
    use delivery_lab::view::*;
    let scenario = library::get("lost-ack").expect("it is in the library");
    let lab = Lab::new(scenario).expect("a valid scenario");
    lab.go(Command::SeekTime(1_100_000));
    let shot = lab.shot(true);
    let view = Same(Rc::new(with_transactions(&shot.view)));
    let mut timeline = (*shot.rest.unwrap().timeline).clone();
    let band = |a, b, state, epoch, p: &str| BandView {
        from_us: a,
        to_us: b,
        state,
        epoch: Some(epoch),
        partitions: Rc::from(if p.is_empty() { vec![] } else { vec![Rc::from(p)] }),
    };
    let mark = |at_us, kind, about: &str| TransactionMark { at_us, node: 4, kind, about: about.into() };
    let f = timeline.from_us;
    timeline.transactions = vec![
        TransactionLane {
            transactional_id: "billing-tx".into(),
            bands: vec![
                band(f, f + 90_000, "Empty", 0, ""),
                band(f + 90_000, f + 300_000, "Ongoing", 0, "invoices-0"),
                band(f + 300_000, f + 312_000, "PrepareCommit", 1, "invoices-0"),
                band(f + 312_000, f + 400_000, "CompleteCommit", 1, ""),
                band(f + 400_000, f + 600_000, "Ongoing", 1, "invoices-0"),
                band(f + 600_000, f + 680_000, "PrepareAbort", 2, "invoices-0"),
                band(f + 680_000, f + 900_000, "CompleteAbort", 2, ""),
            ],
            marks: vec![
                mark(f + 80_000, TransactionMarkKind::Initialized, "0"),
                mark(f + 308_000, TransactionMarkKind::Commit, "invoices-0"),
                mark(f + 670_000, TransactionMarkKind::Abort, "invoices-0"),
                mark(f + 750_000, TransactionMarkKind::Fenced, "PRODUCER_FENCED"),
            ],
        },
        TransactionLane {
            transactional_id: "shop-tx".into(),
            bands: vec![band(f, f + 900_000, "Ongoing", 3, "orders-0")],
            marks: vec![],
        },
    ];
    let css: String =
        ["look", "panels", "stage"].map(|n| std::fs::read_to_string(format!("www/{n}.css")).unwrap()).join("\n");
    for (name, lang, theme, selection) in [
        ("a", Lang::En, "light", Selection::Transaction("shop-tx".into())),
        ("b", Lang::Ko, "dark", Selection::Partition(0, "orders-0".into())),
        ("c", Lang::En, "dark", Selection::Node(4)),
    ] {
        let props = LookProps {
            lab: lab.clone(),
            view: view.clone(),
            lang,
            timeline: Same(Rc::new(timeline.clone())),
            selection,
        };
        let html = pollster::block_on(yew::LocalServerRenderer::<Look>::with_props(props).hydratable(false).render());
        std::fs::write(
            format!("/tmp/look-{name}.html"),
            format!(
                "<!doctype html><html lang={} data-theme={theme}><meta charset=utf-8><style>{css}</style><body>{html}",
                lang.word()
            ),
        )
        .unwrap();
    }
}
