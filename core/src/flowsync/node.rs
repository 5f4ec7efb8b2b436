//! What a transaction node is: its topics, its patience and its bounds.

use alloc::format;
use alloc::sync::Arc;
use core::fmt;

use crate::codec::QoS;
use crate::limits::{MAX_TRANSACTIONS_PER_NODE, TRANSACTION_TIMEOUT_MAX, TRANSACTION_TIMEOUT_MIN};
use crate::time::Duration;
use crate::topic::{TopicError, TopicName};

/// Handle of a node in a [`crate::flowsync::Requester`]. A removed node's handle never names another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    pub(super) index: u32,
    pub(super) generation: u32,
}

impl NodeId {
    /// The handle as one integer, for callers that cannot hold a struct.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    /// The handle that [`NodeId::to_u64`] gave; an integer of any other origin names no node.
    #[must_use]
    pub const fn from_u64(raw: u64) -> Self {
        Self {
            index: (raw & 0xffff_ffff) as u32,
            generation: (raw >> 32) as u32,
        }
    }
}

/// Configuration of a transaction node; the constructor fills in the documented defaults.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    pub(super) treq: TopicName,
    pub(super) tres: TopicName,
    pub(super) qos: QoS,
    pub(super) timeout: Duration,
    pub(super) timeout_error_code: u32,
    pub(super) timeout_error_message: Arc<str>,
    pub(super) max_in_flight: usize,
}

/// Why a [`NodeConfig`] cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeConfigError {
    /// `<base>/treq` or `<base>/tres` is not a Topic Name.
    Topic(TopicError),
    /// The timeout is not within 1 ms to 600 s.
    Timeout,
    /// The number of transactions in flight is not within 1 to [`MAX_TRANSACTIONS_PER_NODE`].
    MaxInFlight,
}

impl fmt::Display for NodeConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(error) => write!(f, "node base topic: {error}"),
            Self::Timeout => f.write_str("node timeout must be within 1 ms to 600 s"),
            Self::MaxInFlight => {
                write!(
                    f,
                    "node max in flight must be within 1 to {MAX_TRANSACTIONS_PER_NODE}"
                )
            }
        }
    }
}

impl core::error::Error for NodeConfigError {}

impl NodeConfig {
    /// Default of [`NodeConfig::timeout`].
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_millis(2000);
    /// Default code of [`NodeConfig::timeout_error`].
    pub const DEFAULT_TIMEOUT_ERROR_CODE: u32 = 500;
    /// Default message of [`NodeConfig::timeout_error`].
    pub const DEFAULT_TIMEOUT_ERROR_MESSAGE: &str = "Request timed out while waiting for response";
    /// Default of [`NodeConfig::max_in_flight`].
    pub const DEFAULT_MAX_IN_FLIGHT: usize = 10_000;

    /// A node on `base`: requests leave on `<base>/treq`, replies are read from `<base>/tres`. QoS 0, 2 s timeout.
    ///
    /// # Errors
    /// [`NodeConfigError::Topic`] where `base` does not make Topic Names.
    pub fn new(base: &str) -> Result<Self, NodeConfigError> {
        let topic = |leaf: &str| TopicName::new(format!("{base}/{leaf}")).map_err(NodeConfigError::Topic);
        Ok(Self {
            treq: topic("treq")?,
            tres: topic("tres")?,
            qos: QoS::AtMostOnce,
            timeout: Self::DEFAULT_TIMEOUT,
            timeout_error_code: Self::DEFAULT_TIMEOUT_ERROR_CODE,
            timeout_error_message: Arc::from(Self::DEFAULT_TIMEOUT_ERROR_MESSAGE),
            max_in_flight: Self::DEFAULT_MAX_IN_FLIGHT,
        })
    }

    /// Sets the QoS of both the treq and the subscription to the tres.
    #[must_use]
    pub fn qos(mut self, qos: QoS) -> Self {
        self.qos = qos;
        self
    }

    /// Sets the longest wait, 1 ms to 600 s.
    ///
    /// # Errors
    /// [`NodeConfigError::Timeout`] out of that range.
    pub fn timeout(mut self, timeout: Duration) -> Result<Self, NodeConfigError> {
        if !(TRANSACTION_TIMEOUT_MIN..=TRANSACTION_TIMEOUT_MAX).contains(&timeout) {
            return Err(NodeConfigError::Timeout);
        }
        self.timeout = timeout;
        Ok(self)
    }

    /// Sets code and text of a timeout, as the client's protocol defines them.
    #[must_use]
    pub fn timeout_error(mut self, code: u32, message: &str) -> Self {
        self.timeout_error_code = code;
        self.timeout_error_message = Arc::from(message);
        self
    }

    /// Sets how many transactions may be open at once, 1 to [`MAX_TRANSACTIONS_PER_NODE`].
    ///
    /// # Errors
    /// [`NodeConfigError::MaxInFlight`] out of that range.
    pub fn max_in_flight(mut self, max: usize) -> Result<Self, NodeConfigError> {
        if !(1..=MAX_TRANSACTIONS_PER_NODE).contains(&max) {
            return Err(NodeConfigError::MaxInFlight);
        }
        self.max_in_flight = max;
        Ok(self)
    }

    /// Topic on which requests leave.
    #[must_use]
    pub fn treq(&self) -> &TopicName {
        &self.treq
    }

    /// Topic from which replies are read.
    #[must_use]
    pub fn tres(&self) -> &TopicName {
        &self.tres
    }

    /// QoS of the treq and of the subscription to the tres.
    #[must_use]
    pub fn quality(&self) -> QoS {
        self.qos
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_the_base_with_treq_and_tres() {
        let node = NodeConfig::new("services/example1/exampleNode").unwrap();
        assert_eq!(node.treq().as_str(), "services/example1/exampleNode/treq");
        assert_eq!(node.tres().as_str(), "services/example1/exampleNode/tres");
    }

    #[test]
    fn timeout_and_in_flight_are_bounded_on_both_sides() {
        let node = || NodeConfig::new("a").unwrap();
        assert_eq!(
            node().timeout(Duration::ZERO).unwrap_err(),
            NodeConfigError::Timeout
        );
        assert_eq!(
            node().timeout(Duration::from_millis(600_001)).unwrap_err(),
            NodeConfigError::Timeout
        );
        assert!(node().timeout(Duration::from_millis(600_000)).is_ok());
        assert_eq!(node().max_in_flight(0).unwrap_err(), NodeConfigError::MaxInFlight);
        assert!(node().max_in_flight(MAX_TRANSACTIONS_PER_NODE).is_ok());
        assert!(node().max_in_flight(MAX_TRANSACTIONS_PER_NODE + 1).is_err());
    }

    #[test]
    fn a_handle_survives_its_way_through_an_integer() {
        let id = NodeId {
            index: 7,
            generation: u32::MAX,
        };
        assert_eq!(NodeId::from_u64(id.to_u64()), id);
    }
}
