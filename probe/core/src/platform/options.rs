//! What the runner sets for this run.

use std::sync::OnceLock;

use super::thresholds::thresholds;

/// The most orders of a cycle whose first calls are paused after.
pub const MAX_PAUSES: usize = 4;

macro_rules! define {
    ($($(#[$meaning:meta])* $field:ident: $kind:ident = $default:literal, $name:literal, $env:literal;)*) => {
        /// The thresholds of the run, and how long a process waits at its end. All times in
        /// nanoseconds.
        #[derive(Debug, Clone, Copy)]
        pub struct Options {
            $($(#[$meaning])* pub $field: u64,)*
            /// How long an exiting process waits for the auditor to confirm.
            pub exit_wait: u64,
            /// How long a process that is done waits for a console to attach; 0: not.
            pub console_wait: u64,
            /// What the random delays are made of; 0: there are none.
            pub shake: u64,
            /// Calls after which a thread is paused, as addresses in the executable's file; 0
            /// behind the last.
            pub pause: [u64; MAX_PAUSES],
        }

        impl Default for Options {
            fn default() -> Self {
                Self { $($field: $default,)* exit_wait: 2_000_000_000, console_wait: 0, shake: 0, pause: [0; MAX_PAUSES] }
            }
        }

        impl Options {
            fn field(&mut self, name: &str) -> Option<&mut u64> {
                match name {
                    $(stringify!($field) => Some(&mut self.$field),)*
                    "exit_wait" => Some(&mut self.exit_wait),
                    "shake" => Some(&mut self.shake),
                    "console_wait" => Some(&mut self.console_wait),
                    _ => {
                        let number: usize = name.strip_prefix("pause_")?.parse().ok()?;
                        self.pause.get_mut(number)
                    }
                }
            }
        }
    };
}

thresholds!(define);

impl Options {
    /// The calls after which a thread is paused.
    #[inline]
    pub(crate) fn pauses(&self) -> &[u64] {
        let count = self.pause.iter().take_while(|call| **call != 0).count();
        &self.pause[..count]
    }

    /// Reads `field=number,field=number`; what it does not know it skips, so that a newer runner
    /// and an older probe get along.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut options = Self::default();
        for (name, value) in text.split(',').filter_map(|pair| pair.split_once('=')) {
            if let (Some(field), Ok(number)) = (options.field(name.trim()), value.trim().parse()) {
                *field = number;
            }
        }
        options
    }
}

static OPTIONS: OnceLock<Options> = OnceLock::new();

pub(crate) fn set(options: Options) {
    let _ = OPTIONS.set(options);
}

/// The options of this run.
pub fn get() -> &'static Options {
    OPTIONS.get_or_init(Options::default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_or_is_no_number_is_skipped() {
        let options = Options::parse("wait=25, spawn_storm = 7,future=1,orphaned=soon,x");
        assert_eq!((options.wait, options.spawn_storm), (25, 7));
        assert_eq!(options.orphaned, Options::default().orphaned);
        assert!(options.pauses().is_empty());
        assert_eq!(Options::parse("pause_0=9,pause_1=8,pause_4=7").pauses(), [9, 8]);
    }
}
