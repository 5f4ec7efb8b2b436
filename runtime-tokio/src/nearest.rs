//! The known name that a mistyped one most likely meant.

/// The candidate nearest to `name`, when one is near enough: a third of the letters may differ, case never does.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let allowed = (name.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
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
