//! `ffi-c/include/syncline.h`: generated from the Rust source, committed, and checked to be current.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::dist_c::Version;

fn path() -> PathBuf {
    crate::root().join("ffi-c/include/syncline.h")
}

/// Writes the header anew.
///
/// # Errors
/// cbindgen cannot read the crate, or the file cannot be written.
pub(crate) fn write() -> Result<()> {
    let path = path();
    std::fs::create_dir_all(path.parent().context("the header lies in a folder")?)?;
    std::fs::write(&path, generate()?).with_context(|| format!("cannot write {}", path.display()))
}

/// Compares the committed header with what the source gives now.
///
/// # Errors
/// The header is missing or stale; names the first line that differs.
pub(crate) fn check() -> Result<()> {
    let path = path();
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let current = generate()?;
    if committed == current {
        return Ok(());
    }
    let same = committed
        .lines()
        .zip(current.lines())
        .take_while(|(old, new)| old == new)
        .count();
    bail!(
        "{}:{}: not what the Rust source gives now; run `cargo xtask header` and commit the file",
        path.display(),
        same + 1
    )
}

fn generate() -> Result<String> {
    let ffi = crate::root().join("ffi-c");
    let mut config = cbindgen::Config::from_file(ffi.join("cbindgen.toml")).map_err(anyhow::Error::msg)?;
    let rules = config.after_includes.unwrap_or_default();
    config.after_includes = Some(format!("{rules}\n\n{}", Version::current()?.macros().trim_end()));
    let bindings = cbindgen::Builder::new()
        .with_crate(&ffi)
        .with_config(config)
        .generate()
        .context("cbindgen cannot read ffi-c")?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    String::from_utf8(text).context("cbindgen wrote something else than UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn committed_header_is_what_the_source_gives_now() {
        check().unwrap();
    }
}
