//! Where a message of a mapping came from, as its rules see it.

use std::sync::Arc;

use crate::rules::{Context, Json};
use crate::service::plan::{Capture, FlowSource};

/// A subscription of a mapping.
#[derive(Debug)]
pub(super) struct Origin {
    label: Option<Arc<str>>,
    captures: Vec<Capture>,
    /// Levels of the filter that topics do not have: `$share/<group>`.
    offset: usize,
}

impl Origin {
    pub(super) fn of(source: &FlowSource) -> Self {
        Self {
            label: source.label.as_deref().map(Arc::from),
            captures: source.captures.clone(),
            offset: if source.filter.share_group().is_some() {
                2
            } else {
                0
            },
        }
    }

    /// The context of a message on `topic`: its label, and a variable for each named level.
    pub(super) fn context(&self, topic: &Arc<str>) -> Context {
        let level = |capture: &Capture| topic.split('/').nth(capture.level.checked_sub(self.offset)?);
        let vars = self
            .captures
            .iter()
            .filter_map(|capture| Some((capture.name.clone(), Json::string(level(capture)?))))
            .collect();
        Context {
            topic: Arc::clone(topic),
            label: self.label.clone(),
            vars,
        }
    }
}

#[cfg(test)]
mod tests {
    use syncline_core::codec::QoS;
    use syncline_core::topic::TopicFilter;

    use super::*;

    fn origin(filter: &str, captures: &[(usize, &str)]) -> Origin {
        let capture = |(level, name): &(usize, &str)| Capture {
            level: *level,
            name: (*name).to_owned(),
        };
        Origin::of(&FlowSource {
            filter: TopicFilter::try_from(filter).unwrap(),
            captures: captures.iter().map(capture).collect(),
            qos: QoS::AtMostOnce,
            label: Some("l".to_owned()),
        })
    }

    #[test]
    fn named_levels_become_variables() {
        let origin = origin("plant/+/+/x/#", &[(1, "line"), (2, "machine")]);
        let context = origin.context(&Arc::from("plant/l1//x/y/z"));
        assert_eq!(context.label.as_deref(), Some("l"));
        assert_eq!(context.vars["line"], Json::string("l1"));
        assert_eq!(context.vars["machine"], Json::string(""));
    }

    #[test]
    fn the_levels_of_a_shared_subscription_are_counted_behind_its_group() {
        let origin = origin("$share/g/plant/+/x", &[(3, "line")]);
        assert_eq!(
            origin.context(&Arc::from("plant/l1/x")).vars["line"],
            Json::string("l1")
        );
    }
}
