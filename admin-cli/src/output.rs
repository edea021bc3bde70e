//! Tables, JSON and YAML: the one place that prints.
//!
//! What was asked for goes to stdout, remarks and errors to stderr, so that a script can
//! read the first without the second. Colours only on a terminal and without NO_COLOR.

use std::io::{self, IsTerminal as _, Write};

use comfy_table::{
    Attribute, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, Width, presets,
};
use serde::Serialize;

use crate::{
    env,
    failure::{CliError, Outcome},
};

/// What is printed. (Without a word on each: that would make every `--help` twice as long.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    #[default]
    Table,
    Json,
    Yaml,
}

/// How a cell looks where colours are welcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Tone {
    #[default]
    Plain,
    Good,
    Bad,
    Faint,
}

/// One cell of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
    number: bool,
}

impl Cell {
    /// A text; an empty one is shown as `-`.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() { Self::faint("-") } else { Self { text, ..Self::default() } }
    }

    /// A text in a tone.
    pub(crate) fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone, ..Self::default() }
    }

    /// A text that matters little.
    pub(crate) fn faint(text: impl Into<String>) -> Self {
        Self::toned(text, Tone::Faint)
    }

    /// A number, with separators between thousands, aligned to the right.
    pub(crate) fn number(number: u64) -> Self {
        Self { text: thousands(number), number: true, ..Self::default() }
    }

    /// A number that is spelled already, aligned to the right.
    pub(crate) fn amount(text: impl Into<String>, tone: Tone) -> Self {
        Self { number: true, ..Self::toned(text, tone) }
    }

    /// A number that is a name, such as a revision: without separators.
    pub(crate) fn ordinal(number: u64) -> Self {
        Self { text: number.to_string(), number: true, ..Self::default() }
    }

    /// How many characters its longest word has.
    fn narrowest(&self) -> usize {
        self.text.split_whitespace().map(|it| it.chars().count()).max().unwrap_or(0)
    }

    /// What it says.
    #[cfg(test)]
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// `enabled` or `disabled`.
    pub(crate) fn enabled(disabled: bool) -> Self {
        match disabled {
            true => Self::toned("disabled", Tone::Bad),
            false => Self::toned("enabled", Tone::Good),
        }
    }

    /// A list in one cell.
    pub(crate) fn list(texts: &[String]) -> Self {
        Self::text(texts.join(", "))
    }
}

/// What can be shown in every format.
pub(crate) trait Show: Serialize {
    /// The titles of the table's columns.
    const COLUMNS: &'static [&'static str];

    /// Its row in a table of many.
    fn row(&self) -> Vec<Cell>;

    /// What is shown of one alone: by default its row, column by column.
    fn details(&self) -> Vec<(&'static str, Cell)> {
        Self::COLUMNS.iter().copied().zip(self.row()).collect()
    }
}

/// Where and how answers are shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// What is printed.
    pub(crate) format: Format,
}

impl Output {
    /// Shows many; `empty` is the remark when there is none.
    pub(crate) fn list<T: Show>(self, items: &[T], empty: &str) -> Outcome {
        match self.format {
            Format::Table if items.is_empty() => {
                remark(empty);
                Ok(())
            }
            Format::Table => {
                let rows = items.iter().map(Show::row).collect();
                print(&table(T::COLUMNS, rows))
            }
            Format::Json | Format::Yaml => self.value(&items),
        }
    }

    /// Shows one.
    pub(crate) fn one<T: Show>(self, item: &T) -> Outcome {
        match self.format {
            Format::Table => print(&self::details(item.details())),
            Format::Json | Format::Yaml => self.value(item),
        }
    }

    /// Shows several one after the other, each whole.
    pub(crate) fn each<T: Show>(self, items: &[T]) -> Outcome {
        match self.format {
            Format::Table => {
                let texts: Vec<_> = items.iter().map(|it| self::details(it.details())).collect();
                print(&texts.join("\n"))
            }
            Format::Json | Format::Yaml => self.value(&items),
        }
    }

    /// Shows a value that has its own text for people.
    pub(crate) fn either<T: Serialize>(self, value: &T, text: impl FnOnce() -> String) -> Outcome {
        match self.format {
            Format::Table => print(&text()),
            Format::Json | Format::Yaml => self.value(value),
        }
    }

