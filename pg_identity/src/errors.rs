//! Errors of the library: SQLSTATE class `ID`. The registry, with those that only SQL raises, is `sql/extension/errors.sql`.
//!
//! A message never contains a secret, a token or bytes of the caller: it reaches logs.

use std::borrow::Cow;

/// Why a function refuses. The numbers are explained by `select * from identity.errors()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// ID001
    NotPreloaded,
    /// ID002
    NotConfigured,
    /// ID003
    MasterKeyUnavailable,
    /// ID004, worth a retry
    HashingBusy,
    /// ID005
    InvalidParameter,
    /// ID008
    Unsupported,
    /// ID009
    HashUnacceptable,
    /// ID101
    TokenMalformed,
    /// ID102
    TokenExpired,
    /// ID103
    TokenNotYetValid,
    /// ID104
    WrongAudience,
    /// ID105
    UnknownKey,
    /// ID106
    BadSignature,
    /// ID107
    TokenRevoked,
    /// ID108
    WrongType,
    /// ID109
    UnknownIssuer,
    /// ID110
    AlgorithmRefused,
    /// ID201
    SecondSubject,
    /// 22023 of PostgreSQL, where a function stands in for one that raises it
    InvalidValue,
    /// XX000: a bug of ours
    Internal,
}

impl Code {
    /// The five characters of the SQLSTATE.
    pub const fn sqlstate(self) -> &'static [u8; 5] {
        match self {
            Code::NotPreloaded => b"ID001",
            Code::NotConfigured => b"ID002",
            Code::MasterKeyUnavailable => b"ID003",
            Code::HashingBusy => b"ID004",
            Code::InvalidParameter => b"ID005",
            Code::Unsupported => b"ID008",
            Code::HashUnacceptable => b"ID009",
            Code::TokenMalformed => b"ID101",
            Code::TokenExpired => b"ID102",
            Code::TokenNotYetValid => b"ID103",
            Code::WrongAudience => b"ID104",
            Code::UnknownKey => b"ID105",
            Code::BadSignature => b"ID106",
            Code::TokenRevoked => b"ID107",
            Code::WrongType => b"ID108",
            Code::UnknownIssuer => b"ID109",
            Code::AlgorithmRefused => b"ID110",
            Code::SecondSubject => b"ID201",
            Code::InvalidValue => b"22023",
            Code::Internal => b"XX000",
        }
    }

    /// ID101 to ID110: why a token is not good.
    pub fn is_about_the_token(self) -> bool {
        self.sqlstate().starts_with(b"ID1")
    }
}

/// A refusal: code, public message, and what the reader can do about it.
#[derive(Debug)]
pub struct Error {
    /// Which refusal.
    pub code: Code,
    /// One sentence without a full stop, as PostgreSQL writes them.
    pub message: Cow<'static, str>,
    /// What to do, if there is something to do.
    pub hint: Option<Cow<'static, str>>,
}

impl Error {
    /// A refusal without a hint.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// The same with a hint.
    pub fn with_hint(self, hint: impl Into<Cow<'static, str>>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Something that cannot happen did: XX000.
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Internal, message)
    }
}

impl From<aws_lc_rs::error::Unspecified> for Error {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        // The library says no more on purpose (an oracle would be worse than a puzzle).
        Self::internal("a cryptographic operation failed")
    }
}
