//! What each kind of token counts: `input=100,cached=10,cache-write=125,output=100`.

use proto::admin::v1::TokenWeights;

/// The most that a token can count, in percent.
const MOST_PERCENT: u32 = 1_000;

/// Reads weights in percent of a token; what is not named counts whole.
pub(crate) fn weights(text: &str) -> Result<TokenWeights, String> {
    let mut weights = TokenWeights::default();
    for part in text.split(',') {
        let wrong = || {
            format!(
                "`{part}` is not written KIND=PERCENT: write for example \
                 input=100,cached=10,cache-write=125,output=100"
            )
        };
        let (kind, percent) = part.split_once('=').ok_or_else(wrong)?;
        let field = match kind.trim() {
            "input" => &mut weights.input_percent,
            "cached" => &mut weights.cached_input_percent,
            "cache-write" => &mut weights.cache_write_percent,
            "output" => &mut weights.output_percent,
            _ => return Err(wrong()),
        };
        let percent = percent.trim();
        let number: u32 =
            percent.strip_suffix('%').unwrap_or(percent).parse().map_err(|_| wrong())?;
        if MOST_PERCENT < number {
            return Err(format!("`{part}`: a token counts at most {MOST_PERCENT} percent"));
        }
        if field.replace(number).is_some() {
            return Err(format!("`{}` is there twice", kind.trim()));
        }
    }
    Ok(weights)
}

/// The opposite of [`weights`], with every kind in it.
pub(crate) fn weights_text(weights: &TokenWeights) -> String {
    let whole = |it: Option<u32>| it.unwrap_or(100);
    format!(
        "input={},cached={},cache-write={},output={}",
        whole(weights.input_percent),
        whole(weights.cached_input_percent),
        whole(weights.cache_write_percent),
        whole(weights.output_percent),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_as_they_are_shown() {
        for (text, again) in [
            ("cached=10", "input=100,cached=10,cache-write=100,output=100"),
            ("output=0", "input=100,cached=100,cache-write=100,output=0"),
            (
                "input=100, cached=10%,cache-write=125,output=400",
                "input=100,cached=10,cache-write=125,output=400",
            ),
        ] {
            let read = weights(text).unwrap();
            assert_eq!(weights_text(&read), again, "{text}");
            assert_eq!(weights_text(&weights(again).unwrap()), again);
        }
    }

    #[test]
    fn what_are_no_weights_is_refused() {
        for (bad, why) in [
            ("", "KIND=PERCENT"),
            ("cached", "KIND=PERCENT"),
            ("reasoning=10", "KIND=PERCENT"),
            ("cached=-1", "KIND=PERCENT"),
            ("cached=1001", "at most 1000"),
            ("cached=1,cached=2", "twice"),
        ] {
            let error = weights(bad).unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }
}
