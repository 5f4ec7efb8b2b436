//! MQTT 5.0 properties, as one frozen object: made by name, read by name.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use syncline_core::codec::{self, Property, PropertyBuf, PropertyId};

use crate::argument::{self, Text};
use crate::buffer::Lent;
use crate::error;

/// Properties of a packet; 3.1.1 has none.
#[pyclass(module = "syncline.core", frozen, eq, from_py_object)]
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Properties(PropertyBuf);

impl Properties {
    pub(crate) fn copied(properties: codec::Properties<'_>) -> Self {
        Self(properties.into())
    }

    /// Those that were given, or none.
    pub(crate) fn optional(properties: Option<&Self>) -> PropertyBuf {
        properties.map(|it| it.0.clone()).unwrap_or_default()
    }

    fn text(&self, id: PropertyId) -> Option<&str> {
        match self.0.as_properties().find(id)? {
            Property::ContentType(text)
            | Property::ResponseTopic(text)
            | Property::AssignedClientIdentifier(text)
            | Property::AuthenticationMethod(text)
            | Property::ResponseInformation(text)
            | Property::ServerReference(text)
            | Property::ReasonString(text) => Some(text),
            _ => None,
        }
    }

    fn data<'py>(&self, py: Python<'py>, id: PropertyId) -> Option<Bound<'py, PyBytes>> {
        match self.0.as_properties().find(id)? {
            Property::CorrelationData(data) | Property::AuthenticationData(data) => {
                Some(PyBytes::new(py, data))
            }
            _ => None,
        }
    }

    fn number(&self, id: PropertyId) -> Option<u32> {
        match self.0.as_properties().find(id)? {
            Property::MessageExpiryInterval(number)
            | Property::WillDelayInterval(number)
            | Property::SessionExpiryInterval(number) => Some(number),
            _ => None,
        }
    }
}

#[pymethods]
impl Properties {
    #[new]
    #[pyo3(signature = (*, content_type=None, response_topic=None, correlation_data=None, is_utf8=None,
                        message_expiry=None, will_delay=None, subscription_identifier=None, reason_string=None,
                        user=Vec::new()))]
    #[expect(
        clippy::too_many_arguments,
        reason = "one for each property; Python names them"
    )]
    fn new(
        content_type: Option<Text>,
        response_topic: Option<Text>,
        correlation_data: Option<Lent<'_>>,
        is_utf8: Option<bool>,
        #[pyo3(from_py_with = argument::optional::message_expiry)] message_expiry: Option<u32>,
        #[pyo3(from_py_with = argument::optional::will_delay)] will_delay: Option<u32>,
        #[pyo3(from_py_with = argument::optional::subscription_identifier)] subscription_identifier: Option<
            u32,
        >,
        reason_string: Option<Text>,
        user: Vec<(Text, Text)>,
    ) -> PyResult<Self> {
        let correlation_data = correlation_data.map(|lent| lent.to_shared());
        let given = [
            is_utf8.map(Property::PayloadFormatIndicator),
            message_expiry.map(Property::MessageExpiryInterval),
            content_type.as_deref().map(Property::ContentType),
            response_topic.as_deref().map(Property::ResponseTopic),
            correlation_data.as_deref().map(Property::CorrelationData),
            subscription_identifier.map(Property::SubscriptionIdentifier),
            will_delay.map(Property::WillDelayInterval),
            reason_string.as_deref().map(Property::ReasonString),
        ];
        let user = user
            .iter()
            .map(|(name, value)| Property::UserProperty(name, value));
        let mut properties = PropertyBuf::new();
        for property in given.into_iter().flatten().chain(user) {
            properties.push(property).map_err(|error| error::encode(&error))?;
        }
        Ok(Self(properties))
    }

    #[getter]
    fn content_type(&self) -> Option<&str> {
        self.text(PropertyId::ContentType)
    }

    #[getter]
    fn response_topic(&self) -> Option<&str> {
        self.text(PropertyId::ResponseTopic)
    }

    #[getter]
    fn correlation_data<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.data(py, PropertyId::CorrelationData)
    }

    #[getter]
    fn is_utf8(&self) -> Option<bool> {
        match self.0.as_properties().find(PropertyId::PayloadFormatIndicator) {
            Some(Property::PayloadFormatIndicator(is_utf8)) => Some(is_utf8),
            _ => None,
        }
    }

    #[getter]
    fn message_expiry(&self) -> Option<u32> {
        self.number(PropertyId::MessageExpiryInterval)
    }

    #[getter]
    fn will_delay(&self) -> Option<u32> {
        self.number(PropertyId::WillDelayInterval)
    }

    #[getter]
    fn session_expiry(&self) -> Option<u32> {
        self.number(PropertyId::SessionExpiryInterval)
    }

    #[getter]
    fn subscription_identifiers(&self) -> Vec<u32> {
        let identifier = |property| match property {
            Property::SubscriptionIdentifier(number) => Some(number),
            _ => None,
        };
        self.0.as_properties().iter().filter_map(identifier).collect()
    }

    #[getter]
    fn reason_string(&self) -> Option<&str> {
        self.text(PropertyId::ReasonString)
    }

    #[getter]
    fn server_reference(&self) -> Option<&str> {
        self.text(PropertyId::ServerReference)
    }

    #[getter]
    fn response_information(&self) -> Option<&str> {
        self.text(PropertyId::ResponseInformation)
    }

    #[getter]
    fn assigned_client_id(&self) -> Option<&str> {
        self.text(PropertyId::AssignedClientIdentifier)
    }

    #[getter]
    fn authentication_method(&self) -> Option<&str> {
        self.text(PropertyId::AuthenticationMethod)
    }

    #[getter]
    fn authentication_data<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.data(py, PropertyId::AuthenticationData)
    }

    #[getter]
    fn user(&self) -> Vec<(&str, &str)> {
        let pair = |property| match property {
            Property::UserProperty(name, value) => Some((name, value)),
            _ => None,
        };
        self.0.as_properties().iter().filter_map(pair).collect()
    }

    fn __bool__(&self) -> bool {
        !self.0.as_properties().is_empty()
    }

    /// Names what is there without the values, some of which are credentials.
    fn __repr__(&self) -> String {
        let names = self.0.as_properties().iter().map(|property| property.id().name());
        format!("<Properties: {}>", names.collect::<Vec<_>>().join(", "))
    }
}
