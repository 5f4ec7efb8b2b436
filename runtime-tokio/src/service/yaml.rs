//! YAML as a tree in which every node knows its place and its tag, within bounds on size, depth and aliases.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle};

use super::diagnostic::{Diagnostic, Report, quoted};
use super::source::{Source, Span};

/// Longest file in bytes.
pub(super) const MAX_FILE_BYTES: usize = 1 << 20;
/// Collections inside each other.
pub(super) const MAX_DEPTH: usize = 64;
/// Values of one file with every alias and reference written out; a long text counts as several.
pub(super) const MAX_VALUES: usize = 100_000;

/// One node. Aliases share the node that they name, so the tree never takes more memory than its text suggests.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) tag: Option<Tag>,
    pub(super) content: Content,
    /// Values of the written-out tree from here on, this one counted.
    weight: usize,
    /// Levels of collections from here on.
    height: usize,
}

/// A tag as written, for example `!ref`; tags of YAML's own schema are `!!str` and the like.
#[derive(Debug)]
pub(super) struct Tag {
    pub(super) name: String,
    pub(super) span: Span,
}

/// What a node holds.
#[derive(Debug)]
pub(super) enum Content {
    Scalar { text: String, plain: bool },
    Sequence(Vec<Rc<Node>>),
    Mapping(Vec<Entry>),
}

/// One pair of a mapping.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: Rc<str>,
    pub(super) key_span: Span,
    pub(super) value: Rc<Node>,
}

/// Reads the one document of `source`. `None` when there is no tree; the reason is then in `report`. A duplicate key
/// is reported too, but the tree goes on with the first.
pub(super) fn parse(source: &Arc<Source>, report: &mut Report) -> Option<Rc<Node>> {
    let length = source.text().len();
    if length > MAX_FILE_BYTES {
        report.push(Diagnostic::error(
            source,
            Span::default(),
            format!("the file has {length} bytes, expected at most {MAX_FILE_BYTES}"),
        ));
        return None;
    }
    match Builder::new(source, report).run() {
        Ok(root) => Some(root),
        Err(diagnostic) => {
            report.push(*diagnostic);
            None
        }
    }
}

/// Reads a text that is not part of a file; `None` when it is not valid.
pub(super) fn parse_text(text: &str) -> Option<Rc<Node>> {
    let mut report = Report::default();
    parse(&Arc::new(Source::new("", text)), &mut report).filter(|_| report.errors() == 0)
}

struct Builder<'a> {
    source: &'a Arc<Source>,
    report: &'a mut Report,
    open: Vec<Collection>,
    anchors: HashMap<usize, Rc<Node>>,
    root: Option<Rc<Node>>,
    values: usize,
}

/// A collection whose end has not been read.
struct Collection {
    span: Span,
    tag: Option<Tag>,
    anchor: usize,
    items: Items,
}

enum Items {
    Sequence(Vec<Rc<Node>>),
    Mapping {
        entries: Vec<Entry>,
        places: HashMap<Rc<str>, Span>,
        key: Option<(Rc<str>, Span)>,
    },
}

type Step<T = ()> = Result<T, Box<Diagnostic>>;

impl<'a> Builder<'a> {
    fn new(source: &'a Arc<Source>, report: &'a mut Report) -> Self {
        Self {
            source,
            report,
            open: Vec::new(),
            anchors: HashMap::new(),
            root: None,
            values: 0,
        }
    }

    fn run(mut self) -> Step<Rc<Node>> {
        let options = granit_parser::options! {
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
        };
        let source = self.source.clone();
        for next in Parser::new_from_str_with_options(source.text(), options) {
            let (event, span) = next.map_err(|error| {
                let at = error.marker().byte_offset().unwrap_or_default();
                match error.kind() {
                    ErrorKind::RecursionLimitExceeded => self.too_deep(Span::new(at, at)),
                    _ => {
                        let error_at =
                            self.error(Span::new(at, at), format!("not valid YAML: {}", error.info()));
                        Box::new(error_at.maybe_help(syntax_cure(&error.info()).map(Into::into)))
                    }
                }
            })?;
            let tag = span.tag_span().map(|tag| self.span(tag));
            self.event(event, self.span(span), tag)?;
        }
        let end = source.text().len();
        self.root.take().ok_or_else(|| {
            self.error(
                Span::new(end, end),
                "the file is empty, expected a mapping with `metadata` and `resources`",
            )
        })
    }

