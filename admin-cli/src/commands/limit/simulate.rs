//! `sluice limit simulate`

use proto::admin::v1;

use super::{Session, draft, get, name_flags};
use crate::{
    args::limit::Simulate,
    failure::{CliError, Outcome},
    output::Format,
    spell,
    view::SimulationView,
};

pub(super) async fn run(it: &Session, args: Simulate) -> Outcome {
    let now_ms = runtime::clock::unix_ms();
    let at = |flag: &str, text: &str| {
        let at = spell::instant(text, now_ms, -1).map(spell::timestamp);
        at.map_err(|error| CliError::usage(format!("{flag}: {error}")))
    };
    let since = at("--since", &args.since)?;
    let until = args.until.as_deref().map(|it| at("--until", it)).transpose()?;
    let subject = args.subject.one()?;
    let drafts = match (&args.id, subject) {
        (Some(_), Some(_)) => {
            return Err(CliError::usage("--id and a subject: the limit has one already")
                .hint("leave --id out to try a limit for somebody else"));
        }
        (Some(_), None) => Vec::new(),
        (None, _) => draft::limits(&args.subject.required()?, &args.amounts, &args.terms)?,
    };
    let client = it.client().await?;
    let limits = match args.id {
        Some(id) => vec![draft::changed(get(&client, id).await?, &args.amounts, &args.terms)?],
        None => drafts,
    };
    let mut views = Vec::new();
    for limit in limits {
        let request =
            v1::SimulateLimitRequest { limit: Some(limit.clone()), since: Some(since), until };
        let answer = client.limits().simulate_limit(request).await;
        let answer = answer.map_err(|it| name_flags(it.into()))?.into_inner();
        views.push(SimulationView::new(&limit, answer));
    }
    match it.output.format {
        Format::Table => {
            let texts: Vec<_> = views.iter().map(SimulationView::text).collect();
            crate::output::print(&texts.join("\n"))
        }
        Format::Json | Format::Yaml => it.output.either(&views, String::new),
    }
}
