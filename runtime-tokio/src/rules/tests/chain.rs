//! Each rule by the table of the specification, and rules one after the other.

use std::slice;

use super::*;

#[test]
fn without_rules_any_bytes_pass_as_they_are() {
    assert_eq!(give(&mut chain(vec![]), "not json"), passes("not json"));
    assert!(arrive(&mut chain(vec![]), NOW, context("t"), b"\xff\x00").is_ok());
}

#[test]
fn transform_makes_the_result_the_payload_and_drops_what_is_undefined() {
    let mut chain = chain(vec![transform("{ \"id\": $.id, \"value\": $.a.b * 2 }")]);
    assert_eq!(
        give(&mut chain, "{\"id\":\"x\",\"a\":{\"b\":21}}"),
        passes("{\"id\":\"x\",\"value\":42}")
    );
    assert_eq!(
        give(&mut super::chain(vec![transform("$.nothing")]), "{}"),
        stops("Undefined")
    );
    assert_eq!(
        give(&mut super::chain(vec![transform("null")]), "{}"),
        passes("null")
    );
    assert_eq!(
        give(&mut super::chain(vec![transform("'text'")]), "{}"),
        passes("\"text\"")
    );
}

#[test]
fn filter_passes_what_is_true_as_jsonata_sees_it() {
    for (payload, is_true) in [
        ("true", true),
        ("1", true),
        ("\"0\"", true),
        ("{\"a\":0}", true),
        ("[0,1]", true),
        ("false", false),
        ("0", false),
        ("\"\"", false),
        ("null", false),
        ("{}", false),
        ("[]", false),
        ("[0]", false),
    ] {
        let expected = if is_true {
            passes(payload)
        } else {
            stops("Filtered")
        };
        assert_eq!(
            give(&mut chain(vec![filter("$")]), payload),
            expected,
            "{payload}"
        );
    }
    assert_eq!(
        give(&mut chain(vec![filter("$.absent")]), "{}"),
        stops("Filtered")
    );
}

#[test]
fn a_filtered_message_is_passed_with_every_digit() {
    let payload = "{ \"id\": 9007199254740993, \"x\": 0.10, \"y\": [1e2] }";
    assert_eq!(
        give(&mut chain(vec![filter("$.x > 0")]), payload),
        passes(payload)
    );
}

#[test]
fn parse_reads_what_is_not_json() {
    let mut chain = chain(vec![
        Rule::Parse(Format::Uint16Be),
        transform("{\"value\": $ / 2}"),
    ]);
    assert_eq!(give(&mut chain, b"\x01\x00"), passes("{\"value\":128}"));
    assert_eq!(
        give(&mut chain, b"\x01"),
        stops("rule 1 (parse): the payload has 1 bytes, expected at least 2")
    );
}

#[test]
fn parse_reads_what_a_string_says() {
    let rules = vec![
        transform("$.data"),
        Rule::Parse(Format::FromBase64),
        Rule::Parse(Format::Utf8),
    ];
    assert_eq!(give(&mut chain(rules), "{\"data\":\"aGk=\"}"), passes("\"hi\""));
    // Bytes that nothing reads are published as they are.
    let rules = vec![transform("$.data"), Rule::Parse(Format::FromBase64)];
    let departure = arrive(&mut chain(rules), NOW, context("t"), b"{\"data\":\"AP8=\"}").unwrap();
    assert_eq!(&departure.payload[..], b"\x00\xff");
}

#[test]
fn a_payload_that_is_no_json_fails_with_the_cure() {
    let text = "the payload is not JSON; put a `parse` rule with its format first";
    assert_eq!(
        give(&mut chain(vec![filter("$")]), "abc"),
        stops(&format!("rule 1 (filter): {text}"))
    );
    assert_eq!(
        give(&mut chain(vec![Rule::Collect]), "{"),
        stops(&format!("rule 1 (collect): {text}"))
    );
}

#[test]
fn cov_passes_the_first_and_then_what_has_changed_for_each_topic() {
    let cov = Cov::new(Some("value".to_owned()), 0.5, DeadbandMode::Absolute).unwrap();
    let mut chain = chain(vec![Rule::Cov(cov)]);
    assert_eq!(give(&mut chain, "{\"value\":1}"), passes("{\"value\":1}"));
    assert_eq!(give(&mut chain, "{\"value\":1.5}"), stops("Unchanged"));
    assert!(arrive(&mut chain, NOW, context("other"), b"{\"value\":1.5}").is_ok());
    assert_eq!(give(&mut chain, "{\"value\":1.6}"), passes("{\"value\":1.6}"));
}

