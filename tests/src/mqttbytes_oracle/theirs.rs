//! The packets of `mqttbytes` as named fields.

use super::Fields;
use mqttbytes::{v4, v5};

/// `mqttbytes` has an empty text where there is none.
fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

pub(super) fn fields_v4(packet: &v4::Packet) -> Fields {
    use v4::Packet as P;
    let ack = |name, id: u16| Fields::of(name).with("id", id);
    let fields = match packet {
        P::Connect(connect) => {
            let fields = Fields::of("CONNECT")
                .with("version", connect.protocol == mqttbytes::Protocol::V5)
                .with("clean start", connect.clean_session)
                .with("keep alive", connect.keep_alive)
                .with("client id", &connect.client_id)
                .with_some(
                    "user name",
                    &given(connect.login.as_ref().map(|login| &login.username)),
                )
                .with_some(
                    "password",
                    &given(connect.login.as_ref().map(|login| &login.password)).map(str::as_bytes),
                );
            match &connect.last_will {
                None => fields,
                Some(will) => fields
                    .with("will topic", &will.topic)
                    .with("will payload", &will.message[..])
                    .with("will qos", will.qos as u8)
                    .with("will retain", will.retain),
            }
        }
        P::ConnAck(connack) => Fields::of("CONNACK")
            .with("session present", connack.session_present)
            .with("reason", connack.code as u8),
        P::Publish(publish) => Fields::of("PUBLISH")
            .with("dup", publish.dup)
            .with("qos", publish.qos as u8)
            .with("retain", publish.retain)
            .with("topic", &publish.topic)
            .with("id", publish.pkid)
            .with("payload", &publish.payload[..]),
        P::PubAck(packet) => ack("PUBACK", packet.pkid),
        P::PubRec(packet) => ack("PUBREC", packet.pkid),
        P::PubRel(packet) => ack("PUBREL", packet.pkid),
        P::PubComp(packet) => ack("PUBCOMP", packet.pkid),
        P::Subscribe(subscribe) => {
            let filters = subscribe.filters.iter();
            let filters = filters.map(|filter| (&filter.path, filter.qos as u8, false, false, 0_u8));
            ack("SUBSCRIBE", subscribe.pkid).with_each("filter", filters)
        }
        P::SubAck(suback) => {
            let codes = suback.return_codes.iter().map(|code| match code {
                v4::SubscribeReasonCode::Success(qos) => *qos as u8,
                v4::SubscribeReasonCode::Failure => 0x80,
            });
            ack("SUBACK", suback.pkid).with_each("reason", codes)
        }
        P::Unsubscribe(unsubscribe) => {
            ack("UNSUBSCRIBE", unsubscribe.pkid).with_each("filter", &unsubscribe.topics)
        }
        P::UnsubAck(packet) => ack("UNSUBACK", packet.pkid),
        P::PingReq => Fields::of("PINGREQ"),
        P::PingResp => Fields::of("PINGRESP"),
        P::Disconnect => Fields::of("DISCONNECT"),
    };
    fields.sorted()
}

/// The properties that many packets share: reason string and user properties.
macro_rules! with_reason_and_user_properties {
    ($fields:expr, $properties:expr) => {
        match $properties {
            None => $fields,
            Some(properties) => $fields
                .with_some("reason string", &properties.reason_string)
                .with_each("user property", &properties.user_properties),
        }
    };
}

pub(super) fn fields_v5(packet: &v5::Packet) -> Fields {
    use v5::Packet as P;
    let head = |name, id: u16| Fields::of(name).with("id", id);
    let ack = |name, id: u16, reason: u8| head(name, id).with("reason", reason);
    let fields = match packet {
        P::Connect(connect) => fields_of_connect(connect),
        P::ConnAck(connack) => fields_of_connack(connack),
        P::Publish(publish) => fields_of_publish(publish),
        P::PubAck(p) => {
            with_reason_and_user_properties!(ack("PUBACK", p.pkid, p.reason as u8), &p.properties)
        }
        P::PubRec(p) => {
            with_reason_and_user_properties!(ack("PUBREC", p.pkid, p.reason as u8), &p.properties)
        }
        P::PubRel(p) => {
            with_reason_and_user_properties!(ack("PUBREL", p.pkid, p.reason as u8), &p.properties)
        }
        P::PubComp(p) => {
            with_reason_and_user_properties!(ack("PUBCOMP", p.pkid, p.reason as u8), &p.properties)
        }
        P::Subscribe(subscribe) => {
            let filters = subscribe.filters.iter().map(|filter| {
                let handling: u8 = match filter.retain_forward_rule {
                    v5::RetainForwardRule::OnEverySubscribe => 0,
                    v5::RetainForwardRule::OnNewSubscribe => 1,
                    v5::RetainForwardRule::Never => 2,
                };
                (
                    &filter.path,
                    filter.qos as u8,
                    filter.nolocal,
                    filter.preserve_retain,
                    handling,
                )
            });
            let fields = head("SUBSCRIBE", subscribe.pkid).with_each("filter", filters);
            match &subscribe.properties {
                None => fields,
                Some(properties) => fields
                    .with_some("subscription identifier", &properties.id)
                    .with_each("user property", &properties.user_properties),
            }
        }
        P::SubAck(p) => {
            let fields =
                head("SUBACK", p.pkid).with_each("reason", p.return_codes.iter().map(|code| *code as u8));
            with_reason_and_user_properties!(fields, &p.properties)
        }
        P::Unsubscribe(p) => {
            let fields = head("UNSUBSCRIBE", p.pkid).with_each("filter", &p.filters);
            match &p.properties {
                None => fields,
                Some(properties) => fields.with_each("user property", &properties.user_properties),
            }
        }
        P::UnsubAck(p) => {
            let fields =
                head("UNSUBACK", p.pkid).with_each("reason", p.reasons.iter().map(|code| *code as u8));
            with_reason_and_user_properties!(fields, &p.properties)
        }
        P::PingReq => Fields::of("PINGREQ"),
        P::PingResp => Fields::of("PINGRESP"),
        P::Disconnect(p) => {
            let fields = Fields::of("DISCONNECT").with("reason", p.reason_code as u8);
            match &p.properties {
                None => fields,
                Some(properties) => fields
                    .with_some("session expiry interval", &properties.session_expiry_interval)
                    .with_some("reason string", &properties.reason_string)
                    .with_each("user property", &properties.user_properties)
                    .with_some("server reference", &properties.server_reference),
            }
        }
    };
    fields.sorted()
}

