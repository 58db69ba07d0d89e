//! A real Kafka: one controller and three brokers as processes on loopback, in a temporary folder. They end with their owner.

use crate::settings::{BROKERS, SETTINGS, rack};
use delivery_lab::record::RecordBatch;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub const CONTROLLER: i32 = 100;
const PATIENCE: Duration = Duration::from_secs(120);
/// Any will do, as long as all have the same.
pub const CLUSTER_ID: &str = "ZGVsaXZlcnktbGFiLWNvbg";

/// One process: its id is 0, 1, 2, or 100 for the controller.
struct Server {
    id: i32,
    port: u16,
    process: Option<Child>,
}

/// The cluster.
pub struct Kafka {
    jars: PathBuf,
    java: String,
    folder: PathBuf,
    logs: PathBuf,
    servers: Vec<Server>,
    /// Of brokers, beside those that all recordings have.
    settings: Vec<(String, String)>,
}

impl Kafka {
    /// Formats and starts it. The brokers answer when this returns; whether they know each other is for the caller to see.
    pub fn start(jars: &Path, java: &str, logs: &Path) -> Kafka {
        let folder = std::env::temp_dir().join(format!("delivery-lab-conformance-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a temporary folder");
        fs::create_dir_all(logs).expect("a folder for logs");
        let server = |id| Server { id, port: free_port(), process: None };
        let servers = [CONTROLLER].into_iter().chain(0..BROKERS).map(server).collect();
        let (jars, java) = (jars.to_path_buf(), java.to_string());
        let mut kafka = Kafka { jars, java, folder, logs: logs.to_path_buf(), servers, settings: Vec::new() };
        for id in kafka.ids() {
            kafka.format(id);
        }
        for id in kafka.ids() {
            kafka.launch(id);
        }
        for id in 0..BROKERS {
            kafka.await_port(id);
        }
        kafka
    }

    fn ids(&self) -> Vec<i32> {
        self.servers.iter().map(|server| server.id).collect()
    }

    fn server(&mut self, id: i32) -> &mut Server {
        self.servers.iter_mut().find(|server| server.id == id).expect("a server of the cluster")
    }

    fn port_of(&self, id: i32) -> u16 {
        self.servers.iter().find(|server| server.id == id).expect("a server of the cluster").port
    }

    /// Where a broker keeps its logs.
    pub fn data(&self, id: i32) -> PathBuf {
        self.folder.join(format!("data-{id}"))
    }

    /// A topic's id, from the file that a broker keeps beside partition 0.
    pub fn topic_id(&self, broker: i32, topic: &str) -> [u8; 16] {
        use base64::Engine as _;
        let file = self.data(broker).join(format!("{topic}-0/partition.metadata"));
        let started = Instant::now();
        loop {
            let text = fs::read_to_string(&file).unwrap_or_default();
            if let Some(id) = text.lines().find_map(|line| line.strip_prefix("topic_id: ")) {
                let id = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(id).expect("an id");
                return id.try_into().expect("an id has 16 bytes");
            }
            assert!(started.elapsed() < PATIENCE, "{} does not come", file.display());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The brokers' epochs: what the metadata log says in their latest registrations.
    pub fn broker_epochs(&self) -> Vec<i64> {
        let file = self.data(CONTROLLER).join("__cluster_metadata-0/00000000000000000000.log");
        let mut log = bytes::Bytes::from(fs::read(&file).expect("the metadata log"));
        let mut epochs = vec![-1; BROKERS as usize];
        while let Ok((batch, rest)) = RecordBatch::parse(log) {
            log = rest;
            for record in batch.raw_records().flatten().filter(|_| !batch.is_control()) {
                // Frame version, API key of RegisterBrokerRecord, its version, broker id, a flag, incarnation (16), broker epoch.
                if let Some([_, 0, _, 0, 0, 0, id, rest @ ..]) = record.value
                    && let Some(epoch) = epochs.get_mut(usize::from(*id))
                {
                    *epoch = i64::from_be_bytes(rest[17..25].try_into().expect("eight bytes"));
                }
            }
        }
        epochs
    }

    fn properties(&self, id: i32) -> String {
        let controller = format!("{CONTROLLER}@127.0.0.1:{}", self.port_of(CONTROLLER));
        let (role, name) = if id == CONTROLLER { ("controller", "CONTROLLER") } else { ("broker", "PLAINTEXT") };
        let mut text = format!(
            "process.roles={role}\nnode.id={id}\nlisteners={name}://127.0.0.1:{}\ncontroller.quorum.voters={controller}\n\
             controller.listener.names=CONTROLLER\nlistener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
             log.dirs={}\n",
            self.port_of(id),
            self.data(id).display()
        );
        if id != CONTROLLER {
            writeln!(text, "broker.rack={}", rack(id)).expect("a string takes all");
        }
        let settings = self.settings.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        for (key, value) in SETTINGS.iter().copied().chain(settings) {
            writeln!(text, "{key}={value}").expect("a string takes all");
        }
        text
    }

    fn write_properties(&self, id: i32) -> PathBuf {
        let file = self.folder.join(format!("server-{id}.properties"));
        fs::write(&file, self.properties(id)).expect("a writable temporary folder");
        file
    }

    /// Starts all brokers anew, with these settings.
    pub fn reboot(&mut self, settings: &[(String, String)]) {
        self.settings = settings.to_vec();
        for id in 0..BROKERS {
            self.kill(id);
            self.write_properties(id);
        }
        for id in 0..BROKERS {
            self.launch(id);
        }
        for id in 0..BROKERS {
            self.await_port(id);
        }
    }

    /// The settings that the brokers were last started with.
    pub fn booted(&self) -> &[(String, String)] {
        &self.settings
    }

    fn format(&self, id: i32) {
        let file = self.write_properties(id);
        let args = ["format", "-t", CLUSTER_ID, "-c", &file.display().to_string()].map(str::to_string);
        let said = self.tool("kafka.tools.StorageTool", &args);
        assert!(said.contains("Formatting"), "formatting {id}: {said}");
    }

    /// Runs one of Kafka's command line tools; what it prints.
    fn tool(&self, class: &str, args: &[String]) -> String {
        let output = self.command(class).args(args).stdin(Stdio::null()).output().expect("java runs");
        assert!(output.status.success(), "{class} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).to_string()
    }

    fn command(&self, class: &str) -> Command {
        let mut command = Command::new(&self.java);
        // Little optimisation: starting is most of what these processes do.
        command.args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]);
        command.arg(format!("{}/*", self.jars.display())).arg(class);
        command
    }

    /// Starts a process that does not run.
    pub fn launch(&mut self, id: i32) {
        let file = self.folder.join(format!("server-{id}.properties"));
        let log = File::create(self.logs.join(format!("server-{id}.log"))).expect("a writable log");
        let errors = log.try_clone().expect("a second handle");
        let mut command = self.command("kafka.Kafka");
        command.arg(file).stdin(Stdio::null()).stdout(log).stderr(errors);
        let process = command.spawn().expect("java runs");
        // For whoever has to clean up if this process is killed.
        let pids = File::options().create(true).append(true).open(self.folder.join("pids"));
        writeln!(pids.expect("a writable temporary folder"), "{}", process.id()).expect("a writable file");
        self.server(id).process = Some(process);
    }

    /// A broker accepts connections.
    pub fn await_port(&mut self, id: i32) {
        let port = self.port_of(id);
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let logs = self.logs.clone();
            let process = self.server(id).process.as_mut().expect("it was started");
            let ended = process.try_wait().expect("a child of ours");
            assert!(ended.is_none(), "server {id} ended: see {}/server-{id}.log", logs.display());
            assert!(started.elapsed() < PATIENCE, "server {id} does not listen");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self, id: i32) {
        if let Some(mut process) = self.server(id).process.take() {
            process.kill().expect("a child of ours");
            process.wait().expect("a child of ours");
        }
    }

    /// SIGTERM, and waits for its end.
    pub fn stop(&mut self, id: i32) {
        if let Some(mut process) = self.server(id).process.take() {
            let pid = process.id().to_string();
            Command::new("kill").arg(pid).status().expect("kill runs");
            process.wait().expect("a child of ours");
        }
    }

    pub fn is_running(&self, id: i32) -> bool {
        self.servers.iter().any(|server| server.id == id && server.process.is_some())
    }

    /// A new connection.
    pub fn connect(&self, id: i32) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port_of(id))).expect("a broker that listens");
        stream.set_nodelay(true).expect("a socket");
        stream
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        for id in self.ids() {
            self.kill(id);
        }
        // What cannot be deleted is in the system's folder for temporary files.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}
