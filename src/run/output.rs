//! What a test prints, however much that is.

use std::collections::VecDeque;

/// How much is kept of each end.
const KEPT: usize = 512 * 1024;

/// Keeps the beginning and the end of an output.
#[derive(Debug, Default)]
pub struct OutputBuffer {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    /// Bytes that fell out between the two.
    cut: u64,
}

impl OutputBuffer {
    /// Takes in the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(KEPT - self.head.len()));
        self.head.extend_from_slice(head);
        // Of more than fits, only the last part can stay.
        let skipped = rest.len().saturating_sub(KEPT);
        self.tail.extend(&rest[skipped..]);
        let surplus = self.tail.len().saturating_sub(KEPT);
        self.tail.drain(..surplus);
        self.cut += (skipped + surplus) as u64;
    }

    /// All of it, with a line that says how much is missing where it is.
    pub fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.head;
        if self.cut > 0 {
            bytes.extend_from_slice(
                format!("\n[... {} bytes of output left out ...]\n", self.cut).as_bytes(),
            );
        }
        bytes.extend(self.tail);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_within_the_limit_is_kept_whole() {
        let mut buffer = OutputBuffer::default();
        let expected: Vec<u8> = (0..2 * KEPT).map(|index| (index % 251) as u8).collect();
        for chunk in expected.chunks(70_001) {
            buffer.push(chunk);
        }
        assert!(buffer.into_bytes() == expected);
    }

    #[test]
    fn output_over_the_limit_keeps_both_ends() {
        let mut buffer = OutputBuffer::default();
        buffer.push(b"first");
        for _ in 0..400 {
            buffer.push(&[b'.'; 10_000]);
        }
        buffer.push(&vec![b'.'; 3 * KEPT]);
        buffer.push(b"last");
        let bytes = buffer.into_bytes();
        assert!(bytes.starts_with(b"first.") && bytes.ends_with(b".last"));
        let cut = 5 + 4_000_000 + 3 * KEPT + 4 - 2 * KEPT;
        let marker = format!("\n[... {cut} bytes of output left out ...]\n");
        assert_eq!(bytes.len(), 2 * KEPT + marker.len());
        assert!(bytes[KEPT..].starts_with(marker.as_bytes()));
    }
}
