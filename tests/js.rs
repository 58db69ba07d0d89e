//! The JavaScript API as wasm in a browser, called as JavaScript calls it: plain objects in, plain objects out.
#![cfg(all(target_arch = "wasm32", feature = "js"))]

use delivery_lab::js::Lab;
use js_sys::{Array, Error, Function, JSON, Reflect, Uint8Array};
use serde_json::{Value, json};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[path = "common/golden.rs"]
#[allow(dead_code)]
mod golden;

fn js(value: &Value) -> JsValue {
    JSON::parse(&value.to_string()).expect("it is JSON")
}

fn value(from: &JsValue) -> Value {
    let text = JSON::stringify(from).expect("it is plain").as_string().expect("it has JSON");
    serde_json::from_str(&text).expect("it is JSON")
}

fn told(what: Result<JsValue, JsValue>) -> Value {
    value(&what.unwrap_or_else(|error| panic!("{}", value(&mistakes(&error)))))
}

fn mistakes(error: &JsValue) -> JsValue {
    assert!(error.is_instance_of::<Error>(), "{error:?}");
    assert_eq!(error.unchecked_ref::<Error>().name(), "DeliveryLabError");
    Reflect::get(error, &"mistakes".into()).expect("an error is an object")
}

/// The mistakes of a call that must fail, each as `place: problem`; its message says the same.
fn refused<T>(what: Result<T, JsValue>) -> String {
    let error = what.err().expect("it is refused");
    let list = value(&mistakes(&error));
    let lines = list.as_array().expect("a list").iter().map(|it| {
        format!("{}: {}", it["place"].as_str().expect("a place"), it["problem"].as_str().expect("a problem"))
    });
    let lines = lines.collect::<Vec<_>>().join("\n");
    assert_eq!(String::from(error.unchecked_ref::<Error>().message()), lines);
    lines
}

const NOTHING: JsValue = JsValue::UNDEFINED;

fn lab(id: &str) -> Lab {
    Lab::new(id.into(), NOTHING).expect("it is in the library")
}

fn golden_hash(id: &str, seed: u64) -> &'static str {
    golden::GOLDEN.iter().find(|it| (it.0, it.1) == (id, seed)).expect("it is golden").3
}

#[wasm_bindgen_test]
fn an_id_a_text_an_object_and_a_link_are_the_same_run() {
    let hash = golden_hash("lost-ack", 42);
    let object = lab("lost-ack").scenario().expect("it has one");
    let text = JSON::stringify(&object).expect("it is plain");
    for scenario in ["lost-ack".into(), object, text.into(), "?scenario=lost-ack&seed=42".into()] {
        let lab = Lab::new(scenario, NOTHING).expect("it is valid");
        assert_eq!(told(lab.run())["state_hash"], hash);
        assert_eq!(told(lab.state_hash()), hash);
    }
    let other = Lab::new("lost-ack".into(), js(&json!({ "seed": 1 }))).expect("it is valid");
    assert_eq!(told(other.run())["state_hash"], golden_hash("lost-ack", 1));
}

