//! `sluice config …`

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use proto::admin::v1;
use serde_json::json;

use super::Session;
use crate::{
    args::{
        Wait,
        config::{Apply, ConfigCommand, ManifestFile},
    },
    client::Client,
    env,
    failure::{CliError, Outcome},
    manifest::{Manifest, Plan, Secrets, rename_places},
    output::{self, Format},
    view::{CreatedKeyView, KeyView},
};

/// Longest manifest, in bytes: some 100,000 keys.
const MANIFEST_MAX: u64 = 64 << 20;

pub(super) async fn run(it: &Session, command: ConfigCommand) -> Outcome {
    match command {
        ConfigCommand::Apply(args) => apply(it, args).await,
        ConfigCommand::Export { without_keys, with_built_in } => {
            let client = it.client().await?;
            let exported = export(&client, without_keys, with_built_in).await?;
            let mut manifest = Manifest::of_edits(&exported.edits);
            // Without its key, a limit would not apply again.
            manifest.limits.retain(|it| !without_keys || !it.is_of_key());
            let comment = format!("# {} at revision {}\n", client.server, exported.revision);
            match it.output.format {
                Format::Json => it.output.either(&manifest, String::new),
                Format::Table | Format::Yaml => {
                    output::print(&format!("{comment}{}", output::yaml(&manifest)?))
                }
            }
        }
        ConfigCommand::Validate { file, offline } => {
            let edits = file.read()?;
            if offline {
                let count = edits.len();
                let text = || format!("understood: {count} items; no server was asked\n");
                return it.output.either(&json!({ "items": count, "offline": true }), text);
            }
            let wait = Wait { wait: false, wait_timeout: 1 };
            apply_edits(it, edits, Some(Dry), None, wait).await
        }
    }
}

/// Marks that nothing is to be written.
struct Dry;

async fn apply(it: &Session, args: Apply) -> Outcome {
    let dry = args.dry_run.then_some(Dry);
    apply_edits(it, args.file.read()?, dry, args.expected_revision, args.wait).await
}

async fn apply_edits(
    it: &Session,
    edits: Vec<v1::Edit>,
    dry: Option<Dry>,
    expected_revision: Option<u64>,
    wait: Wait,
) -> Outcome {
    if edits.is_empty() {
        return Err(CliError::usage("there is nothing in the manifest"));
    }
    let client = it.client().await?;
    let before = export(&client, false, true).await?;
    let plan = Plan::new(&edits, &before.edits);
    let dry_run = dry.is_some();
    let request = v1::ApplyChangeRequest { edits: edits.clone(), expected_revision, dry_run };
    let answer = client.catalog().apply_change(request).await;
    let answer = answer.map_err(|it| rename_places(it.into(), &edits))?.into_inner();
    let revision = answer.revision;
    let same = revision == before.revision;
    let created: Vec<_> = answer.created_keys.into_iter().filter_map(created_key).collect();
    let text = || {
        let mut text = match dry_run || !same {
            true => plan.to_string(),
            false => String::new(),
        };
        text.push_str(&match (dry_run, same) {
            (true, _) if plan.is_empty() => format!("no change: revision {revision}\n"),
            (true, _) => format!("would apply to revision {revision}; nothing was written\n"),
            (false, true) => format!("no change: revision {revision}\n"),
            (false, false) => format!("applied as revision {revision}\n"),
        });
        for it in &created {
            text.push_str(&format!("key {}: {}\n", it.key.name, it.secret));
        }
        text
    };
    let changes = if dry_run || !same { &plan } else { &Plan::default() };
    let value = json!({
        "revision": revision, "dry_run": dry_run, "changes": changes, "created_keys": created,
    });
    it.output.either(&value, text)?;
    if !created.is_empty() {
        output::remark("Keys' texts are shown only this once.");
    }
    it.applied(&client, Some(wait).filter(|_| !dry_run), revision).await
}

fn created_key(it: v1::CreatedKey) -> Option<CreatedKeyView> {
    Some(CreatedKeyView { key: KeyView::from(it.key?), secret: it.secret })
}

async fn export(
    client: &Client,
    without_keys: bool,
    with_built_in: bool,
) -> Outcome<v1::ExportCatalogResponse> {
    let request = v1::ExportCatalogRequest { without_keys, with_built_in };
    Ok(client.catalog().export_catalog(request).await?.into_inner())
}

impl ManifestFile {
    fn read(&self) -> Outcome<Vec<v1::Edit>> {
        let stdin = self.file.as_os_str() == "-";
        let name = if stdin { "stdin".to_owned() } else { self.file.display().to_string() };
        let text = if stdin {
            text_of(std::io::stdin())
        } else {
            fs::File::open(&self.file).and_then(text_of)
        };
        let text = text.map_err(|error| CliError::usage(format!("read {name}: {error}")))?;
        let folder = match self.file.parent() {
            Some(folder) if !stdin => folder.to_owned(),
            Some(_) | None => PathBuf::new(),
        };
        Manifest::read(&name, &text)?.edits(&Here { folder })
    }
}

fn text_of(from: impl std::io::Read) -> std::io::Result<String> {
    let mut text = String::new();
    let length = from.take(MANIFEST_MAX + 1).read_to_string(&mut text)?;
    match u64::try_from(length) {
        Ok(length) if length <= MANIFEST_MAX => Ok(text),
        Ok(_) | Err(_) => Err(std::io::Error::other("it is longer than 64 MiB")),
    }
}

/// Secrets of this machine.
struct Here {
    folder: PathBuf,
}

impl Secrets for Here {
    fn var(&self, name: &str) -> Option<String> {
        env::var(name).map(|it| it.trim().to_owned()).filter(|it| !it.is_empty())
    }

    fn file(&self, path: &Path) -> Result<String, String> {
        let path = self.folder.join(path);
        let text = fs::read_to_string(&path)
            .map_err(|error| format!("read {}: {error}", path.display()))?;
        match text.trim() {
            "" => Err(format!("{} is empty", path.display())),
            text => Ok(text.to_owned()),
        }
    }
}
