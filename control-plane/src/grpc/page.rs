//! Page sizes and page tokens.

use super::refusal::Refusal;
use crate::store::Page;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

const USUAL: u32 = 100;
const MOST: u32 = 1000;

/// Marks a token as ours; a later kind gets another letter.
const PREFIX: char = 'n';

/// The part of a list that is asked for.
///
/// # Errors
/// When the size is out of bounds or the token is none that a list gave out.
pub(super) fn page(page_size: u32, page_token: &str) -> Result<Page, Refusal> {
    let limit = match page_size {
        0 => USUAL,
        1..=MOST => page_size,
        _ => {
            let reason = format!("{page_size} must lie between 1 and {MOST}; 0 means {USUAL}");
            return Err(Refusal::field("page_size", reason));
        }
    };
    let after = if page_token.is_empty() { None } else { Some(after(page_token)?) };
    Ok(Page { after, limit })
}

/// What a caller passes back to go on after `next`; empty on the last page.
pub(super) fn token(next: Option<String>) -> String {
    next.map(|it| URL_SAFE_NO_PAD.encode(format!("{PREFIX}{it}"))).unwrap_or_default()
}

fn after(token: &str) -> Result<String, Refusal> {
    let text = URL_SAFE_NO_PAD.decode(token).ok().and_then(|it| String::from_utf8(it).ok());
    let after = text.as_deref().and_then(|it| it.strip_prefix(PREFIX)).filter(|it| !it.is_empty());
    after.map(str::to_owned).ok_or_else(bad_token)
}

/// The refusal of a token that no list gave out.
pub(super) fn bad_token() -> Refusal {
    Refusal::field("page_token", "is not the next_page_token of a page of this list")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_to_where_it_came_from() {
        let token = token(Some("team-ä/1".into()));
        assert_eq!(page(7, &token), Ok(Page { after: Some("team-ä/1".into()), limit: 7 }));
        assert_eq!(super::token(None), "");
        assert_eq!(page(0, ""), Ok(Page { after: None, limit: 100 }));
    }

    #[test]
    fn what_is_no_token_or_too_much_is_refused() {
        for bad in ["x", "!!", "bg", "_w", "team-a"] {
            assert!(page(1, bad).is_err(), "{bad}");
        }
        assert!(page(1001, "").is_err() && page(1000, "").is_ok());
    }
}
