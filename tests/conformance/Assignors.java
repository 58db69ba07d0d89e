import java.nio.ByteBuffer;
import java.util.*;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.*;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.*;
import org.apache.kafka.coordinator.group.api.assignor.*;
import org.apache.kafka.coordinator.group.modern.GroupSpecImpl;
import org.apache.kafka.coordinator.group.modern.MemberSubscriptionAndAssignmentImpl;

/**
 * What Kafka's own assignors make of random groups, as JSON: `java -cp "$KAFKA/*" Assignors.java`, which
 * `.ci/conformance.sh assignors` runs. Groups live for some rounds: members come, go, change their minds, miss rounds and
 * say that they own what is another's; topics grow. No chance but that of a seed: the same jars write the same bytes.
 *
 * Client side: subscriptions go through `ConsumerProtocol`, as a JoinGroup carries them. Every round has an assignor of its own.
 */
public class Assignors {
    static final String[] TOPICS = {"orders", "payments", "invoices", "audit-log", "mail", "shipments", "returns", "a.very.long-topic_name"};
    /** The ids that the Lab gives to its first topics. */
    static final String[] IDS = {"njd5sek4QzORDCMzU-_pOA", "PG7zYm2eSnqXl7p66FZtng", "2qZtEwcRSuWDgyrlzDcHEQ", "eN3mxEIOSxCMXesQZNFCDg", "FxVgdUO0R8KQiHfC0DdDtA", "tUzaJmq0RCOZqnQjbiNqtA", "U4RT14VwRp2R_padphCFcA", "8bvNiNSwSIWjkfiFF_jUsA"};
    static final String[] RACKS = {"east", "north", "west"};
    static final int GROUPS = 10, ROUNDS = 6;

    static Random random;
    static final StringBuilder out = new StringBuilder();

    /** One member; what it had in which generation. */
    static class Member {
        final String id;
        final String instance;
        final String rack;
        final int version;
        Set<String> topics = new TreeSet<>();
        List<TopicPartition> had = new ArrayList<>();
        int generation = -1;

        Member(String id, String instance, String rack, int version) {
            this.id = id; this.instance = instance; this.rack = rack; this.version = version;
        }
    }

    static class Group {
        final boolean alike = random.nextBoolean(), racks = random.nextInt(3) == 0, quarrels = random.nextInt(3) == 0, big = random.nextInt(4) == 0;
        final int oldest = random.nextInt(3) == 0 ? 0 : 3;
        /** Of each topic, the racks of each partition's replicas. */
        final TreeMap<String, List<Set<String>>> topics = new TreeMap<>();
        final TreeMap<String, Member> members = new TreeMap<>();
        int generation = random.nextInt(5);

        void grow(int round) {
            generation++;
            int count = round == 0 ? 2 + random.nextInt(3) : random.nextInt(4) == 0 ? 1 : 0;
            for (int i = 0; i < count; i++) {
                List<Set<String>> partitions = topics.computeIfAbsent(TOPICS[random.nextInt(TOPICS.length)], it -> new ArrayList<>());
                for (int more = 1 + random.nextInt(round == 0 ? 9 : 3); more > 0; more--) partitions.add(replicas());
            }
            for (String id : List.copyOf(members.keySet())) if (random.nextInt(5) == 0) members.remove(id);
            int join = members.isEmpty() ? 1 + random.nextInt(5) + (big ? 9 : 0) : random.nextInt(3);
            for (int i = 0; i < join; i++) {
                String id = "mailer-" + random.nextInt(9) + "-" + String.format("%08x", random.nextInt());
                String instance = random.nextInt(4) == 0 ? "instance-" + id.charAt(7) : null;
                boolean taken = members.values().stream().anyMatch(it -> instance != null && instance.equals(it.instance));
                String rack = racks && random.nextInt(5) > 0 ? RACKS[random.nextInt(RACKS.length)] : null;
                members.put(id, new Member(id, taken ? null : instance, rack, oldest + random.nextInt(4 - oldest)));
            }
            for (Member member : members.values()) {
                if (alike) member.topics = new TreeSet<>(topics.keySet());
                else if (member.topics.isEmpty() || random.nextInt(6) == 0)
                    member.topics = topics.keySet().stream().filter(it -> random.nextInt(3) > 0).collect(Collectors.toCollection(TreeSet::new));
            }
        }

