//! Programs of this workspace as cargo has built them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What cargo builds a program from.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// A binary of that name.
    Binary(&'static str),
    /// An example of that name.
    Example(&'static str),
}

/// The built program of a package.
///
/// `cargo xtask test` has just built it and says where in the environment variable `variable`. Without that, it is the one
/// that lies beside the tests, if it is newer than all that it was built from: no test ever runs a stale one.
///
/// # Panics
/// When it is missing or stale; the message has the command that builds it.
#[must_use]
pub fn built(variable: &str, package: &str, source: Source) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    let tests = std::env::current_exe().expect("the system knows this program");
    // Tests lie in `deps`, in the folder of the profile that they were built with.
    let profile = tests.ancestors().nth(2).expect("a folder of cargo's");
    let (flag, name, folder) = match source {
        Source::Binary(name) => ("--bin", name, profile.to_owned()),
        Source::Example(name) => ("--example", name, profile.join("examples")),
    };
    let program = folder.join(name);
    if let Err(why) = is_up_to_date(&program) {
        panic!(
            "{why}: run `cargo build --package {package} {flag} {name}` before this test, or all tests with `cargo xtask test`"
        );
    }
    program
}

/// Compares a program with the sources that cargo has listed beside it.
fn is_up_to_date(program: &Path) -> Result<(), String> {
    let changed = |path: &Path| path.metadata().and_then(|metadata| metadata.modified());
    let built: SystemTime = changed(program).map_err(|error| format!("no {}: {error}", program.display()))?;
    let list = program.with_extension("d");
    let text = std::fs::read_to_string(&list).map_err(|error| format!("no {}: {error}", list.display()))?;
    let mut newer = String::new();
    for source in sources(&text) {
        // One that is gone was changed as well.
        if changed(&source).map_or(true, |changed| changed > built) {
            write!(newer, " {}", source.display()).expect("a text");
        }
    }
    match newer.is_empty() {
        true => Ok(()),
        false => Err(format!("{} is older than{newer}", program.display())),
    }
}

/// The paths behind the colon of a list in the form of a makefile, in which a space within a path is `\ `.
fn sources(list: &str) -> Vec<PathBuf> {
    let first = list.lines().next().unwrap_or_default();
    let (_, paths) = first.split_once(": ").unwrap_or_default();
    let paths = paths.replace("\\ ", "\0");
    let path = |text: &str| PathBuf::from(text.replace('\0', " "));
    paths.split_whitespace().map(path).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_program_that_is_older_than_one_of_its_sources_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let [program, first, second] =
            ["agent", "first.rs", "the second.rs"].map(|name| folder.path().join(name));
        let missing = is_up_to_date(&program).unwrap_err();
        assert!(missing.starts_with("no /"), "{missing}");
        let age = |path: &Path, seconds: u64| {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000 + seconds);
            File::create(path).unwrap().set_modified(time).unwrap();
        };
        age(&first, 0);
        age(&second, 1);
        age(&program, 2);
        assert!(is_up_to_date(&program).unwrap_err().contains("agent.d"));
        let escaped = second.to_str().unwrap().replace(' ', "\\ ");
        let list = format!("{}: {} {escaped}\n", program.display(), first.display());
        std::fs::write(program.with_extension("d"), list).unwrap();
        assert_eq!(is_up_to_date(&program), Ok(()));
        age(&second, 3);
        let stale = is_up_to_date(&program).unwrap_err();
        assert!(
            stale.contains("the second.rs") && !stale.contains("first.rs"),
            "{stale}"
        );
        std::fs::remove_file(&second).unwrap();
        assert!(is_up_to_date(&program).unwrap_err().contains("the second.rs"));
    }
}