#[wasm_bindgen_test]
fn a_link_brings_its_settings_what_was_done_by_hand_and_its_moment() {
    let link = "https://example.org/lab/?scenario=lost-ack&seed=7#set=shop.enable.idempotence=true&inputs/0/at.us=700000\
                &inputs/0/do=crash&inputs/0/node=broker-1&t=900000&v=1";
    let lab = Lab::new(link.into(), NOTHING).expect("it is valid");
    assert_eq!(told(lab.time_us()), 900_000);
    assert_eq!(told(lab.scenario())["producers"][0]["config"]["enable.idempotence"], "true");
    let faults = |lab: &Lab| {
        let events = told(lab.events(NOTHING));
        let faults = events.as_array().expect("a list").iter().filter(|it| it["fault"] == "crashed");
        faults.map(|it| (it["time_us"].clone(), it["node"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(faults(&lab), [(json!(700_000), json!("broker-1"))]);
    // The same as an object, in the words of a file.
    let mut object = told(lab.scenario());
    object["inputs"] = json!([{ "at.us": 700_000, "do": "crash", "node": "broker-1" }]);
    object["t"] = json!(900_000);
    let same = Lab::new(js(&object), NOTHING).expect("it is valid");
    assert_eq!((told(same.time_us()), told(same.state_hash())), (json!(900_000), told(lab.state_hash())));
    // A fault by hand there and then is the same run.
    let by_hand =
        Lab::new("?scenario=lost-ack&seed=7".into(), js(&json!({ "set": { "shop.enable.idempotence": true } })));
    let by_hand = by_hand.expect("it is valid");
    by_hand.seek(700_000.into()).expect("it goes there");
    by_hand.inject(js(&json!({ "do": "crash", "node": "broker-1" }))).expect("now");
    by_hand.seek(900_000.into()).expect("it goes there");
    for lab in [&lab, &by_hand] {
        let again = Lab::new(lab.link().expect("it has one"), NOTHING).expect("it is valid");
        assert_eq!((told(again.time_us()), told(again.state_hash())), (json!(900_000), told(same.state_hash())));
        assert_eq!(told(again.run())["state_hash"], told(same.run())["state_hash"]);
        same.seek(900_000.into()).expect("it goes there");
    }
    by_hand.inject(js(&json!({ "do": "crash", "node": "broker-2", "at.ms": 1500 }))).expect("later");
    assert!(refused(by_hand.link()).starts_with("link: a fault that was injected for later"));
    let wrong = "?scenario=lost-ack#inputs/0/at.us=700000&inputs/0/do=crash&inputs/0/node=brokr-1&v=1";
    assert!(refused(Lab::new(wrong.into(), NOTHING).map(drop)).contains("brokr-1"));
}

#[wasm_bindgen_test]
fn the_library_runs_as_objects() {
    let library = Array::from(&Lab::library().expect("it is there"));
    assert!(library.length() > 30);
    let first = Lab::new(library.get(0), NOTHING).expect("it is valid");
    assert_eq!(told(first.scenario())["about"]["title"]["ko"], value(&library.get(0))["about"]["title"]["ko"]);
    assert_eq!(told(first.run())["scenario"], "fire-and-forget");
}

#[wasm_bindgen_test]
fn options_set_what_the_command_line_sets() {
    let cured = json!({ "set": { "shop.enable.idempotence": true, "linger.ms": 5 } });
    let report = told(Lab::new("lost-ack".into(), js(&cured)).expect("it is valid").run());
    assert_eq!(report["ledger"]["duplicated"], json!([]));
    let wrong = |options: Value| refused(Lab::new("lost-ack".into(), js(&options)).map(drop));
    let told = wrong(json!({ "seed": -1, "sed": 2, "set": { "shop.aks": 1 } }));
    assert_eq!(told.lines().count(), 3, "{told}");
    assert!(told.contains("options.seed: expected a whole number from 0, found -1"), "{told}");
    assert!(told.contains("unknown key \"sed\"; did you mean \"seed\"?"), "{told}");
    assert!(told.contains("options.set.shop.aks: unknown setting \"aks\"; did you mean \"acks\"?"), "{told}");
    assert!(wrong(json!({ "set": 3 })).contains("expected an object of settings"));
    assert!(wrong(json!(7)).contains("expected an object, found 7"));
    assert!(wrong(json!({ "seed": u64::MAX })).contains("expected a whole number"));
    let large = refused(Lab::new("?seed=18446744073709551615".into(), NOTHING).map(drop));
    assert!(large.contains("at most 9007199254740991"), "{large}");
}

#[wasm_bindgen_test]
fn a_scenario_that_is_none_is_told_from_all_sides() {
    let circle = js_sys::Object::new();
    Reflect::set(&circle, &"self".into(), &circle).expect("it takes every key");
    let unreadable = Function::new_no_args("return { get seed() { throw new Error('no seed today') } }");
    let unreadable = unreadable.call0(&NOTHING).expect("an object");
    let cases: [(JsValue, &str); 9] = [
        (NOTHING, "scenario: expected an object, found undefined"),
        (JsValue::NULL, "scenario: expected an object {…}, found null"),
        (12.into(), "scenario: expected an object {…}, found a number"),
        (circle.into(), "scenario: it has no JSON: Converting circular structure"),
        (unreadable, "scenario: it has no JSON: no seed today"),
        ("lost-akc".into(), "did you mean \"lost-ack\"?"),
        ("{ \"seed\": ".into(), "scenario: not JSON"),
        ("?scenario=lost-ack&seed=many".into(), "\"many\" is no seed"),
        (
            js(&json!({ "sead": 1, "producers": [{ "name": "a", "topic": "b", "config": { "acks": 7 } }] })),
            "did you mean",
        ),
    ];
    for (scenario, expected) in cases {
        let told = refused(Lab::new(scenario, NOTHING).map(drop));
        assert!(told.contains(expected), "{told}, not {expected}");
    }
}

#[wasm_bindgen_test]
fn steps_go_on_and_back() {
    let lab = lab("lost-ack");
    assert_eq!(told(lab.step(NOTHING)), 1);
    assert_eq!(told(lab.step(100.into())), 100);
    let (there, view) = (told(lab.state_hash()), told(lab.view()));
    assert_eq!(view["events"], 101);
    assert_eq!(told(lab.step((-40).into())), -40);
    assert_ne!(told(lab.state_hash()), there);
    assert_eq!(told(lab.step(40.into())), 40);
    assert_eq!((told(lab.state_hash()), told(lab.view())), (there, view));
    assert_eq!(told(lab.finished()), false);
    assert_eq!(told(lab.step(1e15.into())), 433 - 101);
    assert_eq!(told(lab.finished()), true);
    assert_eq!(told(lab.step(NOTHING)), 0);
    assert_eq!(told(lab.step((-1e15).into())), -433);
    for wrong in [1.5.into(), f64::NAN.into(), f64::INFINITY.into(), "1".into(), js(&json!({}))] {
        assert!(refused(lab.step(wrong)).starts_with("step: expected a whole number, found"));
    }
}

#[wasm_bindgen_test]
fn seeking_shows_the_moment_that_was_asked_for() {
    let lab = lab("lost-ack");
    lab.seek(700_000.into()).expect("it goes there");
    assert_eq!(told(lab.time_us()), 700_000);
    assert_eq!(told(lab.view())["time_us"], 700_000);
    assert!(
        told(lab.events(NOTHING)).as_array().expect("a list").iter().all(|it| it["time_us"].as_u64() <= Some(700_000))
    );
    lab.seek(1e15.into()).expect("to the end");
    assert_eq!((told(lab.finished()), told(lab.time_us())), (json!(true), json!(2_090_642)));
    lab.seek(0.into()).expect("to the beginning");
    assert_eq!((told(lab.finished()), told(lab.time_us())), (json!(false), json!(0)));
    assert_eq!(refused(lab.seek((-1).into())), "seek: expected a number from 0, found -1");
    assert!(refused(lab.seek(NOTHING)).contains("found undefined"));
}

#[wasm_bindgen_test]
fn the_view_names_what_it_shows() {
    let lab = lab("lost-ack");
    lab.seek(700_000.into()).expect("it goes there");
    let view = told(lab.view());
    let names = |of: &Value| of.as_array().expect("a list").iter().map(|it| it["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&view["nodes"]), ["broker-0", "broker-1", "broker-2", "controller-0", "shop", "mailer"]);
    let shop = &view["nodes"][4];
    assert_eq!((&shop["kind"], &shop["doing"]["what"]), (&json!("producer"), &json!("waiting-for-ack")));
    assert_eq!(shop["in_flight"], json!([{ "to": "broker-0", "records": [3], "attempt": 1, "deadline_us": 752_217 }]));
    let orders = &view["partitions"]["orders-0"];
    assert_eq!(
        (&orders["leader"], &orders["isr"], &orders["log_end_offset"]),
        (&json!(0), &json!([0, 1, 2]), &json!(4))
    );
    assert_eq!(orders["replicas"][1]["high_watermark"], 3);
    let ack = &view["messages"][0];
    assert_eq!((&ack["from"], &ack["to"], &ack["fate"]), (&json!("broker-0"), &json!("shop"), &json!("stalled")));
    assert_eq!(view["guarantee"]["claimed"], "at-least-once");
    let because = json!({ "key": "enable.idempotence", "value": "false", "node": "shop" });
    assert!(view["guarantee"]["because"].as_array().is_some_and(|it| it.contains(&because)));
    assert_eq!(view["ledger"]["appended"], 4);
}

#[wasm_bindgen_test]
fn coordinators_and_processors_are_in_the_view() {
    let lab = lab("read-process-write");
    lab.run().expect("it runs");
    let view = told(lab.view());
    let find = |list: &str, key: &str, value: &str| {
        let all = view[list].as_array().expect("a list");
        all.iter().find(|it| it[key] == value).unwrap_or_else(|| panic!("no {value} in {}", view[list])).clone()
    };
    let billing = find("nodes", "kind", "processor");
    assert!(billing["consumer"]["group"].is_string() && billing["producer"]["transaction"]["state"].is_string());
    let transaction = &view["transactions"][0];
    assert!(transaction["state"].as_str().is_some_and(|it| it.starts_with("Complete")), "{transaction}");
    let group = find("groups", "coordinator", view["groups"][0]["coordinator"].as_str().expect("a name"));
    assert!(group["committed"].as_object().is_some_and(|it| !it.is_empty()), "{group}");
}

#[wasm_bindgen_test]
fn the_ledger_has_the_reports_numbers_and_every_life() {
    let lab = lab("lost-ack");
    let report = told(lab.run());
    let mut ledger = told(lab.ledger());
    let lives = ledger.as_object_mut().expect("an object").remove("records").expect("a row each");
    assert_eq!(ledger, report["ledger"]);
    assert_eq!(told(lab.report()), report);
    assert_eq!(lives.as_array().map(Vec::len), Some(20));
    assert_eq!((&lives[3]["status"], &lives[3]["processed"]), (&json!("duplicated"), &json!(2)));
}

#[wasm_bindgen_test]
fn events_come_in_pages_and_stories_by_record() {
    let lab = lab("lost-ack");
    lab.run().expect("it runs");
    let all = told(lab.events(js(&json!({ "limit": 100_000, "messages": true }))));
    let all = all.as_array().expect("a list");
    assert!(all.iter().any(|it| it["event"] == "message-sent") && all.iter().all(|it| it["event"] != "other"));
    let (mut paged, mut from) = (Vec::new(), 0);
    loop {
        let page = told(lab.events(js(&json!({ "from": from, "limit": 37, "messages": true }))));
        let page = page.as_array().expect("a list").clone();
        let Some(last) = page.last() else { break };
        from = last["id"].as_u64().expect("a number") + 1;
        paged.extend(page);
    }
    assert_eq!(&paged, all);
    let quiet = told(lab.events(NOTHING));
    let without: Vec<_> = all.iter().filter(|it| !it["event"].as_str().unwrap_or("").starts_with("message-")).collect();
    assert_eq!(quiet.as_array().expect("a list").iter().collect::<Vec<_>>(), without);
    let story = told(lab.story(3.into()));
    let appended = story.as_array().expect("a list").iter().filter(|it| it["event"] == "appended").count();
    assert_eq!(appended, 2);
    assert_eq!(told(lab.story(4e12.into())), json!([]));
    assert!(refused(lab.story("3".into())).contains("found string"));
    assert!(refused(lab.events(js(&json!({ "limt": 3 })))).contains("did you mean \"limit\"?"));
    assert!(refused(lab.events(js(&json!({ "from": -3 })))).starts_with("options.from:"));
    assert!(refused(lab.events(js(&json!({ "messages": 1 })))).starts_with("options.messages:"));
}

#[wasm_bindgen_test]
fn faults_strike_now_later_and_on_messages() {
    let lab = lab("lost-ack");
    lab.seek(700_000.into()).expect("it goes there");
    // The stalled ack, by its id.
    let message = told(lab.view())["messages"][0]["id"].clone();
    lab.inject(js(&json!({ "do": "reset", "on": { "message": message } }))).expect("it is on its way");
    lab.inject(js(&json!({ "do": "pause", "node": "mailer", "for.ms": 50 }))).expect("now");
    lab.inject(js(&json!({ "do": "crash", "node": "broker-1", "at.ms": 1500.5 }))).expect("later");
    lab.inject(js(
        &json!({ "do": "pause", "node": "broker-2", "for.ms": 9, "on": { "event": "appended", "nth": 12 } }),
    ))
    .expect("on an event");
    lab.run().expect("it runs");
    let events = told(lab.events(js(&json!({ "limit": 10_000 }))));
    let faults = events.as_array().expect("a list").iter().filter(|it| it["event"] == "fault");
    let told_faults: Vec<String> = faults
        .map(|it| format!("{} {}", it["node"].as_str().unwrap_or(""), it["fault"].as_str().unwrap_or("")))
        .collect();
    for expected in ["broker-0 reset", "mailer paused", "broker-1 crashed", "broker-2 paused"] {
        assert!(told_faults.iter().any(|it| it == expected), "{told_faults:?}");
    }
    let crash = events.as_array().expect("a list").iter().find(|it| it["fault"] == "crashed").expect("it is there");
    assert_eq!(crash["time_us"], 1_500_500);
}

#[wasm_bindgen_test]
fn a_fault_that_cannot_be_is_refused_and_changes_nothing() {
    let lab = lab("lost-ack");
    lab.seek(700_000.into()).expect("it goes there");
    let before = (told(lab.state_hash()), told(lab.branches()));
    let cases = [
        (json!(null), "fault: expected an object"),
        (json!({}), "\"do\" is missing"),
        (json!({ "do": "crush", "node": "broker-0" }), "did you mean \"crash\"?"),
        (
            json!({ "do": "crash", "node": "brokr-0" }),
            "fault: there is no node \"brokr-0\"; did you mean \"broker-0\"?",
        ),
        (json!({ "do": "crash", "node": "broker-0", "for": 3 }), "unknown key \"for\""),
        (json!({ "do": "crash", "node": "broker-0", "at.ms": 3 }), "fault.at.ms: it is 0.667413 s already"),
        (json!({ "do": "crash", "node": "broker-0", "at.ms": 1e12 }), "fault.at.ms: the scenario is over at"),
        (json!({ "do": "stall" }), "strike a message"),
        (json!({ "do": "stall", "on": { "message": 1 } }), "message 1 is not on its way"),
        (json!({ "do": "stall", "on": { "message": 1, "nth": 2 } }), "needs nothing else"),
        (json!({ "do": "stall", "on": { "message": "ProduceRespons" } }), "did you mean \"ProduceResponse\"?"),
        (json!({ "do": "alter_config", "topic": "order", "config": {} }), "fault.topic: there is no topic"),
        (json!({ "do": "shutdown", "node": "shop" }), "others can \"crash\""),
    ];
    for (fault, expected) in cases {
        let told = refused(lab.inject(js(&fault)));
        assert!(told.contains(expected), "{told}, not {expected}");
    }
    assert_eq!((told(lab.state_hash()), told(lab.branches())), before);
    lab.run().expect("it runs");
    let late = json!({ "do": "stall", "on": { "message": "ProduceResponse", "nth": 50 } });
    assert!(refused(lab.inject(js(&late))).contains("fault.on: the run is over"));
}

#[wasm_bindgen_test]
fn a_fault_in_the_past_opens_a_branch() {
    let lab = lab("lost-ack");
    let written = told(lab.run())["state_hash"].clone();
    lab.seek(300_000.into()).expect("it goes there");
    lab.inject(js(&json!({ "do": "crash", "node": "broker-0", "for.ms": 500 }))).expect("now");
    let other = told(lab.run())["state_hash"].clone();
    assert_ne!(other, written);
    let branches = told(lab.branches());
    assert_eq!(
        (&branches[1]["parent"], &branches[1]["fork_us"], &branches[1]["current"]),
        (&json!(0), &json!(300_000), &json!(true))
    );
    lab.switch_branch(0.into()).expect("it is there");
    assert_eq!(told(lab.run())["state_hash"], written);
    lab.switch_branch(1.into()).expect("it is there");
    assert_eq!(told(lab.run())["state_hash"], other);
    assert_eq!(refused(lab.switch_branch(2.into())), "branch: there is no branch 2; there are 2");
}

#[wasm_bindgen_test]
fn logs_and_files_are_a_brokers() {
    let lab = lab("lost-ack");
    lab.run().expect("it runs");
    let log = told(lab.log("broker-1".into(), "orders-0".into()));
    assert_eq!((&log["role"], &log["log_end_offset"]), (&json!("follower"), &json!(21)));
    assert_eq!((&log["records"][4]["record"], &log["records"][4]["duplicate"]), (&json!(3), &json!(true)));
    let files = Array::from(&lab.files("broker-1".into(), "orders-0".into()).expect("it has them"));
    let segment =
        files.iter().find(|it| Reflect::get(it, &"name".into()).is_ok_and(|name| name == "00000000000000000000.log"));
    let bytes = Reflect::get(&segment.expect("a segment"), &"bytes".into()).expect("it has bytes");
    let bytes = bytes.dyn_into::<Uint8Array>().expect("bytes").to_vec();
    assert_eq!(bytes.len() as u64, log["segments"][0]["bytes"].as_u64().expect("a number"));
    // The magic of record batch v2.
    assert_eq!(bytes[16], 2);
    assert!(refused(lab.log("broker-9".into(), "orders-0".into())).contains("broker: there is no node \"broker-9\""));
    assert!(refused(lab.log("shop".into(), "orders-0".into())).contains("\"shop\" is no broker"));
    assert!(refused(lab.log("broker-0".into(), "order-0".into())).contains("did you mean \"orders-0\"?"));
    assert!(refused(lab.log(NOTHING, "order-0".into())).contains("broker: expected a text, found undefined"));
    assert!(refused(lab.files("shop".into(), "orders-0".into()).map(drop)).contains("has no files of"));
}
