//! Why a connection string can't be read, in words that quote nothing of it.

/// Why a connection string can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    NoEqualsSign,
    NoEndOfQuotes,
    Semicolons,
    Brackets,
    PercentSign,
    NulByte,
    ParameterWithoutValue,
    ParameterWithTwoValues,
    PasswordWithAt,
    PasswordWithSlash,
}

impl Fault {
    /// What is wrong, and what to do.
    pub(super) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::NoEqualsSign => (
                "a word stands without =",
                "write every setting as keyword=value, and a value with blanks in single quotes",
            ),
            Self::NoEndOfQuotes => {
                ("a quoted value has no end", r"close it with ', and write a ' within it as \'")
            }
            Self::Semicolons => (
                "settings are separated by semicolons",
                "separate them by blanks, or put a value that holds semicolons in single quotes",
            ),
            Self::Brackets => {
                ("the brackets of an IPv6 address are not closed or empty", "write it as [::1]:5432")
            }
            Self::PercentSign => {
                ("a % is not followed by two hexadecimal digits", "write a percent sign itself as %25")
            }
            Self::NulByte => ("it holds %00", "leave the zero byte out"),
            Self::ParameterWithoutValue => {
                ("a parameter behind ? has no value", "write each as name=value, joined by &")
            }
            Self::ParameterWithTwoValues => {
                ("a parameter behind ? has more than one =", "write an = within a value as %3D")
            }
            Self::PasswordWithAt => (
                "it holds more than one @ before the host",
                "write the @ of a user's name or password as %40",
            ),
            Self::PasswordWithSlash => (
                "an @ follows the first /",
                "write a / of a user's name or password as %2F, and an @ in the name of a database as %40",
            ),
        }
    }
}
