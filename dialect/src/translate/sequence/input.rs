//! The input of a call as it comes: where its JSON ends, and what of it says nothing.

/// Ways to say that there are no arguments. Some providers say one of them first and the
/// arguments afterwards, so they are held back until it is clear.
const NOTHING: [&str; 3] = ["{}", "null", "\"\""];

/// A JSON input in pieces.
#[derive(Debug, Default)]
pub(crate) struct JsonInput {
    state: State,
    /// Held back, because so far it may say nothing. A few bytes.
    held: String,
    depth: u32,
    in_string: bool,
    escaped: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is told yet.
    #[default]
    Before,
    /// In the outermost object.
    Object,
    /// In something that is no object; its end is not looked for.
    Other,
    /// The object is whole.
    Whole,
}

impl JsonInput {
    /// What may be told of the input now. What comes behind a whole object is no part of
    /// it and dropped.
    pub(crate) fn push(&mut self, piece: &str) -> String {
        match self.state {
            State::Before => self.begin(piece),
            State::Object | State::Other | State::Whole => self.take(piece).to_owned(),
        }
    }

    /// What has to be told at the end.
    pub(crate) fn finish(&mut self) -> String {
        if self.state != State::Before {
            return String::new();
        }
        let held = std::mem::take(&mut self.held);
        let says_nothing = held.is_empty() || NOTHING.contains(&held.as_str());
        if says_nothing { "{}".to_owned() } else { held }
    }

    /// Whether nothing of it can come any more.
    pub(crate) fn is_whole(&self) -> bool {
        self.state == State::Whole
    }

    fn begin(&mut self, piece: &str) -> String {
        self.held.push_str(if self.held.is_empty() { piece.trim_start() } else { piece });
        let held = std::mem::take(&mut self.held);
        let mut left = held.as_str();
        loop {
            if NOTHING.iter().any(|it| it.starts_with(left)) {
                left.clone_into(&mut self.held);
                return String::new();
            }
            let after = NOTHING.iter().find_map(|it| Some((it, left.strip_prefix(it)?)));
            match after.map(|(nothing, rest)| (nothing, rest.trim_start())) {
                Some((nothing, "")) => {
                    (*nothing).clone_into(&mut self.held);
                    return String::new();
                }
                Some((_, rest)) if rest.starts_with('{') => left = rest,
                Some(_) | None => break,
            }
        }
        self.state = if left.starts_with('{') { State::Object } else { State::Other };
        self.take(left).to_owned()
    }

    fn take<'p>(&mut self, piece: &'p str) -> &'p str {
        match self.state {
            State::Whole => return "",
            State::Before | State::Other => return piece,
            State::Object => {}
        }
        for (at, byte) in piece.bytes().enumerate() {
            if std::mem::take(&mut self.escaped) {
                continue;
            }
            match byte {
                b'\\' => self.escaped = self.in_string,
                b'"' => self.in_string = !self.in_string,
                b'{' | b'[' if !self.in_string => self.depth = self.depth.saturating_add(1),
                b'}' | b']' if !self.in_string => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        self.state = State::Whole;
                        return piece.get(..=at).unwrap_or(piece);
                    }
                }
                _ => {}
            }
        }
        piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of an input in all, and whether its end was seen.
    fn told(pieces: &[&str]) -> (String, bool) {
        let mut input = JsonInput::default();
        let mut told: String = pieces.iter().map(|it| input.push(it)).collect();
        let whole = input.is_whole();
        told.push_str(&input.finish());
        (told, whole)
    }

    #[track_caller]
    fn check(text: &str, expected: &str, whole: bool) {
        let cuts = || text.char_indices().map(|(at, _)| at);
        for (first, second) in cuts().flat_map(|a| cuts().map(move |b| (a.min(b), a.max(b)))) {
            let pieces = [&text[..first], &text[first..second], &text[second..]];
            assert_eq!(told(&pieces), (expected.to_owned(), whole), "{pieces:?}");
        }
    }

    #[test]
    fn an_object_ends_where_it_ends_however_it_is_cut() {
        check(r#"{"a":"}\"{","b":[{},"]"]}"#, r#"{"a":"}\"{","b":[{},"]"]}"#, true);
        check("{\"a\":1} \n", "{\"a\":1}", true);
        check("{\"a\":1}{\"a\":1}", "{\"a\":1}", true);
        check("{\"a\":", "{\"a\":", false);
        check(" \n{ }", "{ }", true);
    }

    #[test]
    fn what_says_nothing_is_an_empty_object() {
        assert_eq!(told(&[]), ("{}".to_owned(), false));
        for text in ["{}", "null", "\"\"", " ", "{}{}", "{} ", "null{}", "\"\"\n{}{}"] {
            check(text, "{}", false);
        }
    }

    #[test]
    fn what_says_nothing_first_gives_way_to_what_comes_then() {
        check("{}{\"a\":1}", "{\"a\":1}", true);
        check("null {\"a\":1}", "{\"a\":1}", true);
        check("{}x", "{}", true);
    }

    #[test]
    fn a_long_nothing_takes_no_long_time() {
        let text = format!("{}{{\"a\":1}}", "{}".repeat(1_000_000));
        assert_eq!(told(&[&text]), ("{\"a\":1}".to_owned(), true));
    }

    #[test]
    fn what_is_no_object_is_told_as_it_is() {
        for text in ["[1]", "nul", "nulls", "\"x\"", "12", "ä{}"] {
            check(text, text, false);
        }
    }
}
