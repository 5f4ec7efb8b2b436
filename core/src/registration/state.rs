//! The states of a registration and the one function that moves between them.

use super::Mode;

/// Where a registration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing has been asked of it.
    Idle,
    /// New credentials wait to be stored; nobody has been shown them.
    AwaitStored,
    /// The session connects; the broker has not answered.
    AwaitConnack,
    /// The broker has accepted the credentials.
    Online,
    /// A request is at the registry.
    AwaitResponse,
    /// Somebody else has to act first: the registry or the broker is asked again later.
    AwaitRetry,
    /// The registry will never accept this request.
    Denied,
}

/// What can happen to a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Input {
    /// The caller starts it, and the first step is this.
    Start(FirstStep),
    /// The new credentials are stored, or cannot be.
    Stored,
    /// CONNACK with success.
    Accepted,
    /// The connection ended for a reason that is not the credentials.
    LinkLost,
    /// The broker refuses the credentials, for the first time since it accepted some.
    Refused,
    /// The broker refuses them again, although the registry has been asked since.
    RefusedAgain,
    /// 201.
    Granted,
    /// 202.
    Pending,
    /// 423.
    Locked,
    /// 409.
    Conflict,
    /// 401, 403.
    Rejected,
    /// 5xx, 408, 425, 429: a registry, but not now.
    Unavailable,
    /// No answer, or none that a registry gives.
    NoRegistry,
    /// 400, 422.
    Invalid,
    /// The time of the request or of the wait is up.
    Deadline,
    /// The caller ends it.
    Stop,
}

/// With what a registration begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FirstStep {
    /// There are no credentials: new ones are stored first.
    Store,
    /// There are some, or none are needed.
    Connect,
    /// There are some, and a certificate has to be signed before anything can connect.
    Ask,
}

impl State {
    /// Every state, for tests and tables.
    pub const ALL: [Self; 7] = [
        Self::Idle,
        Self::AwaitStored,
        Self::AwaitConnack,
        Self::Online,
        Self::AwaitResponse,
        Self::AwaitRetry,
        Self::Denied,
    ];

    /// The state after `input` under `mode`, or `None` where the input means nothing and the state stays.
    #[must_use]
    pub const fn next(self, input: Input, mode: Mode) -> Option<Self> {
        match (self, input, mode) {
            (_, Input::Stop, _) => Some(Self::Idle),

            (Self::Idle | Self::Denied, Input::Start(first), _) => Some(match first {
                FirstStep::Store => Self::AwaitStored,
                FirstStep::Connect => Self::AwaitConnack,
                FirstStep::Ask => Self::AwaitResponse,
            }),

            (Self::AwaitStored, Input::Stored, Mode::Auto | Mode::Rest) => Some(Self::AwaitResponse),
            (Self::AwaitStored, Input::Stored, Mode::Mqtt | Mode::Off) => Some(Self::AwaitConnack),

            (Self::AwaitConnack, Input::Accepted, _) => Some(Self::Online),
            (Self::Online, Input::LinkLost, _) => Some(Self::AwaitConnack),
            (Self::AwaitConnack | Self::Online, Input::Refused, Mode::Auto | Mode::Rest) => {
                Some(Self::AwaitResponse)
            }
            (Self::AwaitConnack | Self::Online, Input::Refused, Mode::Mqtt | Mode::Off)
            | (Self::AwaitConnack | Self::Online, Input::RefusedAgain, _) => Some(Self::AwaitRetry),

            (Self::AwaitResponse, Input::Granted, _) => Some(Self::AwaitConnack),
            (Self::AwaitResponse, Input::Invalid, _) => Some(Self::Denied),
            (Self::AwaitResponse, Input::NoRegistry | Input::Deadline, Mode::Auto) => {
                Some(Self::AwaitConnack)
            }
            (
                Self::AwaitResponse,
                Input::Pending
                | Input::Locked
                | Input::Conflict
                | Input::Rejected
                | Input::Unavailable
                | Input::NoRegistry
                | Input::Deadline,
                _,
            ) => Some(Self::AwaitRetry),

            (Self::AwaitRetry, Input::Deadline, Mode::Auto | Mode::Rest) => Some(Self::AwaitResponse),
            (Self::AwaitRetry, Input::Deadline, Mode::Mqtt | Mode::Off) => Some(Self::AwaitConnack),

            _ => None,
        }
    }
}

impl Input {
    /// Every input, for tests and tables.
    pub const ALL: [Self; 18] = [
        Self::Start(FirstStep::Store),
        Self::Start(FirstStep::Connect),
        Self::Start(FirstStep::Ask),
        Self::Stored,
        Self::Accepted,
        Self::LinkLost,
        Self::Refused,
        Self::RefusedAgain,
        Self::Granted,
        Self::Pending,
        Self::Locked,
        Self::Conflict,
        Self::Rejected,
        Self::Unavailable,
        Self::NoRegistry,
        Self::Invalid,
        Self::Deadline,
        Self::Stop,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn every_state_can_be_reached_and_left_under_every_mode_that_asks_a_registry() {
        for mode in [Mode::Auto, Mode::Rest] {
            let mut reached = alloc::vec![State::Idle];
            let mut next = 0;
            while let Some(state) = reached.get(next).copied() {
                next += 1;
                let successors: Vec<State> = Input::ALL
                    .into_iter()
                    .filter_map(|input| state.next(input, mode))
                    .collect();
                assert!(
                    successors.iter().any(|successor| *successor != state),
                    "{state:?} is a trap"
                );
                for successor in successors {
                    if !reached.contains(&successor) {
                        reached.push(successor);
                    }
                }
            }
            assert_eq!(reached.len(), State::ALL.len(), "{mode:?} reaches {reached:?}");
        }
    }

    #[test]
    fn without_a_registry_no_request_is_ever_made() {
        for mode in [Mode::Mqtt, Mode::Off] {
            for state in State::ALL
                .into_iter()
                .filter(|state| *state != State::AwaitResponse)
            {
                for input in Input::ALL {
                    // The first step is the machine's to choose, and it never is this one under these modes.
                    if input != Input::Start(FirstStep::Ask) {
                        assert_ne!(
                            state.next(input, mode),
                            Some(State::AwaitResponse),
                            "{state:?} on {input:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn only_the_registrys_no_is_final() {
        for mode in Mode::ALL {
            for state in State::ALL {
                for input in Input::ALL {
                    if state.next(input, mode) == Some(State::Denied) {
                        assert_eq!((state, input), (State::AwaitResponse, Input::Invalid));
                    }
                }
            }
            let leaving: Vec<_> = Input::ALL
                .into_iter()
                .filter(|input| State::Denied.next(*input, mode).is_some())
                .collect();
            assert!(
                leaving
                    .iter()
                    .all(|input| matches!(input, Input::Start(_) | Input::Stop)),
                "{leaving:?}"
            );
        }
    }
}
