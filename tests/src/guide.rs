//! The code of the guides in `docs/`, as a reader would copy it.

use crate::workspace;

/// The fenced blocks of a language, in the order of the page.
///
/// # Panics
/// When the page is not there or has none.
#[must_use]
pub fn blocks(page: &str, language: &str) -> Vec<String> {
    let text =
        std::fs::read_to_string(workspace().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
    let fence = format!("```{language}");
    let mut blocks: Vec<String> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match (inside, line) {
            (false, line) if line == fence => {
                blocks.push(String::new());
                inside = true;
            }
            (true, "```") => inside = false,
            (true, line) => {
                let block = blocks.last_mut().expect("a block that has begun");
                block.push_str(line);
                block.push('\n');
            }
            (false, _) => {}
        }
    }
    assert!(!inside && !blocks.is_empty(), "{page} has no code in {language}");
    blocks
}
