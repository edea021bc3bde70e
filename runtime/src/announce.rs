//! One JSON line on stdout that says where this process listens; for who started it.
//!
//! Knows names and addresses as text. The only thing that writes to stdout while running.

use std::io::{self, Write as _};

use crate::Process;

/// Prints `{"ready":{"name":"address",…}}`, if this process was asked to announce. Call it
/// once, when everything listens. That nobody reads it is not an error.
pub fn announce(process: &Process, places: &[(&str, String)]) {
    for (name, address) in places {
        tracing::info!(name, address, "listening");
    }
    if process.announce {
        let mut out = io::stdout().lock();
        let _ = out.write_all(line(places).as_bytes()).and_then(|()| out.flush());
    }
}

fn line(places: &[(&str, String)]) -> String {
    let pairs: Vec<_> = places
        .iter()
        .map(|(name, address)| format!("{}:{}", quoted(name), quoted(address)))
        .collect();
    format!("{{\"ready\":{{{}}}}}\n", pairs.join(","))
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            control if control.is_control() => {
                out.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_json_whatever_the_names_are() {
        let places = [("data", "http://127.0.0.1:8080".to_owned()), ("a\"b", "c\\d\n".to_owned())];
        assert_eq!(
            line(&places),
            "{\"ready\":{\"data\":\"http://127.0.0.1:8080\",\"a\\\"b\":\"c\\\\d\\u000a\"}}\n"
        );
        assert_eq!(line(&[]), "{\"ready\":{}}\n");
    }
}
