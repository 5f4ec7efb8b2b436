//! The agent's socket in its data folder: for commands on this machine, by the user who runs the agent or by root.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use crate::transport::text;

/// Name of the socket in the data folder.
const NAME: &str = "agent.sock";
/// Largest answer that a command reads.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// Time for a look. A call has the time of its node.
pub const LOOK_TIME: Duration = Duration::from_secs(5);

/// The socket, which is gone with this value.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) listener: UnixListener,
    pub(crate) file: SocketFile,
}

/// The file of a socket.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

impl Socket {
    /// Opens the socket in `folder`, whose lock this process holds: one that is there is left over.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(NAME);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        let file = SocketFile(path);
        std::fs::set_permissions(&file.0, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, file })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // The next start removes what is left.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Whether the peer is this user or root: who connected while the file was being made is asked, too.
pub(super) fn may_act(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}

/// Why a running agent did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// There is no agent.
    #[error("no agent runs on the data folder {}: start one with `syncline run`, or name its folder with --data-dir", .0.display())]
    NotRunning(PathBuf),
    /// This user may not ask.
    #[error("{}: {}; ask as the user who runs the agent, or as root", .0.display(), text(.1))]
    Socket(PathBuf, io::Error),
    /// The agent did not answer as it should.
    #[error("the agent does not answer: {0}")]
    Silent(String),
}

/// Asks the agent that runs on the data folder `folder`, within `time`.
///
/// # Errors
/// [`AskError`] when there is no answer.
pub async fn ask(
    folder: &Path,
    method: Method,
    target: &str,
    body: Bytes,
    time: Duration,
) -> Result<(StatusCode, Bytes), AskError> {
    let path = folder.join(NAME);
    let stream = UnixStream::connect(&path)
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                AskError::NotRunning(folder.to_owned())
            }
            _ => AskError::Socket(path, error),
        })?;
    let silent = |error: &dyn ToString| AskError::Silent(error.to_string());
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header(http::header::HOST, "agent")
        .body(Full::new(body))
        .map_err(|error| silent(&error))?;
    let exchange = async {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| silent(&error))?;
        // It ends when the sender and the body are gone; an error of it is an error of theirs too.
        tokio::spawn(connection);
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| silent(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER);
        let body = body.collect().await.map_err(|error| silent(&error))?.to_bytes();
        Ok((status, body))
    };
    timeout(time, exchange).await.unwrap_or_else(|_| {
        Err(AskError::Silent(format!(
            "nothing within {} s",
            time.as_secs_f32()
        )))
    })
}
