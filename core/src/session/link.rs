//! Where the connection stands, and what each end of a connection leads to.

use super::config::{OnReferral, OnRefusal, Reconnect, VersionPolicy};
use super::output::DisconnectReason;
use crate::codec::{ReasonCode, Version};
use crate::limits::{CLOSES_BEFORE_FALLBACK, CLOSES_BEFORE_FALLBACK_ONCE_SPOKEN};
use crate::rng::Rng;
use crate::time::{Duration, Instant};

/// State of the connection.
///
/// ```text
/// Idle ─connect→ Opening ─open→ AwaitConnack ─CONNACK→ Established
///   ↑              ↑   │failed       │refused, closed       │error, closed, disconnect
///   │ stop         │   ↓             ↓                      ↓
///   └──────── Waiting ←───────────────────────────────── Closing (last bytes are written)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// Offline until the caller connects.
    Idle,
    /// Offline until the back-off is over.
    Waiting { until: Instant },
    /// The caller is opening a transport.
    Opening { deadline: Instant },
    /// CONNECT is on its way.
    AwaitConnack { deadline: Instant, version: Version },
    /// CONNACK was received.
    Established { version: Version, since: Instant },
    /// The connection is over; what is left in the transmit queue may still leave.
    Closing {
        deadline: Instant,
        reason: DisconnectReason,
    },
}

impl Link {
    /// When the state ends by itself.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Waiting { until } => Some(*until),
            Self::Opening { deadline }
            | Self::AwaitConnack { deadline, .. }
            | Self::Closing { deadline, .. } => Some(*deadline),
            Self::Idle | Self::Established { .. } => None,
        }
    }

    /// Version of the connection, while packets are exchanged.
    pub(super) fn version(&self) -> Option<Version> {
        match self {
            Self::AwaitConnack { version, .. } | Self::Established { version, .. } => Some(*version),
            _ => None,
        }
    }
}

/// What to do after a connection has ended; the table is in the documentation of [`Reconnect`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Wait, then try again.
    Retry,
    /// The server does not accept user name and password.
    CredentialsRefused,
    /// Only an operator can mend it.
    Refused,
    /// Another server is to be asked.
    Referred,
    /// Stay offline.
    Stop,
}

fn verdict(reason: &DisconnectReason) -> Verdict {
    match reason {
        DisconnectReason::Requested => Verdict::Stop,
        DisconnectReason::Refused(code) | DisconnectReason::ByServer(code)
            if matches!(*code, ReasonCode::USE_ANOTHER_SERVER | ReasonCode::SERVER_MOVED) =>
        {
            Verdict::Referred
        }
        DisconnectReason::Refused(code) => match *code {
            ReasonCode::UNSPECIFIED_ERROR
            | ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR
            | ReasonCode::SERVER_UNAVAILABLE
            | ReasonCode::SERVER_BUSY
            | ReasonCode::QUOTA_EXCEEDED
            | ReasonCode::CONNECTION_RATE_EXCEEDED => Verdict::Retry,
            ReasonCode::BAD_USER_NAME_OR_PASSWORD | ReasonCode::NOT_AUTHORIZED => Verdict::CredentialsRefused,
            _ => Verdict::Refused,
        },
        DisconnectReason::ByServer(code) => match *code {
            // Two clients with one identifier would throw each other out for ever.
            ReasonCode::SESSION_TAKEN_OVER => Verdict::Stop,
            ReasonCode::NOT_AUTHORIZED => Verdict::CredentialsRefused,
            ReasonCode::BANNED | ReasonCode::BAD_AUTHENTICATION_METHOD => Verdict::Refused,
            _ => Verdict::Retry,
        },
        _ => Verdict::Retry,
    }
}

/// Back-off and version fallback: the memory that outlives a connection.
#[derive(Debug)]
pub(super) struct Redial {
    policy: Reconnect,
    versions: VersionPolicy,
    version: Version,
    /// Whether 3.1.1 is spoken because connections were closed, which a proxy does as well.
    is_guess: bool,
    /// Whether the server has spoken 5.0.
    has_spoken_5: bool,
    /// Of the next wait.
    ceiling: Duration,
    closes_before_connack: u32,
}

