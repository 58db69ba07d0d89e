import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Writes the topics that the golden directories hold: `Record <bootstrap> first|second|wait`. */
public class Record {
    static final long T = 1_767_225_600_000L;
    static String bootstrap;

    static KafkaProducer<byte[], byte[]> producer(String... settings) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("linger.ms", "5000");
        for (int i = 0; i < settings.length; i += 2) properties.put(settings[i], settings[i + 1]);
        return new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
    }

    static byte[] bytes(String text) {
        return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
    }

    static void send(KafkaProducer<byte[], byte[]> producer, String topic, long at, String key, String value) throws Exception {
        producer.send(new ProducerRecord<>(topic, 0, T + at, bytes(key), bytes(value)));
    }

    static void topic(Admin admin, String name, Map<String, String> config) throws Exception {
        Map<String, String> all = new HashMap<>(Map.of("index.interval.bytes", "300", "segment.index.bytes", "1024"));
        all.putAll(config);
        admin.createTopics(List.of(new NewTopic(name, 1, (short) 1).configs(all))).all().get();
    }

    /** The idempotent producer: keys, null values, headers, timestamps that jump back; several segments. */
    static void orders(long from, int batches) throws Exception {
        try (KafkaProducer<byte[], byte[]> producer = producer()) {
            for (int batch = 0; batch < batches; batch++) {
                for (int i = 0; i < 3; i++) {
                    long n = from + 3L * batch + i;
                    long at = n * 10 - (batch % 4 == 3 ? 500 : 0);
                    ProducerRecord<byte[], byte[]> record = new ProducerRecord<>("orders", 0, T + at,
                        bytes(n % 5 == 0 ? null : "key-" + n % 7), bytes(n % 7 == 6 ? null : "order number " + n));
                    if (n % 4 == 0) record.headers().add(new RecordHeader("trace", bytes("t" + n))).add(new RecordHeader("empty", null));
                    producer.send(record);
                }
                producer.flush();
            }
        }
    }

    /** Transactions that commit, abort, overlap, span segments; plain records between them. */
    static void money(boolean leaveOpen) throws Exception {
        KafkaProducer<byte[], byte[]> a = producer("transactional.id", "a");
        KafkaProducer<byte[], byte[]> b = producer("transactional.id", "b");
        a.initTransactions();
        b.initTransactions();
        for (int round = 0; round < 6; round++) {
            a.beginTransaction();
            b.beginTransaction();
            for (int i = 0; i < 2; i++) {
                send(a, "money", round * 100 + i, "a" + round, "from a, " + round + "." + i);
                a.flush();
                send(b, "money", round * 100 + i, "b" + round, "from b, " + round + "." + i);
                b.flush();
            }
            if (round % 2 == 0) {
                a.sendOffsetsToTransaction(Map.of(new TopicPartition("orders", 0), new OffsetAndMetadata(round)), new ConsumerGroupMetadata("books"));
                a.commitTransaction();
            } else {
                a.abortTransaction();
            }
            try (KafkaProducer<byte[], byte[]> plain = producer("enable.idempotence", "false", "acks", "1")) {
                send(plain, "money", round * 100 + 50, null, "plain " + round);
            }
            if (round % 3 == 0) b.commitTransaction(); else b.abortTransaction();
        }
        if (leaveOpen) {
            a.beginTransaction();
            send(a, "money", 900, "open", "of a transaction that nobody ends");
            a.flush();
            // The process ends without a word.
        } else {
            a.close();
            b.close();
        }
    }

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        boolean first = args[1].equals("first");
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            if (args[1].equals("wait")) {
                admin.describeTopics(List.of("orders", "money", "stamped", "zipped", "empty")).allTopicNames().get();
                Thread.sleep(3000);
                return;
            }
            if (first) {
                topic(admin, "orders", Map.of("internal.segment.bytes", "1500"));
                topic(admin, "money", Map.of("internal.segment.bytes", "2000"));
                topic(admin, "stamped", Map.of("message.timestamp.type", "LogAppendTime"));
                topic(admin, "zipped", Map.of());
                topic(admin, "empty", Map.of());
            }
            orders(first ? 0 : 60, first ? 20 : 8);
            money(!first);
            try (KafkaProducer<byte[], byte[]> plain = producer("enable.idempotence", "false", "acks", "1")) {
                for (int i = 0; i < 12; i++) {
                    send(plain, "stamped", i, "k", "stamped by the broker " + i);
                    if (i % 2 == 1) plain.flush();
                }
            }
            try (KafkaProducer<byte[], byte[]> zip = producer("compression.type", "gzip")) {
                for (int i = 0; i < 9; i++) {
                    send(zip, "zipped", i * 10, "k" + i, "compressed compressed compressed " + i);
                    if (i % 3 == 2) zip.flush();
                }
            }
            if (first) admin.deleteRecords(Map.of(new TopicPartition("orders", 0), RecordsToDelete.beforeOffset(7))).all().get();
        }
        System.out.println("written");
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }
}
