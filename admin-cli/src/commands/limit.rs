//! `sluice limit …`

mod draft;
mod simulate;
mod status;
mod subject;
mod unmatched;

use proto::admin::v1;
use serde::Serialize;
use serde_json::json;

use super::{PAGE, Session, pages, part};
use crate::{
    args::limit::{LimitCommand, SetLimit, Which, WhichChange},
    client::Client,
    failure::{CliError, Kind, Outcome},
    limit,
    view::LimitView,
};

pub(super) async fn run(it: &Session, command: LimitCommand) -> Outcome {
    match command {
        LimitCommand::Set(args) => set(it, *args).await,
        LimitCommand::List(subject) => {
            let subject = subject.one()?;
            let limits = list(&it.client().await?, subject).await?;
            let limits: Vec<_> = limits.into_iter().map(LimitView::from).collect();
            it.output.list(&limits, "There is no limit: set one with `sluice limit set`.")
        }
        LimitCommand::Show(which) => {
            let named = which.read()?;
            let limits = named.find(&it.client().await?).await?;
            let limits: Vec<_> = limits.into_iter().map(LimitView::from).collect();
            match (which.ids.len(), limits.as_slice()) {
                // Who asks for one gets one, and not a list of it.
                (1, [limit]) => it.output.one(limit),
                _ => it.output.each(&limits),
            }
        }
        LimitCommand::Reset(args) => reset(it, args).await,
        LimitCommand::Simulate(args) => simulate::run(it, *args).await,
        LimitCommand::Status(args) => status::run(it, args).await,
        LimitCommand::Remove(args) => remove(it, args).await,
    }
}

/// Every limit, or those of a subject.
async fn list(client: &Client, subject: Option<v1::LimitSubject>) -> Outcome<Vec<v1::Limit>> {
    pages(async |page_token| {
        let subject = subject.clone();
        let request = v1::ListLimitsRequest { page_size: PAGE, page_token, subject };
        let page = client.limits().list_limits(request).await;
        let page = page.map_err(|it| name_flags(it.into()))?.into_inner();
        Ok((page.limits, page.next_page_token))
    })
    .await
}

/// One limit.
pub(super) async fn get(client: &Client, id: String) -> Outcome<v1::Limit> {
    let request = v1::GetLimitRequest { id };
    part(client.limits().get_limit(request).await?.into_inner().limit)
}

async fn set(it: &Session, args: SetLimit) -> Outcome {
    let subject = args.subject.required()?;
    let limits = draft::limits(&subject, &args.amounts, &args.terms)?;
    let client = it.client().await?;
    let request = v1::SetLimitsRequest { limits };
    let set = client.limits().set_limits(request).await;
    let set = set.map_err(|it| name_flags(it.into()))?.into_inner();
    let revision = set.revision;
    let limits: Vec<_> = set.limits.into_iter().map(LimitView::from).collect();
    let warnings = unmatched::warnings(&client, &subject).await;
    let text = || {
        let mut text: String = limits.iter().map(LimitView::sentence).collect();
        warnings.iter().for_each(|it| text.push_str(&format!("warning: {it}\n")));
        text.push_str(&format!("set as revision {revision}\n"));
        text
    };
    it.output.either(&Written { limits: &limits, revision, warnings: &warnings }, text)?;
    it.applied(&client, Some(args.wait), revision).await
}

/// Limits as they are stored, and since when.
#[derive(Serialize)]
struct Written<'a> {
    limits: &'a [LimitView],
    revision: u64,
    /// What is odd about them, though it was done.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [String],
}

/// The flags by the ends of the fields that they write.
const FLAGS: [(&str, &str); 19] = [
    ("subject.key", "--key"),
    ("subject.key_alias.key", "--key"),
    ("subject.key_alias.alias", "--alias"),
    ("subject.team", "--team"),
    ("subject.alias", "--alias"),
    ("subject.provider", "--provider"),
    ("subject.account", "--account"),
    ("subject.account_model.account", "--account"),
    ("subject.account_model.model", "--model"),
    ("period", "--per"),
    ("profile", "--profile"),
    ("weights", "--weights"),
    ("time_zone", "--timezone"),
    ("reset_minute", "--reset-at"),
    ("warn_percent", "--warn"),
    ("switch_percent", "--threshold"),
    ("queue_ms", "--queue"),
    ("since", "--since"),
    ("until", "--until"),
];