impl Redial {
    pub(super) fn new(policy: Reconnect, versions: VersionPolicy) -> Self {
        let version = match versions {
            VersionPolicy::Auto | VersionPolicy::V5 => Version::V5,
            VersionPolicy::V3_1_1 => Version::V3_1_1,
        };
        Self {
            policy,
            versions,
            version,
            is_guess: false,
            has_spoken_5: false,
            ceiling: policy.first,
            closes_before_connack: 0,
        }
    }

    pub(super) fn set_policy(&mut self, policy: Reconnect) {
        self.policy = policy;
    }

    /// Version for the next CONNECT.
    pub(super) fn version(&self) -> Version {
        self.version
    }

    /// The server accepted a connection.
    pub(super) fn accepted(&mut self) {
        self.closes_before_connack = 0;
        self.has_spoken_5 |= self.version == Version::V5;
    }

    /// A connection ended after `uptime` established, or without having been established.
    /// Returns how long to wait before the next attempt; `None` to stay offline.
    pub(super) fn after(
        &mut self,
        reason: &DisconnectReason,
        uptime: Option<Duration>,
        rng: &mut Rng,
    ) -> Option<Duration> {
        if uptime.is_some_and(|uptime| uptime >= self.policy.stable_after) {
            self.reset();
        }
        if self.fall_back(reason, uptime.is_some()) {
            return Some(Duration::ZERO);
        }
        match (verdict(reason), self.policy.on_refusal) {
            (Verdict::Stop, _)
            | (Verdict::Refused | Verdict::CredentialsRefused, OnRefusal::Stop)
            | (Verdict::CredentialsRefused, OnRefusal::AwaitCredentials) => return None,
            (Verdict::Referred, _) if self.policy.on_referral == OnReferral::Stop => return None,
            _ => {}
        }
        let Reconnect {
            longest,
            growth,
            shortest,
            ..
        } = self.policy;
        let ceiling = self.ceiling.min(longest);
        self.ceiling = (ceiling.saturating_mul(growth) / 100).min(longest);
        Some(rng.jitter(ceiling).max(shortest))
    }

    /// Forgets earlier failures: the caller asked for a connection.
    pub(super) fn reset(&mut self) {
        self.ceiling = self.policy.first;
    }

    /// Changes to the other version where the server does not speak this one; true to try that at once.
    fn fall_back(&mut self, reason: &DisconnectReason, established: bool) -> bool {
        if self.versions != VersionPolicy::Auto {
            return false;
        }
        if established {
            // The server may have been away behind a proxy: 5.0 once more, and after another close 3.1.1 again.
            if self.is_guess {
                self.version = Version::V5;
                self.closes_before_connack = self.closes_before_fallback() - 1;
            }
            return false;
        }
        match reason {
            DisconnectReason::Refused(ReasonCode::UNSUPPORTED_PROTOCOL_VERSION)
                if self.version == Version::V5 =>
            {
                self.version = Version::V3_1_1;
                self.is_guess = false;
                true
            }
            DisconnectReason::TransportClosed => {
                self.closes_before_connack += 1;
                if self.closes_before_connack >= self.closes_before_fallback() {
                    self.closes_before_connack = 0;
                    self.version = match self.version {
                        Version::V5 => Version::V3_1_1,
                        Version::V3_1_1 => Version::V5,
                    };
                    self.is_guess = self.version == Version::V3_1_1;
                }
                false
            }
            _ => false,
        }
    }