    /// Says that something was done: on stdout for people, else on stderr.
    pub(crate) fn done(self, text: &str) -> Outcome {
        match self.format {
            Format::Table => print(&format!("{text}\n")),
            Format::Json | Format::Yaml => {
                remark(text);
                Ok(())
            }
        }
    }

    fn value<T: Serialize + ?Sized>(self, value: &T) -> Outcome {
        let text = match self.format {
            Format::Yaml => yaml(value)?,
            Format::Json | Format::Table => {
                let text = serde_json::to_string_pretty(value);
                text.map_err(|error| CliError::failed(format!("write JSON: {error}")))? + "\n"
            }
        };
        print(&text)
    }
}

/// A value as YAML.
pub(crate) fn yaml<T: Serialize + ?Sized>(value: &T) -> Outcome<String> {
    serde_norway::to_string(value).map_err(|error| CliError::failed(format!("write YAML: {error}")))
}

/// A value as one line of JSON.
pub(crate) fn json_text<T: Serialize>(value: &T) -> Outcome<String> {
    let text = serde_json::to_string(value);
    Ok(text.map_err(|error| CliError::failed(format!("write JSON: {error}")))? + "\n")
}

/// Prints a value as one line of JSON.
pub(crate) fn json_line<T: Serialize>(value: &T) -> Outcome {
    print(&json_text(value)?)
}

/// Writes to stdout. A reader that has left early, such as `head`, is not an error.
pub(crate) fn print(text: &str) -> Outcome {
    write(text).map(|_| ())
}

/// Who reads stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Somebody does.
    There,
    /// Nobody any more.
    Gone,
}

/// Writes to stdout, and says whether it is still read.
pub(crate) fn write(text: &str) -> Outcome<Reader> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(Reader::There),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(CliError::failed(format!("write to stdout: {error}"))),
    }
}

/// Writes a text over the one before, on a terminal.
pub(crate) fn redraw(text: &str) -> Outcome<Reader> {
    let height = rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |it| it.ws_row);
    write(&frame(text, usize::from(height)))
}

/// Goes to the terminal's top and replaces line by line, which does not flicker; what is
/// too long for its `height` (0: not known) is cut, as it would scroll the top away.
fn frame(text: &str, height: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    let room = if height == 0 { usize::MAX } else { height.saturating_sub(1).max(1) };
    let shown = if lines.len() <= room { lines.len() } else { room - 1 };
    let mut frame = "\x1b[H".to_owned();
    for line in &lines[..shown] {
        frame.push_str(&format!("{line}\x1b[K\n"));
    }
    if shown < lines.len() {
        frame.push_str(&format!("… {} lines more\x1b[K\n", lines.len() - shown));
    }
    frame.push_str("\x1b[J");
    frame
}

