//! Whether a limit's subject names a model that nobody can ask for, which is mostly a slip.

use proto::admin::v1::{self, limit_subject::Subject};

use crate::{
    client::Client,
    commands::{PAGE, model, pages},
    failure::Outcome,
};

/// What to say of a subject that matches nothing; nothing where that cannot be found out.
pub(super) async fn warnings(client: &Client, subject: &v1::LimitSubject) -> Vec<String> {
    let (name, by_callers) = match &subject.subject {
        Some(Subject::Alias(alias)) => (alias, true),
        Some(Subject::KeyAlias(it)) => (&it.alias, true),
        Some(Subject::AccountModel(it)) => (&it.model, false),
        Some(
            Subject::Everything(_)
            | Subject::Key(_)
            | Subject::Team(_)
            | Subject::Provider(_)
            | Subject::Account(_),
        )
        | None => return Vec::new(),
    };
    let (Ok(models), Ok(routes)) = (model::list(client).await, routes(client).await) else {
        return Vec::new();
    };
    let is_model = models.iter().any(|it| it.name == *name);
    let is_named = routes.iter().any(|it| match by_callers {
        true => fits(&it.alias, name),
        false => it.tiers.iter().flat_map(|it| &it.targets).any(|it| it.model == *name),
    });
    if is_model || is_named {
        return Vec::new();
    }
    let what = match by_callers {
        true => format!("no model and no route is called `{name}`"),
        false => format!("no provider has a model `{name}`, and no route asks for one"),
    };
    vec![format!("{what}: the limit matches nothing until there is one")]
}

async fn routes(client: &Client) -> Outcome<Vec<v1::Route>> {
    pages(async |page_token| {
        let request = v1::ListRoutesRequest { page_size: PAGE, page_token };
        let page = client.routes().list_routes(request).await?.into_inner();
        Ok((page.routes, page.next_page_token))
    })
    .await
}

/// Whether a route's alias, exact or with one `*` or several, takes this name.
fn fits(alias: &str, name: &str) -> bool {
    let Some((first, rest)) = alias.split_once('*') else { return alias == name };
    let Some(mut left) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<_> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = left.get(at + part.len()..).unwrap_or_default();
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn an_alias_takes_what_its_stars_stand_for() {
        for (alias, name, taken) in [
            ("chat", "chat", true),
            ("chat", "chat-1", false),
            ("gpt-*", "gpt-4o", true),
            ("*", "anything", true),
            ("gpt-*-mini", "gpt-4o-mini", true),
            ("gpt-*-mini", "gpt-4o", false),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c", false),
        ] {
            assert_eq!(fits(alias, name), taken, "{alias} {name}");
        }
    }
}
