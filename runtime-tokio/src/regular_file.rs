//! Reading a file that an operator has named: whole, bounded, and never waiting for a writer as a FIFO would.

use std::io::Read as _;
use std::path::Path;

/// The content of the regular file at `path`, which may have `limit` bytes.
///
/// The message of an error is part of one that names the file.
pub(crate) fn read(path: &Path, limit: usize) -> Result<Vec<u8>, String> {
    let cannot = |error: std::io::Error| format!("cannot read the file: {error}");
    // Opening a FIFO waits for its writer, so its kind is asked for first.
    if !std::fs::metadata(path).map_err(cannot)?.is_file() {
        return Err("not a regular file: name a file that can be read from begin to end".to_owned());
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(cannot)?;
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() > limit {
        return Err(format!("the file is too large, expected at most {limit} bytes"));
    }
    Ok(bytes)
}

/// As [`read`], of a text.
pub(crate) fn read_text(path: &Path, limit: usize) -> Result<String, String> {
    String::from_utf8(read(path, limit)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("the byte at offset {at} is not UTF-8, expected a text in UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_regular_file_is_refused_without_opening_it() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        for path in [&fifo, folder.path()] {
            let error = read(path, 10).unwrap_err();
            assert!(error.starts_with("not a regular file"), "{error}");
        }
    }

    #[test]
    fn a_file_at_its_limit_is_read_and_one_byte_more_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read_text(&path, 5).unwrap(), "12345");
        assert_eq!(
            read(&path, 4).unwrap_err(),
            "the file is too large, expected at most 4 bytes"
        );
        std::fs::write(&path, b"ab\xff").unwrap();
        assert!(read_text(&path, 5).unwrap_err().contains("offset 2"));
    }
}
