//! `Debug` for the messages that carry secrets: prost's own would print them, in the
//! enclosing message too. What is shown is enough to tell messages apart in a log.

use crate::{admin, sync};
use std::fmt;

impl fmt::Debug for admin::v1::Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for admin::v1::CreateKeyResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateKeyResponse").field("key", &self.key).finish_non_exhaustive()
    }
}

impl fmt::Debug for admin::v1::CreatedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreatedKey").field("key", &self.key).finish_non_exhaustive()
    }
}

impl fmt::Debug for sync::v1::SealedAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedAccount").field("account", &self.account).finish_non_exhaustive()
    }
}

impl fmt::Debug for sync::v1::FingerprintedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FingerprintedKey").field("key", &self.key).finish_non_exhaustive()
    }
}

impl fmt::Debug for sync::v1::Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pepper").field("version", &self.version).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_prints_a_secret_it_carries() {
        let account = admin::v1::Account {
            credential: "sk-canary-1".into(),
            proxy: "http://u:canary-2@p".into(),
            ..Default::default()
        };
        let sealed = sync::v1::SealedAccount {
            account: Some(account.clone()),
            credential: "sk-canary-3".into(),
            proxy: "http://u:canary-4@p".into(),
        };
        let update = sync::v1::ConfigUpdate {
            upserts: vec![
                sync::v1::ConfigItem {
                    item: Some(sync::v1::config_item::Item::Account(sealed)),
                    ..Default::default()
                },
                sync::v1::ConfigItem {
                    item: Some(sync::v1::config_item::Item::Pepper(sync::v1::Pepper {
                        version: 1,
                        pepper: b"canary-5".to_vec(),
                    })),
                    ..Default::default()
                },
            ],
            ..Default::default()
        };
        let created = admin::v1::CreateKeyResponse { key: None, secret: "slc_sk_canary-6".into() };
        let change = admin::v1::Edit { edit: Some(admin::v1::edit::Edit::PutAccount(account)) };
        let text = format!("{update:?} {created:?} {change:?}");
        assert!(!text.contains("canary"), "{text}");
        assert!(!text.contains("99, 97, 110, 97, 114, 121"), "as bytes: {text}");
    }
}
