import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.apache.kafka.tools.DumpLogSegments;

/**
 * Kafka's own DumpLogSegments over every file under a directory, in the order of their names: `Dump DIR [option…]`. What
 * it prints as errors follows, marked with "! ". Of the coordinators' topics the records' contents are left out, unless the
 * option --coordinators asks for them.
 */
public class Dump {
    public static void main(String[] args) throws Exception {
        Path root = Path.of(args[0]);
        PrintStream out = System.out, err = System.err;
        List<Path> files;
        try (Stream<Path> walk = Files.walk(root)) {
            files = walk.filter(it -> it.toString().matches(".*(\\.(log|index|timeindex|txnindex|snapshot)|/\\d{20}-\\d{10}\\.checkpoint)")).sorted().toList();
        }
        String here = new File("").getAbsolutePath() + "/";
        for (Path file : files) {
            List<String> options = new ArrayList<>(Arrays.asList(args).subList(1, args.length));
            if (file.toString().contains("__cluster_metadata") && options.contains("--print-data-log")) options.add("--cluster-metadata-decoder");
            boolean coordinators = options.remove("--coordinators");
            if (file.toString().contains("/__consumer_offsets-") && coordinators) options.add("--offsets-decoder");
            else if (file.toString().contains("/__transaction_state-") && coordinators) options.add("--transaction-log-decoder");
            else if (file.toString().contains("/__") && !file.toString().contains("__cluster_metadata")) options.remove("--print-data-log");
            options.add("--files");
            options.add(file.toString());
            ByteArrayOutputStream said = new ByteArrayOutputStream(), wrong = new ByteArrayOutputStream();
            System.setOut(new PrintStream(said, true));
            System.setErr(new PrintStream(wrong, true));
            try {
                DumpLogSegments.main(options.toArray(new String[0]));
            } catch (Throwable thrown) {
                System.err.println(thrown);
            }
            out.print(said.toString(StandardCharsets.UTF_8));
            wrong.toString(StandardCharsets.UTF_8).lines().forEach(line -> out.println("! " + line.replace(here, "")));
        }
        out.flush();
    }
}