/// Names the flags where the server can only name fields.
fn name_flags(mut error: CliError) -> CliError {
    for it in &mut error.fields {
        let numbered = it.field.strip_prefix("limits[").and_then(|it| it.split_once("]."));
        let field = numbered.map_or(it.field.as_str(), |(_, field)| field);
        let field = field.strip_prefix("limit.").unwrap_or(field);
        let flag = FLAGS.iter().find(|(known, _)| *known == field).map_or(field, |it| it.1);
        let flag = flag.to_owned();
        error.what = error.what.replace(&it.field, &flag);
        it.field = flag;
    }
    error
}

async fn reset(it: &Session, args: WhichChange) -> Outcome {
    let which = args.which.read()?;
    let client = it.client().await?;
    let (ids, subject) = match which {
        Named::Ids(ids) => (ids, None),
        Named::Subject(subject) => (Vec::new(), Some(subject)),
    };
    let request = v1::ResetLimitsRequest { ids, subject: subject.clone() };
    let reset = client.limits().reset_limits(request).await;
    let reset = reset.map_err(|it| name_flags(it.into()))?.into_inner();
    if reset.limits.is_empty() {
        return Err(none_of(subject.as_ref()));
    }
    let revision = reset.revision;
    let limits: Vec<_> = reset.limits.into_iter().map(LimitView::from).collect();
    let text = || {
        let mut text = String::new();
        for it in &limits {
            text.push_str(&format!("reset {}\n", it.title()));
        }
        text.push_str(&format!("as revision {revision}: unused from there on\n"));
        text
    };
    it.output.either(&Written { limits: &limits, revision, warnings: &[] }, text)?;
    it.applied(&client, Some(args.wait), revision).await
}

/// All of them in one revision.
async fn remove(it: &Session, args: WhichChange) -> Outcome {
    let which = args.which.read()?;
    let client = it.client().await?;
    let limits = which.find(&client).await?;
    let edit = |it: &v1::Limit| v1::Edit { edit: Some(v1::edit::Edit::DeleteLimit(it.id.clone())) };
    let edits = limits.iter().map(edit).collect();
    let request = v1::ApplyChangeRequest { edits, ..Default::default() };
    let revision = client.catalog().apply_change(request).await?.into_inner().revision;
    let titles: Vec<_> = limits.iter().map(limit::title).collect();
    let text = || {
        let lines = titles.iter().map(|it| format!("removed limit {it}, revision {revision}\n"));
        lines.collect()
    };
    let value = json!({ "removed": titles, "revision": revision });
    it.output.either(&value, text)?;
    it.applied(&client, Some(args.wait), revision).await
}

/// Which limits are meant.
enum Named {
    Ids(Vec<String>),
    Subject(v1::LimitSubject),
}

impl Which {
    fn read(&self) -> Outcome<Named> {
        let subject = self.subject.one()?;
        if let Some(odd) = self.ids.iter().find(|it| !it.starts_with("lim_")) {
            return Err(CliError::usage(format!(
                "`{odd}` is not a limit's id, which begins with lim_"
            ))
            .hint(format!(
                "`sluice limit list` shows ids; for a key's limits write `--key {odd}`"
            )));
        }
        match (self.ids.as_slice(), subject) {
            ([], Some(subject)) => Ok(Named::Subject(subject)),
            ([], None) => Err(CliError::usage("which limits?")
                .hint("give ids, as `sluice limit list` shows them, or whose: --key, --team, …")),
            (ids, None) => Ok(Named::Ids(ids.to_vec())),
            (_, Some(_)) => Err(CliError::usage("ids and a subject: which of both?")
                .hint("an id says all; a subject means all of its limits")),
        }
    }
}

impl Named {
    /// The limits themselves; none is an error.
    async fn find(self, client: &Client) -> Outcome<Vec<v1::Limit>> {
        match self {
            Self::Ids(ids) => {
                let mut limits = Vec::new();
                for id in ids {
                    limits.push(get(client, id).await?);
                }
                Ok(limits)
            }
            Self::Subject(subject) => {
                let limits = list(client, Some(subject.clone())).await?;
                if limits.is_empty() { Err(none_of(Some(&subject))) } else { Ok(limits) }
            }
        }
    }
}

fn none_of(subject: Option<&v1::LimitSubject>) -> CliError {
    let what = format!("there is no limit of {}", limit::subject_text(subject));
    CliError::new(Kind::NotFound, what).hint("`sluice limit list` shows what there is")
}
