//! `sluice limit status`, once or again and again.

use std::{io::IsTerminal as _, time::Duration};

use proto::admin::v1;

use super::{PAGE, Session, name_flags, pages};
use crate::{
    args::limit::LimitStatus,
    client::Client,
    failure::{CliError, Outcome},
    output::{self, Format, Reader},
    view::{Leases, LimitStatusesView},
};

pub(super) async fn run(it: &Session, args: LimitStatus) -> Outcome {
    let asked = Asked { subject: args.subject.one()?, with_idle: args.all };
    let leases = if args.leases { Leases::Shown } else { Leases::Hidden };
    let client = it.client().await?;
    let first = asked.read(&client).await?;
    if !args.watch {
        return it.output.either(&first, || first.text(leases));
    }
    let place = match it.output.format {
        Format::Table if std::io::stdout().is_terminal() => Place::Screen(leases),
        Format::Table => Place::Lines,
        Format::Json => Place::Json,
        Format::Yaml => Place::Yaml,
    };
    let mut every = tokio::time::interval(Duration::from_millis(u64::from(args.interval)));
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    every.tick().await;
    let mut reader = place.show(Ok(first))?;
    while reader == Reader::There {
        every.tick().await;
        // A control plane that restarts is what is watched for: no reason to stop.
        reader = place.show(asked.read(&client).await)?;
    }
    Ok(())
}

/// Which limits.
struct Asked {
    subject: Option<v1::LimitSubject>,
    with_idle: bool,
}

impl Asked {
    async fn read(&self, client: &Client) -> Outcome<LimitStatusesView> {
        let mut leader = None;
        let statuses = pages(async |page_token| {
            let request = v1::ListLimitStatusRequest {
                page_size: PAGE,
                page_token,
                subject: self.subject.clone(),
                with_idle: self.with_idle,
            };
            let page = client.limits().list_limit_status(request).await;
            let page = page.map_err(|it| name_flags(it.into()))?.into_inner();
            leader = page.leader;
            Ok((page.statuses, page.next_page_token))
        });
        let statuses = statuses.await?;
        Ok(LimitStatusesView::new(leader, statuses, runtime::clock::unix_ms()))
    }
}

/// Where what is watched goes.
#[derive(Clone, Copy)]
enum Place {
    /// In place, on a terminal.
    Screen(Leases),
    /// Line after line.
    Lines,
    /// One line of JSON after another.
    Json,
    /// One document after another.
    Yaml,
}

impl Place {
    fn show(self, read: Outcome<LimitStatusesView>) -> Outcome<Reader> {
        let view = match (self, read) {
            (_, Ok(view)) => view,
            (Self::Screen(_), Err(error)) => return output::redraw(&waiting(&error)),
            (Self::Lines | Self::Json | Self::Yaml, Err(error)) => {
                output::remark(waiting(&error).trim_end());
                return Ok(Reader::There);
            }
        };
        match self {
            Self::Screen(leases) => output::redraw(&view.text(leases)),
            Self::Lines => output::write(&view.lines()),
            Self::Json => output::write(&output::json_text(&view)?),
            Self::Yaml => output::write(&format!("---\n{}", output::yaml(&view)?)),
        }
    }
}

fn waiting(error: &CliError) -> String {
    format!("{}; trying again\n", error.what)
}
