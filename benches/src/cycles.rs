//! Whole QoS 1 exchanges through the state machines.

use crate::case::Case;

pub(crate) fn cases() -> Vec<Case> {
    Vec::new()
}
