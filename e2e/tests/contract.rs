//! The contract's own rules, in the manner of buf's lint: names, zero values, comments
//! with their unit, and the shapes that every list and update has.
//!
//! Knows the `.proto` files and nothing that is generated from them.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use prost::Message as _;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::Type,
};

/// The end of a field's name, and the word for its unit that its comment must have.
const UNITS: &[(&str, &str)] = &[
    ("_ms", "millisecond"),
    ("_unix_ms", "epoch"),
    ("_seconds", "second"),
    ("_bytes", "byte"),
    ("_tokens", "token"),
    ("_nanousd", "nano"),
    ("_per_minute", "minute"),
];

/// The RPCs whose messages are streams.
const STREAMING: &[&str] =
    &["sluice.sync.v1.SyncService.Session", "sluice.sync.v1.PeerService.Forward"];

#[test]
fn files_lie_where_their_package_says_and_packages_have_a_version() {
    let mut wrong = Vec::new();
    for file in &contract() {
        let folder = Path::new(file.name()).parent().unwrap().to_string_lossy().replace('/', ".");
        if folder != file.package() {
            wrong.push(format!("{}: package {}", file.name(), file.package()));
        }
        let version = file.package().rsplit('.').next().unwrap();
        let number = version.strip_prefix('v').and_then(|number| number.parse::<u32>().ok());
        if number.is_none_or(|number| number == 0) {
            wrong.push(format!("{}: the package has no version", file.name()));
        }
        if file.syntax() != "proto3" {
            wrong.push(format!("{}: not proto3", file.name()));
        }
    }
    assert_none(&wrong);
}

#[test]
fn what_is_compiled_in_is_what_lies_here() {
    let built = FileDescriptorSet::decode(proto::DESCRIPTORS).unwrap();
    let plain =
        |file: &FileDescriptorProto| FileDescriptorProto { source_code_info: None, ..file.clone() };
    let built: BTreeMap<_, _> =
        built.file.iter().map(|file| (file.name().to_owned(), plain(file))).collect();
    for file in &contract() {
        let known = built.get(file.name());
        assert!(known.is_some(), "{} is missing in proto/build.rs", file.name());
        assert_eq!(known, Some(&plain(file)));
    }
}