        Set<String> replicas() {
            Set<String> replicas = new TreeSet<>();
            if (racks) for (int i = random.nextInt(2); i < 2; i++) replicas.add(RACKS[random.nextInt(RACKS.length)]);
            return replicas;
        }

        void adopt(Map<String, List<TopicPartition>> assignments) {
            for (Member member : members.values()) {
                // Who misses a round still says what it had before.
                if (quarrels && random.nextInt(4) == 0) continue;
                member.had = new ArrayList<>(assignments.getOrDefault(member.id, List.of()));
                member.generation = generation;
            }
            if (quarrels && random.nextInt(2) == 0 && !members.isEmpty()) {
                List<Member> all = List.copyOf(members.values());
                List<TopicPartition> stolen = all.get(random.nextInt(all.size())).had;
                if (!stolen.isEmpty()) {
                    Member thief = all.get(random.nextInt(all.size()));
                    TopicPartition booty = stolen.get(random.nextInt(stolen.size()));
                    if (!thief.had.contains(booty)) thief.had.add(booty);
                }
            }
        }
    }

    // ---- JSON ------------------------------------------------------------------------------------------------------------

    static String quoted(String text) { return "\"" + text + "\""; }

    /** In order, "orders-0,1 mail-3": a topic's name stands once before neighbours. */
    static String partitions(Collection<TopicPartition> list) {
        StringBuilder text = new StringBuilder();
        String last = null;
        for (TopicPartition it : list) {
            text.append(it.topic().equals(last) ? "," : (last == null ? "" : " ") + it.topic() + "-").append(it.partition());
            last = it.topic();
        }
        return quoted(text.toString());
    }

    static String base64(ByteBuffer bytes) {
        if (bytes == null) return "null";
        byte[] copy = new byte[bytes.remaining()];
        bytes.duplicate().get(copy);
        return quoted(Base64.getEncoder().encodeToString(copy));
    }

    static String described(Group group, boolean sticky) {
        StringBuilder text = new StringBuilder("\"topics\": {");
        String comma = "";
        for (var topic : group.topics.entrySet()) {
            String racks = topic.getValue().stream().map(it -> quoted(String.join(" ", it))).collect(Collectors.joining(", "));
            text.append(comma).append(quoted(topic.getKey())).append(": ").append(group.racks ? "[" + racks + "]" : topic.getValue().size());
            comma = ", ";
        }
        text.append("},\n      \"members\": {");
        comma = "\n";
        for (Member member : group.members.values()) {
            text.append(comma).append("        ").append(quoted(member.id)).append(": { \"topics\": ").append(quoted(String.join(" ", member.topics)));
            if (sticky && !member.had.isEmpty()) text.append(", \"had\": ").append(partitions(member.had));
            if (sticky && member.generation >= 0) text.append(", \"generation\": ").append(member.generation);
            if (member.instance != null) text.append(", \"instance\": ").append(quoted(member.instance));
            if (member.rack != null) text.append(", \"rack\": ").append(quoted(member.rack));
            if (member.version < 3) text.append(", \"version\": ").append(member.version);
            text.append(" }");
            comma = ",\n";
        }
        return text.append("\n      },\n").toString();
    }

    static void record(String separator, Group group, String described, Map<String, List<TopicPartition>> assignments) {
        out.append(separator).append("    { ").append(described).append("      \"assignment\": {");
        String comma = "\n";
        for (String member : group.members.keySet()) {
            out.append(comma).append("        ").append(quoted(member)).append(": ").append(partitions(assignments.getOrDefault(member, List.of())));
            comma = ",\n";
        }
        out.append("\n      } }");
    }

    // ---- The client's assignors ------------------------------------------------------------------------------------------

    static ConsumerPartitionAssignor client(String name) {
        return switch (name) {
            case "range" -> new RangeAssignor();
            case "roundrobin" -> new RoundRobinAssignor();
            case "sticky" -> new StickyAssignor();
            default -> new CooperativeStickyAssignor();
        };
    }

