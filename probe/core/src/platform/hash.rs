//! A hash for keys that nobody chooses with malice: addresses and ids.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// The multiplier of the `FxHash` of Firefox and rustc.
const MULTIPLIER: u64 = 0x51_7c_c1_b7_27_22_0a_95;

/// Folds `word` into `state`; a 128-bit product mixes high bits into low ones.
#[inline]
pub(crate) fn fold(state: u64, word: u64) -> u64 {
    let product = u128::from(state ^ word ^ 0x9e37_79b9_7f4a_7c15) * u128::from(MULTIPLIER | 1);
    (product as u64) ^ ((product >> 64) as u64)
}

/// See [`fold`].
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct FoldHasher(u64);

impl Hasher for FoldHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = fold(self.0, u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = fold(self.0, word);
    }

    fn write_u32(&mut self, word: u32) {
        self.0 = fold(self.0, u64::from(word));
    }

    fn write_usize(&mut self, word: usize) {
        self.0 = fold(self.0, word as u64);
    }
}

pub(crate) type FastMap<K, V> = HashMap<K, V, BuildHasherDefault<FoldHasher>>;
