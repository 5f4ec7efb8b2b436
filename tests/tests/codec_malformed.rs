//! Packets that MQTT forbids, and the Reason Code that each is answered with.

use syncline_core::codec::{ReasonCode, Version, decode, peek};
use syncline_tests::notation::packet;

use Version::{V3_1_1, V5};

const MALFORMED: ReasonCode = ReasonCode::MALFORMED_PACKET;
const PROTOCOL: ReasonCode = ReasonCode::PROTOCOL_ERROR;

/// Version, packet, answer, and the rule that it breaks with its place in the specification of MQTT 5.0 (or 3.1.1).
const TABLE: &[(Version, &str, ReasonCode, &str)] = &[
    // Fixed header.
    (V5, "00 00", MALFORMED, "packet type 0 is reserved (§2.1.2)"),
    (
        V3_1_1,
        "F0 00",
        MALFORMED,
        "packet type 15 is reserved in 3.1.1 (§2.2.1)",
    ),
    (
        V5,
        "11 .. 0004'MQTT' 05 02 003C 00 0000",
        MALFORMED,
        "CONNECT flags are 0 (§2.1.3)",
    ),
    (V5, "21 03 00 00 00", MALFORMED, "CONNACK flags are 0 (§2.1.3)"),
    (V5, "36 .. 0001'a' 0001 00", MALFORMED, "QoS 3 (§3.3.1.2)"),
    (V5, "38 .. 0001'a' 00", MALFORMED, "DUP at QoS 0 (§3.3.1.1)"),
    (V5, "42 02 0001", MALFORMED, "PUBACK flags are 0 (§2.1.3)"),
    (V5, "60 02 0001", MALFORMED, "PUBREL flags are 2 (§3.6.1)"),
    (
        V3_1_1,
        "63 02 0001",
        MALFORMED,
        "PUBREL flags are 2 (3.1.1 §3.6.1)",
    ),
    (
        V5,
        "80 .. 0001 00 0001'a' 00",
        MALFORMED,
        "SUBSCRIBE flags are 2 (§3.8.1)",
    ),
    (
        V5,
        "A0 .. 0001 00 0001'a'",
        MALFORMED,
        "UNSUBSCRIBE flags are 2 (§3.10.1)",
    ),
    (V5, "C1 00", MALFORMED, "PINGREQ flags are 0 (§2.1.3)"),
    (V5, "E8 00", MALFORMED, "DISCONNECT flags are 0 (§3.14.1)"),
    (V5, "F2 00", MALFORMED, "AUTH flags are 0 (§3.15.1)"),
    (
        V5,
        "C0 8000",
        MALFORMED,
        "Remaining Length in its shortest form (§1.5.5)",
    ),
    (
        V5,
        "30 FFFFFFFF 01",
        MALFORMED,
        "Remaining Length of five bytes (§1.5.5)",
    ),
    (V5, "C0 01 00", MALFORMED, "PINGREQ with a body (§3.12.2)"),
    (V5, "D0 01 00", MALFORMED, "PINGRESP with a body (§3.13.2)"),
    // Strings.
    (V5, "30 .. 0002 C0AF 00", MALFORMED, "overlong UTF-8 (§1.5.4)"),
    (V5, "30 .. 0003 EDA080 00", MALFORMED, "surrogate (§1.5.4)"),
    (
        V5,
        "30 .. 0004 F4908080 00",
        MALFORMED,
        "code point above U+10FFFF (§1.5.4)",
    ),
    (
        V3_1_1,
        "30 .. 0003 610062",
        MALFORMED,
        "U+0000 in a topic (3.1.1 §1.5.3)",
    ),
    (
        V5,
        "30 .. 0001'a' 07 26 0001 00 0001'v'",
        MALFORMED,
        "U+0000 in a property (§1.5.4)",
    ),
    (
        V5,
        "30 .. 0010'a' 00",
        MALFORMED,
        "string longer than the packet (§1.5.4)",
    ),
    // CONNECT.
    (
        V5,
        "10 .. 0006'MQIsdp' 03 02 003C 0000",
        ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
        "protocol name (§3.1.2.1)",
    ),
    (
        V5,
        "10 .. 0004'MQTT' 03 02 003C 0000",
        ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
        "protocol version (§3.1.2.2)",
    ),
    (
        V5,
        "10 .. 0004'MQTT' 05 03 003C 00 0000",
        MALFORMED,
        "reserved connect flag (§3.1.2.3)",
    ),
    (
        V5,
        "10 .. 0004'MQTT' 05 1E 003C 00 0000 00 0001'w' 0000",
        MALFORMED,
        "Will QoS 3 (§3.1.2.6)",
    ),
    (
        V5,
        "10 .. 0004'MQTT' 05 0A 003C 00 0000",
        MALFORMED,
        "Will QoS without Will (§3.1.2.6)",
    ),
    (
        V5,
        "10 .. 0004'MQTT' 05 22 003C 00 0000",
        MALFORMED,
        "Will Retain without Will (§3.1.2.7)",
    ),
    (
        V3_1_1,
        "10 .. 0004'MQTT' 04 42 003C 0000 0000",
        MALFORMED,
        "password without user name (3.1.1 §3.1.2.9)",
    ),
    (
        V3_1_1,
        "10 .. 0004'MQTT' 04 00 003C 0000",
        ReasonCode::CLIENT_IDENTIFIER_NOT_VALID,
        "empty client identifier of a kept session (3.1.1 §3.1.3.1)",
    ),
    (
        V5,
        "10 .. 0004'MQTT' 05 06 003C 00 0000 00 0003'w/#' 0000",
        ReasonCode::TOPIC_NAME_INVALID,
        "wildcard in the Will Topic (§3.1.3.3)",
    ),
    (
        V5,
        "10 .. 0004'MQTT' 05 06 003C 00 0000 00 0000 0000",
        PROTOCOL,
        "empty Will Topic (§4.7.3)",
    ),
    (
        V5,
        "10 .. 0004'MQTT' 05 82 003C 00 0000",
        MALFORMED,
        "user name announced and absent (§3.1.3.5)",
    ),
    (
        V5,
        "10 .. 0004'MQTT' 05 02 003C 00 0000 00",
        MALFORMED,
        "bytes behind the payload (§3.1.3)",
    ),
    (
        V5,
        "10 .. 0004'MQTT' 05 02 003C 03 21 0000 0000",
        PROTOCOL,
        "Receive Maximum 0 (§3.1.2.11.3)",
    ),
    (
        V5,
        "10 .. 0004'MQTT' 05 02 003C 05 27 00000000 0000",
        PROTOCOL,
        "Maximum Packet Size 0 (§3.1.2.11.4)",
    ),
    (
        V5,
        "10 .. 0004'MQTT' 05 02 003C 02 19 02 0000",
        PROTOCOL,
        "Request Response Information 2 (§3.1.2.11.6)",
    ),
    (
        V5,
        "10 .. 0004'MQTT' 05 02 003C 02 17 02 0000",
        PROTOCOL,
        "Request Problem Information 2 (§3.1.2.11.7)",
    ),
    (
        V5,
        "10 .. 0004'MQTT' 05 02 003C 04 16 0001 FF 0000",
        PROTOCOL,
        "Authentication Data without Method (§3.1.2.11.10)",
    ),
    (
        V5,
        "10 .. 0004'MQTT' 05 02 003C 0A 11 00000001 11 00000001 0000",
        PROTOCOL,
        "property twice (§3.1.2.11.2)",
    ),
    (
        V5,
        "10 .. 0004'MQTT' 05 02 003C 05 18 00000001 0000",
        MALFORMED,
        "Will Delay outside the Will (§2.2.2.2)",
    ),
    (
        V5,
        "10 .. 0004'MQTT' 05 06 003C 00 0000 03 21 0001 0001'w' 0000",
        MALFORMED,
        "Receive Maximum in the Will (§2.2.2.2)",
    ),
    // CONNACK.
    (
        V5,
        "20 03 02 00 00",
        MALFORMED,
        "reserved acknowledge flags (§3.2.2.1)",
    ),
    (
        V5,
        "20 03 01 87 00",
        PROTOCOL,
        "Session Present with an error (§3.2.2.1.1)",
    ),
    (
        V3_1_1,
        "20 02 01 05",
        PROTOCOL,
        "Session Present with an error (3.1.1 §3.2.2.2)",
    ),
    (V3_1_1, "20 02 00 06", PROTOCOL, "return code 6 (3.1.1 §3.2.2.3)"),
    (V5, "20 03 00 01 00", PROTOCOL, "return code of 3.1.1 (§3.2.2.2)"),
    (V5, "20 02 00 00", MALFORMED, "no property length (§3.2.2.3.1)"),
    (V5, "20 05 00 00 02 24 02", PROTOCOL, "Maximum QoS 2 (§3.2.2.3.4)"),
    (
        V5,
        "20 05 00 00 02 25 02",
        PROTOCOL,
        "Retain Available 2 (§3.2.2.3.5)",
    ),
    (
        V5,
        "20 05 00 00 02 2A 05",
        PROTOCOL,
        "Shared Subscription Available 5 (§3.2.2.3.13)",
    ),
    (
        V5,
        "20 05 00 00 02 01 01",
        MALFORMED,
        "Payload Format Indicator in CONNACK (§2.2.2.2)",
    ),
    (
        V5,
        "20 05 00 00 02 2B 01",
        MALFORMED,
        "property 0x2B is not defined (§2.2.2.2)",
    ),
    (
        V5,
        "20 06 00 00 03 A100 01",
        MALFORMED,
        "property identifier in its shortest form (§2.2.2.2)",
    ),
    (
        V5,
        "20 04 00 00 01 21",
        MALFORMED,
        "property without its value (§2.2.2)",
    ),
    (
        V5,
        "20 04 00 00 05 21",
        MALFORMED,
        "properties longer than the packet (§2.2.2.1)",
    ),
    (
        V5,
        "20 04 00 00 8000",
        MALFORMED,
        "property length in its shortest form (§1.5.5)",
    ),
    // PUBLISH.
    (
        V5,
        "30 .. 0003'a/+' 00",
        ReasonCode::TOPIC_NAME_INVALID,
        "wildcard in a Topic Name (§3.3.2.1)",
    ),
    (
        V3_1_1,
        "30 .. 0001'#'",
        ReasonCode::TOPIC_NAME_INVALID,
        "wildcard in a Topic Name (3.1.1 §3.3.2.1)",
    ),
    (
        V5,
        "30 .. 0000 00",
        PROTOCOL,
        "neither Topic Name nor Topic Alias (§3.3.2.1)",
    ),
    (V3_1_1, "30 .. 0000", PROTOCOL, "empty Topic Name (3.1.1 §4.7.3)"),
    (
        V5,
        "32 .. 0001'a' 0000 00",
        PROTOCOL,
        "Packet Identifier 0 (§2.2.1)",
    ),
    (
        V3_1_1,
        "34 .. 0001'a' 0000",
        PROTOCOL,
        "Packet Identifier 0 (3.1.1 §2.3.1)",
    ),
    (
        V5,
        "30 .. 0000 03 23 0000",
        ReasonCode::TOPIC_ALIAS_INVALID,
        "Topic Alias 0 (§3.3.2.3.4)",
    ),
    (
        V5,
        "30 .. 0001'a' 02 01 02",
        PROTOCOL,
        "Payload Format Indicator 2 (§3.3.2.3.2)",
    ),
    (
        V5,
        "30 .. 0001'a' 06 08 0003'a/+'",
        PROTOCOL,
        "wildcard in the Response Topic (§3.3.2.3.5)",
    ),
    (
        V5,
        "30 .. 0001'a' 02 0B 00",
        PROTOCOL,
        "Subscription Identifier 0 (§3.3.2.3.8)",
    ),
    (
        V5,
        "30 .. 0001'a' 05 0B FFFFFFFF 01",
        MALFORMED,
        "Subscription Identifier of five bytes (§1.5.5)",
    ),
    (
        V5,
        "30 .. 0001'a' 08 09 0001 00 09 0001 00",
        PROTOCOL,
        "Correlation Data twice (§3.3.2.3.6)",
    ),
    (
        V5,
        "30 .. 0001'a' 05 1F 0002'no'",
        MALFORMED,
        "Reason String in PUBLISH (§2.2.2.2)",
    ),
    // Acknowledgements.
    (V5, "40 02 0000", PROTOCOL, "Packet Identifier 0 (§2.2.1)"),
    (V5, "40 01 00", MALFORMED, "half a Packet Identifier (§3.4.2)"),
    (
        V3_1_1,
        "40 03 0001 00",
        MALFORMED,
        "PUBACK of three bytes (3.1.1 §3.4.1)",
    ),
    (
        V5,
        "40 03 0001 92",
        PROTOCOL,
        "PUBREL's reason in PUBACK (§3.4.2.1)",
    ),
    (
        V5,
        "50 03 0001 01",
        PROTOCOL,
        "SUBACK's reason in PUBREC (§3.5.2.1)",
    ),
    (
        V5,
        "62 03 0001 10",
        PROTOCOL,
        "PUBACK's reason in PUBREL (§3.6.2.1)",
    ),
    (
        V5,
        "70 03 0001 80",
        PROTOCOL,
        "unspecified error in PUBCOMP (§3.7.2.1)",
    ),
    (
        V5,
        "40 .. 0001 00 0A 1F 0002'no' 1F 0002'no'",
        PROTOCOL,
        "Reason String twice (§3.4.2.2.2)",
    ),
    (
        V5,
        "40 .. 0001 00 03 21 0001",
        MALFORMED,
        "Receive Maximum in PUBACK (§2.2.2.2)",
    ),
    (
        V5,
        "40 05 0001 00 00 00",
        MALFORMED,
        "bytes behind the properties (§3.4.3)",
    ),
    // SUBSCRIBE and SUBACK.
    (
        V5,
        "82 .. 0000 00 0001'a' 00",
        PROTOCOL,
        "Packet Identifier 0 (§3.8.2)",
    ),
    (V5, "82 03 0001 00", PROTOCOL, "no Topic Filter (§3.8.3)"),
    (
        V5,
        "82 .. 0001 00 0001'a' 03",
        PROTOCOL,
        "Maximum QoS 3 (§3.8.3.1)",
    ),
    (
        V5,
        "82 .. 0001 00 0001'a' 30",
        PROTOCOL,
        "Retain Handling 3 (§3.8.3.1)",
    ),
    (
        V5,
        "82 .. 0001 00 0001'a' 40",
        MALFORMED,
        "reserved option bits (§3.8.3.1)",
    ),
    (
        V3_1_1,
        "82 .. 0001 0001'a' 04",
        MALFORMED,
        "reserved option bits (3.1.1 §3.8.3)",
    ),
    (
        V5,
        "82 .. 0001 00 000A'$share/g/a' 04",
        PROTOCOL,
        "No Local on a shared subscription (§3.8.3.1)",
    ),
    (
        V5,
        "82 .. 0001 00 0003'a#b' 00",
        ReasonCode::TOPIC_FILTER_INVALID,
        "wildcard inside a level (§4.7.1)",
    ),
    (
        V5,
        "82 .. 0001 00 0009'$share//a' 00",
        ReasonCode::TOPIC_FILTER_INVALID,
        "empty share name (§4.8.2)",
    ),
    (
        V5,
        "82 .. 0001 00 0000 00",
        ReasonCode::TOPIC_FILTER_INVALID,
        "empty Topic Filter (§4.7.3)",
    ),
    (V5, "82 .. 0001 00 0001'a'", MALFORMED, "no options byte (§3.8.3)"),
    (
        V5,
        "82 .. 0001 04 0B01 0B02 0001'a' 00",
        PROTOCOL,
        "Subscription Identifier twice (§3.8.2.1.2)",
    ),
    (V5, "90 03 0001 00", PROTOCOL, "no Reason Code (§3.9.3)"),
    (V5, "90 04 0001 00 03", PROTOCOL, "reason 3 (§3.9.3)"),
    (V3_1_1, "90 03 0001 87", PROTOCOL, "reason of 5.0 (3.1.1 §3.9.3)"),
    (V5, "A2 03 0001 00", PROTOCOL, "no Topic Filter (§3.10.3)"),
    (
        V5,
        "A2 .. 0001 02 0B01 0001'a'",
        MALFORMED,
        "Subscription Identifier in UNSUBSCRIBE (§2.2.2.2)",
    ),
    (V5, "B0 04 0001 00 01", PROTOCOL, "reason 1 in UNSUBACK (§3.11.3)"),
    (
        V3_1_1,
        "B0 03 0001 00",
        MALFORMED,
        "UNSUBACK of three bytes (3.1.1 §3.11.1)",
    ),
    // DISCONNECT and AUTH.
    (
        V5,
        "E0 01 86",
        PROTOCOL,
        "CONNACK's reason in DISCONNECT (§3.14.2.1)",
    ),
    (
        V3_1_1,
        "E0 01 00",
        MALFORMED,
        "DISCONNECT with a body (3.1.1 §3.14)",
    ),
    (
        V5,
        "E0 03 00 00 00",
        MALFORMED,
        "bytes behind the properties (§3.14.3)",
    ),
    (
        V5,
        "F0 02 18 00",
        PROTOCOL,
        "no Authentication Method (§3.15.2.2.2)",
    ),
    (
        V5,
        "F0 .. 1A 04 15 0001'm'",
        PROTOCOL,
        "reason 0x1A in AUTH (§3.15.2.1)",
    ),
    (V5, "F0 01 18", MALFORMED, "no property length (§3.15.2.2.1)"),
];

#[test]
fn forbidden_packet_is_answered_with_the_reason_that_the_specification_names() {
    for (version, text, reason, rule) in TABLE {
        let bytes = packet(text);
        let outcome = peek(&bytes, *version, u32::MAX).and_then(|header| {
            let header = header.expect("a whole fixed header");
            decode(header, &bytes, *version)
        });
        match outcome {
            Ok(accepted) => panic!("{text} breaks a rule, {rule}, but was accepted as {accepted:?}"),
            Err(error) => assert_eq!(error.reason_code(), *reason, "{text}: {rule}; but found: {error}"),
        }
    }
}

#[test]
fn every_refusal_names_the_packet_and_the_answer() {
    for (version, text, reason, _) in TABLE {
        let bytes = packet(text);
        let error = match peek(&bytes, *version, u32::MAX) {
            Err(error) => error,
            Ok(header) => {
                decode(header.expect("a whole fixed header"), &bytes, *version).expect_err("a refusal")
            }
        };
        let message = error.to_string();
        assert!(message.starts_with("the peer sent "), "{message}");
        assert!(message.ends_with(&format!("answer: {reason}")), "{message}");
        if let Some(packet) = error.packet {
            assert!(message.contains(packet.name()), "{message}");
        }
    }
}
