//! The one door between C and Rust: no panic passes it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::result::Code;

/// Runs the body of an export. What it changed before a panic stays as it is, which is why callers are told to free
/// the handle and nothing else.
pub(crate) fn cross(body: impl FnOnce() -> Result<(), Code>) -> Code {
    cross_or(Code::Panic, || body().err().unwrap_or(Code::Ok))
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
        assert_eq!(cross(|| Err(Code::NotJson)), Code::NotJson);
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
                let body = export.split_once("{\n").unwrap().1.trim_start();
                assert!(
                    body.starts_with("border::cross"),
                    "not guarded: {}",
                    export.trim_start()
                );
                exports += 1;
            }
        }
        assert!(exports > 60, "found {exports} exports: the search is broken");
    }
}