#[test]
fn names_are_written_the_usual_way() {
    let mut wrong = Vec::new();
    for file in &contract() {
        for (place, message) in messages(file) {
            if !is_pascal(message.name()) {
                wrong.push(format!("{place}: not PascalCase"));
            }
            let oneofs = message.oneof_decl.iter().map(prost_types::OneofDescriptorProto::name);
            let names = message.field.iter().map(prost_types::FieldDescriptorProto::name);
            // An `optional` field makes a oneof of its own, with a leading underscore.
            for name in names.chain(oneofs.filter(|name| !name.starts_with('_'))) {
                if !is_snake(name) {
                    wrong.push(format!("{place}.{name}: not lower_snake_case"));
                }
            }
        }
        for (place, item) in enums(file) {
            if !is_pascal(item.name()) {
                wrong.push(format!("{place}: not PascalCase"));
            }
        }
        for service in &file.service {
            if !is_pascal(service.name()) || !service.name().ends_with("Service") {
                wrong.push(format!("{}: not PascalCase with Service at its end", service.name()));
            }
            for method in service.method.iter().filter(|method| !is_pascal(method.name())) {
                wrong.push(format!("{}.{}: not PascalCase", service.name(), method.name()));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn enum_values_carry_their_enums_name_and_zero_says_nothing() {
    let mut wrong = Vec::new();
    for file in &contract() {
        for (place, item) in enums(file) {
            let prefix = upper_snake(item.name()) + "_";
            for value in &item.value {
                let name = value.name();
                let upper = name
                    .chars()
                    .all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == '_');
                if !upper || !name.starts_with(&prefix) {
                    wrong.push(format!("{place}.{name}: does not begin with {prefix}"));
                }
                if (value.number() == 0) != (name == format!("{prefix}UNSPECIFIED")) {
                    wrong.push(format!(
                        "{place}.{name}: zero, and only zero, is {prefix}UNSPECIFIED"
                    ));
                }
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_rpc_has_a_request_and_a_response_of_its_own() {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for file in &contract() {
        for service in &file.service {
            for method in &service.method {
                let place = format!("{}.{}.{}", file.package(), service.name(), method.name());
                for (given, end) in
                    [(method.input_type(), "Request"), (method.output_type(), "Response")]
                {
                    let expected = format!(".{}.{}{end}", file.package(), method.name());
                    if given != expected {
                        wrong.push(format!("{place}: {given} and not {expected}"));
                    }
                    if !used.insert(given.to_owned()) {
                        wrong.push(format!("{place}: {given} is another's too"));
                    }
                }
                let streams = method.client_streaming() || method.server_streaming();
                if streams != STREAMING.contains(&place.as_str()) {
                    wrong.push(format!("{place}: streaming is by exception"));
                }
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn lists_come_in_pages_and_updates_have_a_mask() {
    let mut wrong = Vec::new();
    for file in &contract() {
        let messages: BTreeMap<_, _> = messages(file).into_iter().collect();
        let has = |method: &str, end: &str, field: &str, kind: Type| {
            let message = messages[&format!("{}.{method}{end}", file.package())];
            message.field.iter().any(|it| it.name() == field && it.r#type() == kind)
        };
        for method in file.service.iter().flat_map(|service| &service.method) {
            let name = method.name();
            let fine = match name {
                list if list.starts_with("List") => {
                    has(name, "Request", "page_size", Type::Uint32)
                        && has(name, "Request", "page_token", Type::String)
                        && has(name, "Response", "next_page_token", Type::String)
                }
                update if update.starts_with("Update") => {
                    has(name, "Request", "update_mask", Type::Message)
                }
                delete if delete.starts_with("Delete") => {
                    has(name, "Request", "etag", Type::String)
                }
                _ => true,
            };
            if !fine {
                wrong.push(format!("{name}: a field that all of its kind have is missing"));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn everything_has_a_comment() {
    let mut wrong = Vec::new();
    for file in &contract() {
        let comments = Comments::of(file);
        for (place, path) in places(file) {
            let said = comments.at(&path).unwrap_or_default();
            // A sentence: so that it can be read in reference texts that are made from it.
            if !said.ends_with('.') && !said.ends_with(':') {
                wrong.push(format!("{place}: `{said}` is no sentence"));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn comments_name_the_unit_of_what_they_explain() {
    let mut wrong = Vec::new();
    for file in &contract() {
        let comments = Comments::of(file);
        for (place, field, path) in fields(file) {
            let said = comments.at(&path).unwrap_or_default().to_lowercase();
            for (end, unit) in UNITS {
                if field.name().ends_with(end) && !said.contains(unit) {
                    wrong.push(format!("{place}: the comment does not say `{unit}`"));
                }
            }
            if field.r#type() == Type::Bytes && !said.contains("bytes") {
                wrong.push(format!("{place}: the comment does not say how many bytes"));
            }
            let token_count = field.name().ends_with("_tokens") || place.contains(".TokenCounts.");
            if token_count && field.r#type() != Type::Uint64 {
                wrong.push(format!("{place}: tokens are counted in uint64"));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn quotas_have_the_number_that_was_kept_for_them_and_users_have_theirs() {
    let files = contract();
    let message = |name: &str| files.iter().flat_map(messages).find(|it| it.0 == name).unwrap().1;
    for name in ["sluice.sync.v1.SessionRequest", "sluice.sync.v1.SessionResponse"] {
        let quota = message(name).field.iter().find(|it| it.name() == "quota").unwrap();
        assert_eq!(quota.number(), 3, "{name}");
    }
    let subject = message("sluice.admin.v1.LimitSubject");
    let kept = subject.reserved_range.iter().any(|it| it.start() <= 9 && 9 < it.end());
    assert!(kept, "LimitSubject does not reserve 9");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("proto")
}

/// Our own files, compiled with their comments.
fn contract() -> Vec<FileDescriptorProto> {
    let mut names = Vec::new();
    let mut folders = vec![root().join("sluice")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => names.push(path.strip_prefix(root()).unwrap().to_owned()),
            }
        }
    }
    names.sort();
    assert!(!names.is_empty());
    let mut compiler = protox::Compiler::new([root()]).unwrap();
    compiler.include_source_info(true).open_files(names).unwrap();
    compiler.file_descriptor_set().file
}

/// Every message by its full name, those within others too.
fn messages(file: &FileDescriptorProto) -> Vec<(String, &DescriptorProto)> {
    fn add<'a>(
        found: &mut Vec<(String, &'a DescriptorProto)>,
        place: &str,
        message: &'a DescriptorProto,
    ) {
        // A map is written without a message, though it has one.
        if message.options.as_ref().is_some_and(|options| options.map_entry()) {
            return;
        }
        let place = format!("{place}.{}", message.name());
        message.nested_type.iter().for_each(|nested| add(found, &place, nested));
        found.push((place, message));
    }
    let mut found = Vec::new();
    file.message_type.iter().for_each(|message| add(&mut found, file.package(), message));
    found
}

fn enums(file: &FileDescriptorProto) -> Vec<(String, &EnumDescriptorProto)> {
    let mut found: Vec<_> =
        file.enum_type.iter().map(|it| (format!("{}.{}", file.package(), it.name()), it)).collect();
    for (place, message) in messages(file) {
        found.extend(message.enum_type.iter().map(|it| (format!("{place}.{}", it.name()), it)));
    }
    found
}

/// Where a thing stands in a descriptor: field numbers and indices, as in `SourceCodeInfo`.
type Place = Vec<i32>;

/// Everything that can have a comment.
fn places(file: &FileDescriptorProto) -> Vec<(String, Place)> {
    let mut found = vec![(file.name().to_owned(), vec![12])];
    for (index, service) in (0..).zip(&file.service) {
        found.push((service.name().to_owned(), vec![6, index]));
        for (method, item) in (0..).zip(&service.method) {
            found.push((format!("{}.{}", service.name(), item.name()), vec![6, index, 2, method]));
        }
    }
    for (index, item) in (0..).zip(&file.enum_type) {
        add_enum(&mut found, item, vec![5, index]);
    }
    for (index, message) in (0..).zip(&file.message_type) {
        add_message(&mut found, message.name(), message, &[4, index]);
    }
    found
}

fn add_message(
    found: &mut Vec<(String, Place)>,
    name: &str,
    message: &DescriptorProto,
    path: &[i32],
) {
    let below = |kind, index| [path, &[kind, index]].concat();
    found.push((name.to_owned(), path.to_owned()));
    for (index, field) in (0..).zip(&message.field) {
        found.push((format!("{name}.{}", field.name()), below(2, index)));
    }
    for (index, oneof) in (0..).zip(&message.oneof_decl) {
        if !oneof.name().starts_with('_') {
            found.push((format!("{name}.{}", oneof.name()), below(8, index)));
        }
    }
    for (index, item) in (0..).zip(&message.enum_type) {
        add_enum(found, item, below(4, index));
    }
    for (index, nested) in (0..).zip(&message.nested_type) {
        if !nested.options.as_ref().is_some_and(|options| options.map_entry()) {
            add_message(found, &format!("{name}.{}", nested.name()), nested, &below(3, index));
        }
    }
}

fn add_enum(found: &mut Vec<(String, Place)>, item: &EnumDescriptorProto, path: Place) {
    for (index, value) in (0..).zip(&item.value) {
        let path = [&path[..], &[2, index]].concat();
        found.push((format!("{}.{}", item.name(), value.name()), path));
    }
    found.push((item.name().to_owned(), path));
}

/// Every field of the file's own messages, with its full name and its place.
fn fields(file: &FileDescriptorProto) -> Vec<(String, &prost_types::FieldDescriptorProto, Place)> {
    let mut found = Vec::new();
    let mut open: Vec<(String, &DescriptorProto, Place)> = (0..)
        .zip(&file.message_type)
        .map(|(index, message)| {
            (format!("{}.{}", file.package(), message.name()), message, vec![4, index])
        })
        .collect();
    while let Some((name, message, path)) = open.pop() {
        for (index, field) in (0..).zip(&message.field) {
            let place = [&path[..], &[2, index]].concat();
            found.push((format!("{name}.{}", field.name()), field, place));
        }
        for (index, nested) in (0..).zip(&message.nested_type) {
            if !nested.options.as_ref().is_some_and(|options| options.map_entry()) {
                let place = [&path[..], &[3, index]].concat();
                open.push((format!("{name}.{}", nested.name()), nested, place));
            }
        }
    }
    found
}

/// The comment above each place, on one line.
struct Comments(BTreeMap<Place, String>);

impl Comments {
    fn of(file: &FileDescriptorProto) -> Self {
        let locations = file.source_code_info.iter().flat_map(|source| &source.location);
        let comments = locations.filter_map(|it| {
            let text = it.leading_comments.as_deref()?;
            let words: Vec<_> = text.split_whitespace().collect();
            Some((it.path.clone(), words.join(" ")))
        });
        Self(comments.collect())
    }

    fn at(&self, place: &[i32]) -> Option<&str> {
        self.0.get(place).map(String::as_str)
    }
}

fn is_pascal(name: &str) -> bool {
    name.starts_with(|it: char| it.is_ascii_uppercase())
        && name.chars().all(|it| it.is_ascii_alphanumeric())
}

fn is_snake(name: &str) -> bool {
    name.starts_with(|it: char| it.is_ascii_lowercase())
        && !name.contains("__")
        && !name.ends_with('_')
        && name.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_')
}

fn upper_snake(pascal: &str) -> String {
    let mut out = String::new();
    for letter in pascal.chars() {
        if letter.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(letter.to_ascii_uppercase());
    }
    out
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} found:\n  {}", wrong.len(), wrong.join("\n  "));
}