/// Says something on stderr that is not the answer itself.
pub(crate) fn remark(text: &str) {
    // That nobody reads it is not an error.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Shows an error: what, in which fields, the way out.
pub(crate) fn error(error: &CliError) {
    remark(&error_text(error, env::colour_on_stderr()));
}

fn error_text(error: &CliError, colour: bool) -> String {
    let paint = |text: &str, code: &str| match colour {
        true => format!("\x1b[{code}m{text}\x1b[0m"),
        false => text.to_owned(),
    };
    let mut text = format!("{} {}", paint("error:", "1;31"), error.what);
    // The message of one that is wrong often says all there is to say.
    for it in error.fields.iter().filter(|it| !error.what.contains(&it.reason)) {
        let field = if it.field.is_empty() { "request" } else { &it.field };
        text.push_str(&format!("\n  {}: {}", paint(field, "1"), it.reason));
    }
    if let Some(hint) = &error.hint {
        text.push_str(&format!("\n{} {hint}", paint("hint:", "36")));
    }
    text
}

/// Blanks behind each column.
const PADDING: usize = 2;

/// A table with a line of titles.
pub(crate) fn table(titles: &[&str], rows: Vec<Vec<Cell>>) -> String {
    let colour = env::colour_on_stdout();
    let mut table = plain_table();
    let numbers: Vec<bool> = (0..titles.len())
        .map(|at| rows.iter().any(|row| row.get(at).is_some_and(|it| it.number)))
        .collect();
    let narrowest: Vec<u16> = (0..titles.len())
        .map(|at| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(Cell::narrowest);
            cells.chain(titles.get(at).map(|it| it.chars().count())).max().unwrap_or(0)
        })
        .map(|it| u16::try_from(it + PADDING).unwrap_or(u16::MAX))
        .collect();
    // A narrow terminal breaks lines between words, and within them only if it has to.
    let least = narrowest.iter().fold(0_u16, |sum, it| sum.saturating_add(*it));
    let fits = table.width().is_some_and(|width| least <= width);
    table.set_header(titles.iter().map(|title| {
        let title = comfy_table::Cell::new(title);
        if colour { title.add_attribute(Attribute::Bold) } else { title }
    }));
    for row in rows {
        table.add_row(row.into_iter().map(|it| painted(it, colour)));
    }
    for (at, (number, narrowest)) in numbers.into_iter().zip(narrowest).enumerate() {
        if let Some(column) = table.column_mut(at) {
            column.set_padding((0, 2));
            if fits {
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(narrowest)));
            }
            if number {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    trimmed(&table)
}

/// Names and values, one a line.
fn details(details: Vec<(&'static str, Cell)>) -> String {
    let colour = env::colour_on_stdout();
    let mut table = plain_table();
    for (name, cell) in details {
        let name = painted(Cell::faint(name.to_lowercase()), colour);
        table.add_row([name, painted(cell, colour)]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    trimmed(&table)
}

fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    // Only a terminal has a width to fit into; a pipe gets every row on one line.
    table.set_content_arrangement(match io::stdout().is_terminal() {
        true => ContentArrangement::Dynamic,
        false => ContentArrangement::Disabled,
    });
    table
}

fn painted(cell: Cell, colour: bool) -> comfy_table::Cell {
    let painted = comfy_table::Cell::new(cell.text);
    match cell.tone {
        Tone::Good if colour => painted.fg(Color::Green),
        Tone::Bad if colour => painted.fg(Color::Red),
        Tone::Faint if colour => painted.fg(Color::DarkGrey),
        Tone::Plain | Tone::Good | Tone::Bad | Tone::Faint => painted,
    }
}

fn trimmed(table: &Table) -> String {
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// A number with separators between thousands.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if 0 < at && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, Violation};

    #[test]
    fn tables_align_numbers_to_the_right_and_end_lines_cleanly() {
        let rows = vec![
            vec![Cell::text("a"), Cell::number(1_234_567)],
            vec![Cell::text(""), Cell::number(5)],
        ];
        assert_eq!(
            table(&["NAME", "TOKENS"], rows),
            "NAME     TOKENS\na     1,234,567\n-             5\n"
        );
    }

    #[test]
    fn details_are_one_a_line() {
        let lines = vec![("name", Cell::text("main")), ("models", Cell::list(&[]))];
        assert_eq!(details(lines), "name    main\nmodels  -\n");
    }

    #[test]
    fn an_error_names_its_fields_and_the_way_out() {
        let mut error = CliError::new(Kind::Refused, "2 fields are wrong").hint("see --help");
        error.fields.push(Violation { field: "name".into(), reason: "is taken".into() });
        assert_eq!(
            error_text(&error, false),
            "error: 2 fields are wrong\n  name: is taken\nhint: see --help"
        );
        assert!(error_text(&error, true).contains("\x1b[1;31merror:\x1b[0m"));
    }

    #[test]
    fn a_frame_replaces_what_was_there_and_does_not_scroll() {
        assert_eq!(frame("a\nb\n", 0), "\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J");
        assert_eq!(frame("a\nb\n", 3), frame("a\nb\n", 0));
        assert_eq!(frame("a\nb\nc\n", 3), "\x1b[Ha\x1b[K\n… 2 lines more\x1b[K\n\x1b[J");
    }

    #[test]
    fn thousands_are_separated() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_000_000, "1,000,000")] {
            assert_eq!(thousands(number), text);
        }
    }
}
