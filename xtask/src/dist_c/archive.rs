//! The static library as it is shipped: one object whose only global symbols are the exports.
//!
//! An archive as Rust makes it holds its standard library's symbols as well, which another one may not repeat in the same
//! program.

use std::path::Path;

use anyhow::{Result, bail};

use crate::process::Tool;

const PREFIX: &str = "syncline_";

/// Makes `shipped` of the archive `built`, with the symbols that `shared` exports.
///
/// # Errors
/// A tool fails, or another symbol is left.
pub(crate) fn narrow(built: &Path, shared: &Path, folder: &Path, shipped: &Path) -> Result<()> {
    let exports = exports(shared)?;
    let list = folder.join("exports");
    std::fs::write(&list, exports.join("\n") + "\n")?;
    let (linked, object) = (folder.join("linked.o"), folder.join("syncline.o"));
    // Groups are dissolved, or the linker of a program would throw one away for that of another library, whose symbols are
    // no longer the same. Sections stay: `ld -r --gc-sections` makes weak symbols of the system strong ones.
    Tool::new("ld")
        .args(["-r", "--force-group-allocation"])
        .args(exports.iter().flat_map(|name| ["-u", name]))
        .arg(built)
        .arg("-o")
        .arg(&linked)
        .run()?;
    // The bitcode of several crates, one behind the other, is none; and no use to a linker of C programs.
    Tool::new("objcopy")
        .args([
            "--strip-debug",
            "--remove-section=.llvmbc",
            "--remove-section=.llvmcmd",
        ])
        .arg(format!("--keep-global-symbols={}", list.display()))
        .arg(&linked)
        .arg(&object)
        .run()?;
    if shipped.exists() {
        std::fs::remove_file(shipped)?;
    }
    Tool::new("ar").arg("rcs").arg(shipped).arg(&object).run()?;
    std::fs::remove_file(linked)?;
    std::fs::remove_file(object)?;
    let left = symbols(shipped, &["--extern-only", "--defined-only"])?;
    if left != exports {
        bail!(
            "{} has other symbols than {}",
            shipped.display(),
            shared.display()
        );
    }
    Ok(())
}

/// The symbols that a shared library exports, all of which are this project's.
///
/// # Errors
/// Names the first one that is not.
pub(crate) fn exports(shared: &Path) -> Result<Vec<String>> {
    let names = symbols(shared, &["--dynamic", "--defined-only"])?;
    if names.is_empty() {
        bail!("{} exports nothing", shared.display());
    }
    if let Some(foreign) = names.iter().find(|name| !name.starts_with(PREFIX)) {
        bail!("{} exports {foreign}", shared.display());
    }
    Ok(names)
}

fn symbols(file: &Path, which: &[&str]) -> Result<Vec<String>> {
    let listed = Tool::new("nm")
        .args(which)
        .arg("--format=posix")
        .arg(file)
        .output()?;
    let mut names: Vec<String> = listed
        .lines()
        // A line of its own names each member of an archive.
        .filter_map(|line| line.split_once(' '))
        .map(|(name, _)| name.to_owned())
        .collect();
    names.sort();
    Ok(names)
}
