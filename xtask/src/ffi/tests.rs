//! The rules of the C interface that its header shows, and that its test programs leave nothing of it out.

/// A function of the header.
struct Export {
    doc: String,
    name: String,
    parameters: Vec<Parameter>,
}

struct Parameter {
    name: String,
    declared: String,
}

impl Parameter {
    fn is_pointer(&self) -> bool {
        self.declared.contains('*')
    }

    fn is_output(&self) -> bool {
        self.is_pointer() && !self.declared.starts_with("const ")
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(crate::root().join("ffi-c").join(path)).unwrap()
}

/// The words of `text` that begin with `prefix`.
fn words<'a>(text: &'a str, prefix: &str) -> Vec<&'a str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with(prefix))
        .collect()
}

fn exports() -> Vec<Export> {
    let header = read("include/syncline.h");
    let mut exports = Vec::new();
    for part in header.split("/**").skip(1) {
        let (doc, code) = part.split_once("*/").unwrap();
        let Some((declaration, _)) = code.split_once(';') else {
            continue;
        };
        let Some((head, parameters)) = declaration.trim().split_once('(') else {
            continue;
        };
        if head.contains('{') {
            continue;
        }
        let parameters = parameters.strip_suffix(')').unwrap().split(',');
        let parameters = parameters.map(str::trim).filter(|text| *text != "void");
        exports.push(Export {
            doc: doc
                .split_whitespace()
                .filter(|word| *word != "*")
                .collect::<Vec<_>>()
                .join(" "),
            name: words(head, "syncline_").pop().unwrap().to_owned(),
            parameters: parameters
                .map(|declared| Parameter {
                    name: declared.rsplit([' ', '*']).next().unwrap().to_owned(),
                    declared: declared.to_owned(),
                })
                .collect(),
        });
    }
    assert!(
        exports.len() > 100,
        "found {} exports: the search is broken",
        exports.len()
    );
    exports
}

/// The arguments of each call of `name` that `program` expects to be refused.
fn refused_calls<'a>(program: &'a str, name: &str) -> Vec<Vec<&'a str>> {
    let calls = program.split("REFUSED(").skip(1);
    let calls = calls.filter_map(|call| call.strip_prefix(name)?.strip_prefix('(')?.split_once("));"));
    calls
        .map(|(arguments, _)| arguments.split(',').map(str::trim).collect())
        .collect()
}

#[test]
fn every_pointer_of_every_export_is_missing_once_in_the_test_of_null() {
    let program = read("tests/null.c");
    for export in exports() {
        let calls = refused_calls(&program, &export.name);
        for (index, parameter) in export.parameters.iter().enumerate() {
            let may_be_null = export.doc.contains(&format!("`{}` is NULL", parameter.name));
            if !parameter.is_pointer() || may_be_null {
                continue;
            }
            assert!(
                calls.iter().any(|arguments| arguments[index] == "NULL"),
                "ffi-c/tests/null.c does not call {} without `{}`",
                export.name,
                parameter.name
            );
        }
        let freed = export.name.ends_with("_free") || export.name.ends_with("_release");
        assert!(
            !freed || program.contains(&format!("{}(NULL);", export.name)),
            "ffi-c/tests/null.c does not free NULL by {}",
            export.name
        );
    }
}

#[test]
fn every_export_that_tells_what_is_wrong_is_refused_in_the_test_of_errors() {
    let program = read("tests/errors.c");
    let mut telling = 0;
    for export in exports() {
        if export
            .parameters
            .iter()
            .any(|parameter| parameter.name == "error")
        {
            telling += 1;
            let call = format!("{}(", export.name);
            let tells = program.split("TELLS(").skip(1);
            assert!(
                tells
                    .filter_map(|part| part.split_once("));"))
                    .any(|(refused, _)| refused.contains(&call)),
                "ffi-c/tests/errors.c does not refuse {}",
                export.name
            );
        }
    }
    assert!(telling > 10, "found {telling} exports: the search is broken");
}

#[test]
fn inputs_come_before_outputs() {
    for export in exports() {
        // The handle is the one argument that a call may read and change.
        let mut arguments = export.parameters.iter().skip(1).peekable();
        while let Some(parameter) = arguments.next() {
            // How many an output has room for stands behind it.
            let next = arguments
                .next_if(|next| next.name == "capacity")
                .or(arguments.peek().copied());
            assert!(
                !parameter.is_output() || next.is_none_or(|next| next.is_output() || next.name == "capacity"),
                "{} has an input behind its output `{}`",
                export.name,
                parameter.name
            );
        }
    }
}

#[test]
fn a_call_that_only_looks_takes_a_const_handle() {
    let looks = [
        "_status",
        "_poll_timeout",
        "_counters",
        "_view",
        "_property",
        "_unfinished",
        "_tx_iov",
    ];
    for export in exports() {
        if looks.iter().any(|verb| export.name.ends_with(verb)) {
            assert!(
                export.parameters[0].declared.starts_with("const "),
                "{} takes a handle that is not const",
                export.name
            );
        }
    }
}

#[test]
fn every_struct_has_its_layout_asserted() {
    let (header, program) = (read("include/syncline.h"), read("tests/layout.c"));
    let mut structs = 0;
    for line in header.lines() {
        let defined = line.strip_prefix("struct ");
        let Some(name) = defined.and_then(|rest| rest.strip_suffix(" {")) else {
            continue;
        };
        structs += 1;
        assert!(
            program.contains(&format!("SIZE({name}, ")),
            "ffi-c/tests/layout.c does not assert {name}"
        );
    }
    assert!(structs > 30, "found {structs} structs: the search is broken");
}

#[test]
fn every_result_is_listed_in_the_test_of_results() {
    let (header, program) = (read("include/syncline.h"), read("tests/results.c"));
    let listed = words(&program, "SYNCLINE_RESULT_");
    for name in words(&header, "SYNCLINE_RESULT_") {
        assert!(
            listed.contains(&name),
            "ffi-c/tests/results.c does not list {name}"
        );
    }
}
