//! HTTP load: connections that each ask again as soon as they have their answer, and check that it is theirs.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use syncline_bench_transactions::figures::Measured;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// How long one answer may take; every gateway gives up after 10 s.
const PATIENCE: Duration = Duration::from_secs(15);

/// A connection that is kept open from request to request.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Part of each request's body, so that an answer meant for another one is found out.
    number: usize,
    sent: usize,
}

impl Connection {
    /// Opens a connection to the loopback port.
    pub(crate) async fn open(port: u16, number: usize) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(1024),
            number,
            sent: 0,
        })
    }

    /// One transaction.
    ///
    /// # Errors
    /// Unless the answer is 200 with the value that was asked with.
    pub(crate) async fn transact(&mut self) -> Result<()> {
        self.sent += 1;
        let body = format!(
            r#"{{"lot":"{}-{}","quantity":3,"station":"press 7"}}"#,
            self.number, self.sent
        );
        let request = format!(
            "POST /data/order HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        let (status, answer) = tokio::time::timeout(PATIENCE, self.answer())
            .await
            .context("no answer within 15 s")??;
        ensure!(status == 200, "answered {status}: {answer}");
        ensure!(answer == body, "asked with {body}, answered {answer}");
        Ok(())
    }

    async fn answer(&mut self) -> Result<(u16, String)> {
        self.buffer.clear();
        loop {
            if let Some(answer) = parse(&self.buffer)? {
                return Ok(answer);
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the connection was closed before the answer");
            }
        }
    }
}

/// Status and body, once all of it is there.
fn parse(bytes: &[u8]) -> Result<Option<(u16, String)>> {
    let text = std::str::from_utf8(bytes).context("an answer that is not UTF-8")?;
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Ok(None);
    };
    let status = head
        .get(9..12)
        .and_then(|digits| digits.parse().ok())
        .context("an answer without a status")?;
    let length: usize = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .context("an answer without a Content-Length")?;
    Ok((body.len() == length).then(|| (status, body.to_owned())))
}

/// Lets each of `connections` ask once, all at the same time.
pub(crate) async fn ask_once(connections: Vec<Connection>) -> Result<()> {
    let mut tasks = JoinSet::new();
    for mut connection in connections {
        tasks.spawn(async move { connection.transact().await });
    }
    while let Some(result) = tasks.join_next().await {
        result??;
    }
    Ok(())
}

/// Keeps all of `connections` asking for `time`, and gives them back.
pub(crate) async fn apply(
    connections: Vec<Connection>,
    time: Duration,
) -> Result<(Vec<Connection>, Measured)> {
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for mut connection in connections {
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while begin.elapsed() < time {
                let asked = Instant::now();
                connection.transact().await?;
                latencies.push(asked.elapsed());
            }
            anyhow::Ok((connection, latencies))
        });
    }
    let (mut connections, mut measured) = (Vec::new(), Measured::default());
    while let Some(result) = tasks.join_next().await {
        let (connection, latencies) = result??;
        connections.push(connection);
        measured.latencies.extend(latencies);
    }
    measured.elapsed = begin.elapsed();
    measured.latencies.sort_unstable();
    Ok((connections, measured))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_once_it_is_whole() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-length: 2\r\n\r\n{}";
        assert_eq!(parse(whole).unwrap(), Some((200, "{}".to_owned())));
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end]).unwrap(), None);
        }
        assert!(parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
