//! Answers requests with what it was asked, until Ctrl-C: `cargo run --example responder -- HOST PORT FILTER [GROUP]`.
//!
//! ```sh
//! cargo run --example responder -- localhost 1883 services/example1/exampleNode/treq
//! ```

use std::time::Duration;

use serde_json::{Value, json};
use syncline::driver::Driver;
use syncline::responder::{Error, Options, Request, Responder};
use syncline::transport::Endpoint;
use syncline_core::session::Config;
use syncline_core::topic::TopicFilter;

/// The work itself: what is returned is the answer, an error with its code and text too.
async fn confirm(request: Request) -> Result<Value, Error> {
    let value: Value = request.parse()?;
    if value["refuse"] == true {
        return Err(Error::new(409, "refused, as was asked for"));
    }
    if let Some(seconds) = value["sleep"].as_f64() {
        tokio::time::sleep(Duration::from_secs_f64(seconds.clamp(0.0, 3600.0))).await;
    }
    assert!(value["panic"] != true, "a panic costs its own request only");
    Ok(json!({ "confirmed": value, "by": std::process::id() }))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [host, port, filter, group @ ..] = arguments.as_slice() else {
        return Err("usage: responder HOST PORT FILTER [GROUP]".into());
    };
    let broker = Endpoint {
        host: host.clone(),
        port: port.parse()?,
    };
    let driver = Driver::new(broker, Config::new(format!("responder-{}", std::process::id())))?;
    let link = driver.handle();
    let mut options = Options::new(TopicFilter::new(filter.clone())?);
    if let Some(group) = group.first() {
        options = options.group(group)?;
    }
    let responder = Responder::start(&link, options, confirm);
    let running = tokio::spawn(driver.run());
    responder.ready().await;
    println!("answering {filter}");

    tokio::signal::ctrl_c().await?;
    let counters = responder.stop(Duration::from_secs(5)).await;
    println!("{counters:?}");
    link.stop();
    running.await??;
    Ok(())
}
