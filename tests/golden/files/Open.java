import java.io.File;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.FutureTask;
import java.util.concurrent.ScheduledFuture;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.server.util.Scheduler;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.UnifiedLog;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

/**
 * Kafka's own UnifiedLog opens each partition's directory under a machine's folder, once as after an orderly shutdown and
 * once as after a crash, closes it, and every file must be as it was: `Open INTERVAL SEGMENT DIR…`. INTERVAL and SEGMENT
 * are index.interval.bytes and segment.bytes. What a machine left that crashed, Kafka closes: there the snapshot at the
 * end and the last entry of the time index are new.
 */
public class Open {
    static int opened, complaints;

    public static void main(String[] args) throws Exception {
        for (String machine : Arrays.asList(args).subList(2, args.length)) {
            Map<String, Long> starts = checkpoint(Path.of(machine, "log-start-offset-checkpoint"));
            Map<String, Long> points = checkpoint(Path.of(machine, "recovery-point-offset-checkpoint"));
            File[] partitions = new File(machine).listFiles(File::isDirectory);
            for (File partition : partitions == null ? new File[0] : partitions) {
                // A machine that crashed has no marker; a controller of the Lab never had one.
                boolean stopped = points.isEmpty() || new File(machine, ".kafka_cleanshutdown").exists();
                for (boolean clean : stopped ? new boolean[] {true, false} : new boolean[] {false}) {
                    Properties settings = new Properties();
                    if (!partition.getName().startsWith("__")) {
                        settings.put("index.interval.bytes", args[0]);
                        settings.put("internal.segment.bytes", args[1]);
                    }
                    open(partition, new LogConfig(settings), starts.getOrDefault(partition.getName(), 0L), clean, stopped,
                        points.getOrDefault(partition.getName(), 0L));
                }
            }
        }
        System.out.println("open: " + opened + " directories, " + complaints + " complaints");
        Runtime.getRuntime().halt(complaints == 0 ? 0 : 1);
    }

    static void open(File partition, LogConfig config, long start, boolean clean, boolean stopped, long point) throws Exception {
        Path copy = Files.createTempDirectory("open").resolve(partition.getName());
        Files.createDirectories(copy);
        Map<String, byte[]> before = read(partition.toPath());
        for (Map.Entry<String, byte[]> file : before.entrySet()) Files.write(copy.resolve(file.getKey()), file.getValue());
        String what = partition + (clean ? ", closed" : ", crashed");
        long end;
        try {
            // The simulated calendar shows January 2026: by Kafka's clock every producer would have expired.
            ProducerStateManagerConfig producers = new ProducerStateManagerConfig(Integer.MAX_VALUE, false);
            UnifiedLog log = UnifiedLog.create(copy.toFile(), config, start, clean ? point : 0, new AtOnce(),
                new BrokerTopicStats(false), new Then(), 900_000, producers, 600_000, new LogDirFailureChannel(1), clean, Optional.empty());
            opened++;
            end = log.logEndOffset();
            log.close();
            if (stopped && point > 0 && end != point) complain(what, "it ends at " + end + ", but all of " + point + " was flushed");
        } catch (Throwable thrown) {
            complain(what, thrown.toString());
            return;
        }
        Map<String, byte[]> after = read(copy);
        // A restart or a truncation leaves a snapshot where no segment begins, which the next start drops, and counts the
        // bytes to the next index entry anew, which a recovery does not.
        Set<String> bases = before.keySet().stream().filter(it -> it.endsWith(".log")).map(it -> it.substring(0, 20)).collect(Collectors.toSet());
        String newest = before.keySet().stream().filter(it -> it.endsWith(".snapshot")).max(Comparator.naturalOrder()).orElse("");
        Set<String> strays = before.keySet().stream().filter(it -> it.endsWith(".snapshot") && !it.equals(newest) && !bases.contains(it.substring(0, 20))).collect(Collectors.toSet());
        // Loading drops the snapshots that are not above the log start.
        long first = Math.max(start, bases.stream().mapToLong(Long::parseLong).min().orElse(0));
        before.keySet().stream().filter(it -> it.endsWith(".snapshot") && Long.parseLong(it.substring(0, 20)) <= first).forEach(strays::add);
        for (Map.Entry<String, byte[]> file : before.entrySet()) {
            String name = file.getKey();
            boolean closing = !stopped && name.endsWith(".timeindex");
            // Where power was lost and nobody has recovered yet, the torn end goes.
            byte[] left = after.get(name);
            boolean torn = !stopped && name.endsWith(".log") && left != null && left.length < file.getValue().length
                && Arrays.equals(left, Arrays.copyOf(file.getValue(), left.length));
            boolean anew = !clean && !strays.isEmpty() && name.endsWith("index");
            if (!closing && !torn && !anew && !strays.contains(name) && !Arrays.equals(expected(name, file.getValue(), end), after.get(name))) complain(what, name + (after.containsKey(name) ? " was changed" : " is gone"));
        }
        for (String name : after.keySet()) {
            if (!before.containsKey(name) && (stopped || !name.endsWith(".snapshot"))) complain(what, name + " is new");
        }
        try (Stream<Path> files = Files.walk(copy)) {
            for (Path file : files.sorted((a, b) -> b.compareTo(a)).toList()) Files.delete(file);
        }
    }

