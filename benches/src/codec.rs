//! Reading and writing single packets.

mod decode;
mod encode;

use crate::case::Case;
use crate::workload::messages;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for message in messages() {
        cases.extend(decode::cases(message));
    }
    for message in messages() {
        cases.extend(encode::cases(message));
    }
    cases.extend(decode::puback());
    cases
}
