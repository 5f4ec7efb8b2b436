//! Topic Names and Topic Filters.

use pyo3::prelude::*;
use syncline_core::topic;

use crate::argument::Text;
use crate::error;

/// A valid Topic Filter, shared subscriptions included.
#[pyclass(module = "syncline.core", frozen, eq, hash)]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct TopicFilter(topic::TopicFilter);

#[pymethods]
impl TopicFilter {
    #[new]
    fn new(text: Text) -> PyResult<Self> {
        filter(&text).map(Self)
    }

    /// Whether a message on this topic is for it.
    fn matches(&self, topic: Text) -> bool {
        self.0.matches(&topic)
    }

    /// The group of a shared subscription.
    #[getter]
    fn share_group(&self) -> Option<&str> {
        self.0.share_group()
    }

    /// Whether it has `+` or `#`.
    #[getter]
    fn has_wildcard(&self) -> bool {
        self.0.has_wildcard()
    }

    fn __str__(&self) -> &str {
        self.0.as_str()
    }

    fn __repr__(&self) -> String {
        format!("TopicFilter({:?})", self.0.as_str())
    }
}

/// Checks a Topic Name.
#[pyfunction]
pub(crate) fn check_topic_name(topic: Text) -> PyResult<()> {
    name(&topic).map(drop)
}

pub(crate) fn name(text: &str) -> PyResult<topic::TopicName> {
    topic::TopicName::new(text.to_owned()).map_err(|error| error::topic(&error))
}

pub(crate) fn filter(text: &str) -> PyResult<topic::TopicFilter> {
    topic::TopicFilter::new(text.to_owned()).map_err(|error| error::topic(&error))
}
