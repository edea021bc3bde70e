//! How ways to show a credential, and quirks, are spelled.

use domain::catalog::Quirk;
use proto::admin::v1;

/// `bearer`, `none`, `header:NAME`, `sigv4:SERVICE[@REGION]`, `google:SCOPE` or
/// `entra:TOKEN_URL SCOPE`.
pub(crate) fn auth(text: &str) -> Result<v1::AuthStyle, String> {
    use v1::auth_style::{
        Bearer, EntraClientCredentials, GoogleServiceAccount, NoAuth, SigV4, Style,
    };
    let style = match text.split_once(':') {
        Some((_, "")) => None,
        Some(("header", name)) => Some(Style::Header(name.to_owned())),
        Some(("sigv4", rest)) => {
            let (service, region) = rest.split_once('@').unwrap_or((rest, ""));
            let (service, region) = (service.to_owned(), region.to_owned());
            Some(Style::Sigv4(SigV4 { region, service }))
        }
        Some(("google", scope)) => {
            let scope = scope.to_owned();
            Some(Style::GoogleServiceAccount(GoogleServiceAccount { scope }))
        }
        Some(("entra", rest)) => rest.split_once(' ').map(|(token_url, scope)| {
            let (token_url, scope) = (token_url.to_owned(), scope.trim().to_owned());
            Style::EntraClientCredentials(EntraClientCredentials { token_url, scope })
        }),
        None if text == "bearer" => Some(Style::Bearer(Bearer {})),
        None if text == "none" => Some(Style::None(NoAuth {})),
        Some(_) | None => None,
    };
    let style = style.ok_or_else(|| {
        format!(
            "`{text}` is not a way to show a credential: use `bearer`, `none`, `header:NAME`, \
             `sigv4:SERVICE[@REGION]`, `google:SCOPE` or `entra:TOKEN_URL SCOPE`"
        )
    })?;
    Ok(v1::AuthStyle { style: Some(style) })
}

/// The opposite of [`auth`].
pub(crate) fn auth_text(auth: Option<&v1::AuthStyle>) -> String {
    use v1::auth_style::Style;
    match auth.and_then(|it| it.style.as_ref()) {
        Some(Style::Header(name)) => format!("header:{name}"),
        Some(Style::None(_)) => "none".to_owned(),
        Some(Style::Sigv4(it)) if it.region.is_empty() => format!("sigv4:{}", it.service),
        Some(Style::Sigv4(it)) => format!("sigv4:{}@{}", it.service, it.region),
        Some(Style::GoogleServiceAccount(it)) => format!("google:{}", it.scope),
        Some(Style::EntraClientCredentials(it)) => format!("entra:{} {}", it.token_url, it.scope),
        Some(Style::Bearer(_)) | None => "bearer".to_owned(),
    }
}

/// A quirk's name, as it is.
pub(crate) fn quirk(text: &str) -> Result<String, String> {
    let known = || Quirk::ALL.map(Quirk::as_str).join(", ");
    let quirk = Quirk::parse(text).map(|it| it.to_string());
    quirk.ok_or_else(|| format!("`{text}` is not a quirk: use some of {}", known()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_show_a_credential_round_trip() {
        for text in [
            "bearer",
            "none",
            "header:api-key",
            "sigv4:bedrock",
            "sigv4:bedrock@us-east-1",
            "google:https://www.googleapis.com/auth/cloud-platform",
            "entra:https://login.example/t/oauth2/v2.0/token https://a.example/.default",
        ] {
            assert_eq!(auth_text(Some(&auth(text).unwrap())), text);
        }
        for bad in ["", "header:", "basic", "bearer:x", "sigv4:", "google:", "entra:https://h"] {
            assert!(auth(bad).is_err(), "{bad}");
        }
    }
}