#[test]
fn burst_makes_an_array_when_enough_messages_came() {
    let burst = Burst::new(None, Some(3)).unwrap();
    let mut chain = chain(vec![Rule::Burst(burst), transform("$count($)")]);
    assert_eq!(give(&mut chain, "1"), stops("Batched"));
    assert_eq!(give(&mut chain, "2"), stops("Batched"));
    assert_eq!(give(&mut chain, "3"), passes("3"));
    assert_eq!(chain.poll_timeout(), None);
}

#[test]
fn burst_makes_an_array_when_the_time_of_its_first_message_is_over() {
    let burst = Burst::new(Some(Duration::from_millis(100)), None).unwrap();
    let mut chain = chain(vec![Rule::Burst(burst), transform("{\"sum\": $sum($)}")]);
    let at = |millis| NOW.after(Duration::from_millis(millis));
    assert!(arrive(&mut chain, at(0), context("a"), b"1").is_err());
    assert!(arrive(&mut chain, at(90), context("b"), b"2").is_err());
    assert_eq!(chain.poll_timeout(), Some(at(100)));
    assert!(chain.handle_timeout(at(99)).is_none());
    let step = chain.handle_timeout(at(100)).expect("a batch");
    let departure = ended(&mut chain, at(100), step).unwrap();
    assert_eq!(&departure.payload[..], b"{\"sum\":3}");
    assert_eq!(
        &*departure.context.topic, "b",
        "a batch has the context of its last message"
    );
    assert_eq!(chain.poll_timeout(), None);
    assert!(
        chain.handle_timeout(at(500)).is_none(),
        "without messages there is no batch"
    );
}

#[test]
fn burst_without_conditions_lets_messages_pass() {
    let mut chain = chain(vec![Rule::Burst(Burst::new(None, None).unwrap())]);
    assert_eq!(give(&mut chain, "1"), passes("1"));
}

#[test]
fn collect_makes_an_object_of_the_latest_by_label_or_else_by_topic() {
    let mut chain = chain(vec![Rule::Collect]);
    let labelled = |label: &str| Context {
        label: Some(Arc::from(label)),
        ..context("t")
    };
    let mut collect = |context, payload: &[u8]| {
        let departure = arrive(&mut chain, NOW, context, payload).unwrap();
        String::from_utf8(departure.payload.to_vec()).unwrap()
    };
    assert_eq!(collect(labelled("a"), b"1"), "{\"a\":1}");
    assert_eq!(collect(labelled("b"), b"{}"), "{\"a\":1,\"b\":{}}");
    assert_eq!(collect(labelled("a"), b"2.0"), "{\"a\":2.0,\"b\":{}}");
    assert_eq!(collect(context("x/y"), b"3"), "{\"a\":2.0,\"b\":{},\"x/y\":3}");
}

#[test]
fn last_is_what_an_earlier_message_stashed_wherever_the_rule_stands() {
    let difference = "{ \"now\": $.v, \"before\": $last(\"seen\").v }";
    for rules in [
        vec![Rule::Stash("seen".to_owned()), transform(difference)],
        vec![
            transform("$"),
            Rule::Stash("seen".to_owned()),
            transform(difference),
        ],
    ] {
        let mut chain = chain(rules);
        assert_eq!(give(&mut chain, "{\"v\":1}"), passes("{\"now\":1}"));
        assert_eq!(give(&mut chain, "{\"v\":2}"), passes("{\"now\":2,\"before\":1}"));
        assert_eq!(give(&mut chain, "{\"v\":3}"), passes("{\"now\":3,\"before\":2}"));
    }
    let mut after = chain(vec![transform(difference), Rule::Stash("other".to_owned())]);
    give(&mut after, "{\"v\":1}").unwrap();
    assert_eq!(
        give(&mut after, "{\"v\":2}"),
        passes("{\"now\":2}"),
        "another label is another message"
    );
}

