//! The one who answers, the same for every gateway: a thread, a socket and the core's session, at QoS 0.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time;

use anyhow::{Context as _, Result, bail};
use bytes::Buf as _;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use syncline_core::codec::{PropertyBuf, QoS, SubscribeOptions};
use syncline_core::session::{Completion, Config, Filter, Message, Output, Publication, Session};
use syncline_core::time::{Duration, Instant};
use syncline_core::topic::{TopicFilter, TopicName};

/// How soon the thread sees that the requests it holds are to be answered.
const GLANCE: Duration = Duration::from_millis(20);

/// Answers each message on `services/<gateway>/order/treq` with the value that it carries.
pub struct Responder {
    control: Arc<Control>,
    thread: Option<JoinHandle<Result<()>>>,
}

#[derive(Default)]
struct Control {
    is_over: AtomicBool,
    holds: AtomicBool,
    held: AtomicUsize,
    answered: AtomicUsize,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    timestamp: &'a RawValue,
    #[serde(borrow)]
    value: &'a RawValue,
}

#[derive(Serialize)]
struct Reply<'a> {
    id: &'a RawValue,
    timestamp: &'a RawValue,
    value: &'a RawValue,
}

impl Responder {
    /// Subscribes at the broker on that loopback port and answers from then on.
    pub fn start(mqtt_port: u16) -> Result<Self> {
        let control = Arc::new(Control::default());
        let (ready, is_ready) = mpsc::channel();
        let serving = Serving::connect(mqtt_port, Arc::clone(&control), ready)?;
        let thread = std::thread::spawn(move || serving.run());
        is_ready
            .recv_timeout(Duration::from_secs(10))
            .context("the responder could not subscribe within 10 s")?;
        Ok(Self {
            control,
            thread: Some(thread),
        })
    }

    /// From now on requests are kept without an answer.
    pub fn hold(&self) {
        self.control.holds.store(true, Ordering::SeqCst);
    }

    /// Requests kept.
    pub fn held(&self) -> usize {
        self.control.held.load(Ordering::SeqCst)
    }

    /// Requests answered so far.
    pub fn answered(&self) -> usize {
        self.control.answered.load(Ordering::SeqCst)
    }

    /// Answers what was kept, and what comes from now on.
    pub fn release(&self) {
        self.control.holds.store(false, Ordering::SeqCst);
    }

    /// Ends it.
    ///
    /// # Errors
    /// Why it has not answered all the time.
    pub fn stop(mut self) -> Result<()> {
        self.control.is_over.store(true, Ordering::SeqCst);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result.context("the responder failed"),
            Some(Err(_)) => bail!("the responder panicked"),
            None => Ok(()),
        }
    }
}

struct Serving {
    session: Session,
    socket: TcpStream,
    begin: time::Instant,
    control: Arc<Control>,
    ready: mpsc::Sender<()>,
    held: Vec<Message>,
}

impl Serving {
    fn connect(mqtt_port: u16, control: Arc<Control>, ready: mpsc::Sender<()>) -> Result<Self> {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, mqtt_port))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(GLANCE))?;
        let mut session = Session::new(Config::new("bench-responder"), [1; 32])?;
        let begin = time::Instant::now();
        session.connect(Instant::from_micros(0));
        Ok(Self {
            session,
            socket,
            begin,
            control,
            ready,
            held: Vec::new(),
        })
    }

    fn now(&self) -> Instant {
        let micros = u64::try_from(self.begin.elapsed().as_micros());
        Instant::from_micros(micros.unwrap_or(u64::MAX))
    }

    fn run(mut self) -> Result<()> {
        while !self.control.is_over.load(Ordering::SeqCst) {
            let now = self.now();
            if self.session.poll_timeout().is_some_and(|at| at <= now) {
                self.session.handle_timeout(now);
            }
            while let Some(output) = self.session.poll(now) {
                self.carry_out(output)?;
            }
            if !self.control.holds.load(Ordering::SeqCst) {
                for message in std::mem::take(&mut self.held) {
                    self.answer(&message)?;
                }
            }
            self.control.held.store(self.held.len(), Ordering::SeqCst);
            while self.session.has_transmit() {
                let written = self.socket.write(self.session.transmit().chunk())?;
                self.session.tx_advance(self.now(), written);
            }
            match self.socket.read(self.session.rx_space()) {
                Ok(0) => bail!("the broker closed the connection"),
                Ok(length) => self.session.rx_commit(length),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, output: Output) -> Result<()> {
        match output {
            Output::OpenTransport => self.session.handle_transport_open(self.now()),
            Output::Connected(_) => {
                let filter = Filter {
                    filter: TopicFilter::new("services/+/order/treq".to_owned())?,
                    options: SubscribeOptions::at_qos(QoS::AtMostOnce),
                };
                self.session.subscribe(&[filter], &PropertyBuf::new())?;
            }
            Output::Completed(_, Completion::Subscribed(_)) => {
                // The one who waits for it does so once.
                let _ = self.ready.send(());
            }
            Output::Message(message) if self.control.holds.load(Ordering::SeqCst) => self.held.push(message),
            Output::Message(message) => self.answer(&message)?,
            Output::Disconnected(disconnected) => bail!("{}", disconnected.reason),
            _ => {}
        }
        Ok(())
    }

    fn answer(&mut self, message: &Message) -> Result<()> {
        let Request { id, timestamp, value } = serde_json::from_slice(message.payload())?;
        let reply = serde_json::to_vec(&Reply { id, timestamp, value })?;
        let topic = message.topic().replace("/treq", "/tres");
        let publication = Publication::new(TopicName::new(topic)?, reply);
        self.session.publish(self.now(), publication)?;
        self.control.answered.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}
