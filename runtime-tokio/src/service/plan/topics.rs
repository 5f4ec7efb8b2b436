//! What a plan subscribes to at the broker, and what it publishes.

use syncline_core::codec::QoS;

use super::{HttpOperation, OpcuaOperation, Plan, ServicePlan};

/// One subscription at the agent's broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// `serviceId`.
    pub service: String,
    /// Resource id of who needs it.
    pub resource: String,
    /// Topic Filter.
    pub filter: String,
    /// Quality of service.
    pub qos: QoS,
}

/// One topic that messages go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// `serviceId`.
    pub service: String,
    /// Resource id of who publishes.
    pub resource: String,
    /// Topic Name; `{name}` stands for a variable.
    pub topic: String,
    /// Quality of service.
    pub qos: QoS,
    /// Whether the broker keeps the last message.
    pub retain: bool,
}

impl Plan {
    /// All subscriptions, in the order of the files.
    #[must_use]
    pub fn subscriptions(&self) -> Vec<Subscription> {
        self.topics().0
    }

    /// All topics that are published to, in the order of the files.
    #[must_use]
    pub fn publications(&self) -> Vec<Publication> {
        self.topics().1
    }

    fn topics(&self) -> (Vec<Subscription>, Vec<Publication>) {
        let mut topics = Topics::default();
        for service in &self.services {
            topics.collect(service);
        }
        (topics.subscriptions, topics.publications)
    }
}

#[derive(Default)]
struct Topics {
    subscriptions: Vec<Subscription>,
    publications: Vec<Publication>,
}

impl Topics {
    fn collect(&mut self, service: &ServicePlan) {
        for node in service.http_servers.iter().flat_map(|server| &server.nodes) {
            let (resource, qos) = ((node.service.as_str(), node.resource.as_str()), node.qos);
            match &node.operation {
                HttpOperation::Transaction { treq, tres, .. } => {
                    self.subscribes(resource, tres.as_str(), qos);
                    self.publishes(resource, treq.as_str(), qos, false);
                }
                HttpOperation::Receive { retain } => {
                    self.publishes(resource, node.topic.as_str(), qos, *retain);
                }
                HttpOperation::Provide => self.subscribes(resource, node.topic.as_str(), qos),
            }
        }
        for node in service.opcua_servers.iter().flat_map(|server| &server.nodes) {
            if let Some(operation) = node.operation() {
                self.opcua((&node.service, &node.resource), operation);
            }
        }
        for endpoint in service
            .connections
            .iter()
            .flat_map(|connection| &connection.endpoints)
        {
            let resource = (endpoint.service.as_str(), endpoint.resource.as_str());
            let qos = endpoint.qos;
            if let Some(topic) = endpoint.operation.listens_to() {
                self.subscribes(resource, topic.as_str(), qos);
            }
            let topic = endpoint.operation.publishes_to();
            self.publishes(resource, topic.as_str(), qos, endpoint.retain);
        }
        for mapping in &service.mappings {
            let resource = (service.id.as_str(), mapping.resource.as_str());
            for flow in &mapping.flows {
                for source in &flow.subscribe {
                    self.subscribes(resource, source.filter.as_str(), source.qos);
                }
                let target = &flow.publish;
                self.publishes(resource, &target.topic.to_string(), target.qos, target.retain);
            }
        }
    }

    fn opcua(&mut self, resource: (&str, &str), operation: &OpcuaOperation) {
        match operation {
            OpcuaOperation::Transaction { treq, tres, qos, .. } => {
                self.subscribes(resource, tres.as_str(), *qos);
                self.publishes(resource, treq.as_str(), *qos, false);
            }
            OpcuaOperation::Exchange {
                topic,
                provides,
                receives,
                qos,
                ..
            } => {
                if *provides {
                    self.subscribes(resource, topic.as_str(), *qos);
                }
                if *receives {
                    self.publishes(resource, topic.as_str(), *qos, false);
                }
            }
        }
    }

    fn subscribes(&mut self, (service, resource): (&str, &str), filter: &str, qos: QoS) {
        self.subscriptions.push(Subscription {
            service: service.to_owned(),
            resource: resource.to_owned(),
            filter: filter.to_owned(),
            qos,
        });
    }

    fn publishes(&mut self, (service, resource): (&str, &str), topic: &str, qos: QoS, retain: bool) {
        self.publications.push(Publication {
            service: service.to_owned(),
            resource: resource.to_owned(),
            topic: topic.to_owned(),
            qos,
            retain,
        });
    }
}
