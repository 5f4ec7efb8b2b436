//! The names that an expression uses and that nothing gives a meaning: what it calls, what it reads, what it asks `$last` for.

use std::collections::BTreeSet;

use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};
use jsonata_core::functions::FunctionError;
use jsonata_core::functions::string::build_regex;

use super::evaluate::Context;
use super::functions::{FUNCTIONS, LAST, is_function};

/// What a message brings along, by [`Context`](super::Context).
const CONTEXT: &str = "context";

/// The names in one expression.
#[derive(Debug, Default)]
pub(crate) struct Names<'e> {
    called: BTreeSet<&'e str>,
    read: BTreeSet<&'e str>,
    /// By `:=`, as a parameter, by `@` and `#`, wherever in the expression: more than are in scope.
    bound: BTreeSet<&'e str>,
    labels: BTreeSet<&'e str>,
    /// What `$context` is asked for.
    of_context: BTreeSet<&'e str>,
    /// Patterns and flags.
    regexes: BTreeSet<(&'e str, &'e str)>,
}

impl<'e> Names<'e> {
    pub(super) fn of(tree: &'e AstNode) -> Self {
        let mut names = Self::default();
        // Not by recursion: a tree may be as deep as the parser allows.
        let mut waiting = vec![tree];
        while let Some(node) = waiting.pop() {
            names.look_at(node, &mut waiting);
        }
        names
    }

    /// What is called as `$name(…)` and is no function.
    pub(crate) fn unknown_functions(&self) -> impl Iterator<Item = &'e str> {
        unknown(&self.called, &self.bound)
    }

    /// What is read as `$name` and is always undefined.
    pub(crate) fn unknown_variables(&self) -> impl Iterator<Item = &'e str> {
        unknown(&self.read, &self.bound)
    }

    /// What `$context` is asked for and never has, unless the expression sets a `$context` of its own.
    pub(crate) fn unknown_context(&self) -> impl Iterator<Item = &'e str> {
        let is_own = self.bound.contains(CONTEXT);
        let asked = self.of_context.iter().copied();
        asked.filter(move |name| !is_own && !Context::MEMBERS.contains(name))
    }

    /// The labels that `$last` is asked for, as far as they are texts.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &'e str> {
        self.labels.iter().copied()
    }

    /// The first regular expression that is none for the evaluator, as it is written, and why.
    pub(super) fn broken_regex(&self) -> Option<(String, String)> {
        self.regexes.iter().find_map(|(pattern, flags)| {
            let FunctionError::ArgumentError(error) = build_regex(pattern, flags).err()? else {
                return None;
            };
            // The lines before the last draw the pattern.
            let reason = error.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            Some((format!("/{pattern}/{flags}"), reason.to_owned()))
        })
    }

    /// The names that could have been meant by one that is unknown.
    pub(crate) fn known(&self) -> impl Iterator<Item = &'e str> {
        let own = self.bound.iter().copied();
        own.chain([LAST, CONTEXT]).chain(FUNCTIONS)
    }

    fn look_at(&mut self, node: &'e AstNode, waiting: &mut Vec<&'e AstNode>) {
        match node {
            AstNode::Variable(name) => {
                self.read.insert(name);
            }
            AstNode::Function {
                name,
                args,
                is_builtin,
            } => {
                if *is_builtin {
                    self.called.insert(name);
                }
                if let (LAST, Some(AstNode::String(label))) = (name.as_str(), args.first()) {
                    self.labels.insert(label);
                }
                waiting.extend(args);
            }
            AstNode::Binary { op, lhs, rhs } => {
                let binds = matches!(
                    op,
                    BinaryOp::ColonEqual | BinaryOp::FocusBind | BinaryOp::IndexBind
                );
                // The side that is bound says no more than its name.
                match (binds, &**lhs, &**rhs) {
                    (true, AstNode::Variable(name), other) | (true, other, AstNode::Variable(name)) => {
                        self.bound.insert(name);
                        waiting.push(other);
                    }
                    (_, lhs, rhs) => waiting.extend([lhs, rhs]),
                }
            }
            AstNode::Lambda { params, body, .. } => {
                self.bound.extend(params.iter().map(String::as_str));
                waiting.push(body);
            }
            AstNode::Path { steps } => {
                if let [first, second, ..] = steps.as_slice()
                    && let (AstNode::Variable(variable), AstNode::Name(member)) = (&first.node, &second.node)
                    && variable == CONTEXT
                {
                    self.of_context.insert(member);
                }
                for step in steps {
                    self.look_at_step(step, waiting);
                }
            }
            AstNode::Call { procedure, args } => {
                waiting.push(procedure);
                waiting.extend(args);
            }
            AstNode::Unary { operand, .. } => waiting.push(operand),
            AstNode::Array(items) | AstNode::ArrayGroup(items) | AstNode::Block(items) => {
                waiting.extend(items);
            }
            AstNode::Object(members) => waiting.extend(members.iter().flat_map(|(key, value)| [key, value])),
            AstNode::ObjectTransform { input, pattern } => {
                waiting.push(input);
                waiting.extend(pattern.iter().flat_map(|(key, value)| [key, value]));
            }
            AstNode::Conditional {
                condition,
                then_branch,
                else_branch,
            } => {
                waiting.extend([&**condition, &**then_branch]);
                waiting.extend(else_branch.as_deref());
            }
            AstNode::FunctionApplication(inner) => waiting.push(inner),
            AstNode::Sort { input, terms } => {
                waiting.push(input);
                waiting.extend(terms.iter().map(|(term, _)| term));
            }
            AstNode::Transform {
                location,
                update,
                delete,
            } => {
                waiting.extend([&**location, &**update]);
                waiting.extend(delete.as_deref());
            }
            AstNode::Regex { pattern, flags } => {
                self.regexes.insert((pattern, flags));
            }
            AstNode::String(_)
            | AstNode::Name(_)
            | AstNode::Number(_)
            | AstNode::Boolean(_)
            | AstNode::Null
            | AstNode::Undefined
            | AstNode::Placeholder
            | AstNode::ParentVariable(_)
            | AstNode::Wildcard
            | AstNode::Descendant
            | AstNode::Parent(_) => {}
        }
    }

    fn look_at_step(&mut self, step: &'e PathStep, waiting: &mut Vec<&'e AstNode>) {
        self.bound.extend(step.focus.as_deref());
        self.bound.extend(step.index_var.as_deref());
        waiting.push(&step.node);
        for stage in &step.stages {
            match stage {
                Stage::Filter(condition) => waiting.push(condition),
                Stage::Index(name) => {
                    self.bound.insert(name);
                }
                Stage::KeepArray => {}
            }
        }
    }
}

