//! What makes two findings of different runs the same finding.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// A short identity of a finding: 16 hex digits of the SHA-256 of the rule's
/// name and of `parts`, the names of the functions that take part.
///
/// Never hash line numbers, paths or counts: a fingerprint has to survive
/// unrelated edits. The order of `parts` counts.
pub fn fingerprint(rule: &str, parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for text in std::iter::once(&rule).chain(parts) {
        // With its length first, so that no two lists run together.
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize().iter().take(8).fold(String::with_capacity(16), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_never_change_between_versions() {
        assert_eq!(fingerprint("lingering-task", &["a::b", "c"]), "00d29571910bf6d2");
    }

    #[test]
    fn parts_do_not_run_together() {
        let split = [
            fingerprint("rule", &["ab", "c"]),
            fingerprint("rule", &["a", "bc"]),
            fingerprint("rule", &["abc"]),
            fingerprint("rulea", &["bc"]),
            fingerprint("rule", &["abc", ""]),
        ];
        let distinct: std::collections::BTreeSet<_> = split.iter().collect();
        assert_eq!(distinct.len(), split.len());
    }
}
