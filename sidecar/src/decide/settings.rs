//! Forward-auth as it is configured.

use std::collections::HashMap;

use taskgate_core::label::Label;

use crate::config::forward_auth::ForwardAuthConfig;
use crate::config::resolve::{Files, InvalidSetting};
use crate::lifecycle::address::Listen;
use crate::registry::published::Published;
use crate::secret::SecretText;

/// The longest name of a group.
const MAX_GROUP: usize = 128;

/// Forward-auth as it is configured.
#[derive(Clone, Debug)]
pub struct ForwardAuthSettings {
    /// Where ingresses ask.
    pub listen: Listen,
    /// How they are answered.
    pub rules: ForwardAuthRules,
}

/// What a reload may change.
#[derive(Clone, Debug, Default)]
pub struct ForwardAuthRules {
    /// What every question must carry.
    pub secret: Option<SecretText>,
    /// The ingress's own group for a service, by label of the service.
    groups: HashMap<String, String>,
}

impl ForwardAuthSettings {
    /// Checks the section.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn resolve(
        config: ForwardAuthConfig,
        socket_mode: &str,
        files: &mut Files<'_>,
    ) -> Result<Self, InvalidSetting> {
        let secret = files.secret("forward_auth.secret", config.secret, config.secret_file.as_deref())?;
        let listen = Listen::parse(&config.listen, socket_mode)
            .map_err(|error| InvalidSetting::new("forward_auth.listen", error.to_string()))?;
        if !listen.is_local() && secret.is_none() {
            return Err(InvalidSetting::new(
                "forward_auth.listen",
                "whoever reaches this listener learns where jobs are and who visitors are: listen on loopback or \
                 `unix:/path`, or set `forward_auth.secret_file`",
            ));
        }
        let mut groups = HashMap::new();
        for (index, group) in config.groups.into_iter().enumerate() {
            let key = |part: &str| format!("forward_auth.groups[{index}].{part}");
            if Label::parse(group.service.as_bytes()).is_err() {
                return Err(InvalidSetting::new(key("service"), "is no label of a service, as in `ae5cf6f5`"));
            }
            if !is_group(&group.group) {
                let reason = "has to be letters, digits, `-`, `_` and `.`, as in `echo`, and no address";
                return Err(InvalidSetting::new(key("group"), reason));
            }
            if groups.insert(group.service, group.group).is_some() {
                return Err(InvalidSetting::new(key("service"), "is there twice"));
            }
        }
        Ok(Self { listen, rules: ForwardAuthRules { secret, groups } })
    }
}

impl ForwardAuthRules {
    /// The ingress's own group for a service, where it has one.
    #[must_use]
    pub fn group(&self, service: &Published) -> Option<&str> {
        let labels = std::iter::once(&service.id).chain(&service.labels);
        labels.filter_map(|label| self.groups.get(label.as_str())).map(String::as_str).next()
    }

    /// Whether any service has a group.
    #[must_use]
    pub fn has_groups(&self) -> bool {
        !self.groups.is_empty()
    }
}

/// A name that an ingress can't take for an address.
fn is_group(text: &str) -> bool {
    let is_part = |letter: u8| letter.is_ascii_alphanumeric() || b"-_.".contains(&letter);
    (1..=MAX_GROUP).contains(&text.len())
        && text.bytes().all(is_part)
        && text.starts_with(|letter: char| letter.is_ascii_alphabetic())
}