fn unknown<'s, 'e>(
    used: &'s BTreeSet<&'e str>,
    bound: &'s BTreeSet<&'e str>,
) -> impl Iterator<Item = &'e str> + use<'s, 'e> {
    used.difference(bound).copied().filter(|name| {
        // `$` alone is the payload.
        !name.is_empty() && ![LAST, CONTEXT].contains(name) && !is_function(name)
    })
}

/// Whether an expression has a result whatever it is given, unless it fails without being told to by `$assert` or `$error`.
pub(super) fn always_has_result(tree: &AstNode) -> bool {
    let names = Names::of(tree);
    if ["assert", "error", "eval"]
        .iter()
        .any(|name| names.called.contains(name) || names.read.contains(name))
    {
        return false;
    }
    let mut tree = tree;
    while let AstNode::Block(parts) = tree {
        match parts.last() {
            Some(last) => tree = last,
            None => return false,
        }
    }
    matches!(
        tree,
        AstNode::String(_)
            | AstNode::Number(_)
            | AstNode::Boolean(_)
            | AstNode::Null
            | AstNode::Array(_)
            | AstNode::Object(_)
            | AstNode::Binary {
                op: BinaryOp::Concatenate,
                ..
            }
    )
}

#[cfg(test)]
mod tests {
    use super::super::Expression;
    use super::*;

    fn unknown_in(source: &str) -> (Vec<String>, Vec<String>) {
        let expression = Expression::new(source).expect(source);
        let names = expression.names();
        let owned = |names: &mut dyn Iterator<Item = &str>| names.map(str::to_owned).collect();
        (
            owned(&mut names.unknown_functions()),
            owned(&mut names.unknown_variables()),
        )
    }

    #[test]
    fn every_function_that_is_suggested_is_one() {
        for name in FUNCTIONS {
            assert!(is_function(name), "{name}");
        }
        assert!(!is_function("summ") && !is_function(LAST) && !is_function(CONTEXT));
    }

    #[test]
    fn what_is_called_or_read_and_nowhere_set_is_found_wherever_it_stands() {
        for source in [
            "$f(1)",
            "{\"a\": [1, -$f(a)]}",
            "a.b[$f(c) > 1].d",
            "a ? b : $f(c)",
            "($x := 1; $g := function($y) { $f($y) }; $g($x))",
            "items.{\"n\": $f(n)}",
            "a^(>$f(b))",
            "a ~> $f(1)",
            "a ~> |b|{\"c\": $f(c)}|",
            "a{b: $f(c)}",
            "$map(a, function($v) { $f($v) })",
            "$string($f(1))",
            "(function($x) { $x })($f(1))",
            "$f(?, 1)",
        ] {
            assert_eq!(unknown_in(source), (vec!["f".to_owned()], Vec::new()), "{source}");
        }
        for source in ["$f", "$map(a, $f)", "a ~> $f", "a[b = $f]", "$f.a", "a ?? $f"] {
            assert_eq!(unknown_in(source), (Vec::new(), vec!["f".to_owned()]), "{source}");
        }
    }

    #[test]
    fn what_the_expression_or_the_rules_set_is_known() {
        for source in [
            "$",
            "$$.a",
            "$.a",
            "$context.topic",
            "$last(\"x\")",
            "($f := function($x) { $x + 1 }; $f(1))",
            "($f := $sum; $f(a))",
            "$map(a, $uppercase)",
            "$map(a, function($v, $i, $all) { $v & $i & $count($all) })",
            "a@$x.b[c = $x.c]",
            "a#$i.{\"n\": $i}",
            "a[b = 1]#$i[$i > 1]",
            "$eval(\"$f(1)\")",
            "(function($n) { $n })(1)",
        ] {
            assert_eq!(unknown_in(source), (Vec::new(), Vec::new()), "{source}");
        }
    }

    #[test]
    fn labels_are_those_that_stand_there() {
        let expression =
            Expression::new("{\"a\": $last(\"x\"), \"b\": $last('y').z, \"c\": $last(name)}").unwrap();
        assert_eq!(expression.names().labels().collect::<Vec<_>>(), ["x", "y"]);
    }

    #[test]
    fn what_may_have_no_result_is_told_from_what_always_has_one() {
        for source in ["{\"a\": b}", "[a]", "1", "'x'", "true", "(a; {})", "a & b"] {
            assert!(Expression::new(source).unwrap().always_has_result(), "{source}");
        }
        for source in [
            "a",
            "$",
            "a ? b",
            "$last(\"x\")",
            "(1; a)",
            "a.{}",
            "()",
            "($assert($.n < 5, 'x'); {\"n\": $.n + 1})",
            "{\"n\": n > 5 ? $error('x') : n}",
            "(a ~> $assert; 1)",
        ] {
            assert!(!Expression::new(source).unwrap().always_has_result(), "{source}");
        }
    }
}