#[test]
fn a_message_that_is_stopped_is_stashed_and_one_that_fails_is_not() {
    let rules = vec![
        Rule::Stash("seen".to_owned()),
        filter("$.v + 0 > 1"),
        transform("$last(\"seen\").v"),
    ];
    let mut chain = chain(rules);
    assert_eq!(give(&mut chain, "{\"v\":1}"), stops("Filtered"));
    assert!(
        give(&mut chain, "{\"v\":\"x\"}")
            .unwrap_err()
            .starts_with("rule 2 (filter): JSONata error T2001")
    );
    assert_eq!(give(&mut chain, "{\"v\":2}"), passes("1"));
}

#[test]
fn variables_are_set_one_after_the_other_and_seen_by_what_follows() {
    let variables = vec![
        ("unit".to_owned(), expression("$.unit")),
        (
            "both".to_owned(),
            expression("$context.vars.machine & '-' & $context.vars.unit"),
        ),
        ("gone".to_owned(), expression("$.absent")),
    ];
    let rules = vec![
        Rule::SetContextVars(variables),
        transform("{ \"vars\": $context.vars, \"topic\": $context.topic, \"label\": $context.label }"),
    ];
    let list = RuleList::new(rules.clone()).unwrap();
    assert_eq!(list.variables().collect::<Vec<_>>(), ["unit", "both", "gone"]);
    let mut context = context("plant/m1/t");
    context.label = Some(Arc::from("temperature"));
    context.vars.insert("machine".to_owned(), Json::string("m1"));
    context.vars.insert("gone".to_owned(), Json::integer(1));
    let departure = arrive(&mut chain(rules), NOW, context, b"{\"unit\":\"C\"}").unwrap();
    assert_eq!(
        std::str::from_utf8(&departure.payload).unwrap(),
        "{\"vars\":{\"both\":\"m1-C\",\"machine\":\"m1\",\"unit\":\"C\"},\"topic\":\"plant/m1/t\",\"label\":\"temperature\"}"
    );
    assert_eq!(departure.context.vars["both"], Json::string("m1-C"));
    assert!(!departure.context.vars.contains_key("gone"));
}

#[test]
fn variables_of_one_message_are_not_those_of_the_next() {
    let variables = vec![("a".to_owned(), expression("$.a"))];
    let mut chain = chain(vec![
        Rule::SetContextVars(variables),
        transform("{\"a\": $context.vars.a}"),
    ]);
    assert_eq!(give(&mut chain, "{\"a\":1}"), passes("{\"a\":1}"));
    assert_eq!(give(&mut chain, "{}"), passes("{}"));
}

#[test]
fn setting_no_variable_lets_messages_pass() {
    assert_eq!(
        give(&mut chain(vec![Rule::SetContextVars(vec![])]), "1"),
        passes("1")
    );
}

#[test]
fn a_failure_names_rule_and_cause_and_shows_nothing_of_the_message() {
    let mut chain = chain(vec![filter("true"), transform("$number($.s)")]);
    let failure = give(&mut chain, "{\"s\":\"s3cret\"}").unwrap_err();
    assert_eq!(
        failure,
        "rule 2 (transform): JSONata error D3030, a value that cannot be computed with"
    );
    assert_eq!(
        give(&mut super::chain(vec![transform("$sum")]), "1"),
        stops("rule 1 (transform): the expression's result is a function, expected a value")
    );
}

#[test]
fn a_list_has_a_bound() {
    let one = vec![Rule::Collect; limits::RULES];
    assert!(RuleList::new(one).is_some());
    assert!(RuleList::new(vec![Rule::Collect; limits::RULES + 1]).is_none());
}

#[test]
fn numbers_are_doubles_to_an_expression_and_text_to_all_other_rules() {
    for (payload, result) in [
        // Beyond 2^53 neighbours fall together, as in every JSONata.
        ("9007199254740993", "9007199254740992"),
        ("9223372036854775807", "9223372036854775807"),
        ("0.10", "0.1"),
        ("1.0", "1"),
        ("1e2", "100"),
        ("\"9007199254740993\"", "\"9007199254740993\""),
    ] {
        assert_eq!(value_of("$", payload), Ok(Some(result.to_owned())), "{payload}");
    }
    assert_eq!(value_of("$", "1e400"), Err(Cause::Unfit));
    let rules = [Rule::Collect, Rule::Stash("s".to_owned())];
    for rule in rules.iter().map(slice::from_ref) {
        let payload = "{\"a\":9007199254740993,\"b\":1e400}";
        assert!(
            give(&mut chain(rule.to_vec()), payload)
                .unwrap()
                .contains(payload)
        );
    }
}
