//! The first message of a client, Hello (Part 6, §7.1.2.3): a URL without a path, as a search by host and port has it, gets the server's.
//!
//! The library takes a Hello by the path of its URL, although every client that looks for servers leaves that out.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::heads::{HEADER, size};

/// Bytes before the URL: header, version, and four sizes of buffers and messages.
const BEFORE_URL: usize = HEADER + 5 * 4;
/// Bytes of a URL.
const MAX_URL: usize = 4096;

/// Reads the first message, with `path` where its URL has none. What is no Hello, or is cut off, comes as it is.
pub(super) async fn read(from: &mut (impl AsyncRead + Unpin), path: &str) -> io::Result<Vec<u8>> {
    let mut message = Vec::with_capacity(HEADER);
    (&mut *from).take(HEADER as u64).read_to_end(&mut message).await?;
    let length = size(&message).filter(|_| message.starts_with(b"HEL"));
    let Some(rest) = length
        .filter(|length| *length <= BEFORE_URL + 4 + MAX_URL)
        .and_then(|length| length.checked_sub(HEADER))
    else {
        return Ok(message);
    };
    (&mut *from).take(rest as u64).read_to_end(&mut message).await?;
    Ok(with_path(&message, path).unwrap_or(message))
}

/// The same message with a complete URL; `None` where it has one, or is no sound Hello.
fn with_path(message: &[u8], path: &str) -> Option<Vec<u8>> {
    let (before, url) = message.split_at_checked(BEFORE_URL)?;
    let (length, url) = url.split_first_chunk()?;
    let is_whole = usize::try_from(u32::from_le_bytes(*length)) == Ok(url.len());
    let url = str::from_utf8(url).ok().filter(|_| is_whole)?;
    let (_, host) = url.strip_suffix('/').unwrap_or(url).split_once("://")?;
    if host.contains(['/', '?', '#']) {
        return None;
    }
    let url = format!("{}{path}", url.trim_end_matches('/'));
    let mut complete = before.to_vec();
    complete.extend(u32::try_from(url.len()).ok()?.to_le_bytes());
    complete.extend(url.as_bytes());
    let size = u32::try_from(complete.len()).ok()?;
    complete[4..HEADER].copy_from_slice(&size.to_le_bytes());
    Some(complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(url: &str) -> Vec<u8> {
        let length = |length: usize| u32::try_from(length).unwrap().to_le_bytes();
        let content = [&[7; 20][..], &length(url.len()), url.as_bytes()].concat();
        [b"HELF", &length(HEADER + content.len())[..], &content].concat()
    }

    async fn read_all(sent: &[u8]) -> Vec<u8> {
        read(&mut &*sent, "/UA/Server").await.unwrap()
    }

    #[tokio::test]
    async fn a_url_without_a_path_gets_that_of_the_server() {
        let complete = hello("opc.tcp://plant:4841/UA/Server");
        for url in ["opc.tcp://plant:4841", "opc.tcp://plant:4841/"] {
            assert_eq!(read_all(&hello(url)).await, complete, "{url}");
        }
        for url in [
            "opc.tcp://plant:4841/UA/Server",
            "opc.tcp://plant:4841/other",
            "opc.tcp://plant:4841?x",
            "plant",
            "",
        ] {
            assert_eq!(read_all(&hello(url)).await, hello(url), "{url}");
        }
    }

    #[tokio::test]
    async fn what_is_no_sound_hello_is_the_librarys_to_refuse() {
        let whole = hello("opc.tcp://plant:4841");
        let mut other = whole.clone();
        other[..3].copy_from_slice(b"OPN");
        assert_eq!(read_all(&other).await, other[..HEADER]);
        assert_eq!(read_all(&whole[..20]).await, whole[..20]);
        let mut long = whole.clone();
        long[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(read_all(&long).await, long[..HEADER]);
        let mut lying = whole;
        lying[BEFORE_URL] -= 1;
        assert_eq!(read_all(&lying).await, lying);
        let mut short = b"HELF".to_vec();
        short.extend(3_u32.to_le_bytes());
        assert_eq!(read_all(&short).await, short);
    }
}
