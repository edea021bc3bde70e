//! Checks of how credentials are shown, and of whether they can be.

use super::{CONNECTION_HEADERS, bad_header_name, base_url, is_header_byte, is_one_of};
use crate::{
    catalog::{Account, AuthStyle, Provider},
    snapshot::Defect,
};

/// What is wrong with how an endpoint of `provider` is shown its credential.
pub(super) fn of_endpoint(
    provider: &Provider,
    auth: &AuthStyle,
    (owner, field): (String, String),
    defects: &mut Vec<Defect>,
) {
    let bad = |why| Defect::BadAuth { provider: provider.name.clone(), why };
    match auth {
        AuthStyle::Bearer | AuthStyle::None => {}
        AuthStyle::Header(header) => {
            let why = bad_header_name(header).or_else(|| {
                is_one_of(header, &CONNECTION_HEADERS).then_some("it belongs to the connection")
            });
            let header = header.clone();
            defects.extend(why.map(|why| Defect::BadHeader { owner, field, header, why }));
        }
        AuthStyle::SigV4 { region, service } => {
            let is_word = |it: &str| {
                it.len() <= 64 && it.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')
            };
            if !is_word(region) || !is_word(service) || service.is_empty() {
                defects.push(bad("regions and services are letters, digits and `-`"));
            }
        }
        AuthStyle::GoogleServiceAccount { scope } => {
            defects.extend(bad_scope(scope).map(bad));
        }
        AuthStyle::EntraClientCredentials { token_url, scope } => {
            defects.extend(bad_scope(scope).map(bad));
            base_url(&owner, &field, token_url, defects);
        }
    }
}

fn bad_scope(scope: &str) -> Option<&'static str> {
    let fits = (1..=1_000).contains(&scope.len())
        && scope.trim() == scope
        && scope.bytes().all(|it| matches!(it, b' '..=b'~'));
    (!fits).then_some("a scope is printable ASCII without blanks around it")
}

/// Why the credential cannot be used as its provider wants it. An absent or empty one is
/// another matter.
pub(super) fn of_account(account: &Account, provider: &Provider, defects: &mut Vec<Defect>) {
    let Some(text) = account.credential.as_ref().map(|it| it.expose()) else { return };
    if text.is_empty() {
        return;
    }
    let mut whys: Vec<_> =
        provider.endpoints.iter().filter_map(|it| unfit(text, &it.auth)).collect();
    whys.dedup();
    for why in whys {
        defects.push(Defect::BadCredential { account: account.name.clone(), why });
    }
}

fn unfit(text: &str, auth: &AuthStyle) -> Option<&'static str> {
    let plain = text.trim() == text && text.bytes().all(is_header_byte);
    let parts = text.split(':').count();
    let whole = text.split(':').all(|it| !it.is_empty());
    match auth {
        AuthStyle::None => None,
        AuthStyle::Bearer | AuthStyle::Header(_) => (!plain).then_some(
            "it has blanks around it, line ends, or characters that headers cannot carry",
        ),
        AuthStyle::SigV4 { .. } => (!plain || !whole || !(2..=3).contains(&parts))
            .then_some("it is not written ACCESS_KEY:SECRET_KEY[:SESSION_TOKEN]"),
        // What it says inside, only who uses it knows.
        AuthStyle::GoogleServiceAccount { .. } => {
            let is_object = text.trim().starts_with('{') && text.trim().ends_with('}');
            (!is_object).then_some("it is not the JSON key of a service account")
        }
        AuthStyle::EntraClientCredentials { .. } => {
            let written =
                text.split_once(':').is_some_and(|(id, it)| !id.is_empty() && !it.is_empty());
            (!plain || !written).then_some("it is not written CLIENT_ID:CLIENT_SECRET")
        }
    }
}
