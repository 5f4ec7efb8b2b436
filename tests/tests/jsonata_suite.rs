//! JSONata's own suite against the rules' evaluator, on its threads and within its limits: `cargo xtask jsonata`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use syncline::rules::{Cause, Context, Evaluation, Evaluators, Expression, Json, Outcome, Question};
use syncline_tests::workspace;

/// Cases that do not pass, one a line.
const DIFFERENCES: &str = "tests/jsonata_differences.txt";

/// One case of the suite: a file holds one, or a list of them.
struct Case {
    id: String,
    folder: PathBuf,
    fields: Value,
}

#[tokio::test]
#[ignore = "needs the suite, which `cargo xtask jsonata` fetches"]
async fn the_share_of_the_official_suite_that_passes_is_the_committed_one() {
    let suite = std::env::var_os("SYNCLINE_JSONATA_SUITE").expect("run `cargo xtask jsonata`");
    let suite = Path::new(&suite);
    let cases = cases(suite);
    assert!(cases.len() > 1_500, "the suite has {} cases", cases.len());
    let evaluators = Evaluators::start().expect("threads");
    let mut failed = BTreeSet::new();
    for case in &cases {
        if let Err(why) = run(case, suite, &evaluators).await {
            println!("{}: {why}", case.id);
            failed.insert(case.id.clone());
        }
    }
    let passed = cases.len() - failed.len();
    println!(
        "JSONata's suite: {passed} of {} cases pass, {:.2} %",
        cases.len(),
        100.0 * passed as f64 / cases.len() as f64
    );
    let known = std::fs::read_to_string(workspace().join(DIFFERENCES)).expect("the list of differences");
    let known: BTreeSet<String> = known
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(str::to_owned)
        .collect();
    let news: Vec<_> = failed.difference(&known).collect();
    let mended: Vec<_> = known.difference(&failed).collect();
    assert!(
        news.is_empty() && mended.is_empty(),
        "bring {DIFFERENCES} and the share in docs/rules.md up to date\n  fail now: {news:?}\n  pass now: {mended:?}"
    );
}

fn cases(suite: &Path) -> Vec<Case> {
    let mut folders = vec![suite.join("groups"), suite.join("skip")];
    let mut cases = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the suite") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                read(suite, &path, &mut cases);
            }
        }
    }
    cases.sort_by(|a, b| a.id.cmp(&b.id));
    cases
}

fn read(suite: &Path, path: &Path, cases: &mut Vec<Case>) {
    let text = std::fs::read_to_string(path).expect("a readable case");
    let name = path
        .strip_prefix(suite)
        .expect("inside the suite")
        .with_extension("");
    let name = name.to_str().expect("a name of ASCII").replace('\\', "/");
    let folder = path.parent().expect("a folder").to_owned();
    // Some cases are about half of a surrogate pair, which no text of ours can hold.
    let fields = serde_json::from_str(&text).unwrap_or_default();
    let list = match fields {
        Value::Array(list) => list,
        one => vec![one],
    };
    let single = list.len() == 1;
    for (at, fields) in list.into_iter().enumerate() {
        let id = if single {
            name.clone()
        } else {
            format!("{name}#{at}")
        };
        cases.push(Case {
            id,
            folder: folder.clone(),
            fields,
        });
    }
}

