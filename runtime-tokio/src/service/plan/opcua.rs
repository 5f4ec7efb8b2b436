//! OPC UA servers and their nodes.

use serde_json::Value;
use syncline_core::codec::QoS;
use syncline_core::topic::TopicName;

use super::{RuleList, TransactionPlan};

/// One `Cybus::Server::Opcua`.
#[derive(Debug, Clone, PartialEq)]
pub struct OpcuaServerPlan {
    /// Resource id.
    pub resource: String,
    /// TCP port, 4841 by default.
    pub port: u16,
    /// Path of the endpoint's URL, begins with `/`.
    pub resource_path: String,
    /// Host name in the endpoint's URL; the machine's own where absent.
    pub hostname: Option<String>,
    /// A second host name that clients may use.
    pub alternate_hostname: Option<String>,
    /// The server's application URI; derived from the agent where absent.
    pub application_uri: Option<String>,
    /// Whether clients may come without a name.
    pub allow_anonymous: bool,
    /// Security policies that are offered.
    pub security_policies: Vec<SecurityPolicy>,
    /// Message security modes that are offered.
    pub security_modes: Vec<SecurityMode>,
    /// Nodes, each one after its parent; some may be those of other services.
    pub nodes: Vec<OpcuaNodePlan>,
}

/// One `Cybus::Node::Opcua`.
#[derive(Debug, Clone, PartialEq)]
pub struct OpcuaNodePlan {
    /// `serviceId` of the file that it stands in.
    pub service: String,
    /// Resource id.
    pub resource: String,
    /// The node above; absent for the server's root node.
    pub parent: Option<OpcuaParent>,
    /// `NodeId` in its text form, for example `ns=1;s=root`.
    pub node_id: String,
    /// Name without namespace.
    pub browse_name: String,
    /// What patterns of permissions are compared with: the path of the server, and the browse names from its root node down to this
    /// one, each after a `/`. In a name, `/` is written `%2F` and `%` as `%25`.
    pub path: String,
    /// What it is.
    pub kind: NodeKind,
}

/// Which node is above another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpcuaParent {
    /// `serviceId` of its file.
    pub service: String,
    /// Resource id.
    pub resource: String,
}

impl OpcuaNodePlan {
    /// What connects it to MQTT.
    #[must_use]
    pub fn operation(&self) -> Option<&OpcuaOperation> {
        match &self.kind {
            NodeKind::Object => None,
            NodeKind::Variable { operation, .. } | NodeKind::Method { operation, .. } => operation.as_ref(),
        }
    }

    /// What its messages go through.
    #[must_use]
    pub fn rules(&self) -> Option<&RuleList> {
        self.operation().map(|operation| match operation {
            OpcuaOperation::Transaction { rules, .. } | OpcuaOperation::Exchange { rules, .. } => rules,
        })
    }
}

/// The class of a node, with what belongs to it alone.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeKind {
    /// Holds other nodes.
    Object,
    /// Holds a value.
    Variable {
        /// Type of the value.
        data_type: DataType,
        /// -1 for a scalar, else how many dimensions: 1 to 3, or 0 for any number of them.
        value_rank: i32,
        /// Value until the first one comes; a JSON value that fits the type.
        initial_value: Option<Value>,
        /// What connects it to MQTT.
        operation: Option<OpcuaOperation>,
    },
    /// Is called.
    Method {
        /// Arguments of a call, in their order.
        input: Vec<ArgumentPlan>,
        /// Arguments of its result, in their order.
        output: Vec<ArgumentPlan>,
        /// What connects it to MQTT; a method can only be a transaction.
        operation: Option<OpcuaOperation>,
    },
}

/// One argument of a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgumentPlan {
    /// Name, the key in a treq's or a tres' value.
    pub name: String,
    /// Type.
    pub data_type: DataType,
    /// As of a variable.
    pub value_rank: i32,
    /// For people.
    pub description: String,
}

