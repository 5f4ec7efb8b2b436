//! The states of a transaction and the one function that moves between them.

/// Where a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Waiting for its reply.
    Open,
    /// Ended by a reply with `value`.
    Replied,
    /// Ended by a reply with `error`.
    Failed,
    /// Ended by its deadline.
    TimedOut,
    /// Ended because the client went away.
    Aborted,
    /// Ended because its node was removed or the agent stops.
    Cancelled,
    /// Ended because the treq was lost or refused before anyone could answer it.
    Undeliverable,
}

/// What can happen to a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Input {
    /// A valid tres with `value`.
    ReplyValue,
    /// A valid tres with `error`.
    ReplyError,
    /// The deadline.
    Deadline,
    /// The client that asked is gone.
    ClientGone,
    /// The node is removed, or the agent stops.
    Cancel,
    /// The treq did not leave, or the server refused it.
    DeliveryFailed,
}

impl State {
    /// Every state, for tests and tables.
    pub const ALL: [Self; 7] = [
        Self::Open,
        Self::Replied,
        Self::Failed,
        Self::TimedOut,
        Self::Aborted,
        Self::Cancelled,
        Self::Undeliverable,
    ];

    /// The state after `input`, or `None` where the transaction has ended and stays as it is.
    #[must_use]
    pub const fn next(self, input: Input) -> Option<Self> {
        match (self, input) {
            (Self::Open, Input::ReplyValue) => Some(Self::Replied),
            (Self::Open, Input::ReplyError) => Some(Self::Failed),
            (Self::Open, Input::Deadline) => Some(Self::TimedOut),
            (Self::Open, Input::ClientGone) => Some(Self::Aborted),
            (Self::Open, Input::Cancel) => Some(Self::Cancelled),
            (Self::Open, Input::DeliveryFailed) => Some(Self::Undeliverable),
            (_, _) => None,
        }
    }

    /// Whether the transaction has ended.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Open)
    }
}

impl Input {
    /// Every input, for tests and tables.
    pub const ALL: [Self; 6] = [
        Self::ReplyValue,
        Self::ReplyError,
        Self::Deadline,
        Self::ClientGone,
        Self::Cancel,
        Self::DeliveryFailed,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_ends_an_open_transaction_in_a_state_of_its_own() {
        let reached = Input::ALL.map(|input| State::Open.next(input).expect("open accepts every input"));
        for (index, state) in reached.iter().enumerate() {
            assert!(state.is_terminal());
            assert!(!reached[..index].contains(state), "{state:?} is reached twice");
        }
    }

    #[test]
    fn nothing_leaves_a_terminal_state() {
        for state in State::ALL.into_iter().filter(|state| state.is_terminal()) {
            for input in Input::ALL {
                assert_eq!(state.next(input), None, "{state:?} on {input:?}");
            }
        }
    }
}
