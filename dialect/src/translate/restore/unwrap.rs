//! Takes a text out of the field `input` of an object while the object is still coming.

use crate::json::Json;
use serde_json::Value;

/// The field.
const FIELD: &str = "input";

/// The text in an object that has come whole, or as far as it has come. If there is no
/// such text: the only text that is there, or the object itself.
pub(super) fn unwrapped(input: &str) -> String {
    let (mut unwrap, mut text) = (Unwrap::default(), String::new());
    unwrap.push(input, &mut text);
    if unwrap.has_begun() {
        return text;
    }
    let value = Json::parse(input).map(|it| it.to_value());
    let Some(Value::Object(fields)) = value else { return input.to_owned() };
    let mut values = fields.into_values();
    match (values.next(), values.next()) {
        (None, _) => String::new(),
        (Some(Value::String(only)), None) => only,
        (Some(_), _) => input.to_owned(),
    }
}

/// A walk over an object that may be cut anywhere. Keeps nothing of it.
#[derive(Debug, Default)]
pub(super) struct Unwrap {
    state: State,
    string: Decoder,
    /// The key that is read, or was read last; as much of it as tells it from the field.
    key: String,
    /// How deep we are in a value that is passed over.
    depth: u32,
    begun: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the object.
    #[default]
    Before,
    /// Where a key may begin.
    Object,
    Key,
    Colon,
    /// Where a value begins.
    Value,
    /// In the text.
    Text,
    /// In a value that is passed over; in a string of it.
    Other,
    OtherString,
    /// Nothing more is looked for.
    Done,
}

impl Unwrap {
    /// Whether the text has been found.
    pub(super) const fn has_begun(&self) -> bool {
        self.begun
    }

    /// Adds to `out` what the next piece of JSON holds of the text.
    pub(super) fn push(&mut self, piece: &str, out: &mut String) {
        for letter in piece.chars() {
            if self.state == State::Done {
                return;
            }
            self.step(letter, out);
        }
    }

    fn step(&mut self, letter: char, out: &mut String) {
        let is_space = matches!(letter, ' ' | '\t' | '\n' | '\r');
        self.state = match self.state {
            State::Before | State::Object | State::Colon | State::Value if is_space => return,
            State::Before => {
                if letter == '{' {
                    State::Object
                } else {
                    State::Done
                }
            }
            State::Object => match letter {
                '"' => {
                    self.key.clear();
                    State::Key
                }
                ',' => State::Object,
                _ => State::Done,
            },
            State::Key => {
                if self.string.push(letter, &mut self.key) {
                    State::Colon
                } else {
                    // Longer than the field it is another one, whatever comes.
                    let end = self.key.char_indices().nth(FIELD.len().saturating_add(1));
                    self.key.truncate(end.map_or(usize::MAX, |(at, _)| at));
                    State::Key
                }
            }
            State::Colon => {
                if letter == ':' {
                    State::Value
                } else {
                    State::Done
                }
            }
            State::Value if letter == '"' && self.key == FIELD => {
                self.begun = true;
                State::Text
            }
            State::Value | State::Other => self.pass(letter),
            State::Text => {
                if self.string.push(letter, out) {
                    State::Done
                } else {
                    State::Text
                }
            }
            State::OtherString => {
                let ended = self.string.push(letter, &mut String::new());
                match ended {
                    true if self.depth == 0 => State::Object,
                    true => State::Other,
                    false => State::OtherString,
                }
            }
            State::Done => State::Done,
        };
    }

    /// A letter of a value that is passed over.
    fn pass(&mut self, letter: char) -> State {
        match letter {
            '"' => return State::OtherString,
            '{' | '[' => self.depth = self.depth.saturating_add(1),
            '}' | ']' if self.depth == 0 => return State::Done,
            '}' | ']' => self.depth = self.depth.saturating_sub(1),
            ',' if self.depth == 0 => return State::Object,
            _ => {}
        }
        State::Other
    }
}

/// The inside of a JSON string, letter by letter.
#[derive(Debug, Default)]
struct Decoder {
    escape: Escape,
    /// The first half of a pair, whose second half comes next.
    high: Option<u32>,
}

#[derive(Debug, Default, Clone, Copy)]
enum Escape {
    #[default]
    None,
    /// Behind a backslash.
    Begun,
    /// Within `\uXXXX`.
    Unicode { left: u8, value: u32 },
}

