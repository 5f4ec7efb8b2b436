//! Messages that go round within the agent's own broker: mappings, and endpoints between them, that feed each other for ever.

use std::collections::{HashMap, VecDeque};

use syncline_core::topic::{TopicFilter, TopicName};

use super::super::diagnostic::{Diagnostic, quoted};
use super::super::document::Document;
use super::super::source::Span;
use super::Builder;

/// Links of one chain that a message names.
const LINKS_SHOWN: usize = 6;
/// Comparisons and steps after which no more loops are looked for: thousands of mappings with wildcards, or a hostile file.
const MOST_WORK: usize = 2_000_000;

/// What takes messages from the broker and makes others of them: an item of a mapping, or an endpoint that is asked.
pub(super) struct Hop<'d> {
    pub(super) document: &'d Document,
    /// Place of the topic that it publishes on.
    pub(super) span: Span,
    pub(super) name: String,
    pub(super) takes: Vec<TopicFilter>,
    /// The topic that it publishes on, with `{name}` for a variable: that is no level of a filter, so it is found by a wildcard alone, and
    /// then whatever its value is.
    pub(super) gives: String,
    /// Whether it may take a message and give none, as its rules say.
    pub(super) may_stop: bool,
}

/// Who gives whom messages.
struct Graph {
    /// By hop, the filters that match what it gives.
    matched: Vec<Vec<usize>>,
    /// By filter, the hops that have it.
    takers: Vec<Vec<usize>>,
    /// How much more may be done.
    work: usize,
}

impl Graph {
    fn of(hops: &[&Hop<'_>]) -> Self {
        let mut work = MOST_WORK;
        let mut takers: Vec<Vec<usize>> = Vec::new();
        let mut numbers: HashMap<&TopicFilter, usize> = HashMap::new();
        for (number, hop) in hops.iter().enumerate() {
            for filter in &hop.takes {
                let filter = *numbers.entry(filter).or_insert_with(|| {
                    takers.push(Vec::new());
                    takers.len() - 1
                });
                takers[filter].push(number);
            }
        }
        let is_pattern = |filter: &TopicFilter| filter.has_wildcard() || filter.share_group().is_some();
        let patterns: Vec<_> = numbers.iter().filter(|(filter, _)| is_pattern(filter)).collect();
        let mut by_topic: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut matched = Vec::with_capacity(hops.len());
        for hop in hops {
            let topic = hop.gives.as_str();
            let found = by_topic.entry(topic).or_insert_with(|| {
                let literal = TopicFilter::try_from(topic).ok();
                let literal = literal.filter(|filter| !is_pattern(filter));
                let literal = literal.and_then(|filter| numbers.get(&filter)).copied();
                // Beyond that only what is named in full is looked at.
                work = work.saturating_sub(patterns.len());
                let patterns = patterns.iter().take(if work > 0 { patterns.len() } else { 0 });
                let matching = patterns.filter(|(filter, _)| filter.matches(topic));
                let mut found: Vec<usize> = literal
                    .into_iter()
                    .chain(matching.map(|(_, number)| **number))
                    .collect();
                // In the order of the files, so that the same ones give the same words.
                found.sort_unstable();
                found
            });
            matched.push(found.clone());
        }
        Self {
            matched,
            takers,
            work,
        }
    }

    /// The shortest way of messages from `first` back to it; empty where there is none.
    fn way_round(&mut self, first: usize) -> Vec<usize> {
        let mut before: HashMap<usize, usize> = HashMap::new();
        let mut seen = vec![false; self.takers.len()];
        let mut waiting = VecDeque::from([first]);
        while let Some(hop) = waiting.pop_front() {
            for filter in &self.matched[hop] {
                if std::mem::replace(&mut seen[*filter], true) {
                    continue;
                }
                for next in &self.takers[*filter] {
                    self.work = self.work.saturating_sub(1);
                    if self.work == 0 {
                        return Vec::new();
                    }
                    if *next == first {
                        let mut way = vec![hop];
                        while let Some(earlier) = before.get(&way[way.len() - 1]) {
                            way.push(*earlier);
                        }
                        way.reverse();
                        return way;
                    }
                    if !before.contains_key(next) {
                        before.insert(*next, hop);
                        waiting.push_back(*next);
                    }
                }
            }
        }
        Vec::new()
    }
}

impl Builder<'_, '_> {
    /// Warns of messages that would go round for ever, once for each loop: where no rule may stop them, and whatever variables of topics are.
    pub(super) fn loops(&mut self) {
        let hops = std::mem::take(&mut self.hops);
        let lasting = hops
            .iter()
            .filter(|hop| !hop.may_stop && TopicName::try_from(hop.gives.as_str()).is_ok());
        let lasting: Vec<_> = lasting.collect();
        let mut graph = Graph::of(&lasting);
        let mut told = vec![false; lasting.len()];
        for first in 0..lasting.len() {
            if told[first] || graph.work == 0 {
                continue;
            }
            let way = graph.way_round(first);
            for hop in &way {
                told[*hop] = true;
            }
            let way: Vec<_> = way.into_iter().map(|hop| lasting[hop]).collect();
            if let Some(diagnostic) = diagnostic(&way) {
                self.report.push(diagnostic);
            }
        }
    }
}

/// What is said about messages that go this way and round again.
fn diagnostic(way: &[&Hop<'_>]) -> Option<Diagnostic> {
    let (first, others) = way.split_first()?;
    let link = |hop: &&Hop<'_>| format!("{} publishes on {}", hop.name, quoted(&hop.gives));
    let message = if others.is_empty() {
        format!(
            "messages go round for ever: {}, which it subscribes to",
            link(first)
        )
    } else {
        let shown: Vec<_> = way.iter().take(LINKS_SHOWN).map(link).collect();
        let more = match way.len().saturating_sub(LINKS_SHOWN) {
            0 => String::new(),
            more => format!(", and so on by {more} more"),
        };
        format!(
            "messages go round for ever: {}{more}, which {} subscribes to",
            shown.join(", "),
            first.name
        )
    };
    let mut diagnostic = Diagnostic::warning(&first.document.source, first.span, message)
        .help("publish on a topic that none of them subscribes to, or stop what has come round by a rule: `filter` or `cov`");
    for hop in others.iter().take(LINKS_SHOWN - 1) {
        diagnostic = diagnostic.related(
            &hop.document.source,
            hop.span,
            format!("{} publishes here", hop.name),
        );
    }
    Some(diagnostic)
}
