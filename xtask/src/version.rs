//! Version numbers in what tools say of themselves.

use std::fmt;

/// Major, minor, patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// The first version number in a text: `k3d version v5.9.0`, `v1.34.1+k3s1`.
    pub fn find(text: &str) -> Option<Self> {
        text.split(|c: char| !c.is_ascii_digit() && c != '.')
            .find_map(Self::parse)
    }

    fn parse(word: &str) -> Option<Self> {
        let mut numbers = word.split('.').map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Self(next()?, next()?, next()?))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_in_what_tools_say() {
        let cases = [
            (
                "k3d version v5.9.0\nk3s version v1.34.1-k3s1",
                Version(5, 9, 0),
            ),
            (
                "Client Version: v1.34.1+k3s1\nKustomize Version: v5.7.1",
                Version(1, 34, 1),
            ),
            ("Packer v1.11.2", Version(1, 11, 2)),
            ("20.10.24+dfsg1", Version(20, 10, 24)),
        ];
        for (said, version) in cases {
            assert_eq!(Version::find(said), Some(version), "{said}");
        }
        for garbage in ["", "k3d: not found", "v5", "1.2", "99999999999.1.1"] {
            assert_eq!(Version::find(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(Version(1, 9, 0) < Version(1, 10, 0));
    }
}
