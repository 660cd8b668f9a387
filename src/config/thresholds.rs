//! From when on something is worth a finding.

use std::time::Duration;

use clap::Args;

use super::Value;

#[path = "../../probe/core/src/platform/thresholds.rs"]
mod list;

type Time = Duration;
type Number = u64;

/// A threshold, to be read or set.
#[derive(Debug)]
pub enum Threshold<'a> {
    /// `"250ms"`
    Time(&'a mut Duration),
    /// `500`
    Number(&'a mut u64),
}

/// What a threshold may be: how it is written, and how the list has its default.
trait Kind: Sized {
    /// On the command line.
    const VALUE_NAME: &str;
    fn from_raw(raw: u64) -> Self;
    fn to_raw(self) -> u64;
    fn value(self) -> Value;
    fn parse(text: &str) -> Result<Self, String>;
    fn threshold(&mut self) -> Threshold<'_>;
}

impl Kind for Time {
    const VALUE_NAME: &str = "TIME";

    fn from_raw(raw: u64) -> Self {
        Self::from_nanos(raw)
    }

    fn to_raw(self) -> u64 {
        u64::try_from(self.as_nanos()).unwrap_or(u64::MAX)
    }

    fn value(self) -> Value {
        Value::Time(self)
    }

    fn parse(text: &str) -> Result<Self, String> {
        humantime::parse_duration(text).map_err(|error| error.to_string())
    }

    fn threshold(&mut self) -> Threshold<'_> {
        Threshold::Time(self)
    }
}

impl Kind for Number {
    const VALUE_NAME: &str = "NUMBER";

    fn from_raw(raw: u64) -> Self {
        raw
    }

    fn to_raw(self) -> u64 {
        self
    }

    fn value(self) -> Value {
        Value::Number(self)
    }

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: std::num::ParseIntError| error.to_string())
    }

    fn threshold(&mut self) -> Threshold<'_> {
        Threshold::Number(self)
    }
}

macro_rules! define {
    ($($(#[$meaning:meta])* $field:ident: $kind:ident = $default:literal, $name:literal, $env:literal;)*) => {
        /// From when on something is worth a finding; the probe is told, too.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
        pub struct Thresholds {
            $(
                $(#[$meaning])*
                #[arg(
                    long,
                    env = $env,
                    hide_env = true,
                    value_name = <$kind as Kind>::VALUE_NAME,
                    default_value = $kind::from_raw($default).value().to_string(),
                    value_parser = <$kind as Kind>::parse,
                    help_heading = "Rules"
                )]
                pub $field: $kind,
            )*
        }

        impl Default for Thresholds {
            fn default() -> Self {
                Self { $($field: $kind::from_raw($default),)* }
            }
        }

        impl Thresholds {
            /// Each by its name.
            pub fn each(&mut self) -> Vec<(&'static str, Threshold<'_>)> {
                vec![$(($name, self.$field.threshold())),*]
            }

            /// Each as the probe reads it: its field, and nanoseconds or a number.
            pub fn raw(self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($field), self.$field.to_raw())),*]
            }
        }
    };
}

list::thresholds!(define);

impl Threshold<'_> {
    /// Sets it; a value of another kind is none of it.
    pub fn set(self, value: Value) {
        match (self, value) {
            (Self::Time(time), Value::Time(value)) => *time = value,
            (Self::Number(number), Value::Number(value)) => *number = value,
            (Self::Time(_), Value::Number(_)) | (Self::Number(_), Value::Time(_)) => {}
        }
    }

    /// As it is written on the command line.
    pub fn text(&self) -> String {
        match self {
            Self::Time(time) => time.value(),
            Self::Number(number) => number.value(),
        }
        .to_string()
    }
}