    @SuppressWarnings("removal")
    static ByteBuffer userData(String name, Member member) {
        ConsumerPartitionAssignor assignor = client(name);
        if (member.generation >= 0)
            assignor.onAssignment(new Assignment(member.had), new ConsumerGroupMetadata("group", member.generation, member.id, Optional.empty()));
        return assignor.subscriptionUserData(member.topics);
    }

    static ByteBuffer subscription(String name, Member member) {
        // An eager member has given up everything when it joins.
        List<TopicPartition> owned = name.equals("cooperative-sticky") ? member.had : List.of();
        Subscription subscription = new Subscription(new ArrayList<>(member.topics), userData(name, member), owned, member.generation, Optional.ofNullable(member.rack));
        return ConsumerProtocol.serializeSubscription(subscription, (short) member.version);
    }

    static Map<String, List<TopicPartition>> assign(String name, Group group) {
        Map<String, Subscription> subscriptions = new HashMap<>();
        for (Member member : group.members.values()) {
            Subscription subscription = ConsumerProtocol.deserializeSubscription(subscription(name, member));
            subscription.setGroupInstanceId(Optional.ofNullable(member.instance));
            subscriptions.put(member.id, subscription);
        }
        List<PartitionInfo> infos = new ArrayList<>();
        Set<Node> nodes = new HashSet<>();
        for (var topic : group.topics.entrySet()) {
            for (int partition = 0; partition < topic.getValue().size(); partition++) {
                Node[] replicas = topic.getValue().get(partition).stream()
                    .map(rack -> new Node(Arrays.asList(RACKS).indexOf(rack), "host", 9092, rack)).toArray(Node[]::new);
                nodes.addAll(List.of(replicas));
                infos.add(new PartitionInfo(topic.getKey(), partition, Node.noNode(), replicas, replicas));
            }
        }
        Cluster cluster = new Cluster("cluster", nodes, infos, Set.of(), Set.of());
        Map<String, List<TopicPartition>> assignments = new HashMap<>();
        client(name).assign(cluster, new GroupSubscription(subscriptions)).groupAssignment()
            .forEach((member, assignment) -> assignments.put(member, assignment.partitions()));
        return assignments;
    }

    // ---- The coordinator's assignors -------------------------------------------------------------------------------------

    static Uuid id(String topic) { return Uuid.fromString(IDS[Arrays.asList(TOPICS).indexOf(topic)]); }

    static Map<String, List<TopicPartition>> assignOnServer(ConsumerGroupPartitionAssignor assignor, Group group) {
        Map<String, MemberSubscriptionAndAssignmentImpl> specs = new HashMap<>();
        Map<Uuid, Map<Integer, String>> inverted = new HashMap<>();
        Map<Uuid, String> names = new HashMap<>();
        for (String topic : TOPICS) names.put(id(topic), topic);
        for (Member member : group.members.values()) {
            Map<Uuid, Set<Integer>> had = new HashMap<>();
            Set<Uuid> wants = new LinkedHashSet<>();
            for (String topic : TOPICS) {
                if (member.topics.contains(topic)) wants.add(id(topic));
                List<Integer> partitions = member.had.stream().filter(it -> it.topic().equals(topic)).map(TopicPartition::partition).sorted().toList();
                if (!partitions.isEmpty()) had.put(id(topic), new HashSet<>(partitions));
                partitions.forEach(it -> inverted.computeIfAbsent(id(topic), none -> new HashMap<>()).put(it, member.id));
            }
            specs.put(member.id, new MemberSubscriptionAndAssignmentImpl(Optional.empty(), Optional.ofNullable(member.instance), wants, new org.apache.kafka.coordinator.group.modern.Assignment(had)));
        }
        boolean same = group.members.values().stream().map(it -> it.topics).distinct().count() == 1;
        GroupSpecImpl spec = new GroupSpecImpl(specs, same ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS, inverted);
        SubscribedTopicDescriber describer = new SubscribedTopicDescriber() {
            public int numPartitions(Uuid topic) { return group.topics.containsKey(names.get(topic)) ? group.topics.get(names.get(topic)).size() : -1; }
            public Set<String> racksForPartition(Uuid topic, int partition) { return Set.of(); }
        };
        Map<String, List<TopicPartition>> assignments = new HashMap<>();
        assignor.assign(spec, describer).members().forEach((member, assignment) -> {
            List<TopicPartition> list = new ArrayList<>();
            assignment.partitions().forEach((topic, partitions) -> partitions.forEach(it -> list.add(new TopicPartition(names.get(topic), it))));
            list.sort(Comparator.comparing(TopicPartition::topic).thenComparing(TopicPartition::partition));
            assignments.put(member, list);
        });
        return assignments;
    }

