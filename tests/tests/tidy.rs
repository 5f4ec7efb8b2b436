//! What the code must never be, however it grows: the rules of CONTRIBUTING.md and the boundaries of ARCHITECTURE.md.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use syncline_tests::workspace;

/// The length from which a file must be listed below.
const LONG: usize = 600;

/// Files that are longer, each with the reason why they may be.
const MAY_BE_LONG: &[(&str, &str)] = &[
    ("ffi-c/include/syncline.h", "generated"),
    (
        "python/python/syncline/_native.pyi",
        "the documented interface of one module",
    ),
];

/// Folders with nothing of ours, at any depth.
const NOT_OURS: &[&str] = &[
    "target",
    ".git",
    ".venv",
    "node_modules",
    "__pycache__",
    "corpus",
    "artifacts",
];

/// Where `unsafe` may stand: the C border and who walks along it, what pyo3's macros expand to, and the counting allocator of the benchmarks.
const MAY_BE_UNSAFE: &[&str] = &[
    "ffi-c/",
    "fuzz/fuzz_targets/c_calls.rs",
    "python/src/",
    "benches/",
];

struct File {
    /// Relative to the workspace, with `/`.
    path: String,
    text: String,
}

impl File {
    fn extension(&self) -> &str {
        Path::new(&self.path)
            .extension()
            .and_then(|extension| extension.to_str())
            .unwrap_or_default()
    }

    /// Lines of code with their numbers, comment lines left out.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
            .filter(move |(_, line)| is_code(line))
    }
}

fn files(extensions: &[&str]) -> Vec<File> {
    let mut folders = vec![workspace().to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            if path.is_dir() {
                if !NOT_OURS.contains(&name) {
                    folders.push(path);
                }
            } else if let Some(file) = read(&path).filter(|file| extensions.contains(&file.extension())) {
                files.push(file);
            }
        }
    }
    assert!(!files.is_empty(), "no file ends with any of {extensions:?}");
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn read(path: &Path) -> Option<File> {
    let relative = path.strip_prefix(workspace()).expect("inside the workspace");
    let path_text = relative.to_str()?.replace('\\', "/");
    Some(File {
        path: path_text,
        text: std::fs::read_to_string(path).ok()?,
    })
}

/// Fails with all findings at once.
fn none(findings: &[String], cure: &str) {
    assert!(findings.is_empty(), "{cure}\n  {}", findings.join("\n  "));
}

#[test]
fn every_source_file_begins_with_a_sentence_about_itself() {
    let findings: Vec<_> = files(&["rs", "py", "pyi", "c", "h", "sh"])
        .iter()
        .filter(|file| opening(file).is_none_or(|text| text.len() < 15 || !text.contains('.')))
        .map(|file| file.path.clone())
        .collect();
    none(
        &findings,
        "begin the file with a sentence that says what it is about (`//!`, `\"\"\"`, `/* */`, `#`)",
    );
}

/// The first comment's text, if the file begins with one.
fn opening(file: &File) -> Option<String> {
    match file.extension() {
        "rs" => {
            let lines = file.text.lines().map_while(|line| line.strip_prefix("//! "));
            Some(lines.collect::<Vec<_>>().join(" "))
        }
        "py" | "pyi" => Some(
            file.text
                .strip_prefix("\"\"\"")?
                .split_once("\"\"\"")?
                .0
                .to_owned(),
        ),
        "c" | "h" => Some(file.text.strip_prefix("/*")?.split_once("*/")?.0.to_owned()),
        _ => Some(file.text.lines().nth(1)?.strip_prefix("# ")?.to_owned()),
    }
}

#[test]
fn nothing_is_left_to_do_in_a_comment() {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
    ];
    let mut findings = Vec::new();
    for file in files(&["rs", "py", "pyi", "c", "h", "sh", "toml", "yml", "md"]) {
        for (index, line) in file.text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                findings.push(format!("{}:{}: {}", file.path, index + 1, line.trim()));
            }
        }
    }
    none(&findings, "do it, or file an issue");
}

#[test]
fn no_file_is_longer_than_a_reader_bears() {
    let listed = |file: &File| MAY_BE_LONG.iter().any(|(path, _)| *path == file.path);
    let findings: Vec<_> = files(&["rs", "py", "pyi", "c", "h"])
        .iter()
        .filter(|file| file.text.lines().count() > LONG && !listed(file))
        .map(|file| format!("{}: {} lines", file.path, file.text.lines().count()))
        .collect();
    none(
        &findings,
        "split the file by state, packet or direction, or list it with its reason in tidy.rs",
    );
}

#[test]
fn names_say_what_a_thing_is() {
    let vague = ["util", "utils", "helper", "helpers", "common", "manager", "misc"];
    let mut findings = Vec::new();
    for file in files(&["rs", "py", "pyi", "c"]) {
        let path = PathBuf::from(&file.path);
        if path
            .iter()
            .filter_map(|part| part.to_str()?.split('.').next())
            .any(|part| vague.contains(&part))
        {
            findings.push(format!("{}: a file is named after its subject", file.path));
        }
        for (number, line) in file.code() {
            // The name that the trait of a library has for it.
            let is_given = line.contains(concat!("fn ", "get_connector("));
            if line.contains(concat!("fn ", "get_")) && !is_given {
                findings.push(format!(
                    "{}:{number}: a getter is named after what it gives",
                    file.path
                ));
            }
        }
    }
    none(&findings, "choose another name");
}

