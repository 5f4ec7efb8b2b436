//! What the integration tests, fuzz targets and benches share: generated packets and the codec oracle.

pub mod mqttbytes_oracle;
pub mod packets;