    /// Closes after which the other version is tried.
    fn closes_before_fallback(&self) -> u32 {
        match self.version {
            Version::V5 if self.has_spoken_5 => CLOSES_BEFORE_FALLBACK_ONCE_SPOKEN,
            _ => CLOSES_BEFORE_FALLBACK,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redial(policy: Reconnect) -> (Redial, Rng) {
        (Redial::new(policy, VersionPolicy::Auto), Rng::from_seed([3; 32]))
    }

    #[test]
    fn waits_double_up_to_the_longest_and_never_fall_below_the_shortest() {
        let policy = Reconnect::default();
        let (mut redial, mut rng) = redial(policy);
        for round in 0..40 {
            let wait = redial
                .after(&DisconnectReason::TransportFailed, None, &mut rng)
                .unwrap();
            let ceiling = policy.first.saturating_mul(1 << round.min(6)).min(policy.longest);
            assert!(
                (policy.shortest..=ceiling).contains(&wait),
                "round {round}: {wait:?}"
            );
        }
    }

    #[test]
    fn a_stable_connection_starts_the_waits_afresh_and_a_short_one_does_not() {
        let policy = Reconnect::default();
        let (mut redial, mut rng) = redial(policy);
        for _ in 0..5 {
            redial.after(&DisconnectReason::TransportFailed, None, &mut rng);
        }
        redial.after(
            &DisconnectReason::TransportClosed,
            Some(Duration::from_secs(29)),
            &mut rng,
        );
        assert_eq!(redial.ceiling, policy.longest);
        let wait = redial.after(
            &DisconnectReason::TransportClosed,
            Some(Duration::from_secs(30)),
            &mut rng,
        );
        assert!(wait.unwrap() <= policy.first);
        assert_eq!(redial.ceiling, policy.first * 2);
    }

    #[test]
    fn the_ceiling_grows_by_the_policy_and_does_not_fall() {
        for (growth, ceilings) in [
            (100, [10, 10, 10, 10]),
            (150, [10, 15, 22, 33]),
            (u32::MAX, [10, 40, 40, 40]),
        ] {
            let policy = Reconnect {
                first: Duration::from_millis(10),
                longest: Duration::from_millis(40),
                growth,
                ..Reconnect::default()
            };
            let (mut redial, mut rng) = redial(policy);
            for expected in ceilings {
                assert_eq!(redial.ceiling.as_millis(), expected, "{growth} %");
                redial.after(&DisconnectReason::TransportFailed, None, &mut rng);
            }
        }
    }

    #[test]
    fn a_refusal_stops_unless_the_policy_is_to_retry() {
        let refused = DisconnectReason::Refused(ReasonCode::NOT_AUTHORIZED);
        let (mut stopping, mut rng) = redial(Reconnect::default());
        assert_eq!(stopping.after(&refused, None, &mut rng), None);
        let policy = Reconnect {
            on_refusal: OnRefusal::Retry,
            ..Reconnect::default()
        };
        let (mut retrying, mut rng) = redial(policy);
        assert!(retrying.after(&refused, None, &mut rng).is_some());
    }

    #[test]
    fn refused_credentials_can_be_awaited_while_other_refusals_are_tried_again() {
        let policy = Reconnect {
            on_refusal: OnRefusal::AwaitCredentials,
            ..Reconnect::default()
        };
        let cases = [
            (
                DisconnectReason::Refused(ReasonCode::BAD_USER_NAME_OR_PASSWORD),
                false,
            ),
            (DisconnectReason::Refused(ReasonCode::NOT_AUTHORIZED), false),
            (DisconnectReason::ByServer(ReasonCode::NOT_AUTHORIZED), false),
            (DisconnectReason::Refused(ReasonCode::BANNED), true),
            (DisconnectReason::ByServer(ReasonCode::BANNED), true),
            (
                DisconnectReason::Refused(ReasonCode::CLIENT_IDENTIFIER_NOT_VALID),
                true,
            ),
        ];
        for (reason, tries_again) in cases {
            let (mut redial, mut rng) = redial(policy);
            let wait = redial.after(&reason, None, &mut rng);
            assert_eq!(wait.is_some(), tries_again, "{reason}");
        }
    }

    #[test]
    fn a_referral_stops_unless_the_policy_is_to_follow() {
        for code in [ReasonCode::USE_ANOTHER_SERVER, ReasonCode::SERVER_MOVED] {
            for reason in [DisconnectReason::Refused(code), DisconnectReason::ByServer(code)] {
                let (mut stopping, mut rng) = redial(Reconnect {
                    on_refusal: OnRefusal::Retry,
                    ..Reconnect::default()
                });
                assert_eq!(stopping.after(&reason, None, &mut rng), None);
                let (mut following, mut rng) = redial(Reconnect {
                    on_referral: OnReferral::Follow,
                    ..Reconnect::default()
                });
                assert!(following.after(&reason, None, &mut rng).is_some());
            }
        }
    }

    #[test]
    fn a_session_taken_over_is_not_taken_back() {
        let (mut redial, mut rng) = redial(Reconnect {
            on_refusal: OnRefusal::Retry,
            ..Reconnect::default()
        });
        let reason = DisconnectReason::ByServer(ReasonCode::SESSION_TAKEN_OVER);
        assert_eq!(
            redial.after(&reason, Some(Duration::from_secs(99)), &mut rng),
            None
        );
    }

    #[test]
    fn an_unsupported_version_falls_back_at_once() {
        let (mut redial, mut rng) = redial(Reconnect::default());
        let reason = DisconnectReason::Refused(ReasonCode::UNSUPPORTED_PROTOCOL_VERSION);
        assert_eq!(redial.after(&reason, None, &mut rng), Some(Duration::ZERO));
        assert_eq!(redial.version(), Version::V3_1_1);
        assert_eq!(redial.after(&reason, None, &mut rng), None);
    }

    #[test]
    fn a_server_that_closes_on_connect_is_tried_with_the_other_version() {
        let (mut redial, mut rng) = redial(Reconnect::default());
        for expected in [Version::V5, Version::V3_1_1, Version::V3_1_1, Version::V5] {
            redial.after(&DisconnectReason::TransportClosed, None, &mut rng);
            assert_eq!(redial.version(), expected);
        }
    }

    const CLOSED: DisconnectReason = DisconnectReason::TransportClosed;
    const UPTIME: Option<Duration> = Some(Duration::from_secs(1));

    #[test]
    fn a_server_that_has_spoken_5_0_is_not_tried_with_3_1_1_when_a_proxy_closes() {
        let (mut redial, mut rng) = redial(Reconnect::default());
        redial.accepted();
        redial.after(&CLOSED, UPTIME, &mut rng);
        for _ in 1..CLOSES_BEFORE_FALLBACK_ONCE_SPOKEN {
            redial.after(&CLOSED, None, &mut rng);
            assert_eq!(redial.version(), Version::V5);
        }
        redial.after(&CLOSED, None, &mut rng);
        assert_eq!(redial.version(), Version::V3_1_1);
    }

    #[test]
    fn after_a_connection_of_3_1_1_that_closes_led_to_5_0_is_tried_once_more() {
        let (mut redial, mut rng) = redial(Reconnect::default());
        for _ in 0..CLOSES_BEFORE_FALLBACK {
            redial.after(&CLOSED, None, &mut rng);
        }
        for _ in 0..3 {
            assert_eq!(redial.version(), Version::V3_1_1);
            redial.accepted();
            redial.after(&CLOSED, UPTIME, &mut rng);
            assert_eq!(redial.version(), Version::V5);
            redial.after(&CLOSED, None, &mut rng);
        }
        redial.accepted();
        redial.after(&CLOSED, UPTIME, &mut rng);
        redial.accepted();
        redial.after(&CLOSED, UPTIME, &mut rng);
        assert_eq!(redial.version(), Version::V5);
    }

    #[test]
    fn a_server_that_refuses_5_0_is_not_asked_for_it_again() {
        let (mut redial, mut rng) = redial(Reconnect::default());
        let reason = DisconnectReason::Refused(ReasonCode::UNSUPPORTED_PROTOCOL_VERSION);
        redial.after(&reason, None, &mut rng);
        redial.accepted();
        redial.after(&CLOSED, UPTIME, &mut rng);
        assert_eq!(redial.version(), Version::V3_1_1);
    }
}