fn fields_of_connect(connect: &v5::Connect) -> Fields {
    let mut fields = Fields::of("CONNECT")
        .with("version", connect.protocol == mqttbytes::Protocol::V5)
        .with("clean start", connect.clean_session)
        .with("keep alive", connect.keep_alive)
        .with("client id", &connect.client_id)
        .with_some(
            "user name",
            &given(connect.login.as_ref().map(|login| &login.username)),
        )
        .with_some(
            "password",
            &given(connect.login.as_ref().map(|login| &login.password)).map(str::as_bytes),
        );
    if let Some(properties) = &connect.properties {
        fields = fields
            .with_some("session expiry interval", &properties.session_expiry_interval)
            .with_some("receive maximum", &properties.receive_maximum)
            .with_some("maximum packet size", &properties.max_packet_size)
            .with_some("topic alias maximum", &properties.topic_alias_max)
            .with_some("request response information", &properties.request_response_info)
            .with_some("request problem information", &properties.request_problem_info)
            .with_each("user property", &properties.user_properties)
            .with_some("authentication method", &properties.authentication_method)
            .with_some("authentication data", &properties.authentication_data.as_deref());
    }
    if let Some(will) = &connect.last_will {
        fields = fields
            .with("will topic", &will.topic)
            .with("will payload", &will.message[..])
            .with("will qos", will.qos as u8)
            .with("will retain", will.retain);
        if let Some(properties) = &will.properties {
            fields = fields
                .with_some("will delay interval", &properties.delay_interval)
                .with_some("payload format indicator", &properties.payload_format_indicator)
                .with_some("message expiry interval", &properties.message_expiry_interval)
                .with_some("content type", &properties.content_type)
                .with_some("response topic", &properties.response_topic)
                .with_some("correlation data", &properties.correlation_data.as_deref())
                .with_each("user property", &properties.user_properties);
        }
    }
    fields
}

fn fields_of_connack(connack: &v5::ConnAck) -> Fields {
    let fields = Fields::of("CONNACK")
        .with("session present", connack.session_present)
        .with("reason", connack.code as u8);
    match &connack.properties {
        None => fields,
        Some(properties) => fields
            .with_some("session expiry interval", &properties.session_expiry_interval)
            .with_some("receive maximum", &properties.receive_max)
            .with_some("maximum qos", &properties.max_qos)
            .with_some("retain available", &properties.retain_available)
            .with_some("maximum packet size", &properties.max_packet_size)
            .with_some(
                "assigned client identifier",
                &properties.assigned_client_identifier,
            )
            .with_some("topic alias maximum", &properties.topic_alias_max)
            .with_some("reason string", &properties.reason_string)
            .with_each("user property", &properties.user_properties)
            .with_some(
                "wildcard subscription available",
                &properties.wildcard_subscription_available,
            )
            .with_some(
                "subscription identifier available",
                &properties.subscription_identifiers_available,
            )
            .with_some(
                "shared subscription available",
                &properties.shared_subscription_available,
            )
            .with_some("server keep alive", &properties.server_keep_alive)
            .with_some("response information", &properties.response_information)
            .with_some("server reference", &properties.server_reference)
            .with_some("authentication method", &properties.authentication_method)
            .with_some("authentication data", &properties.authentication_data.as_deref()),
    }
}

fn fields_of_publish(publish: &v5::Publish) -> Fields {
    let fields = Fields::of("PUBLISH")
        .with("dup", publish.dup)
        .with("qos", publish.qos as u8)
        .with("retain", publish.retain)
        .with("topic", &publish.topic)
        .with("id", publish.pkid)
        .with("payload", &publish.payload[..]);
    match &publish.properties {
        None => fields,
        Some(properties) => fields
            .with_some("payload format indicator", &properties.payload_format_indicator)
            .with_some("message expiry interval", &properties.message_expiry_interval)
            .with_some("topic alias", &properties.topic_alias)
            .with_some("response topic", &properties.response_topic)
            .with_some("correlation data", &properties.correlation_data.as_deref())
            .with_each("user property", &properties.user_properties)
            .with_each("subscription identifier", &properties.subscription_identifiers)
            .with_some("content type", &properties.content_type),
    }
}
