//! Shards of a run, as cargo-nextest has them: which of the tests that the filters leave are
//! run here, and which elsewhere.

use std::str::FromStr;

use xxhash_rust::xxh64::xxh64;

use super::types::TestCase;

/// How tests are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// By a hash of the test's name: tests that come and go move no others.
    Hash,
    /// In turn, within each binary.
    Count,
    /// In turn, over all binaries.
    Slice,
}

/// `hash:1/4`: the first of four parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    kind: Kind,
    /// From 1 on.
    shard: u64,
    total: u64,
}

impl FromStr for Partition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected hash:M/N, count:M/N or slice:M/N".to_owned();
        let (kind, shards) = text.split_once(':').ok_or_else(expected)?;
        let kind = match kind {
            "hash" => Kind::Hash,
            "count" => Kind::Count,
            "slice" => Kind::Slice,
            _ => return Err(expected()),
        };
        let (shard, total) = shards.split_once('/').ok_or_else(expected)?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| expected());
        let (shard, total) = (number(shard)?, number(total)?);
        if !(1..=total).contains(&shard) {
            return Err(format!("there is no part {shard} of {total}: the first is 1"));
        }
        Ok(Self { kind, shard, total })
    }
}

impl Partition {
    /// Those of this part, in the order in which they were.
    pub fn of(self, cases: Vec<TestCase>) -> Vec<TestCase> {
        // The order in which cargo names the binaries is its own affair.
        let mut order: Vec<usize> = (0..cases.len()).collect();
        order.sort_by_key(|index| cases[*index].full_name());
        let mut is_in = vec![false; cases.len()];
        let mut binary = "";
        let mut count = 0;
        for index in order {
            let case = &cases[index];
            if self.kind == Kind::Count && case.binary.id != binary {
                binary = &case.binary.id;
                count = 0;
            }
            let number = match self.kind {
                Kind::Hash => {
                    let name = case.path.as_ref().unwrap_or(&case.binary.id);
                    xxh64(name.as_bytes(), 0)
                }
                Kind::Count | Kind::Slice => count,
            };
            is_in[index] = number % self.total == self.shard - 1;
            count += 1;
        }
        cases.into_iter().zip(is_in).filter(|(_, is_in)| *is_in).map(|(case, _)| case).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::testing::script_binary;

    fn cases() -> Vec<TestCase> {
        let of = |binary: &str| {
            let binary = script_binary(binary, true, "");
            ["a", "b", "c"].map(|name| TestCase {
                binary: std::sync::Arc::clone(&binary),
                path: Some(name.to_owned()),
                ignored: false,
            })
        };
        [of("two"), of("one")].concat()
    }

    fn part(text: &str) -> Vec<String> {
        let partition: Partition = text.parse().expect("is valid");
        partition.of(cases()).iter().map(TestCase::full_name).collect()
    }

    #[test]
    fn counts_begin_anew_in_each_binary_and_slices_go_on() {
        assert_eq!(part("count:1/2"), ["two a", "two c", "one a", "one c"]);
        assert_eq!(part("count:2/2"), ["two b", "one b"]);
        assert_eq!(part("slice:1/2"), ["two b", "one a", "one c"]);
        assert_eq!(part("slice:2/2"), ["two a", "two c", "one b"]);
        assert_eq!(part("slice:1/1").len(), 6);
    }

    #[test]
    fn the_parts_of_each_kind_are_the_whole() {
        let whole: Vec<String> = cases().iter().map(TestCase::full_name).collect();
        for kind in ["hash", "count", "slice"] {
            let mut parts: Vec<String> =
                (1..=4).flat_map(|shard| part(&format!("{kind}:{shard}/4"))).collect();
            parts.sort();
            let mut whole = whole.clone();
            whole.sort();
            assert_eq!(parts, whole, "{kind}");
        }
    }

    #[test]
    fn what_is_no_part_is_refused() {
        for text in
            ["hash", "hash:", "hash:1", "hash:1/", "hash:0/2", "hash:3/2", "hash:m/2", "hash:1/2/3"]
        {
            assert!(text.parse::<Partition>().is_err(), "{text}");
        }
        assert!("half:1/2".parse::<Partition>().is_err());
    }
}
