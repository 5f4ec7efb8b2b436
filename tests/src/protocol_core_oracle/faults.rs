//! The known faults of `mqtt-protocol-core` 0.7, each with the clause and a packet that shows it.

use syncline_core::codec::{DecodeErrorKind, Packet, ReasonCode, Version};

use super::{KnownFault, Leniency};

/// Packets that MQTT allows and that it refuses or misreads. A test checks that each example still shows its fault.
pub const KNOWN_FAULTS: &[KnownFault] = &[
    KnownFault {
        fault: "refuses a CONNECT with a password and no user name, which 5.0 allows (MQTT 5.0 §3.1.2.9)",
        version: Version::V5,
        example: b"\x10\x10\x00\x04MQTT\x05\x40\xDC\x17\x00\x00\x00\x00\x01\x88",
        concerns: |packet, _| match packet {
            Packet::Connect(connect) => {
                connect.version == Version::V5 && connect.username.is_none() && connect.password.is_some()
            }
            _ => false,
        },
    },
    KnownFault {
        fault: "refuses DISCONNECT with reason code 0x8C, which is in the table of §2.4 though not in that of §3.14.2.1",
        version: Version::V5,
        example: b"\xE0\x01\x8C",
        concerns: |packet, _| match packet {
            Packet::Disconnect(disconnect) => disconnect.reason == ReasonCode::BAD_AUTHENTICATION_METHOD,
            _ => false,
        },
    },
];

/// Packets that MQTT forbids and that it accepts. A test checks that each example still shows its fault.
pub const LENIENCIES: &[Leniency] = &[
    Leniency {
        fault: "accepts reserved Connect Acknowledge Flags [MQTT-3.2.2-1]",
        version: Version::V5,
        example: b"\x20\x03\x02\x00\x00",
        concerns: |kind, _| matches!(kind, DecodeErrorKind::ReservedConnackFlags(_)),
    },
    Leniency {
        fault: "accepts a refusing CONNACK with Session Present in 3.1.1 [MQTT-3.2.2-4]",
        version: Version::V3_1_1,
        example: b"\x20\x02\x01\x04",
        concerns: |kind, version| {
            kind == DecodeErrorKind::SessionPresentWithError && version == Version::V3_1_1
        },
    },
    Leniency {
        fault: "accepts a CONNECT with the reserved flag [MQTT-3.1.2-3]",
        version: Version::V5,
        example: b"\x10\x0E\x00\x04MQTT\x05\x03\x00\x3C\x00\x00\x01a",
        concerns: |kind, _| kind == DecodeErrorKind::ReservedConnectFlag,
    },
    Leniency {
        fault: "accepts U+0000 in text in 3.1.1 [MQTT-1.5.3-2]",
        version: Version::V3_1_1,
        example: b"\x10\x0E\x00\x04MQTT\x04\x02\x00\x3C\x00\x02a\x00",
        concerns: |kind, version| kind == DecodeErrorKind::NulInString && version == Version::V3_1_1,
    },
    Leniency {
        fault: "accepts an empty Topic Name in 3.1.1 [MQTT-4.7.3-1]",
        version: Version::V3_1_1,
        example: b"\x30\x02\x00\x00",
        concerns: |kind, version| kind == DecodeErrorKind::TopicMissing && version == Version::V3_1_1,
    },
    Leniency {
        fault: "accepts wildcards in a Topic Name in 3.1.1 [MQTT-3.3.2-2]",
        version: Version::V3_1_1,
        example: b"\x30\x05\x00\x03a/+",
        concerns: |kind, version| kind == DecodeErrorKind::WildcardInTopicName && version == Version::V3_1_1,
    },
    Leniency {
        fault: "accepts the Reason Code of 5.0 in an acknowledgement of 3.1.1 (MQTT 3.1.1 §3.5.1)",
        version: Version::V3_1_1,
        example: b"\x50\x03\x00\x01\x91",
        concerns: |kind, version| kind == DecodeErrorKind::TrailingBytes && version == Version::V3_1_1,
    },
    Leniency {
        fault: "accepts reserved bits of the Requested QoS in 3.1.1 [MQTT-3.8.3-4]",
        version: Version::V3_1_1,
        example: b"\x82\x06\x00\x01\x00\x01a\x10",
        concerns: |kind, version| {
            matches!(kind, DecodeErrorKind::ReservedSubscribeOptions(_)) && version == Version::V3_1_1
        },
    },
    Leniency {
        fault: "accepts Topic Filters with wildcards that do not fill their level [MQTT-4.7.1-1], [MQTT-4.7.1-2]",
        version: Version::V5,
        example: b"\x82\x08\x00\x01\x00\x00\x02a+\x00",
        concerns: |kind, _| kind == DecodeErrorKind::TopicFilterInvalid,
    },
    Leniency {
        fault: "accepts variable byte integers that are not in their shortest form [MQTT-1.5.5-1]",
        version: Version::V5,
        example: b"\xB0\x05\x00\x01\x80\x00\x00",
        concerns: |kind, _| kind == DecodeErrorKind::LengthNotMinimal,
    },
];