#[test]
fn core_is_free_of_std_unsafe_and_clocks() {
    let lib = std::fs::read_to_string(workspace().join("core/src/lib.rs")).expect("core has a library");
    for attribute in ["#![no_std]", "#![forbid(unsafe_code)]"] {
        assert!(lib.contains(attribute), "core/src/lib.rs has lost {attribute}");
    }
    let forbidden = [
        "std::",
        "extern crate std",
        "unsafe {",
        "unsafe fn",
        "unsafe impl",
        "SystemTime",
        "Instant::now",
    ];
    let mut findings = Vec::new();
    for file in files(&["rs"])
        .iter()
        .filter(|file| file.path.starts_with("core/src/"))
    {
        let tests = file.text.find("#[cfg(test)]\nmod").unwrap_or(file.text.len());
        let last = file.text[..tests].lines().count();
        for (number, line) in file.code().take_while(|(number, _)| *number <= last) {
            if forbidden.iter().any(|word| contains_word(line, word)) {
                findings.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    none(
        &findings,
        "core takes time, chance and bytes as arguments: move this into a runtime",
    );
}

/// Whether `line` contains `word` where no longer name goes on before it.
fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

#[test]
fn unsafe_code_stays_at_the_borders() {
    let mut findings = Vec::new();
    for file in files(&["rs"]) {
        if MAY_BE_UNSAFE.iter().any(|folder| file.path.starts_with(folder))
            || file.path == "tests/tests/tidy.rs"
        {
            continue;
        }
        for (number, line) in file.code() {
            let words = [
                "unsafe {",
                "unsafe fn",
                "unsafe impl",
                "unsafe extern",
                "#[unsafe(",
                "allow(unsafe_code)",
            ];
            if words.iter().any(|word| contains_word(line, word)) {
                findings.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    none(&findings, "there is a safe way, or a crate that has one");
}

/// The packages of the workspace that each one may use; those that test and measure may use any.
const EDGES: &[(&str, &[&str])] = &[
    ("syncline-core", &[]),
    ("syncline", &["syncline-core"]),
    ("syncline-ffi", &["syncline-core"]),
    ("syncline-python", &["syncline-core"]),
    ("xtask", &[]),
];
const ANY_EDGE: &[&str] = &[
    "syncline-tests",
    "syncline-benches",
    "syncline-bench-clients",
    "syncline-bench-transactions",
];

#[test]
fn packages_depend_on_core_and_on_none_of_each_other() {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(workspace())
        .output()
        .expect("cargo starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let names: BTreeSet<&str> = packages
        .iter()
        .filter_map(|package| package["name"].as_str())
        .collect();

    let mut findings = Vec::new();
    for package in packages {
        let name = package["name"].as_str().expect("a package has a name");
        let Some((_, allowed)) = EDGES.iter().find(|(listed, _)| *listed == name) else {
            assert!(
                ANY_EDGE.contains(&name),
                "{name} is new: say in tidy.rs what it may depend on"
            );
            continue;
        };
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let dependency = dependency["name"].as_str().expect("a dependency has a name");
            if names.contains(dependency) && !allowed.contains(&dependency) {
                findings.push(format!("{name} depends on {dependency}"));
            }
        }
    }
    none(&findings, "this edge is not in ARCHITECTURE.md");
}

#[test]
fn documents_point_at_files_that_exist() {
    let mut findings = Vec::new();
    for file in files(&["md"]) {
        let folder = workspace().join(Path::new(&file.path).parent().unwrap_or(Path::new("")));
        let links = file
            .text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', '#']).next());
        for link in links.filter(|link| !link.contains("://") && !link.is_empty()) {
            if !folder.join(link).exists() {
                findings.push(format!("{}: {link}", file.path));
            }
        }
    }
    none(&findings, "the link leads nowhere");
}

#[test]
fn code_map_names_every_part_and_nothing_else() {
    let text = std::fs::read_to_string(workspace().join("ARCHITECTURE.md")).expect("a readable document");
    let map = text
        .split("## Code map")
        .nth(1)
        .and_then(|rest| rest.split("\n## ").next())
        .expect("a code map");
    let named: BTreeSet<&str> = map
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .flat_map(|row| row.split(" | ").next().unwrap_or_default().split(", "))
        .map(|path| path.trim_matches('`'))
        .collect();
    let mut findings: Vec<_> = named
        .iter()
        .filter(|path| !workspace().join(path).exists())
        .map(|path| format!("{path} is gone"))
        .collect();
    for parent in ["core/src", "runtime-tokio/src"] {
        for entry in std::fs::read_dir(workspace().join(parent)).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            let folder = format!(
                "{parent}/{}/",
                path.file_name()
                    .and_then(|name| name.to_str())
                    .unwrap_or_default()
            );
            if path.is_dir() && !named.contains(folder.as_str()) {
                findings.push(format!("{folder} is new"));
            }
        }
    }
    none(&findings, "bring the code map in ARCHITECTURE.md up to date");
}
