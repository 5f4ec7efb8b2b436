//! The C programs in `ffi-c/examples`, compiled as strictly as they promise, and run plainly, by valgrind or sanitized.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::{guide, workspace};

/// How a program is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// Under valgrind: every leak and every wrong access ends it with 9.
    Valgrind,
    /// With the address and the undefined behaviour sanitizer.
    Sanitizers,
}

impl Watch {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Valgrind, Self::Sanitizers];
}

/// What carries the bytes of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// TCP alone.
    Tcp,
    /// OpenSSL over TCP.
    OpenSsl,
}

/// A compiled program.
#[derive(Debug)]
pub struct CExample {
    folder: TempDir,
    watch: Watch,
}

/// What Rust's standard library needs of the system when it is linked statically.
const SYSTEM_LIBRARIES: [&str; 5] = ["-lgcc_s", "-lrt", "-lpthread", "-lm", "-ldl"];

impl CExample {
    /// Compiles `name` with the loop and the transport that it runs on.
    ///
    /// # Panics
    /// When it does not compile.
    #[must_use]
    pub fn build(name: &str, carrier: Carrier, watch: Watch) -> Self {
        let transport = match carrier {
            Carrier::Tcp => "transport_tcp",
            Carrier::OpenSsl => "transport_openssl",
        };
        let own: &[&str] = match name {
            "agent" => &["credentials_file", "http"],
            "store" => &["store_file"],
            _ => &[],
        };
        let folder = workspace().join("ffi-c/examples");
        let sources = [name, "loop", "tcp", transport];
        let sources = sources
            .iter()
            .chain(own)
            .map(|name| folder.join(name).with_extension("c"));
        let libraries: &[&str] = match carrier {
            Carrier::Tcp => &[],
            Carrier::OpenSsl => &["-lssl", "-lcrypto"],
        };
        Self::compile(sources, libraries, watch)
    }

    /// Compiles the program of the guide, whose pieces stand in it one after the other.
    ///
    /// # Panics
    /// When it does not compile.
    #[must_use]
    pub fn of_guide(watch: Watch) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let source = folder.path().join("hello.c");
        let program = guide::blocks("docs/guide-c.md", "c").join("\n");
        std::fs::write(&source, program).expect("a file in a new folder");
        Self::compile([source], &[], watch)
    }

    fn compile(sources: impl IntoIterator<Item = PathBuf>, libraries: &[&str], watch: Watch) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut gcc = Command::new("gcc");
        gcc.args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g"]);
        if watch == Watch::Sanitizers {
            gcc.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
        }
        gcc.arg("-I").arg(workspace().join("ffi-c/include"));
        gcc.args(sources);
        gcc.arg(library()).args(SYSTEM_LIBRARIES).args(libraries);
        gcc.arg("-o").arg(folder.path().join("program"));
        run(&mut gcc);
        Self { folder, watch }
    }

    /// The command that runs it.
    #[must_use]
    pub fn command(&self) -> Command {
        let program = self.folder.path().join("program");
        match self.watch {
            Watch::Sanitizers => Command::new(program),
            Watch::Valgrind => {
                let mut valgrind = Command::new("valgrind");
                valgrind.args(["--quiet", "--error-exitcode=9", "--leak-check=full"]);
                valgrind.arg("--show-leak-kinds=definite,indirect,possible");
                valgrind.arg(program);
                valgrind
            }
        }
    }

    /// Where it may write.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// The static library, as cargo builds it now.
fn library() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--locked", "--package", "syncline-ffi"]);
    run(build.current_dir(workspace()));
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    workspace().join(target).join("debug/libsyncline_ffi.a")
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| {
        panic!("cannot start {command:?}: {error}; run the tests with `cargo xtask test`")
    });
    assert!(
        output.status.success(),
        "{command:?}:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
