//! The HTTP data plane over real sockets: a raw TCP client, the agent, an embedded broker, and a responder of another make.

mod browsers;
mod half_closed;
mod held;
mod lifecycle;
mod limits;
mod rejected;
mod reload;
mod support;
mod threads;
mod versions;
