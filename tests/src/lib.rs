//! What the integration tests, fuzz targets and benches share: packets, written and generated, and the codec oracle.

pub mod mqttbytes_oracle;
pub mod notation;
pub mod packets;
