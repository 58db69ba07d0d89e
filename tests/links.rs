//! Links: those that were written once and must mean the same for ever, damaged ones, random ones, and runs that a link
//! brings back to the last bit.

#[path = "links/damaged.rs"]
mod damaged;
#[path = "links/drawn.rs"]
mod drawn;
#[path = "links/golden.rs"]
mod golden;
#[path = "common/replays.rs"]
mod replays;
#[path = "links/same_run.rs"]
mod same_run;

#[test]
fn runs_of_links_end_in_the_golden_states() {
    let found: Vec<_> = replays::all().iter().map(replays::run).collect();
    println!("{}", serde_json::to_string_pretty(&found).expect("JSON"));
    assert_eq!(
        found,
        replays::all(),
        "if the engine was changed on purpose: what was printed goes into golden/replays.json"
    );
}

/// `lab`, where it was built (`--features cli`): its exit code and what it says.
fn lab(arguments: &[&str]) -> Option<(i32, String)> {
    let mut lab = std::process::Command::new(option_env!("CARGO_BIN_EXE_lab")?);
    let output = lab.args(arguments).output().expect("it starts");
    let said = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    Some((output.status.code()?, String::from_utf8(said).expect("UTF-8")))
}

#[test]
fn the_command_line_takes_links_and_makes_them() {
    let Some((_, link)) = lab(&["link", "lost-ack", "--seed", "7", "--set", "shop.acks=1"]) else { return };
    assert_eq!(link, "?scenario=lost-ack&seed=7#set=shop.acks=1&v=1\n");
    for golden in replays::all().iter().take(2) {
        let text = golden["link"].as_str().expect("a link");
        let whole = format!("https://example.org/lab/{text}");
        let (code, said) = lab(&["run", &whole, "--json"]).expect("it is there");
        let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!((&said["state_hash"], code), (&golden["state_hash"], 0), "{text}");
        assert_eq!(said["ledger"]["duplicated"], golden["duplicated"]);
    }
    let (code, said) = lab(&["run", "?scenario=lost-ack#inputs/0/at.us=5&inputs/0/do=crash&inputs/0/node=x&v=1"])
        .expect("it is there");
    assert!(code == 2 && said.contains("inputs[0]: there is no node \"x\""), "{code} {said}");
    let (code, said) = lab(&["run", "?scenario=lost-ack#z1.abc"]).expect("it is there");
    assert!(code == 2 && said.contains("the link is damaged or was cut"), "{code} {said}");
}
