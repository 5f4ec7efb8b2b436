//! Whose fault an error is: the four families that every error of the core belongs to.

/// The party that an error blames, and so what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The caller broke this library's contract: change the call.
    Misuse,
    /// The peer broke the protocol: the connection closes.
    Protocol,
    /// The peer is sound but does not offer what was asked for: ask for less or change its configuration.
    Incompatible,
    /// A configured bound was reached: wait, or raise the bound.
    Limit,
}
