//! Amounts as people write them: `60`, `100k`, `1.5M`, `500usd`, `$0.05`, `99%`, `08:00`.
//!
//! Exact or refused: nothing is rounded on its way in.

/// Why a decimal is not taken.
#[derive(Debug, PartialEq, Eq)]
enum Odd {
    /// It is not one.
    NoNumber,
    /// It has more digits behind the point than can be kept.
    TooFine,
    /// It does not fit.
    TooLarge,
}

/// A decimal in units of which `unit`, a power of ten, make one.
fn scaled(text: &str, unit: u64) -> Result<u64, Odd> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err(Odd::NoNumber);
    }
    let whole = whole.parse::<u64>().map_err(|_| Odd::TooLarge)?;
    let mut value = whole.checked_mul(unit).ok_or(Odd::TooLarge)?;
    let mut unit = unit;
    for digit in fraction.bytes().map(|it| u64::from(it - b'0')) {
        if unit < 10 && 0 < digit {
            return Err(Odd::TooFine);
        }
        unit /= 10;
        value = value.checked_add(digit * unit).ok_or(Odd::TooLarge)?;
    }
    Ok(value)
}

/// The shortest decimal of a value in units of which `10^digits` make one, with at least
/// `least` digits behind the point.
fn decimal(value: u64, digits: usize, least: usize) -> String {
    let text = format!("{value:0>width$}", width = digits + 1);
    let (whole, fraction) = text.split_at(text.len() - digits);
    let kept = fraction.trim_end_matches('0').len().max(least.min(digits));
    match kept {
        0 => whole.to_owned(),
        kept => format!("{whole}.{}", &fraction[..kept]),
    }
}

/// Thousands, millions, and thousands of millions, greatest first.
const SUFFIXES: [(&str, usize); 3] = [("G", 9), ("M", 6), ("k", 3)];

/// A number's digits and how many zeros its suffix stands for.
fn suffix(text: &str) -> (&str, usize) {
    let known = SUFFIXES.iter().find_map(|(suffix, zeros)| {
        let rest = text.strip_suffix(suffix);
        rest.or_else(|| text.strip_suffix('K').filter(|_| *suffix == "k")).map(|it| (it, *zeros))
    });
    known.unwrap_or((text, 0))
}

/// The greatest amount of a limit: counts, or micro-dollars.
const MOST: u64 = 1_000_000_000_000_000;

/// Reads `60`, `100k`, `1.5M`, `2G`: a whole number above 0.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    let (digits, zeros) = suffix(text);
    let unit = 10_u64.pow(u32::try_from(zeros).unwrap_or(0));
    match scaled(digits, unit) {
        Ok(0) => Err(format!("`{text}` allows nothing: write a number above 0")),
        Ok(count) if count <= MOST => Ok(count),
        Ok(_) | Err(Odd::TooLarge) => {
            Err(format!("`{text}` is too large: write at most {}", count_text(MOST)))
        }
        Err(Odd::TooFine) => Err(format!("`{text}` is not a whole number")),
        Err(Odd::NoNumber) => {
            Err(format!("`{text}` is not a number: write for example 60, 100k, 1.5M or 2G"))
        }
    }
}

/// Reads a [`count`], or 0 for none.
pub(crate) fn count_or_none(text: &str) -> Result<u64, String> {
    if text == "0" { Ok(0) } else { count(text) }
}

/// The opposite of [`count`]: the shortest that is exact, plain below 10,000.
pub(crate) fn count_text(count: u64) -> String {
    /// More digits behind the point are harder to read than zeros.
    const FINEST: usize = 2;
    let short = SUFFIXES.iter().filter(|_| 10_000 <= count).find_map(|(suffix, zeros)| {
        let text = decimal(count, *zeros, 0);
        let fine = text.split_once('.').map_or(0, |it| it.1.len());
        (!text.starts_with('0') && fine <= FINEST).then(|| format!("{text}{suffix}"))
    });
    short.unwrap_or_else(|| count.to_string())
}

/// Reads `500usd`, `$500`, `$0.05`, `$10k`: micro-dollars, above 0.
pub(crate) fn money(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let dollars = match (text.strip_prefix('$'), lower.strip_suffix("usd")) {
        (Some(rest), None) => rest,
        (None, Some(rest)) => text[..rest.len()].trim_end(),
        (None, None) if scaled(suffix(text).0, 1_000_000_000).is_ok() => {
            return Err(format!("`{text}` of what? Write {text}usd or ${text}"));
        }
        (Some(_), Some(_)) | (None, None) => {
            return Err(format!(
                "`{text}` is not an amount of money: write for example 500usd, $500 or 0.05usd"
            ));
        }
    };
    let (digits, zeros) = suffix(dollars);
    match scaled(digits, 10_u64.pow(u32::try_from(zeros + 6).unwrap_or(6))) {
        Ok(0) => Err(format!("`{text}` allows nothing: write an amount above 0")),
        Ok(micro) if micro <= MOST => Ok(micro),
        Ok(_) | Err(Odd::TooLarge) => {
            Err(format!("`{text}` is too large: write at most {}", money_text(MOST)))
        }
        Err(Odd::TooFine) => {
            Err(format!("`{text}` is finer than a millionth of a dollar: write at most 6 decimals"))
        }
        Err(Odd::NoNumber) => Err(format!(
            "`{text}` is not an amount of money: write for example 500usd, $500 or 0.05usd"
        )),
    }
}

