//! A container without an image: this system's files, a network of its own with nothing on it, and folders of its own at the
//! places that an agent's image has.

use std::path::Path;
use std::process::Command;

/// Makes the container around the program that it becomes. `$1` is an empty folder, `$2` a host's name.
const SCRIPT: &str = r#"
root=$1 host=$2
shift 2
ip link set lo up
mount -t tmpfs tmpfs "$root"
for entry in /*; do
    if [ -L "$entry" ]; then
        cp -P "$entry" "$root$entry"
    elif [ -d "$entry" ]; then
        mkdir "$root$entry"
        mount --rbind "$entry" "$root$entry"
    fi
done
for folder in /data /connectware; do
    mkdir -p "$root$folder"
    mount -t tmpfs tmpfs "$root$folder"
done
echo "127.0.0.1 localhost $host" > "$root/connectware/hosts"
mount --bind "$root/connectware/hosts" "$root/etc/hosts"
exec chroot "$root" "$@"
"#;

/// `command`, run in a container in which `host` is the container itself. `folder` is an empty one of the caller's.
///
/// Inside, `/data` and `/connectware` are empty and can be written to. Only root can make one.
#[must_use]
pub fn inside(command: &Command, folder: &Path, host: &str) -> Command {
    let mut container = Command::new("unshare");
    container.args(["--net", "--mount", "--propagation", "private", "--"]);
    container.args(["sh", "-ec", SCRIPT, "sh"]).arg(folder).arg(host);
    container.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => container.env(name, value),
            None => container.env_remove(name),
        };
    }
    container
}
