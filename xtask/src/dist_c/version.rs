//! The C library's version, and what of it is in the SONAME.

use anyhow::{Context as _, Result};

/// Version of `ffi-c`, which is the workspace's.
pub(crate) struct Version {
    /// "major.minor.patch".
    pub(crate) text: &'static str,
    parts: [u32; 3],
}

impl Version {
    /// The version of this checkout.
    ///
    /// # Errors
    /// It is not three numbers.
    pub(crate) fn current() -> Result<Self> {
        Self::parse(env!("CARGO_PKG_VERSION"))
    }

    fn parse(text: &'static str) -> Result<Self> {
        let parts: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
        let parts = parts.and_then(|parts| parts.try_into().ok());
        let parts = parts.with_context(|| format!("version {text} is not major.minor.patch"))?;
        Ok(Self { text, parts })
    }

    /// What programs are made for: the major version; before 1.0, where each minor one may change structs, both.
    pub(crate) fn abi(&self) -> String {
        match self.parts {
            [0, minor, _] => format!("0.{minor}"),
            [major, ..] => major.to_string(),
        }
    }

    /// The name under which a program asks for the shared library.
    pub(crate) fn soname(&self) -> String {
        format!("libsyncline.so.{}", self.abi())
    }

    /// The macros of the header.
    pub(crate) fn macros(&self) -> String {
        let [major, minor, patch] = self.parts;
        format!(
            "/* Version of this header; `syncline_version` gives the library's. */\n\
             #define SYNCLINE_VERSION_MAJOR {major}\n\
             #define SYNCLINE_VERSION_MINOR {minor}\n\
             #define SYNCLINE_VERSION_PATCH {patch}\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_1_0_a_minor_version_has_a_soname_of_its_own() {
        let soname = |text| Version::parse(text).unwrap().soname();
        assert_eq!(soname("0.1.7"), "libsyncline.so.0.1");
        assert_eq!(soname("1.4.0"), "libsyncline.so.1");
        assert!(Version::parse("1.4").is_err());
    }
}