/// Micro-dollars as `500usd`.
pub(crate) fn money_text(micro: u64) -> String {
    format!("{}usd", decimal(micro, 6, 0))
}

/// Micro-dollars as `$500.00`, for tables.
pub(crate) fn dollars(micro: u64) -> String {
    let text = decimal(micro, 6, 2);
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "00"));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), crate::output::thousands);
    format!("${whole}.{fraction}")
}

/// Reads a price per million tokens, `0.15` or `$0.15`: nano-dollars.
pub(crate) fn price(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix('$').or_else(|| text.strip_suffix("usd")).unwrap_or(text);
    match scaled(digits, 1_000_000_000) {
        Ok(nano) => Ok(nano),
        Err(Odd::TooFine) => {
            Err(format!("`{text}` is finer than a billionth of a dollar: write at most 9 decimals"))
        }
        Err(Odd::TooLarge) => Err(format!("`{text}` is too large")),
        Err(Odd::NoNumber) => {
            Err(format!("`{text}` is not a price: write dollars per million tokens, such as 0.15"))
        }
    }
}

/// The opposite of [`price`]: `0.15`.
pub(crate) fn price_text(nano: u64) -> String {
    decimal(nano, 9, 0)
}

/// Reads `80%` or `80`: 1 to 100; `none` is 0.
pub(crate) fn percent(text: &str) -> Result<u32, String> {
    if text == "none" {
        return Ok(0);
    }
    let percent = text.strip_suffix('%').unwrap_or(text).parse::<u32>().ok();
    let percent = percent.filter(|it| (1..=100).contains(it));
    percent.ok_or_else(|| format!("`{text}` is not within 1% and 100%, nor `none`"))
}

/// The opposite of [`percent`].
pub(crate) fn percent_text(percent: u32) -> String {
    match percent {
        0 => "none".to_owned(),
        percent => format!("{percent}%"),
    }
}

/// A share in millionths as `20%` or `99.5%`; never up to a whole that it is not.
pub(crate) fn share_text(ppm: u32) -> String {
    format!("{}%", decimal(u64::from(ppm / 1_000), 1, 0))
}

