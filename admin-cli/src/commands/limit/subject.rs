//! Whom flags mean; wrong combinations are told what to write instead.

use proto::admin::v1::{
    LimitSubject,
    limit_subject::{AccountModel, Everything, KeyAlias, Subject},
};

use crate::{
    args::limit::SubjectFlags,
    failure::{CliError, Outcome},
};

impl SubjectFlags {
    /// The one subject that is meant; `None` where none is named.
    pub(super) fn one(&self) -> Outcome<Option<LimitSubject>> {
        if let Some(wrong) = self.wrong() {
            return Err(wrong);
        }
        let subject = match (&self.key, &self.alias, &self.account, &self.model) {
            (Some(key), Some(alias), _, _) => {
                let (key, alias) = (key.clone(), alias.clone());
                Some(Subject::KeyAlias(KeyAlias { key, alias }))
            }
            (Some(key), None, _, _) => Some(Subject::Key(key.clone())),
            (None, Some(alias), _, _) => Some(Subject::Alias(alias.clone())),
            (None, None, Some(account), Some(model)) => {
                let (account, model) = (account.clone(), model.clone());
                Some(Subject::AccountModel(AccountModel { account, model }))
            }
            (None, None, Some(account), None) => Some(Subject::Account(account.clone())),
            (None, None, None, _) => {
                let team = self.team.clone().map(Subject::Team);
                let provider = self.provider.clone().map(Subject::Provider);
                let everything = self.everything.then_some(Subject::Everything(Everything {}));
                team.or(provider).or(everything)
            }
        };
        Ok(subject.map(|it| LimitSubject { subject: Some(it) }))
    }

    /// The one subject that is meant; that there has to be one is explained.
    pub(super) fn required(&self) -> Outcome<LimitSubject> {
        self.one()?.ok_or_else(|| {
            CliError::usage("whose limit is it?").hint(
                "name one: --key, --team, --alias, --key with --alias, --provider, --account, \
                 --account with --model, or --everything",
            )
        })
    }

    /// The flags that were said.
    fn said(&self) -> Vec<&'static str> {
        let flags = [
            ("--key", self.key.is_some()),
            ("--team", self.team.is_some()),
            ("--alias", self.alias.is_some()),
            ("--provider", self.provider.is_some()),
            ("--account", self.account.is_some()),
            ("--model", self.model.is_some()),
            ("--everything", self.everything),
        ];
        flags.into_iter().filter_map(|(flag, said)| said.then_some(flag)).collect()
    }

    fn wrong(&self) -> Option<CliError> {
        let said = self.said();
        let what = match said.as_slice() {
            [] | ["--key", "--alias"] | ["--account", "--model"] => return None,
            ["--model"] => "`--model` alone does not say at which account".to_owned(),
            [_] => return None,
            many => format!("a limit counts one subject, and not {}", many.join(" with ")),
        };
        let model = self.model.as_deref().unwrap_or("MODEL");
        let alias = self.alias.as_deref().unwrap_or("ALIAS");
        let hint = match said.as_slice() {
            ["--model"] => format!(
                "write `--account ACCOUNT --model {model}`, or `--alias {model}` for what callers \
                 write in `model`"
            ),
            ["--key", "--model"] => {
                format!("for what the key writes in `model`: `--alias {model}`")
            }
            ["--provider", "--model"] => {
                format!("limit each account's use of it: `--account ACCOUNT --model {model}`")
            }
            ["--alias", "--account"] => {
                format!("for what is asked of the account: `--model` in place of `--alias {alias}`")
            }
            _ => "set a limit for each: all of them have to agree".to_owned(),
        };
        Some(CliError::usage(what).hint(hint))
    }
}
