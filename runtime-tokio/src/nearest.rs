//! The known name that a mistyped one most likely meant.

/// Longest name that is compared, and most candidates: a hostile file must not make a suggestion dear.
const LONGEST: usize = 64;
const MOST_CANDIDATES: usize = 1_000;

/// The candidate nearest to `name`, when one is near enough: a third of the letters may differ, case never does.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > LONGEST {
        return None;
    }
    let name = name.to_lowercase();
    let allowed = (name.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .take(MOST_CANDIDATES)
        .filter(|candidate| candidate.len() <= 2 * LONGEST)
        .map(|candidate| (strsim::osa_distance(&name, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_ignores_case_and_stays_silent_when_nothing_is_near() {
        assert_eq!(nearest("BasePath", ["basePath", "route"]), Some("basePath"));
        assert_eq!(nearest("timout", ["timeout", "topic"]), Some("timeout"));
        assert_eq!(nearest("colour", ["timeout", "topic"]), None);
    }
}