/// Reads a time of the day, `08:00`: minutes after midnight.
pub(crate) fn clock(text: &str) -> Result<u32, String> {
    let minutes = || {
        let (hours, minutes) = text.split_once(':')?;
        let digits = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
        if !(1..=2).contains(&hours.len()) || minutes.len() != 2 || !digits(hours) {
            return None;
        }
        let (hours, minutes) = (hours.parse::<u32>().ok()?, minutes.parse::<u32>().ok()?);
        (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
    };
    minutes().ok_or_else(|| format!("`{text}` is not a time of the day such as 08:00 or 23:30"))
}

/// The opposite of [`clock`].
pub(crate) fn clock_text(minutes: u32) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Thousandths of a count in whole ones, rounded towards nothing, as people read them.
pub(crate) fn milli_text(milli: i128) -> String {
    let sign = if milli <= -1_000 { "-" } else { "" };
    let whole = u64::try_from(milli.unsigned_abs() / 1_000).unwrap_or(u64::MAX);
    format!("{sign}{}", crate::output::thousands(whole))
}

/// Thousandths as a decimal: `0.05`, `2`.
pub(crate) fn thousandths(milli: u64) -> String {
    decimal(milli, 3, 0)
}

/// Nano-dollars (thousandths of micro-dollars) as people read them: cents, and finer only
/// below a dollar.
pub(crate) fn nanousd_text(nano: i128) -> String {
    let micro = u64::try_from(nano.unsigned_abs() / 1_000).unwrap_or(u64::MAX);
    let shown = if 1_000_000 <= micro { micro / 10_000 * 10_000 } else { micro };
    let sign = if nano < 0 && 0 < shown { "-" } else { "" };
    format!("{sign}{}", dollars(shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_suffixes_and_are_whole() {
        for (text, number, again) in [
            ("60", 60, "60"),
            ("1000", 1_000, "1000"),
            ("1k", 1_000, "1000"),
            ("100k", 100_000, "100k"),
            ("100K", 100_000, "100k"),
            ("1M", 1_000_000, "1M"),
            ("1.5M", 1_500_000, "1.5M"),
            ("1.50M", 1_500_000, "1.5M"),
            ("2G", 2_000_000_000, "2G"),
            ("12345", 12_345, "12345"),
            ("12340", 12_340, "12.34k"),
            ("1.234567M", 1_234_567, "1234567"),
            ("1000000000000000", 1_000_000_000_000_000, "1000000G"),
        ] {
            assert_eq!(count(text), Ok(number), "{text}");
            assert_eq!(count_text(number), again, "{text}");
            assert_eq!(count(again), Ok(number), "{again}");
        }
        for (bad, why) in [
            ("", "not a number"),
            ("k", "not a number"),
            ("-1", "not a number"),
            ("1.", "not a number"),
            (".5k", "not a number"),
            ("1m", "not a number"),
            ("1 000", "not a number"),
            ("1e6", "not a number"),
            ("0", "above 0"),
            ("0k", "above 0"),
            ("1.5", "whole"),
            ("1.2345k", "whole"),
            ("1000000000000001", "at most 1000000G"),
            ("18446744073709551615", "at most 1000000G"),
            ("18446744073709551616", "too large"),
            ("99999999999G", "too large"),
        ] {
            let error = count(bad).unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }

    #[test]
    fn money_has_a_currency_and_is_exact_to_the_micro_dollar() {
        for (text, micro, again, table) in [
            ("500usd", 500_000_000, "500usd", "$500.00"),
            ("500USD", 500_000_000, "500usd", "$500.00"),
            ("500 usd", 500_000_000, "500usd", "$500.00"),
            ("$500", 500_000_000, "500usd", "$500.00"),
            ("$12.50", 12_500_000, "12.5usd", "$12.50"),
            ("0.05usd", 50_000, "0.05usd", "$0.05"),
            ("$0.000001", 1, "0.000001usd", "$0.000001"),
            ("$10k", 10_000_000_000, "10000usd", "$10,000.00"),
            ("1.5kusd", 1_500_000_000, "1500usd", "$1,500.00"),
        ] {
            assert_eq!(money(text), Ok(micro), "{text}");
            assert_eq!(money_text(micro), again, "{text}");
            assert_eq!(money(again), Ok(micro), "{again}");
            assert_eq!(dollars(micro), table, "{text}");
        }
        for (bad, why) in [
            ("500", "500usd"),
            ("1.5k", "1.5kusd"),
            ("500eur", "not an amount of money"),
            ("", "not an amount of money"),
            ("usd", "not an amount of money"),
            ("$", "not an amount of money"),
            ("$5usd", "not an amount of money"),
            ("$-5", "not an amount of money"),
            ("$0", "above 0"),
            ("0.0000001usd", "millionth"),
            ("$1000000000.000001", "at most 1000000000usd"),
            ("$99999999999999", "too large"),
        ] {
            let error = money(bad).unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }

    #[test]
    fn prices_are_exact_to_the_nano_dollar() {
        for (text, nano, again) in [
            ("0.15", 150_000_000, "0.15"),
            ("$0.15", 150_000_000, "0.15"),
            ("10usd", 10_000_000_000, "10"),
            ("0", 0, "0"),
            ("0.000000001", 1, "0.000000001"),
        ] {
            assert_eq!(price(text), Ok(nano), "{text}");
            assert_eq!(price_text(nano), again, "{text}");
        }
        for bad in ["", "cheap", "-1", "0.0000000001", "99999999999"] {
            assert!(price(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn percents_and_clocks_are_read_as_they_are_shown() {
        for (text, number, again) in
            [("80%", 80, "80%"), ("100", 100, "100%"), ("1%", 1, "1%"), ("none", 0, "none")]
        {
            assert_eq!(percent(text), Ok(number), "{text}");
            assert_eq!(percent_text(number), again);
        }
        for bad in ["0", "0%", "101%", "-1", "99.5%", "%", ""] {
            assert!(percent(bad).is_err(), "{bad}");
        }
        for (text, minutes, again) in [("08:00", 480, "08:00"), ("8:05", 485, "08:05")] {
            assert_eq!(clock(text), Ok(minutes), "{text}");
            assert_eq!(clock_text(minutes), again);
        }
        for bad in ["24:00", "8", "08:60", "8am", "+8:00", "", ":", "008:00", "08:0"] {
            assert!(clock(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_measured_is_never_rounded_up() {
        for (ppm, text) in
            [(0, "0%"), (200_000, "20%"), (999_999, "99.9%"), (1_000_000, "100%"), (1_500, "0.1%")]
        {
            assert_eq!(share_text(ppm), text);
        }
        for (milli, text) in [(0, "0"), (999, "0"), (1_234_567, "1,234"), (-1_500, "-1"), (-9, "0")]
        {
            assert_eq!(milli_text(milli), text);
        }
        for (nano, text) in [
            (12_345_678_901, "$12.34"),
            (123_456_789, "$0.123456"),
            (-2_000_000_000, "-$2.00"),
            (999, "$0.00"),
        ] {
            assert_eq!(nanousd_text(nano), text);
        }
    }
}
