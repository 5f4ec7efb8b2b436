//! An MQTT client that answers transactions, written on rumqttc: what a back end would be.

use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use rumqttc::{Client, Connection, Event, Incoming, MqttOptions, Outgoing, QoS};
use serde_json::{Value, json};

use crate::mosquitto::Mosquitto;
use crate::wait;

/// What to say to a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Success with this value.
    Value(Value),
    /// Failure with this code and text.
    Error(u16, String),
    /// Nothing, for ever.
    Silence,
}

/// A client that answers everything on `<base>/treq` until it is dropped, and comes back when the broker does.
pub struct Responder {
    client: Client,
    thread: Option<JoinHandle<()>>,
}

impl Responder {
    /// Subscribes, waits for the SUBACK, and answers from then on with what `answer` makes of a request's `value`.
    ///
    /// # Panics
    /// When the broker cannot be reached.
    #[must_use]
    pub fn start(broker: &Mosquitto, base: &str, answer: impl Fn(&Value) -> Answer + Send + 'static) -> Self {
        Self::start_at(broker.port(), None, base, answer)
    }

    /// As [`Responder::start`], at the broker on that loopback port and maybe with user name and password.
    ///
    /// # Panics
    /// As [`Responder::start`].
    #[must_use]
    pub fn start_at(
        port: u16,
        login: Option<(&str, &str)>,
        base: &str,
        answer: impl Fn(&Value) -> Answer + Send + 'static,
    ) -> Self {
        let mut options = MqttOptions::new(format!("responder-{base}").replace('/', "-"), "127.0.0.1", port);
        options.set_keep_alive(Duration::from_secs(30));
        if let Some((username, password)) = login {
            options.set_credentials(username, password);
        }
        let (client, connection) = Client::new(options, 100);
        let (subscribed, confirmation) = mpsc::channel();
        let serving = Serving {
            client: client.clone(),
            base: base.to_owned(),
            subscribed,
        };
        let thread = std::thread::spawn(move || serving.run(connection, &answer));
        confirmation
            .recv_timeout(wait::PATIENCE)
            .expect("the responder's subscription is confirmed");
        Self {
            client,
            thread: Some(thread),
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        // Without a broker there is nobody to take leave of; the thread then ends on the closed channel.
        let _ = self.client.disconnect();
        if let Some(thread) = self.thread.take().filter(|_| !std::thread::panicking()) {
            thread.join().expect("the responder ran without a panic");
        }
    }
}

struct Serving {
    client: Client,
    base: String,
    subscribed: mpsc::Sender<()>,
}

impl Serving {
    fn run(&self, mut connection: Connection, answer: &dyn Fn(&Value) -> Answer) {
        for event in connection.iter() {
            match event {
                Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                    let filter = format!("{}/treq", self.base);
                    self.client
                        .try_subscribe(filter, QoS::AtMostOnce)
                        .expect("room for a SUBSCRIBE");
                }
                Ok(Event::Incoming(Incoming::SubAck(_))) => {
                    // The one who waits for it does so only once.
                    let _ = self.subscribed.send(());
                }
                Ok(Event::Incoming(Incoming::Publish(publish))) => {
                    if let Some(reply) = reply(&publish.payload, answer) {
                        let topic = format!("{}/tres", self.base);
                        let sent = self.client.try_publish(topic, QoS::AtMostOnce, false, reply);
                        sent.expect("room for a reply");
                    }
                }
                Ok(Event::Outgoing(Outgoing::Disconnect)) => return,
                Ok(_) => {}
                // The broker is away: the iterator connects anew, and this is how often.
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

fn reply(payload: &[u8], answer: &dyn Fn(&Value) -> Answer) -> Option<String> {
    let request: Value = serde_json::from_slice(payload).expect("a request is JSON");
    let (id, timestamp) = (&request["id"], &request["timestamp"]);
    let reply = match answer(&request["value"]) {
        Answer::Value(value) => json!({ "id": id, "timestamp": timestamp, "value": value }),
        Answer::Error(code, message) => {
            json!({ "id": id, "timestamp": timestamp, "error": { "code": code, "message": message } })
        }
        Answer::Silence => return None,
    };
    Some(reply.to_string())
}