/// How a node and MQTT belong together.
#[derive(Debug, Clone, PartialEq)]
pub enum OpcuaOperation {
    /// A Write or a Call is held until the tres has come.
    Transaction {
        /// Topic that `treq` and `tres` are appended to.
        topic: TopicName,
        /// Topic of requests, `<topic>/treq`.
        treq: TopicName,
        /// Topic of responses, `<topic>/tres`.
        tres: TopicName,
        /// Quality of service of both.
        qos: QoS,
        /// How long and how many requests are held.
        transaction: TransactionPlan,
        /// What messages go through.
        rules: RuleList,
    },
    /// Values of the topic become values of the node, or the other way round, or both.
    Exchange {
        /// The topic.
        topic: TopicName,
        /// Whether messages become values of the node (`serverProvides`).
        provides: bool,
        /// Whether a client's Write is published (`serverReceives`).
        receives: bool,
        /// Quality of service.
        qos: QoS,
        /// What messages go through.
        rules: RuleList,
    },
}

impl OpcuaOperation {
    /// The topic, of a transaction the one that `treq` and `tres` are appended to.
    #[must_use]
    pub fn topic(&self) -> &TopicName {
        match self {
            Self::Transaction { topic, .. } | Self::Exchange { topic, .. } => topic,
        }
    }

    /// Quality of service of its messages.
    #[must_use]
    pub fn qos(&self) -> QoS {
        match self {
            Self::Transaction { qos, .. } | Self::Exchange { qos, .. } => *qos,
        }
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Transaction { .. } => "transaction",
            Self::Exchange {
                provides: true,
                receives: true,
                ..
            } => "provide, receive",
            Self::Exchange { provides: true, .. } => "provide",
            Self::Exchange { .. } => "receive",
        }
    }
}

/// Declares an enum whose variants have one name each, with a table for reading and a name for writing.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// All of them, by name.
            pub(crate) const NAMES: &[(&str, Self)] = &[$(($text, Self::$variant)),+];

            /// The name, as files write it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

named! {
    /// Security policies of OPC UA Part 7.
    SecurityPolicy {
        /// No security.
        None = "None",
        /// Deprecated by the OPC Foundation.
        Basic128Rsa15 = "Basic128Rsa15",
        /// Deprecated by the OPC Foundation.
        Basic256 = "Basic256",
        /// AES-256, SHA-256.
        Basic256Sha256 = "Basic256Sha256",
        /// AES-128, SHA-256, RSA-OAEP.
        Aes128Sha256RsaOaep = "Aes128_Sha256_RsaOaep",
        /// AES-256, SHA-256, RSA-PSS.
        Aes256Sha256RsaPss = "Aes256_Sha256_RsaPss",
    }
}

named! {
    /// Message security modes of OPC UA Part 4.
    SecurityMode {
        /// Neither signed nor encrypted.
        None = "None",
        /// Signed.
        Sign = "Sign",
        /// Signed and encrypted.
        SignAndEncrypt = "SignAndEncrypt",
    }
}

named! {
    /// Built-in types of OPC UA Part 6.
    DataType {
        /// True or false.
        Boolean = "Boolean",
        /// 8 bits with sign.
        SByte = "SByte",
        /// 8 bits.
        Byte = "Byte",
        /// 16 bits with sign.
        Int16 = "Int16",
        /// 16 bits.
        UInt16 = "UInt16",
        /// 32 bits with sign.
        Int32 = "Int32",
        /// 32 bits.
        UInt32 = "UInt32",
        /// 64 bits with sign.
        Int64 = "Int64",
        /// 64 bits.
        UInt64 = "UInt64",
        /// Single precision.
        Float = "Float",
        /// Double precision.
        Double = "Double",
        /// Text.
        String = "String",
        /// A moment in time.
        DateTime = "DateTime",
        /// A universal identifier.
        Guid = "Guid",
        /// Bytes.
        ByteString = "ByteString",
        /// A piece of XML.
        XmlElement = "XmlElement",
        /// The identity of a node.
        NodeId = "NodeId",
        /// The identity of a node of any server.
        ExpandedNodeId = "ExpandedNodeId",
        /// A numeric result.
        StatusCode = "StatusCode",
        /// A name with its namespace.
        QualifiedName = "QualifiedName",
        /// A text with its language.
        LocalizedText = "LocalizedText",
        /// Any of these.
        Variant = "Variant",
        /// A value with its status and times.
        DataValue = "DataValue",
    }
}
