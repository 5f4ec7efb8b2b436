//! The connection is cut after every single byte, in each direction, of everything that a session does: nothing is lost,
//! nothing at QoS 2 comes twice, and every operation completes once.

use syncline_core::codec::QoS;
use syncline_core::session::{AckMode, Config, Disconnect, VersionPolicy, When};
use syncline_core::time::Duration;
use syncline_tests::simulation::Simulation;
use syncline_tests::virtual_broker::VirtualBroker;
use syncline_tests::virtual_link::{End, LinkConfig};

/// Runs `scenario` whole, then cut after each byte that either end reads of it, and lets each run come to rest.
fn cut_everywhere(scenario: impl Fn(&mut Simulation)) {
    for version in [VersionPolicy::V3_1_1, VersionPolicy::V5] {
        for acks in [AckMode::Automatic, AckMode::Manual] {
            let start = || {
                let mut config = Config::new("");
                config.version = version;
                config.acks = acks;
                Simulation::new(config, LinkConfig::INSTANT, VirtualBroker::default(), [9; 32])
            };
            let mut whole = start();
            whole.connect();
            scenario(&mut whole);
            assert_eq!(whole.connections(), 1, "the scenario fits into one connection");
            for end in [End::Client, End::Server] {
                let bytes = whole.bytes_read(end);
                assert!(bytes > 0);
                for cut in 0..=bytes {
                    println!("{version:?}, {acks:?}: cut after the {end:?} has read {cut} of {bytes} bytes");
                    let mut simulation = start();
                    simulation.cut_first_connection(end, cut);
                    simulation.connect();
                    scenario(&mut simulation);
                    simulation.settle();
                    assert!(simulation.connections() > 1, "the cut was made");
                }
            }
        }
    }
}

/// Messages of several lengths, so that cuts fall into headers and payloads.
fn publish(simulation: &mut Simulation, qos: QoS) {
    for size in [0, 40, 5] {
        simulation.publish(qos, size, None);
    }
}

fn deliver(simulation: &mut Simulation, qos: QoS) {
    for size in [0, 40, 5] {
        simulation.deliver(qos, size);
    }
    for _ in 0..3 {
        simulation.acknowledge(0);
    }
}

#[test]
fn a_connect_may_be_cut_anywhere() {
    cut_everywhere(|_| {});
}

#[test]
fn a_subscribe_and_an_unsubscribe_may_be_cut_anywhere() {
    cut_everywhere(|simulation| {
        simulation.subscribe();
        simulation.unsubscribe();
        simulation.subscribe();
    });
}

#[test]
fn a_publish_at_qos_0_may_be_cut_anywhere() {
    cut_everywhere(|simulation| publish(simulation, QoS::AtMostOnce));
}

#[test]
fn a_publish_at_qos_1_may_be_cut_anywhere() {
    cut_everywhere(|simulation| publish(simulation, QoS::AtLeastOnce));
}

#[test]
fn a_publish_at_qos_2_may_be_cut_anywhere() {
    cut_everywhere(|simulation| publish(simulation, QoS::ExactlyOnce));
}

#[test]
fn a_delivery_at_qos_0_may_be_cut_anywhere() {
    cut_everywhere(|simulation| deliver(simulation, QoS::AtMostOnce));
}

#[test]
fn a_delivery_at_qos_1_may_be_cut_anywhere() {
    cut_everywhere(|simulation| deliver(simulation, QoS::AtLeastOnce));
}

#[test]
fn a_delivery_at_qos_2_may_be_cut_anywhere() {
    cut_everywhere(|simulation| deliver(simulation, QoS::ExactlyOnce));
}

#[test]
fn messages_both_ways_may_be_cut_anywhere() {
    cut_everywhere(|simulation| {
        for qos in [
            QoS::ExactlyOnce,
            QoS::AtLeastOnce,
            QoS::AtMostOnce,
            QoS::ExactlyOnce,
        ] {
            simulation.publish(qos, 8, None);
            simulation.deliver(qos, 8);
        }
        simulation.acknowledge(2);
        simulation.acknowledge(0);
    });
}

#[test]
fn a_disconnect_may_be_cut_anywhere() {
    cut_everywhere(|simulation| {
        simulation.publish(QoS::ExactlyOnce, 8, None);
        simulation.disconnect(Disconnect {
            when: When::Settled(Duration::from_secs(5)),
            ..Disconnect::default()
        });
    });
}
