//! `cargo xtask bench clients`: what a message costs a client, the C library and the Python package as they are shipped beside others,
//! against one Mosquitto.

use std::path::Path;

use anyhow::Result;

use crate::dist_c::{self, Build, Destination};
use crate::install;
use crate::process::Tool;
use crate::python;

/// Builds everything optimised, and runs it.
///
/// # Errors
/// Something cannot be built, or a client fails.
pub(crate) fn run() -> Result<()> {
    install::ensure(&[install::GCC, install::MOSQUITTO])?;
    install::ensure_header("mosquitto.h", "libmosquitto-dev")?;
    install::ensure_header("MQTTAsync.h", "libpaho-mqtt-dev")?;
    let folder = crate::target_dir().join("xtask/cost");
    std::fs::create_dir_all(&folder)?;
    let folder = folder.canonicalize()?;
    let prefix = folder.join("prefix");
    dist_c::run(
        Build::Shipped,
        &Destination {
            prefix: prefix.clone(),
            root: None,
        },
    )?;
    let examples = crate::root().join("ffi-c/examples");
    let library = prefix.join("lib/libsyncline.a");
    let sources = ["loop.c", "tcp.c", "transport_tcp.c"].map(|name| examples.join(name));
    let ours = compile("syncline", &folder)
        .arg("-I")
        .arg(prefix.join("include"))
        .arg("-I")
        .arg(&examples)
        .args(&sources)
        .arg(&library)
        .args(dist_c::system_libraries()?.split(' '));
    ours.run()?;
    compile("libmosquitto", &folder).arg("-lmosquitto").run()?;
    compile("paho", &folder)
        .args(["-lpaho-mqtt3a", "-lpthread"])
        .run()?;
    Tool::cargo("run")
        .args([
            "--locked",
            "--package",
            "syncline-bench-clients",
            "--",
            "--programs",
        ])
        .arg(&folder)
        .arg("--")
        .args(python::cost_command()?)
        .run()
}

fn compile(name: &str, folder: &Path) -> Tool {
    let source = crate::root().join("benches/clients/c").join(name);
    Tool::new("gcc")
        .args([
            "-std=c11",
            "-D_DEFAULT_SOURCE",
            "-O2",
            "-Wall",
            "-Wextra",
            "-Werror",
        ])
        .arg(source.with_extension("c"))
        .arg("-o")
        .arg(folder.join(name))
}
