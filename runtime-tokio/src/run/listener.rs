//! Sockets that listen.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use super::RunError;

/// Connections that wait to be accepted; the system may allow fewer.
const BACKLOG: u32 = 4096;

/// Listens on `address`, and tells which it is: port 0 has the system choose one. `variable` is what names it.
pub(super) fn listen(
    variable: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), RunError> {
    let bind = || {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()
        } else {
            TcpSocket::new_v6()
        }?;
        // A port in TIME_WAIT of the run before is free.
        socket.set_reuseaddr(true)?;
        // Its connections begin with it, those too that a library accepts.
        socket.set_nodelay(true)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bind().map_err(|source| RunError::Listen {
        variable,
        address,
        source,
    })
}
