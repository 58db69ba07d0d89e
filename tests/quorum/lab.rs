//! A world with three controllers, in the scenario's language.

use delivery_lab::app::{KeyMode, ProducerAppSetup, Resend};
use delivery_lab::base::config::{BrokerConfig, ProducerConfig, Properties};
use delivery_lab::base::{Duration, NodeId, RecordId, Time};
use delivery_lab::check::{Run, liveness};
use delivery_lab::controller::Controller;
use delivery_lab::protocol::NewTopic;
use delivery_lab::sim::{Action, AnyNode, Fault, NetworkSetup, World, WorldSetup};
use std::rc::Rc;

pub struct Lab {
    pub run: Run,
    faults: u32,
}

fn properties(pairs: &[(&str, &str)]) -> Properties {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub fn setup(seed: u64, records: u32, settings: &[(&str, &str)]) -> WorldSetup {
    let orders = NewTopic {
        name: "orders".into(),
        partitions: 2,
        replication_factor: 3,
        assignments: Vec::new(),
        config: properties(&[("min.insync.replicas", "2")]),
    };
    let shop = ProducerAppSetup {
        node: NodeId(0),
        name: "shop".into(),
        topic: "orders".into(),
        records,
        first_record: RecordId(0),
        interval: Duration::from_millis(50),
        key: KeyMode::Unique,
        value_size: None,
        resend: Resend::Never,
        config: ProducerConfig::parse(&Properties::new()).expect("defaults are good"),
        transactions: None,
        start: None,
        brokers: Rc::new([]),
    };
    WorldSetup {
        seed,
        brokers: 3,
        racks: Vec::new(),
        controllers: 3,
        broker_config: Rc::new(BrokerConfig::parse(&properties(settings)).expect("good settings")),
        topics: vec![orders],
        group_configs: Vec::new(),
        network: NetworkSetup::default(),
        producers: vec![shop],
        consumers: Vec::new(),
        processors: Vec::new(),
        sinks: Vec::new(),
        faults: Vec::new(),
    }
}

impl Lab {
    pub fn new(records: u32) -> Lab {
        Lab::of(setup(42, records, &[]))
    }

    pub fn of(setup: WorldSetup) -> Lab {
        let mut world = World::new(setup).expect("it boots");
        world.set_tracing(false);
        Lab { run: Run::new(world), faults: 0 }
    }

    pub fn controller(&self, node: NodeId) -> &Controller {
        match self.run.world.node(node) {
            AnyNode::Controller(controller) => controller,
            _ => panic!("{node:?} is no controller"),
        }
    }

    /// The active controller.
    #[track_caller]
    pub fn active(&self) -> NodeId {
        self.run.world.active_controller().expect("a controller is active").0
    }

    /// All controllers but that one.
    pub fn others(&self, one: NodeId) -> Vec<NodeId> {
        self.run.world.controllers().map(|(node, _)| node).filter(|node| *node != one).collect()
    }

    pub fn strike(&mut self, action: Action) {
        let at = self.run.world.now();
        self.faults += 1;
        self.run.inject(Fault::at(1_000 + self.faults, at, action));
        self.run.step();
    }

    pub fn pass(&mut self, ms: u64) {
        let end = self.run.world.now() + Duration::from_millis(ms);
        while self.run.step_before(end).is_some() {}
        // Nothing may have happened for a while: time goes on all the same.
    }

    /// Until that is so, for a minute at most.
    #[track_caller]
    pub fn until(&mut self, what: &str, is_so: impl Fn(&Lab) -> bool) {
        let end = self.run.world.now() + Duration::from_millis(60_000);
        while !is_so(self) {
            assert!(self.run.step_before(end).is_some(), "a minute has passed, and still not: {what}");
        }
    }

    pub fn until_active_is_not(&mut self, one: NodeId) -> NodeId {
        self.until("another controller is active", |lab| {
            lab.run.world.active_controller().is_some_and(|(node, _)| node != one)
        });
        self.active()
    }

    pub fn now(&self) -> Time {
        self.run.world.now()
    }

    /// Everything that was broken is whole again, and nothing ever went wrong.
    #[track_caller]
    pub fn finish(&mut self) {
        let end = self.now() + Duration::from_millis(180_000);
        let done = |lab: &Lab| lab.run.world.is_quiet() && liveness(&lab.run.world).is_empty();
        while !done(self) && self.run.step_before(end).is_some() {}
        assert_eq!(liveness(&self.run.world), []);
        self.assert_safe();
    }

    #[track_caller]
    pub fn assert_safe(&self) {
        let broken: Vec<_> = self.run.invariants.violations().iter().collect();
        assert!(broken.is_empty(), "{broken:?}");
    }
}