impl Decoder {
    /// Whether the string ends here; if not, what the letter stands for is added to `out`.
    fn push(&mut self, letter: char, out: &mut String) -> bool {
        match self.escape {
            Escape::None => match letter {
                '"' => {
                    self.unpaired(out);
                    return true;
                }
                '\\' => self.escape = Escape::Begun,
                other => self.add(other, out),
            },
            Escape::Begun => {
                self.escape = Escape::None;
                match letter {
                    'u' => self.escape = Escape::Unicode { left: 4, value: 0 },
                    'n' => self.add('\n', out),
                    't' => self.add('\t', out),
                    'r' => self.add('\r', out),
                    'b' => self.add('\u{8}', out),
                    'f' => self.add('\u{c}', out),
                    other => self.add(other, out),
                }
            }
            Escape::Unicode { left, value } => {
                // What is no hexadecimal digit makes no JSON; it counts for 0.
                let value = value.wrapping_mul(16) | letter.to_digit(16).unwrap_or(0);
                let left = left.saturating_sub(1);
                self.escape = Escape::Unicode { left, value };
                if left == 0 {
                    self.escape = Escape::None;
                    self.add_unit(value, out);
                }
            }
        }
        false
    }

    /// A unit of UTF-16.
    fn add_unit(&mut self, unit: u32, out: &mut String) {
        match (self.high.take(), unit) {
            (Some(high), 0xdc00..=0xdfff) => {
                let pair = (high & 0x3ff) << 10 | (unit & 0x3ff);
                let letter = char::from_u32(pair.saturating_add(0x1_0000));
                out.push(letter.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            (before, 0xd800..=0xdbff) => {
                self.high = before;
                self.unpaired(out);
                self.high = Some(unit);
            }
            (before, unit) => {
                self.high = before;
                self.add(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), out);
            }
        }
    }

    fn add(&mut self, letter: char, out: &mut String) {
        self.unpaired(out);
        out.push(letter);
    }

    fn unpaired(&mut self, out: &mut String) {
        if self.high.take().is_some() {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(json: &str, expected: &str, found: bool) {
        let letters: Vec<_> = json.chars().map(String::from).collect();
        for size in 1..=letters.len() {
            let (mut unwrap, mut text) = (Unwrap::default(), String::new());
            letters.chunks(size).for_each(|it| unwrap.push(&it.concat(), &mut text));
            let text = if unwrap.has_begun() { text } else { unwrapped(json) };
            assert_eq!((text.as_str(), unwrap.has_begun()), (expected, found), "{json} by {size}");
        }
        assert_eq!(unwrapped(json), expected);
    }

    #[test]
    fn the_text_is_told_as_it_comes() {
        check(r#"{"input":"a\nb\"\\\/c"}"#, "a\nb\"\\/c", true);
        check(r#" { "x" : [{"input":"no"}], "y":"z", "input" : "ja" , "q":1}"#, "ja", true);
        check(r#"{"inp\u0075t":"\u00e9\ud83d\ude00"}"#, "é\u{1f600}", true);
        check(r#"{"input":"half"#, "half", true);
        check(r#"{"input":""}"#, "", true);
    }

    #[test]
    fn halves_of_pairs_that_stand_alone_are_replaced() {
        check(
            r#"{"input":"\ud83dx\ud83d\ud83d\ude00\ude00\ud83d"}"#,
            "\u{fffd}x\u{fffd}\u{1f600}\u{fffd}\u{fffd}",
            true,
        );
        check(r#"{"input":"\ud83d\n"}"#, "\u{fffd}\n", true);
    }

    #[test]
    fn what_is_wrapped_otherwise_is_not_lost() {
        check(r#"{"patch":"only"}"#, "only", false);
        check(r#"{"inputs":"only"}"#, "only", false);
        check(r#"{"input":7}"#, r#"{"input":7}"#, false);
        check(r#"{"a":"b","c":"d"}"#, r#"{"a":"b","c":"d"}"#, false);
        check("{}", "", false);
        check("plain", "plain", false);
        check("[\"input\"]", "[\"input\"]", false);
    }

    proptest! {
        #[test]
        fn any_text_comes_out_as_it_went_in(
            text in any::<String>(),
            before in any::<String>(),
            at in any::<prop::sample::Index>(),
        ) {
            prop_assume!(before != FIELD);
            let json = serde_json::json!({ before: [1, {"input": "no"}], "input": text });
            let json = json.to_string();
            prop_assert_eq!(&unwrapped(&json), &text);
            let cuts: Vec<_> = json.char_indices().map(|(at, _)| at).collect();
            let (first, second) = json.split_at(cuts[at.index(cuts.len())]);
            let (mut unwrap, mut out) = (Unwrap::default(), String::new());
            unwrap.push(first, &mut out);
            unwrap.push(second, &mut out);
            prop_assert_eq!(&out, &text);
        }

        #[test]
        fn nonsense_does_no_harm(text in "[\\[\\]{}\",:a-z\\\\ u0-9]{0,40}") {
            unwrapped(&text);
        }
    }
}
