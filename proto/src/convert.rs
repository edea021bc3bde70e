//! The customs house: wire types ↔ the domain. Nothing else knows both.

pub mod catalog;
pub mod key;
pub mod limit;
mod price;
pub mod quota;
pub mod snapshot;
pub mod usage;

/// Why a wire value has no counterpart in the domain, and in which field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct Invalid {
    /// The path of the field, as in `tiers[0].targets[1].account`.
    pub field: String,
    /// What is wrong and what would be right.
    pub reason: String,
}

impl Invalid {
    /// A field and what is wrong with it.
    #[expect(clippy::needless_pass_by_value, reason = "a text or an error, as the caller has it")]
    pub fn new(field: impl Into<String>, reason: impl ToString) -> Self {
        Self { field: field.into(), reason: reason.to_string() }
    }
}

/// Collects what is wrong with a message, so that all of it is reported at once.
#[derive(Debug, Default)]
struct Wrong(Vec<Invalid>);

impl Wrong {
    fn add(&mut self, field: impl Into<String>, reason: impl ToString) {
        self.0.push(Invalid::new(field, reason));
    }

    /// The value, or `None` with its error noted.
    fn note<T, E: ToString>(&mut self, field: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(field, error)).ok()
    }

    /// The value, or `None` with what is wrong noted.
    fn note_invalid<T>(&mut self, result: Result<T, Invalid>) -> Option<T> {
        result.map_err(|error| self.0.push(error)).ok()
    }

    /// Notes a text for people that is longer than 1,000 bytes or has control characters
    /// (of which PostgreSQL cannot store every one).
    fn check_text(&mut self, field: &str, text: &str) {
        if text.len() > 1_000 || text.chars().any(char::is_control) {
            self.add(field, "must have at most 1000 bytes, and no control characters");
        }
    }

    /// Parses every text of a list.
    fn parse_all<T: std::str::FromStr<Err: ToString>>(
        &mut self,
        field: &str,
        texts: &[String],
    ) -> Vec<T> {
        let parsed = texts.iter().enumerate();
        parsed.filter_map(|(at, it)| self.note(&format!("{field}[{at}]"), it.parse())).collect()
    }

    /// The whole, if every part is there and nothing was wrong.
    fn finish<T>(self, whole: Option<T>) -> Result<T, Vec<Invalid>> {
        match whole {
            Some(whole) if self.0.is_empty() => Ok(whole),
            Some(_) | None => Err(self.0),
        }
    }
}

/// 16 bytes of the wire as a UUID.
///
/// # Errors
/// When there are not 16 bytes.
pub fn uuid_from(field: &str, bytes: &[u8]) -> Result<[u8; 16], Invalid> {
    bytes.try_into().map_err(|_| Invalid::new(field, format!("has {} bytes, not 16", bytes.len())))
}

/// 32 bytes of the wire: a hash, a fingerprint or a pepper.
///
/// # Errors
/// When there are not 32 bytes.
pub fn bytes32_from(field: &str, bytes: &[u8]) -> Result<[u8; 32], Invalid> {
    bytes.try_into().map_err(|_| Invalid::new(field, format!("has {} bytes, not 32", bytes.len())))
}