    fn event(&mut self, event: Event<'_>, span: Span, tag_span: Option<Span>) -> Step {
        let tag = |tag: Option<_>| {
            tag.map(|tag: std::borrow::Cow<'_, granit_parser::Tag>| Tag {
                name: match tag.core_suffix() {
                    Some(suffix) => format!("!!{suffix}"),
                    None => tag.original(),
                },
                span: tag_span.unwrap_or(span),
            })
        };
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(self.error(span, "found a second document, expected one document in the file"))
            }
            Event::Scalar(text, style, anchor, raw_tag) => {
                if let Some(Collection {
                    items: Items::Mapping { key: key @ None, .. },
                    ..
                }) = self.open.last_mut()
                {
                    if raw_tag.is_some() {
                        return Err(self.error(
                            tag_span.unwrap_or(span),
                            "found a tag on a key, expected a plain text",
                        ));
                    }
                    *key = Some((Rc::from(&*text), span));
                    self.values += 1;
                    return Ok(());
                }
                let content = Content::Scalar {
                    text: text.into_owned(),
                    plain: style == ScalarStyle::Plain,
                };
                let weight = 1 + text_weight(self.source.slice(span));
                self.complete(
                    Node {
                        span,
                        tag: tag(raw_tag),
                        content,
                        weight,
                        height: 0,
                    },
                    anchor,
                )
            }
            Event::SequenceStart(_, anchor, raw_tag) => self.begin(Collection {
                span,
                tag: tag(raw_tag),
                anchor,
                items: Items::Sequence(Vec::new()),
            }),
            Event::MappingStart(_, anchor, raw_tag) => {
                let items = Items::Mapping {
                    entries: Vec::new(),
                    places: HashMap::new(),
                    key: None,
                };
                self.begin(Collection {
                    span,
                    tag: tag(raw_tag),
                    anchor,
                    items,
                })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                self.refuse_as_key(span, "an alias")?;
                let node = self.anchors.get(&anchor).cloned().ok_or_else(|| {
                    self.error(
                        span,
                        format!(
                            "alias {} stands inside the node that it names",
                            quoted(self.source.slice(span))
                        ),
                    )
                })?;
                if self.open.len() + node.height > MAX_DEPTH {
                    return Err(self.too_deep(span));
                }
                self.count(node.weight, span)?;
                self.attach(node)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, collection: Collection) -> Step {
        self.refuse_as_key(collection.span, "a collection")?;
        if self.open.len() >= MAX_DEPTH {
            return Err(self.too_deep(collection.span));
        }
        self.open.push(collection);
        Ok(())
    }

    fn end(&mut self) -> Step {
        let Some(Collection {
            span,
            tag,
            anchor,
            items,
        }) = self.open.pop()
        else {
            return Ok(());
        };
        let content = match items {
            Items::Sequence(items) => Content::Sequence(items),
            Items::Mapping { entries, places, .. } => Content::Mapping(self.merge(entries, &places)?),
        };
        let children: &mut dyn Iterator<Item = &Rc<Node>> = match &content {
            Content::Scalar { .. } => &mut std::iter::empty(),
            Content::Sequence(items) => &mut items.iter(),
            Content::Mapping(entries) => &mut entries.iter().map(|entry| &entry.value),
        };
        let (weight, height) = children.fold((1, 0), |(weight, height), child| {
            (weight + child.weight, height.max(child.height))
        });
        self.complete(
            Node {
                span,
                tag,
                content,
                weight,
                height: height + 1,
            },
            anchor,
        )
    }

    /// Replaces the merge key `<<` by the pairs that it brings; the mapping's own keys win.
    fn merge(&mut self, entries: Vec<Entry>, places: &HashMap<Rc<str>, Span>) -> Step<Vec<Entry>> {
        if !places.contains_key("<<") {
            return Ok(entries);
        }
        let mut merged: Vec<Entry> = Vec::new();
        let mut taken: HashMap<Rc<str>, Span> = places.clone();
        let mut sources: Vec<(Span, Rc<Node>)> = Vec::new();
        for entry in entries {
            if &*entry.key != "<<" {
                merged.push(entry);
                continue;
            }
            match &entry.value.content {
                Content::Sequence(items) => {
                    sources.extend(items.iter().map(|item| (entry.key_span, item.clone())));
                }
                _ => sources.push((entry.key_span, entry.value)),
            }
        }
        for (key_span, node) in sources {
            let (Content::Mapping(pairs), None) = (&node.content, &node.tag) else {
                return Err(self.error(
                    key_span,
                    "`<<` takes an alias of a mapping or a list of such aliases",
                ));
            };
            self.count(pairs.iter().map(|pair| pair.value.weight).sum(), key_span)?;
            for pair in pairs {
                if taken.insert(pair.key.clone(), pair.key_span).is_none() {
                    merged.push(pair.clone());
                }
            }
        }
        Ok(merged)
    }

    fn complete(&mut self, node: Node, anchor: usize) -> Step {
        let own = match &node.content {
            Content::Scalar { .. } => node.weight,
            _ => 1,
        };
        self.count(own, node.span)?;
        let node = Rc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        self.attach(node)
    }

    fn attach(&mut self, node: Rc<Node>) -> Step {
        match self.open.last_mut().map(|collection| &mut collection.items) {
            None => self.root = Some(node),
            Some(Items::Sequence(items)) => items.push(node),
            Some(Items::Mapping { entries, places, key }) => {
                let Some((key, key_span)) = key.take() else {
                    return Ok(());
                };
                if let Some(first) = places.get(&key) {
                    let message = format!("duplicate key {}, expected each key once", quoted(&key));
                    self.report
                        .push(Diagnostic::error(self.source, key_span, message).related(
                            self.source,
                            *first,
                            "first here",
                        ));
                } else {
                    places.insert(key.clone(), key_span);
                    entries.push(Entry {
                        key,
                        key_span,
                        value: node,
                    });
                }
            }
        }
        Ok(())
    }

    fn refuse_as_key(&self, span: Span, what: &str) -> Step {
        match self.open.last() {
            Some(Collection {
                items: Items::Mapping { key: None, .. },
                ..
            }) => Err(self.error(span, format!("found {what} as a key, expected a plain text"))),
            _ => Ok(()),
        }
    }

    fn count(&mut self, values: usize, span: Span) -> Step {
        self.values = self.values.saturating_add(values);
        if self.values > MAX_VALUES {
            let message =
                format!("the file has more than {MAX_VALUES} values when its aliases are written out");
            return Err(self.error(span, message));
        }
        Ok(())
    }

    fn too_deep(&self, span: Span) -> Box<Diagnostic> {
        self.error(
            span,
            format!("nested too deep, expected at most {MAX_DEPTH} levels"),
        )
    }

    fn error(&self, span: Span, message: impl Into<String>) -> Box<Diagnostic> {
        Box::new(Diagnostic::error(self.source, span, message))
    }

    fn span(&self, span: granit_parser::Span) -> Span {
        let start = span.start.byte_offset().unwrap_or_default();
        let end = span.end.byte_offset().unwrap_or(start).max(start);
        Span::new(start, end)
    }
}

/// What a text counts beyond the one of its node, so that repeating a long one is as dear as repeating many short ones.
pub(super) fn text_weight(text: &str) -> usize {
    text.len() / 64
}

/// What to do about the mistakes that are made most; the parser's own words say what is wrong, not how it is mended.
fn syntax_cure(info: &str) -> Option<&'static str> {
    const CURES: [(&str, &str); 6] = [
        (
            "mapping values are not allowed",
            "put a text that contains `: ` in quotes, and indent keys of one mapping alike",
        ),
        (
            "illegal placement of ':'",
            "put a text that contains `: ` in quotes, and indent keys of one mapping alike",
        ),
        ("tabs disallowed", "indent with spaces"),
        (
            "flow mapping",
            "close `{` with `}`, with a `,` between the entries",
        ),
        (
            "unclosed bracket",
            "close each `[` with `]` and each `{` with `}`",
        ),
        (
            "block mapping",
            "indent the keys of one mapping alike, each followed by `: `",
        ),
    ];
    CURES
        .iter()
        .find(|(words, _)| info.contains(words))
        .map(|(_, cure)| *cure)
}
