//! What the comparisons of whole transactions share: who answers, the programs between, and how figures become tables.

pub mod figures;
pub mod peer;
pub mod responder;
pub mod usage;
