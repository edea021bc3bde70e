//! Facts about manifests.

use super::*;
use crate::failure::Kind;

/// Secrets of a test: the variable `SET`, and files that hold their own name.
struct Known;

impl Secrets for Known {
    fn var(&self, name: &str) -> Option<String> {
        (name == "SET").then(|| "from-env".to_owned())
    }

    fn file(&self, path: &Path) -> Result<String, String> {
        Ok(path.display().to_string())
    }
}

const WHOLE: &str = "
providers:
  - name: lab
    endpoints:
      - {dialect: openai, base_url: 'http://127.0.0.1:9/v1', auth: 'header:api-key'}
    model_patterns: ['lab-*']
accounts:
  - name: main
    provider: openai
    credential_env: SET
    client: {connect_timeout_ms: 1000, extra_headers: [{name: x-a, value: b}]}
  - {name: spare, provider: openai, credential_file: spare.key, disabled: true}
models:
  - {provider: lab, name: lab-1, operations: [chat, embeddings]}
---
routes:
  - alias: chat
    tiers:
      - [main/gpt-4o@3, spare]
      - [spare/gpt-4o-mini]
teams:
  - {name: red, description: the reds}
keys:
  - {name: k, team: red, expires_at: 2026-01-31, allowed_models: ['gpt-*']}
settings: {max_attempts: 5}
";

fn wrong(text: &str) -> CliError {
    Manifest::read("m.yaml", text).and_then(|it| it.edits(&Known)).unwrap_err()
}

#[test]
fn several_documents_are_one_list_of_edits_in_an_order_that_applies() {
    let edits = Manifest::read("m.yaml", WHOLE).unwrap().edits(&Known).unwrap();
    let names: Vec<_> = edits.iter().filter_map(plan::name_of).collect();
    let names: Vec<_> = names.iter().map(|(kind, name)| format!("{kind} {name}")).collect();
    assert_eq!(
        names,
        [
            "provider lab",
            "team red",
            "account main",
            "account spare",
            "model lab/lab-1",
            "route chat",
            "key k",
            "settings "
        ]
    );
    let secrets = edits.iter().filter_map(|it| match &it.edit {
        Some(Edit::PutAccount(it)) => Some(it.credential.as_str()),
        Some(_) | None => None,
    });
    assert_eq!(secrets.collect::<Vec<_>>(), ["from-env", "spare.key"]);
}

#[test]
fn what_is_exported_is_the_same_manifest_and_no_change() {
    let edits = Manifest::read("m.yaml", WHOLE).unwrap().edits(&Known).unwrap();
    let exported = Manifest::of_edits(&edits);
    let text = serde_norway::to_string(&exported).unwrap();
    assert!(!text.contains("from-env"), "{text}");
    let again = Manifest::read("m.yaml", &text).unwrap();
    assert_eq!(again, exported);
    let again = again.edits(&Known).unwrap();
    assert_eq!(Plan::new(&again, &edits), Plan::default());
}

#[test]
fn json_is_read_as_well() {
    let text = r#"{"teams": [{"name": "red"}]}"#;
    assert_eq!(Manifest::read("m.json", text).unwrap().teams.len(), 1);
    assert_eq!(Manifest::read("empty", "").unwrap(), Manifest::default());
}

#[test]
fn an_unknown_field_is_refused_with_its_place() {
    let error = wrong("teams:\n  - name: red\n    colour: red\n");
    assert_eq!(error.kind, Kind::Usage);
    for part in ["m.yaml", "teams[0]", "colour", "line 3"] {
        assert!(error.what.contains(part), "{part}: {}", error.what);
    }
}

#[test]
fn everything_wrong_is_told_at_once() {
    let error = wrong(
        "accounts:\n  - {name: a, provider: p, credential_env: UNSET}\n  - {name: a, provider: p, \
         base_urls: [{dialect: latin, url: x}]}\nroutes:\n  - {alias: r, tiers: [['/']]}\nkeys:\n  \
         - {name: k, expires_at: 30d}\n",
    );
    let fields: Vec<_> = error.fields.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "accounts[0].credential_env",
            "accounts[1].base_urls[0].dialect",
            "routes[0].tiers[0][0]",
            "keys[0].expires_at",
            "accounts[1]"
        ]
    );
}

#[test]
fn a_plan_tells_new_from_changed_from_perhaps() {
    let there = Manifest::read("m.yaml", WHOLE).unwrap().edits(&Known).unwrap();
    let text = "
accounts:
  - {name: spare, provider: openai, credential_env: SET, disabled: true}
teams:
  - {name: red}
  - {name: blue}
";
    let wanted = Manifest::read("m.yaml", text).unwrap().edits(&Known).unwrap();
    assert_eq!(
        Plan::new(&wanted, &there).to_string(),
        "~ team red\n+ team blue\n? account spare (changes only if its secret differs)\n"
    );
}

#[test]
fn the_servers_errors_name_items_instead_of_counting_edits() {
    let text = "teams: [{name: red}]\nkeys: [{name: k, team: blue}]\n";
    let edits = Manifest::read("m.yaml", text).unwrap().edits(&Known).unwrap();
    let field = "edits[1].put_key.team".to_owned();
    let mut error = CliError::new(Kind::Refused, format!("{field}: there is no team"));
    error.fields.push(Violation { field, reason: "there is no team".into() });
    let error = rename_places(error, &edits);
    assert_eq!(error.fields[0].field, "keys[\"k\"].team");
    assert_eq!(error.what, "keys[\"k\"].team: there is no team");
}

#[test]
fn the_manifest_in_the_help_is_one() {
    let help = crate::args::config::APPLY_EXAMPLES;
    let text: Vec<_> = help
        .lines()
        .skip_while(|it| !it.ends_with("may be left out:"))
        .skip(1)
        .take_while(|it| !it.starts_with("All of it"))
        .collect();
    let manifest = Manifest::read("help", &text.join("\n")).unwrap();
    let counts = [manifest.accounts.len(), manifest.routes.len(), manifest.keys.len()];
    assert_eq!((counts, manifest.settings.is_some()), ([2, 1, 1], true));
}
