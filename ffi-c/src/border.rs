//! The one door between C and Rust: no panic passes it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error_text::{ErrorOut, Fault};
use crate::result::Code;

/// Runs the body of an export. What it changed before a panic stays as it is, which is why callers are told to free
/// the handle and nothing else.
pub(crate) fn cross(body: impl FnOnce() -> Result<(), Fault>) -> Code {
    outcome(body).map_or_else(|fault| fault.code, |()| Code::Ok)
}

/// As [`cross`], and says in words what is wrong.
pub(crate) fn cross_and_tell(error: ErrorOut, body: impl FnOnce() -> Result<(), Fault>) -> Code {
    match outcome(body) {
        Ok(()) => Code::Ok,
        Err(fault) => {
            if fault.code.is_failure() {
                error.tell(&fault);
            }
            fault.code
        }
    }
}

fn outcome(body: impl FnOnce() -> Result<(), Fault>) -> Result<(), Fault> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| Err(Code::Panic.into()))
}

/// As [`cross`], for exports that return something else than a result code.
pub(crate) fn cross_or<T>(on_panic: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(on_panic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_result() {
        assert_eq!(cross(|| panic!("a bug")), Code::Panic);
        assert_eq!(cross(|| Err(Code::NotJson.into())), Code::NotJson);
        assert_eq!(cross(|| Ok(())), Code::Ok);
    }

    #[test]
    fn every_handle_may_go_to_another_thread_and_be_looked_at_by_several() {
        fn check<T: Send + Sync>() {}
        check::<crate::NodeConfigHandle>();
        check::<crate::PropertiesHandle>();
        check::<crate::RegistrationHandle>();
        check::<crate::RequesterHandle>();
        check::<crate::ResponderHandle>();
        check::<crate::SessionConfigHandle>();
        check::<crate::SessionHandle>();
        check::<crate::SharedBytes>();
    }

    #[test]
    fn every_export_is_behind_the_border() {
        let mut paths = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        let mut exports = 0;
        while let Some(path) = paths.pop() {
            if path.is_dir() {
                paths.extend(
                    std::fs::read_dir(path)
                        .unwrap()
                        .map(|entry| entry.unwrap().path()),
                );
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap();
            for export in code.split("#[unsafe(no_mangle)]").skip(1) {
                let body = export.split_once("{\n").unwrap().1;
                let mut code = body.lines().map(str::trim).filter(|line| !line.starts_with("//"));
                assert!(
                    code.next().unwrap().starts_with("border::cross"),
                    "not guarded: {}",
                    export.trim_start()
                );
                exports += 1;
            }
        }
        assert!(exports > 60, "found {exports} exports: the search is broken");
    }
}
