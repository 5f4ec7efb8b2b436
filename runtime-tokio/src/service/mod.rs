//! Service commissioning files: from YAML text to the plan of what this agent runs.

pub mod plan;

pub use plan::{HttpNodePlan, HttpServerPlan, Plan, ServicePlan, TransactionPlan};
