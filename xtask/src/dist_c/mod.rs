//! `cargo xtask dist-c`: the C library as it is shipped, under a prefix.

mod archive;
pub(crate) mod check;
mod version;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

pub(crate) use version::Version;

use crate::install;
use crate::process::Tool;

/// Where `make install` would go.
const PREFIX: &str = "/usr/local";

/// How the library is built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// Optimised as a whole, without what only tests need.
    Shipped,
    /// As the tests of the C interface build it: quickly, and with an export that panics.
    Tested,
}

/// Where the library goes.
pub(crate) struct Destination {
    /// The prefix that the library will be used under.
    pub(crate) prefix: PathBuf,
    /// A folder that stands for `/` until then, as packagers want it.
    pub(crate) root: Option<PathBuf>,
}

impl Default for Destination {
    fn default() -> Self {
        Self {
            prefix: PREFIX.into(),
            root: None,
        }
    }
}

impl Destination {
    /// The prefix where files are written now.
    ///
    /// # Errors
    /// The prefix is relative.
    fn folder(&self) -> Result<PathBuf> {
        let below = self.prefix.strip_prefix("/");
        let below = below.with_context(|| {
            format!(
                "--prefix {} is relative: give the whole path",
                self.prefix.display()
            )
        })?;
        Ok(self
            .root
            .as_ref()
            .map_or_else(|| self.prefix.clone(), |root| root.join(below)))
    }
}

/// Builds the library and installs it with header, pkg-config and CMake files, examples and licences.
///
/// # Errors
/// A tool fails, a file cannot be written, or the library is not what it should be.
pub(crate) fn run(build: Build, destination: &Destination) -> Result<()> {
    install::ensure(&[install::GCC, install::BINUTILS])?;
    let version = Version::current()?;
    let prefix = destination.folder()?;
    let built = compile(build)?;
    let library = prefix.join("lib");
    let work = crate::target_dir().join("xtask/dist-c");
    for folder in [&library, &work] {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }

    let shared = built.join("libsyncline_ffi.so");
    check_soname(&shared, &version)?;
    archive::narrow(
        &built.join("libsyncline_ffi.a"),
        &shared,
        &work,
        &library.join("libsyncline.a"),
    )?;
    let name = format!("libsyncline.so.{}", version.text);
    let installed = library.join(&name);
    Tool::new("objcopy")
        .arg("--strip-debug")
        .arg(&shared)
        .arg(&installed)
        .run()?;
    for link in [version.soname(), "libsyncline.so".to_owned()] {
        let link = library.join(link);
        if link.is_symlink() {
            std::fs::remove_file(&link)?;
        }
        std::os::unix::fs::symlink(&name, &link)?;
    }

    let texts = Texts::new(&version, &destination.prefix)?;
    texts.write("syncline.pc", &library.join("pkgconfig"))?;
    for name in ["SynclineConfig.cmake", "SynclineConfigVersion.cmake"] {
        texts.write(name, &library.join("cmake/Syncline"))?;
    }
    let ffi = crate::root().join("ffi-c");
    copy(&ffi.join("include/syncline.h"), &prefix.join("include"))?;
    let documents = prefix.join("share/doc/syncline");
    for path in [
        "ffi-c/README.md",
        "docs/guide-c.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
    ] {
        copy(&crate::root().join(path), &documents)?;
    }
    for example in std::fs::read_dir(ffi.join("examples"))? {
        copy(&example?.path(), &documents.join("examples"))?;
    }
    println!("installed libsyncline {} in {}", version.text, prefix.display());
    Ok(())
}

/// Builds the crate and says where its libraries are.
fn compile(build: Build) -> Result<PathBuf> {
    let cargo = Tool::cargo("build").args(["--locked", "--package", "syncline-ffi"]);
    let (cargo, folder) = match build {
        Build::Shipped => (cargo.args(["--profile", "dist"]), "dist"),
        Build::Tested => (cargo.args(["--features", "syncline-ffi/test-hook"]), "debug"),
    };
    cargo.run()?;
    Ok(crate::target_dir().join(folder))
}

fn check_soname(shared: &Path, version: &Version) -> Result<()> {
    let dynamic = Tool::new("readelf")
        .args(["--dynamic", "--wide"])
        .arg(shared)
        .output()?;
    let expected = format!("Library soname: [{}]", version.soname());
    if !dynamic.contains(&expected) {
        bail!("{} has no {expected}: see ffi-c/build.rs", shared.display());
    }
    Ok(())
}

fn copy(file: &Path, folder: &Path) -> Result<()> {
    let name = file.file_name().context("a file has a name")?;
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::copy(file, folder.join(name)))
        .with_context(|| format!("cannot copy {} to {}", file.display(), folder.display()))?;
    Ok(())
}

/// The files of `ffi-c/packaging/`, filled in.
struct Texts([(&'static str, String); 5]);

impl Texts {
    fn new(version: &Version, prefix: &Path) -> Result<Self> {
        Ok(Self([
            ("@VERSION@", version.text.to_owned()),
            ("@ABI_PATTERN@", version.abi().replace('.', "\\\\.")),
            ("@SONAME@", version.soname()),
            ("@PREFIX@", prefix.display().to_string()),
            ("@SYSTEM_LIBRARIES@", system_libraries()?),
        ]))
    }

    fn write(&self, name: &str, folder: &Path) -> Result<()> {
        let template = crate::root().join("ffi-c/packaging").join(format!("{name}.in"));
        let mut text = std::fs::read_to_string(&template)
            .with_context(|| format!("cannot read {}", template.display()))?;
        for (mark, value) in &self.0 {
            text = text.replace(mark, value);
        }
        std::fs::create_dir_all(folder)?;
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// What Rust's standard library needs of the system when it is linked statically, as the compiler says it.
///
/// # Errors
/// The compiler names none.
pub(crate) fn system_libraries() -> Result<String> {
    let folder = crate::target_dir().join("xtask/dist-c");
    std::fs::create_dir_all(&folder)?;
    let list = folder.join("system-libraries");
    Tool::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--crate-type=staticlib", "--crate-name=empty", "/dev/null"])
        .arg(format!("--print=native-static-libs={}", list.display()))
        .arg("-o")
        .arg(folder.join("libempty.a"))
        .run()?;
    let text = std::fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
    let text = text.trim();
    if !text.starts_with("-l") {
        bail!("the compiler names no system libraries: `{text}`");
    }
    Ok(text.to_owned())
}
