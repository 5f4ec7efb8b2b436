//! Many HTTP requests held at once, each on a connection of its own, by a client that is little more than its sockets.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Connections in the making at once: fewer than any listener's backlog.
const CONNECTING: usize = 100;

/// Connections from one source address; one address has 28,000 ports, of which others are in use.
const PER_SOURCE: usize = 4_000;

/// Status and body of one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Body text.
    pub body: String,
}

/// Lets this process, and those that it starts from now on, open `count` files.
///
/// # Panics
/// When the system's limit is lower and this user may not raise it.
pub fn allow_open_files(count: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= count) {
        return;
    }
    let maximum = limit.maximum.map(|maximum| maximum.max(count));
    setrlimit(Resource::Nofile, Rlimit { current: Some(count), maximum }).unwrap_or_else(|error| {
        panic!("cannot raise the limit of open files to {count} ({error}): run `ulimit -n {count}` as root, then again")
    });
}

/// Sends `count` GET requests to `127.0.0.1:port`, all of them open at the same time, and collects the answers in order.
///
/// # Errors
/// The first connection that fails, or that is not answered within `limit`.
pub async fn ask_all(
    port: u16,
    count: usize,
    limit: Duration,
    path: impl Fn(usize) -> String,
) -> io::Result<Vec<Answer>> {
    let gate = Arc::new(Semaphore::new(CONNECTING));
    let mut requests = JoinSet::new();
    for index in 0..count {
        let (gate, path) = (Arc::clone(&gate), path(index));
        requests.spawn(async move {
            let stream = {
                let _place = gate.acquire().await.map_err(io::Error::other)?;
                connect(index, port).await?
            };
            let answer = tokio::time::timeout(limit, ask(stream, &path));
            let answer = answer
                .await
                .map_err(|_| io::Error::other(format!("{path}: no answer in {limit:?}")))??;
            Ok::<_, io::Error>((index, answer))
        });
    }
    let mut answers = Vec::with_capacity(count);
    while let Some(result) = requests.join_next().await {
        answers.push(result.map_err(io::Error::other)??);
    }
    answers.sort_by_key(|(index, _)| *index);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

async fn connect(index: usize, port: u16) -> io::Result<TcpStream> {
    let source = u8::try_from(2 + index / PER_SOURCE).map_err(io::Error::other)?;
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, source), 0)))?;
    socket
        .connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .await
}

async fn ask(mut stream: TcpStream, path: &str) -> io::Result<Answer> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await?;
    parse(&response).ok_or_else(|| {
        io::Error::other(format!(
            "{path}: not a complete response: {}",
            String::from_utf8_lossy(&response)
        ))
    })
}

fn parse(response: &[u8]) -> Option<Answer> {
    let (head, body) = std::str::from_utf8(response).ok()?.split_once("\r\n\r\n")?;
    let (line, fields) = head.split_once("\r\n")?;
    let status = line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let mut fields = fields.split("\r\n").filter_map(|field| field.split_once(':'));
    let (_, length) = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    (length.trim().parse() == Ok(body.len())).then(|| Answer {
        status,
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_cut_short_is_no_answer() {
        let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody";
        assert_eq!(
            parse(whole),
            Some(Answer {
                status: 200,
                body: "body".into()
            })
        );
        assert_eq!(parse(&whole[..whole.len() - 1]), None);
    }
}