    // ---- The whole file --------------------------------------------------------------------------------------------------

    interface Decide { Map<String, List<TopicPartition>> assign(Group group); }

    static void family(String title, long seed, boolean server, Decide decide) {
        random = new Random(seed);
        out.append(quoted(title)).append(": [");
        String separator = "\n";
        for (int i = 0; i < GROUPS; i++) {
            Group group = new Group();
            for (int round = 0; round < ROUNDS; round++) {
                group.grow(round);
                if (group.members.isEmpty()) continue;
                String described = described(group, !title.startsWith("range") && !title.equals("roundrobin"));
                Map<String, List<TopicPartition>> assignments;
                try {
                    assignments = decide.assign(group);
                } catch (NullPointerException thrown) {
                    // A former owner that takes no part in the balancing: the leader's consumer would fail. Ours goes on.
                    continue;
                }
                record(separator, group, described, assignments);
                separator = ",\n";
                if (server) group.members.values().forEach(it -> { it.had = assignments.getOrDefault(it.id, List.of()); it.generation = group.generation; });
                else group.adopt(assignments);
            }
        }
        out.append("\n  ],\n  ");
    }

    /** Subscriptions and assignments as they travel, at every version. */
    static void bytes() {
        random = new Random(6);
        out.append("\"bytes\": [");
        String separator = "\n";
        for (int i = 0; i < 24; i++) {
            String name = List.of("range", "roundrobin", "sticky", "cooperative-sticky").get(i % 4);
            List<TopicPartition> had = new ArrayList<>();
            for (int more = random.nextInt(7); more > 0; more--) {
                TopicPartition partition = new TopicPartition(TOPICS[random.nextInt(TOPICS.length)], random.nextInt(200));
                if (!had.contains(partition)) had.add(partition);
            }
            Member member = new Member("mailer", null, random.nextBoolean() ? "east" : null, random.nextInt(4));
            for (int more = random.nextInt(4); more > 0; more--) member.topics.add(TOPICS[random.nextInt(TOPICS.length)]);
            member.had = had;
            member.generation = random.nextInt(4) - 1;
            out.append(separator).append("    { \"assignor\": ").append(quoted(name)).append(", \"topics\": ").append(quoted(String.join(" ", member.topics)))
                .append(", \"had\": ").append(partitions(had)).append(", \"generation\": ").append(member.generation)
                .append(", \"version\": ").append(member.version);
            if (member.rack != null) out.append(", \"rack\": ").append(quoted(member.rack));
            ByteBuffer assignment = ConsumerProtocol.serializeAssignment(new Assignment(had, userData(name, member)), (short) member.version);
            out.append(",\n      \"user data\": ").append(base64(userData(name, member))).append(", \"subscription\": ").append(base64(subscription(name, member)))
                .append(",\n      \"assignment\": ").append(base64(assignment)).append(" }");
            separator = ",\n";
        }
        out.append("\n  ]\n}\n");
    }

    public static void main(String[] args) {
        out.append("{ \"recorded by\": \".ci/conformance.sh assignors\",\n  ");
        out.append("\"topic ids\": {");
        for (int i = 0; i < TOPICS.length; i++) out.append(i == 0 ? "" : ", ").append(quoted(TOPICS[i])).append(": ").append(quoted(IDS[i]));
        out.append("},\n  ");
        long seed = 0;
        for (String name : List.of("range", "roundrobin", "sticky", "cooperative-sticky")) {
            family(name, seed++, false, group -> assign(name, group));
        }
        family("uniform on the server", seed++, true, group -> assignOnServer(new org.apache.kafka.coordinator.group.assignor.UniformAssignor(), group));
        family("range on the server", seed++, true, group -> assignOnServer(new org.apache.kafka.coordinator.group.assignor.RangeAssignor(), group));
        bytes();
        System.out.print(out);
    }
}
