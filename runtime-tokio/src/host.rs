//! The machine that this process runs on.

/// The name that the system gives the machine, or the container; `None` when it has none.
#[must_use]
pub fn host_name() -> Option<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Some(name).filter(|name| !name.is_empty())
}
