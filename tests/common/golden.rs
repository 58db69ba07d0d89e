//! State hashes that must stay the same: natively and in wasm, today and after a refactoring that changes no behaviour.
//! When behaviour changes on purpose: `cargo test --test determinism -- --nocapture` prints the new ones.

use delivery_lab::scenario::{Trial, library};

/// Scenario, seed, events, state hash.
pub const GOLDEN: &[(&str, u64, u64, &str)] = &[
    ("fire-and-forget", 1, 860, "28dc96114f1cf015"),
    ("fire-and-forget", 42, 860, "f0646be1ddfb69b3"),
    ("leader-only-ack", 1, 1035, "ec4ce6adc364ca80"),
    ("leader-only-ack", 42, 1034, "dc6ce4c670c98318"),
    ("all-is-not-all", 1, 665, "a7e30b3ca61cad71"),
    ("all-is-not-all", 42, 658, "b8ce5429209badcc"),
    ("durability-refuses", 1, 686, "2d8e7994a2feab40"),
    ("durability-refuses", 42, 653, "9b0bda8bb2c41850"),
    ("error-but-appended", 1, 594, "d40a772bb56774e3"),
    ("error-but-appended", 42, 605, "3c3748fb7ef43cdc"),
    ("unclean-election", 1, 951, "4a2bad0743b5f7a1"),
    ("unclean-election", 42, 945, "550774482b47f021"),
    ("lost-ack", 1, 430, "9084d02143dee1b5"),
    ("lost-ack", 42, 432, "8804a6d5e0dc7024"),
    ("reordering", 1, 432, "605f2a2d973d187a"),
    ("reordering", 42, 442, "7b42402501516e24"),
    ("silent-downgrade", 1, 490, "e85ee39269becdd3"),
    ("silent-downgrade", 42, 491, "315d0026fec74e64"),
    ("restart-resend", 1, 555, "fc175d8f8d1f0628"),
    ("restart-resend", 42, 559, "075f2682b9532bae"),
    ("forgotten-producer", 1, 548, "ce1023ed835e1b1f"),
    ("forgotten-producer", 42, 581, "3fbd64a93f476797"),
    ("commit-first", 1, 419, "99de1fc054574c3c"),
    ("commit-first", 42, 421, "24a2f64f565d0e92"),
    ("commit-after", 1, 453, "4ff2d03323f46180"),
    ("commit-after", 42, 455, "8c24f8c4ee85d5a7"),
    ("auto-commit-truth", 1, 987, "6325b0eaf83e03c4"),
    ("auto-commit-truth", 42, 989, "fdd10ca6546f2054"),
    ("aborted-but-read", 1, 642, "135e997ea44bd648"),
    ("aborted-but-read", 42, 658, "0582c7c51ff8d98a"),
    ("blocked-behind-lso", 1, 917, "fcced657b6e1ec6a"),
    ("blocked-behind-lso", 42, 903, "c12a324acd5362ed"),
    ("offset-gaps", 1, 492, "6015a40857026d73"),
    ("offset-gaps", 42, 498, "8d61dc6375ced036"),
    ("zombie-fencing", 1, 1357, "9139bdf090c04f49"),
    ("zombie-fencing", 42, 1358, "df947ea195bb9565"),
    ("bad-transactional-id", 1, 2614, "792f03e6cdc2a6f7"),
    ("bad-transactional-id", 42, 1754, "b25202be1d8ae31b"),
    ("read-process-write", 1, 1099, "8d6f492918c94fc7"),
    ("read-process-write", 42, 1107, "a730ce209efc4c00"),
    ("late-end-txn", 1, 405, "2def21adebd4d99c"),
    ("late-end-txn", 42, 404, "7132f8f0858ec0b0"),
    ("last-replica-standing", 1, 1043, "3db5f459ca77d3bd"),
    ("last-replica-standing", 42, 1047, "98945a7abd0af429"),
    ("rolling-restart", 1, 2269, "43229d3f6091201c"),
    ("rolling-restart", 42, 2242, "438d521c562ea4b7"),
    ("gc-pause-leader", 1, 732, "c4de1868c79a84e5"),
    ("gc-pause-leader", 42, 732, "966fc25200f219e3"),
    ("one-way-cut", 1, 794, "d95cc52ecaf0d0e4"),
    ("one-way-cut", 42, 754, "2ade26f2fc176c1d"),
    ("torn-tail", 1, 714, "423d5b338325e8fb"),
    ("torn-tail", 42, 710, "08a649d956e455c3"),
    ("disk-full", 1, 1260, "2c9f822e52a14029"),
    ("disk-full", 42, 1246, "eff585a5c2452f34"),
    ("clock-skew-retention", 1, 866, "b5d03b5a30a9bfee"),
    ("clock-skew-retention", 42, 852, "d3e36c6dd51a7645"),
    ("controller-failover", 1, 1648, "1fddf6f010146d07"),
    ("controller-failover", 42, 673, "1a00490397f6129c"),
];

/// What a run ends with.
pub fn run(id: &str, seed: u64) -> (u64, String) {
    let mut scenario = library::get(id).expect("it is in the library");
    scenario.seed = seed;
    let mut trial = Trial::new(&scenario).expect("the library is valid");
    trial.finish();
    (trial.events(), trial.state_hash().to_string())
}
