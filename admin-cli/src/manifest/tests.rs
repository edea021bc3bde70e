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
  - {provider: lab, name: lab-1, operations: [chat, embeddings], max_output_tokens: 4096,
     context_tokens: 65536, price: {input: 0.15, cached_input: $0.075, output: 1}}
---
routes:
  - alias: chat
    translation: strict
    tiers:
      - [main/gpt-4o@3, spare]
      - [spare/gpt-4o-mini]
teams:
  - {name: red, description: the reds}
keys:
  - {name: k, team: red, expires_at: 2026-01-31, allowed_models: ['gpt-*']}
limits:
  - {key: k, requests: 60, per: minute, profile: window-strict, queue: 500ms}
  - {key: k, alias: chat, tokens: 100k, per: day, weights: 'cached=10', reset_at: 08:00}
  - {team: red, budget: 500usd, timezone: Asia/Shanghai, warn: 80%}
  - {team: red, budget: $0.05, per: day, profile: bucket, shadow: true, mode: availability}
  - {alias: chat, max_tokens_per_request: 4000}
  - {provider: lab, max_in_flight: 8}
  - {account: main, tokens: 1M, per: forever}
  - {account: main, model: gpt-4o, tokens: 1.5M, per: month, threshold: none}
  - {everything: true, requests: 12345, per: hour}
settings: {max_attempts: 5, default_output_tokens: 8000, fallback_proxies: 4, fetch_addresses: true}
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
            "limit key k requests/minute",
            "limit key k × alias chat tokens/day",
            "limit team red cost/month",
            "limit team red cost/day at a rate (shadow)",
            "limit alias chat tokens-per-request",
            "limit provider lab in-flight",
            "limit account main tokens/forever",
            "limit account main × model gpt-4o tokens/month",
            "limit everything requests/hour",
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
    for part in [
        "input: 0.15\n",
        "output: 1\n",
        "tokens: 1.5M\n",
        "warn: 80%\n",
        "requests: 12345\n",
        "translation: strict\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let again = Manifest::read("m.yaml", &text).unwrap();
    assert_eq!(again, exported);
    let again = again.edits(&Known).unwrap();
    assert_eq!(Plan::new(&again, &edits), Plan::default());
}

/// The limits of a manifest that has nothing else.
fn limits(text: &str) -> Vec<v1::Limit> {
    let edits = Manifest::read("m.yaml", text).unwrap().edits(&Known).unwrap();
    let limit = |it: v1::Edit| match it.edit {
        Some(Edit::PutLimit(it)) => Some(it),
        Some(_) | None => None,
    };
    edits.into_iter().filter_map(limit).collect()
}

#[test]
fn limits_and_prices_are_exact() {
    let limits = limits(WHOLE);
    let amounts: Vec<_> = limits.iter().map(|it| it.amount).collect();
    let counts = [4_000, 8, 1_000_000, 1_500_000, 12_345];
    assert_eq!(amounts[..4], [60, 100_000, 500_000_000, 50_000]);
    assert_eq!(amounts[4..], counts);
    assert_eq!(limits[2].period(), v1::LimitPeriod::Month);
    assert_eq!((limits[1].reset_minute, limits[2].warn_percent), (480, 80));
    assert_eq!([limits[6].switch_percent, limits[7].switch_percent], [99, 0]);
    let edits = Manifest::read("m.yaml", WHOLE).unwrap().edits(&Known).unwrap();
    let model = edits.iter().find_map(|it| match &it.edit {
        Some(Edit::PutModel(it)) => Some(it.clone()),
        Some(_) | None => None,
    });
    let model = model.unwrap();
    assert_eq!((model.max_output_tokens, model.context_tokens), (4_096, 65_536));
    let price = model.price.unwrap();
    assert_eq!((price.input_nanousd, price.output_nanousd), (150_000_000, 1_000_000_000));
    assert_eq!((price.cached_input_nanousd, price.cache_write_nanousd), (Some(75_000_000), None));
}

#[test]
fn what_is_wrong_with_limits_is_told_with_its_place() {
    let error = wrong(
        "limits:\n  - {key: a, team: b, requests: 5, per: minute}\n  - {key: a, requests: 5}\n  - \
         {key: a, requests: 5, tokens: 6, per: day}\n  - {model: m, requests: 1.5, per: year}\n  - \
         {key: a, budget: 500, warn: 101, queue: long, profile: gcra}\n  - {key: b, requests: 1, \
         per: day}\n  - {key: b, requests: 2, per: day, profile: calendar}\n",
    );
    let fields: Vec<_> = error.fields.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "limits[0]",
            "limits[1].per",
            "limits[2]",
            "limits[3].requests",
            "limits[3].model",
            "limits[3].per",
            "limits[4].budget",
            "limits[4].profile",
            "limits[4].warn",
            "limits[4].queue",
            "limits[6]",
        ]
    );
    assert!(error.fields[6].reason.contains("500usd"), "{}", error.fields[6].reason);
}

#[test]
fn a_limit_that_means_the_same_is_no_change() {
    let plan = |before: &str, after: &str| {
        let read = |text| Manifest::read("m", text).unwrap().edits(&Known).unwrap();
        Plan::new(&read(after), &read(before)).to_string()
    };
    let before = "limits: [{key: k, tokens: 1M, per: day}]";
    let same = "limits: [{key: k, tokens: 1000k, per: day, profile: calendar, timezone: utc, mode: \
                strict, weights: 'cached=100'}]";
    assert_eq!(plan(before, same), "");
    let more = "limits: [{key: k, tokens: 2M, per: day}]";
    assert_eq!(plan(before, more), "~ limit key k tokens/day\n");
    let tried = "limits: [{key: k, tokens: 2M, per: day, shadow: true}]";
    assert_eq!(plan(before, tried), "+ limit key k tokens/day (shadow)\n");
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
         base_urls: [{dialect: latin, url: x}]}\nroutes:\n  - {alias: r, tiers: [['/']], translation: \
         lax}\nkeys:\n  \
         - {name: k, expires_at: 30d}\n",
    );
    let fields: Vec<_> = error.fields.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "accounts[0].credential_env",
            "accounts[1].base_urls[0].dialect",
            "routes[0].tiers[0][0]",
            "routes[0].translation",
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
    assert_eq!(manifest.limits.len(), 3);
    assert!(manifest.edits(&Known).unwrap_err().fields.iter().all(|it| {
        // The variable and the file that it names are not here.
        it.field.contains("credential")
    }));
}