    /** Of the leader epochs, loading drops those that begin at the log's end. */
    static byte[] expected(String name, byte[] bytes, long end) {
        if (!name.equals("leader-epoch-checkpoint") || bytes.length == 0) return bytes;
        List<String> lines = new String(bytes, StandardCharsets.UTF_8).lines().skip(2).filter(it -> Long.parseLong(it.split(" ")[1]) < end).toList();
        StringBuilder text = new StringBuilder("0\n" + lines.size() + "\n");
        lines.forEach(line -> text.append(line).append('\n'));
        return text.toString().getBytes(StandardCharsets.UTF_8);
    }

    /** A clock that stands at the beginning of the simulated calendar's second day. */
    static class Then implements Time {
        public long milliseconds() { return 1_767_225_600_000L + 86_400_000L; }
        public long nanoseconds() { return 0; }
        public void sleep(long ms) { }
        public void waitObject(Object object, Supplier<Boolean> condition, long deadline) { }
    }

    /** Does now what Kafka does soon. */
    static class AtOnce implements Scheduler {
        public void startup() { }
        public void shutdown() { }
        public void resizeThreadPool(int size) { }
        public ScheduledFuture<?> schedule(String name, Runnable task, long delay, long period) {
            FutureTask<Void> future = new FutureTask<>(task, null);
            if (period < 0) future.run();
            return (ScheduledFuture<?>) Proxy.newProxyInstance(Open.class.getClassLoader(), new Class<?>[] {ScheduledFuture.class},
                (proxy, method, arguments) -> method.invoke(future, arguments));
        }
    }

    static void complain(String where, String what) {
        complaints++;
        System.out.println("! " + where + ": " + what);
    }

    static Map<String, byte[]> read(Path folder) throws IOException {
        Map<String, byte[]> files = new TreeMap<>();
        try (Stream<Path> list = Files.list(folder)) {
            for (Path file : list.filter(it -> !it.endsWith("quorum-state")).toList()) files.put(file.getFileName().toString(), Files.readAllBytes(file));
        }
        return files;
    }

    static Map<String, Long> checkpoint(Path file) throws IOException {
        Map<String, Long> offsets = new TreeMap<>();
        if (!Files.exists(file)) return offsets;
        List<String> lines = Files.readAllLines(file, StandardCharsets.UTF_8);
        for (String line : lines.subList(Math.min(2, lines.size()), lines.size())) {
            String[] words = line.split(" ");
            offsets.put(words[0] + "-" + words[1], Long.parseLong(words[2]));
        }
        return offsets;
    }
}
