//! What the fields beside Kafka's settings are for, in both languages: `(key, English, Korean)`.

/// Help for every field of the workload.
const HELP: &[(&str, &str, &str)] = &[
    ("topic", "The topic it sends to.", "레코드를 보내는 토픽."),
    ("records", "How many records it sends in all.", "보낼 레코드의 총수."),
    ("rate.per.second", "How many records it hands to send() each second.", "초당 send()에 넘기는 레코드 수."),
    (
        "key",
        "The keys of its records: none (sticky partitioning), record (its own number), entity:4 (four entities in turn).",
        "레코드의 키: none(sticky 파티셔닝), record(레코드 번호), entity:4(네 개의 엔티티를 번갈아).",
    ),
    (
        "resend",
        "What it sends again when its process starts anew: nothing (never), or what it has seen no ack for (unacknowledged).",
        "프로세스가 다시 시작될 때 다시 보내는 것: 없음(never), 또는 ack를 받지 못한 것(unacknowledged).",
    ),
    ("transaction.records", "How many records it puts into one transaction.", "트랜잭션 하나에 넣을 레코드 수."),
    (
        "abort.every",
        "Every how-manieth transaction it aborts on purpose; 0: none.",
        "몇 번째 트랜잭션마다 일부러 중단할지. 0이면 중단하지 않음.",
    ),
    ("start.at.ms", "How long after the beginning its process starts.", "시작 시점부터 프로세스가 뜰 때까지의 시간."),
    ("processing.ms", "How long its handler takes for one record.", "레코드 하나를 처리하는 데 걸리는 시간."),
    (
        "commit",
        "When it commits: before processing, after it with commitSync() or commitAsync(), or automatically inside poll().",
        "커밋 시점: 처리 전(before), 처리 후 commitSync() 또는 commitAsync(), poll() 안에서 자동(auto).",
    ),
    (
        "hand.over",
        "Who processes: the polling thread itself (inline), or a worker thread while polling goes on.",
        "누가 처리하는가: poll하는 스레드 자신(inline), 또는 poll이 계속되는 동안 worker 스레드.",
    ),
    (
        "on.revoke",
        "What it does in onPartitionsRevoked before it gives partitions up: nothing, commitSync(), or wait until its worker is done with their records and then commit.",
        "파티션을 반납하기 전 onPartitionsRevoked에서 하는 일: 아무것도 안 함(nothing), commitSync()(commit), 또는 worker가 그 레코드를 다 처리할 때까지 기다린 뒤 커밋(wait).",
    ),
    (
        "on.failure",
        "What it acknowledges when its handler throws: release (somebody shall try again), or reject (nobody shall).",
        "핸들러가 예외를 던졌을 때의 acknowledge: release(누군가 다시 시도), 또는 reject(아무도 다시 시도하지 않음).",
    ),
    (
        "renew.every.ms",
        "How often a handler that is still at work renews its records' locks (AcknowledgeType.RENEW, KIP-1222). 0 for never.",
        "처리 중인 핸들러가 레코드의 잠금을 갱신하는 간격 (AcknowledgeType.RENEW, KIP-1222). 0이면 갱신하지 않음.",
    ),
    (
        "batch",
        "Whether its handler gets all that poll() returned at once, and writes it with one request.",
        "핸들러가 poll()이 돌려준 것을 한꺼번에 받아 요청 한 번으로 쓰는지.",
    ),
    (
        "group",
        "Its group.id: applications of one group share the partitions, and act on one sink.",
        "group.id. 한 그룹의 애플리케이션은 파티션을 나눠 읽고 싱크 하나를 함께 씁니다.",
    ),
    (
        "members",
        "How many instances of it run in the group: NAME-1, NAME-2, and so on.",
        "그룹 안에서 실행되는 인스턴스 수: NAME-1, NAME-2, …",
    ),
    (
        "share",
        "Whether it reads in a share group: records one by one, under a lock, whoever has the partition.",
        "share group으로 읽는지. 파티션을 소유하지 않고 레코드를 하나씩 잠가서 받습니다.",
    ),
    (
        "assign",
        "Whether it assigns all partitions to itself, and is no member of its group.",
        "그룹의 멤버가 되지 않고 모든 파티션을 스스로 할당하는지(assign()).",
    ),
    ("topics", "What it subscribes to: names, with commas between them.", "구독하는 토픽 이름들. 쉼표로 구분합니다."),
    (
        "topics.pattern",
        "Instead of names: it subscribes to all topics whose whole name matches, such as orders-.*",
        "이름 대신 패턴: 이름 전체가 맞는 모든 토픽을 구독합니다. 예: orders-.*",
    ),
    (
        "retries",
        "How often it tries a record again in place when its handler throws.",
        "핸들러가 예외를 던지면 그 자리에서 몇 번 더 시도하는지.",
    ),
    (
        "retry.backoff.ms",
        "How long it waits before each of these retries.",
        "그 자리에서 다시 시도하기 전에 기다리는 시간.",
    ),
    (
        "retry.topic",
        "Where it sends a record whose handler throws, once, to read it there again.",
        "핸들러가 예외를 던진 레코드를 한 번 보내고 다시 읽는 토픽.",
    ),
    (
        "dead.letter.topic",
        "Where it puts a record that it cannot handle. Without it the exception ends the program.",
        "처리할 수 없는 레코드를 넣는 토픽. 없으면 예외가 프로그램을 끝냅니다.",
    ),
    (
        "offsets",
        "When it commits the offsets of what it read: as part of the transaction (sendOffsetsToTransaction), with commitSync() after it, or before it processes.",
        "읽은 오프셋을 커밋하는 시점: 트랜잭션 안에서(sendOffsetsToTransaction), 트랜잭션 뒤에 commitSync()로, 또는 처리하기 전에.",
    ),
    ("from", "The topics it reads, with commas between them.", "읽는 토픽들. 쉼표로 구분합니다."),
    (
        "to",
        "The topics it writes to, one record to each for every record read.",
        "쓰는 토픽들. 읽은 레코드마다 토픽마다 하나씩 씁니다.",
    ),
    (
        "sink.dedupe",
        "What the system behind it does with a record it has seen: nothing, refuse it by a unique key, ignore an older version, look into a store of processed ids, or compare with the offset that is stored with the output.",
        "뒤쪽 시스템이 이미 본 레코드를 다루는 방법: 그대로, unique key로 거부, 낮은 버전 무시, 처리된 id 저장소 확인, 출력과 함께 저장한 오프셋과 비교.",
    ),
    (
        "sink.window.records",
        "How many ids the store of processed ids remembers; 0: all of them.",
        "처리한 id 저장소가 기억하는 id의 수. 0이면 전부.",
    ),
    (
        "sink.window.ms",
        "How long the store remembers an id; 0: for ever.",
        "저장소가 id를 기억하는 시간. 0이면 영원히.",
    ),
    (
        "sink.fencing",
        "What keeps out a member that lost its partition and does not know: nothing, the stored offset (what is below it is refused), or also the generation (so is who writes for an older one).",
        "파티션을 잃은 줄 모르는 멤버를 막는 것: 없음(none), 저장된 오프셋(그보다 앞은 거부, offset), 또는 generation까지(더 오래된 generation의 쓰기도 거부, generation).",
    ),
    (
        "sink.atomic",
        "Whether the id (or the offset) is written in one transaction with the effect.",
        "id(또는 오프셋)를 결과와 한 트랜잭션으로 쓰는지.",
    ),
    (
        "sink.first",
        "If they are two writes: which comes first. A crash between them repeats (effect first) or loses (id first).",
        "두 번에 나눠 쓸 때 먼저 쓰는 것. 그 사이에 죽으면 결과가 먼저일 때는 중복, id가 먼저일 때는 유실.",
    ),
    (
        "sink.latency.ms",
        "How long its reply takes. The effect has happened when the program begins to wait for it.",
        "응답이 오기까지 걸리는 시간. 프로그램이 기다리기 시작할 때 결과는 이미 일어났습니다.",
    ),
    (
        "sink.timeout.ms",
        "How long an application waits for its reply. One that gives up does not know whether the effect has happened.",
        "애플리케이션이 응답을 기다리는 시간. 포기하면 결과가 일어났는지 알 수 없습니다.",
    ),
    ("sink.fail.every", "Every how-manieth request it refuses; 0: none.", "몇 번째 요청마다 거부하는지. 0이면 없음."),
    (
        "sink.lose.reply.every",
        "The reply to every how-manieth request gets lost: the effect happened, the program does not know; 0: none.",
        "몇 번째 요청마다 응답이 사라지는지: 결과는 일어났지만 프로그램은 모릅니다. 0이면 없음.",
    ),
    (
        "sink.poison.every",
        "Every how-manieth record it never takes; 0: none.",
        "몇 번째 레코드마다 끝내 받지 않는지. 0이면 없음.",
    ),
    (
        "sink.name",
        "The name of its node; without one it is called after the group.",
        "싱크 노드의 이름. 없으면 그룹 이름을 따릅니다.",
    ),
    ("partitions", "How many partitions the topic has.", "토픽의 파티션 수."),
    ("replication.factor", "How many brokers hold each partition.", "각 파티션을 저장하는 브로커 수."),
    (
        "seed",
        "All chance comes from it: the same seed gives the same run.",
        "모든 우연의 근원: 같은 seed는 항상 같은 실행이 됩니다.",
    ),
    ("brokers", "How many brokers the cluster has.", "클러스터의 브로커 수."),
    (
        "controllers",
        "How many controllers keep the metadata: one alone, or three, of which any two can go on.",
        "메타데이터를 지키는 컨트롤러 수. 혼자 하나이거나, 어느 둘만 남아도 계속되는 셋.",
    ),
    (
        "racks",
        "The racks of the brokers, over and over, with commas between them: a, b.",
        "브로커의 rack들을 차례로 반복합니다. 쉼표로 구분: a, b.",
    ),
    (
        "latency.us least",
        "The shortest time a message travels one way, in microseconds.",
        "메시지가 한 방향으로 가는 데 걸리는 가장 짧은 시간(마이크로초).",
    ),
    (
        "latency.us most",
        "The longest time a message travels one way, in microseconds.",
        "메시지가 한 방향으로 가는 데 걸리는 가장 긴 시간(마이크로초).",
    ),
    (
        "until.quiet",
        "Whether the run ends as soon as nothing is left to do.",
        "할 일이 남지 않으면 바로 실행을 끝내는지.",
    ),
    ("until.max.ms", "When the run ends at the latest.", "실행이 늦어도 끝나는 시각."),
];

fn of(key: &str) -> Option<&'static (&'static str, &'static str, &'static str)> {
    HELP.iter().find(|help| help.0 == key)
}

/// In English.
pub fn en(key: &str) -> &'static str {
    of(key).map_or("", |help| help.1)
}

/// In Korean.
pub fn ko(key: &str) -> &'static str {
    of(key).map_or("", |help| help.2)
}
