//! The text of `--help`, made from the table of settings and from nothing else.

use super::{Setting, Spec, VERSION, own};

/// Columns a line may take.
const WIDTH: usize = 88;

pub(super) fn text(spec: &Spec) -> String {
    let mut out = format!(
        "{program} {VERSION}\n{about}\n\nUsage: {program} [--name value]...\n\n",
        program = spec.program,
        about = wrapped(spec.about, 0),
    );
    out.push_str(&wrapped(
        "A setting is taken from its flag, else from its environment variable, else from the file \
         given by --config, else it has its default.",
        0,
    ));
    out.push_str("\n\nSettings:\n");
    spec.settings.iter().for_each(|setting| row(&mut out, setting));
    out.push_str("\nSettings of every program:\n");
    own::TABLE.iter().for_each(|setting| row(&mut out, setting));
    out.push_str("  -h, --help\n      Print this text.\n");
    out.push_str("  -V, --version\n      Print the version.\n");
    out
}

fn row(out: &mut String, setting: &Setting) {
    let head = match (setting.secret, setting.switch) {
        (true, _) => format!("  {} (secret: never a flag)\n", setting.name),
        (false, true) => format!("  --{}\n", setting.name),
        (false, false) => format!("  --{} <value>\n", setting.name),
    };
    out.push_str(&head);
    out.push_str(&wrapped(setting.help, 6));
    out.push('\n');
    let mut facts = Vec::new();
    if !setting.env.is_empty() {
        facts.push(format!("[env: {}]", setting.env));
    }
    if let Some(default) = setting.default {
        facts.push(format!("[default: {default}]"));
    }
    if !facts.is_empty() {
        out.push_str(&format!("      {}\n", facts.join(" ")));
    }
}

fn wrapped(text: &str, indent: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let full = lines.last().is_some_and(|line| {
            !line.is_empty() && WIDTH < indent + line.chars().count() + 1 + word.chars().count()
        });
        if full {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    let margin = " ".repeat(indent);
    lines.iter().map(|line| format!("{margin}{line}")).collect::<Vec<_>>().join("\n")
}