async fn run(case: &Case, suite: &Path, evaluators: &Evaluators) -> Result<(), String> {
    let fields = &case.fields;
    let code = fields["code"]
        .as_str()
        .or_else(|| fields["error"]["code"].as_str());
    let expression = match Expression::new(source(case)) {
        Ok(expression) => expression,
        Err(error) => {
            let text = error.to_string();
            return match code {
                Some(code) if text.contains(code) => Ok(()),
                _ => Err(format!("expected {code:?}, does not parse: {text}")),
            };
        }
    };
    let evaluation = Evaluation {
        expression,
        question: Question::Value,
        payload: payload(case, suite),
        context: Context {
            topic: Arc::from("suite"),
            label: None,
            vars: BTreeMap::new(),
        },
        stash: Arc::default(),
    };
    let found = match evaluators.evaluate(evaluation).await {
        Err(cause) => {
            return match code {
                Some(code) if says(&cause, code) => Ok(()),
                _ => Err(format!("expected {code:?}, fails: {cause}")),
            };
        }
        Ok(Outcome::Value(found)) => found,
        Ok(Outcome::Truth(_)) => return Err("no truth was asked for".to_owned()),
    };
    let found: Option<Value> =
        found.map(|json| serde_json::from_str(json.as_str()).expect("a result is JSON"));
    let expected = &fields["result"];
    let matches = match &found {
        _ if code.is_some() => false,
        None => fields["undefinedResult"] == true,
        Some(Value::String(text)) if fields["result_re"].is_string() => {
            // The suite has two patterns: a UUID, and a time in milliseconds with something behind it.
            let is_time = text
                .strip_suffix("-SUFFIX")
                .is_some_and(|time| time.parse::<u64>().is_ok());
            is_time || (text.len() == 36 && text.matches('-').count() == 4)
        }
        Some(found) if fields["unordered"] == true => same_items(found, expected),
        Some(found) => fields.get("result").is_some() && same(found, expected),
    };
    if matches {
        Ok(())
    } else {
        let code = code.map_or_else(String::new, |code| format!(" or error {code}"));
        Err(format!("expected {expected}{code}, found {found:?}"))
    }
}

/// The expression, with its bindings as assignments in front.
fn source(case: &Case) -> String {
    let fields = &case.fields;
    let source = match (fields["expr"].as_str(), fields["expr-file"].as_str()) {
        (Some(source), _) => source.to_owned(),
        (None, Some(file)) => std::fs::read_to_string(case.folder.join(file)).expect("the file of a case"),
        // Half of a surrogate pair, which the suite writes as none.
        (None, None) => String::new(),
    };
    match fields["bindings"].as_object() {
        Some(bindings) if !bindings.is_empty() => {
            let bindings: String = bindings
                .iter()
                .map(|(name, value)| format!("${name} := {value}; "))
                .collect();
            format!("( {bindings}{source} )")
        }
        _ => source,
    }
}

/// Where the suite gives no data at all, the payload is `null`: a message has one always.
fn payload(case: &Case, suite: &Path) -> Json {
    let fields = &case.fields;
    let text = match (fields.get("data"), fields["dataset"].as_str()) {
        (Some(data), _) => data.to_string(),
        (None, Some(dataset)) => {
            std::fs::read_to_string(suite.join(format!("datasets/{dataset}.json"))).expect("a dataset")
        }
        (None, None) => "null".to_owned(),
    };
    Json::new(text.into()).expect("data are JSON")
}

/// Whether `cause` is what the suite calls `code`: its limits have codes that the rules have words for.
fn says(cause: &Cause, code: &str) -> bool {
    match cause {
        Cause::Jsonata(found) => found == code,
        Cause::TimeLimit => matches!(code, "U1001" | "D1012"),
        Cause::Depth => matches!(code, "U1001" | "D1011"),
        Cause::Sequence => matches!(code, "D2014" | "D2015"),
        _ => false,
    }
}

/// Equal as JSON is: numbers by value, members in any order.
fn same(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(found), Value::Number(expected)) => found.as_f64() == expected.as_f64(),
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| same(a, b))
        }
        (Value::Object(found), Value::Object(expected)) => {
            found.len() == expected.len()
                && found
                    .iter()
                    .all(|(name, value)| expected.get(name).is_some_and(|other| same(value, other)))
        }
        (found, expected) => found == expected,
    }
}

fn same_items(found: &Value, expected: &Value) -> bool {
    let (Some(found), Some(expected)) = (found.as_array(), expected.as_array()) else {
        return false;
    };
    found.len() == expected.len()
        && expected
            .iter()
            .all(|item| found.iter().any(|other| same(other, item)))
}
