//! The data folder on a real disk, with a process that is killed while it writes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use secrecy::ExposeSecret as _;
use syncline::data::{DataFolder, OpenError, StoredCredentials};

/// Names the folder to the process that is to be killed.
const FOLDER: &str = "TEST_DATA_FOLDER";
/// How often it is killed.
const KILLS: usize = 100;

fn numbered(number: u64) -> StoredCredentials {
    // Longer than a page, so that it takes the disk more than one.
    StoredCredentials::new(format!("agent-{number}"), format!("{number:>9000}").into())
}

/// The number of the credentials in `folder`; checks that they are whole.
fn found(folder: &DataFolder) -> Option<u64> {
    let found = folder.credentials().unwrap()?;
    let number = found.username.strip_prefix("agent-").unwrap().parse().unwrap();
    assert_eq!(
        found.password.expose_secret(),
        numbered(number).password.expose_secret()
    );
    Some(number)
}

/// Not a test by itself: stores credentials with rising numbers until it is killed, and tells of each when it is stored.
#[test]
#[ignore = "the process that the next test kills"]
fn store_until_killed() {
    let folder = DataFolder::open(Path::new(&std::env::var_os(FOLDER).expect("a folder"))).unwrap();
    let mut out = std::io::stdout().lock();
    for number in found(&folder).map_or(0, |number| number + 1).. {
        folder.store_credentials(&numbered(number)).unwrap();
        writeln!(out, "stored {number}").unwrap();
        out.flush().unwrap();
    }
}

fn store_in_a_process(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store_until_killed", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_process_that_is_killed_while_storing_leaves_whole_credentials_and_no_lock() {
    let folder = tempfile::tempdir().unwrap();
    let mut last = None;
    for round in 0..KILLS {
        let mut child = store_in_a_process(folder.path());
        // Killed after the first, second or third that it tells of: it is at work on the next one then.
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = lines
            .map_while(Result::ok)
            .filter_map(|line| line.rsplit_once("stored ")?.1.parse::<u64>().ok())
            .nth(round % 3)
            .expect("the process stores until it is killed");
        child.kill().unwrap();
        child.wait().unwrap();

        let folder = DataFolder::open(folder.path()).unwrap();
        let found = found(&folder);
        assert!(found >= Some(told), "{found:?} was found after {told} was stored");
        assert!(found > last, "{found:?} was found after {last:?}");
        last = found;
    }
}

#[test]
fn a_folder_in_use_is_refused_with_the_process_that_uses_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = store_in_a_process(folder.path());
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    while !line.contains("stored ") {
        line.clear();
        assert_ne!(out.read_line(&mut line).unwrap(), 0, "the process ended");
    }
    let error = DataFolder::open(folder.path()).unwrap_err();
    assert!(
        matches!(&error, OpenError::Locked { pid, .. } if *pid == Some(child.id())),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(
        text.contains(&format!("process {}", child.id())) && text.contains("SYNCLINE_DATA_DIR"),
        "{text}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    DataFolder::open(folder.path()).unwrap();
}

#[test]
fn a_folder_that_cannot_be_made_is_no_error_and_what_is_stored_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let data = DataFolder::open(&file.join("data")).unwrap();
    let error = data.store_credentials(&numbered(1)).unwrap_err().to_string();
    assert!(
        error.contains("file/data") && error.contains("until this agent ends"),
        "{error}"
    );
}
