//! Callers by the gate, which has looked at their credentials already and vouches for them; else by the judge.

use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;
use taskgate_core::identity::{Identity, WireIdentity};
use taskgate_core::visitor::{VISITOR_HEADER, is_vouched};

use crate::clock::SharedClock;
use crate::data::caller::{Caller, Callers, credential};
use crate::data::desk::SharedKeys;
use crate::data::error::DataError;
use crate::discovery::inventory::ServiceKey;
use crate::discovery::own::own_id;

/// Callers that the gate vouches for. Those who come past the gate show their credential to somebody else.
#[derive(Debug)]
pub struct GateCallers {
    /// The id of the service that they are vouched for at.
    service: String,
    keys: SharedKeys,
    clock: SharedClock,
    others: Arc<dyn Callers>,
}

impl GateCallers {
    /// Callers that a gate with these keys vouches for at that service of the sidecar's own, and others.
    #[must_use]
    pub fn new(service: &ServiceKey, keys: SharedKeys, clock: SharedClock, others: Arc<dyn Callers>) -> Self {
        Self { service: own_id(service), keys, clock, others }
    }
}

#[async_trait]
impl Callers for GateCallers {
    async fn caller(&self, headers: &HeaderMap) -> Result<Caller, DataError> {
        if !headers.contains_key(VISITOR_HEADER) {
            return self.others.caller(headers).await;
        }
        let vouched = || {
            let text = one(headers, VISITOR_HEADER)?;
            let said = said(headers)?;
            let visitor = Identity::try_from(said.clone()).ok()?;
            let is_vouched = is_vouched(&self.keys.load(), text, &self.service, &visitor, self.clock.now());
            is_vouched.then_some((visitor, said))
        };
        // Nothing but what was vouched for counts.
        let (visitor, said) = vouched().ok_or(DataError::Unauthenticated)?;
        let groups = visitor.groups().split(',').filter(|group| !group.is_empty()).map(Into::into).collect();
        Ok(Caller {
            user: visitor.actor().to_owned(),
            groups,
            email: said.email,
            arvados_user_uuid: said.arvados_user_uuid,
            request_id: credential::request_id(headers),
        })
    }
}

/// Who the headers say that it is. Nothing is believed of it yet.
pub(crate) fn said(headers: &HeaderMap) -> Option<WireIdentity> {
    let groups = one(headers, "x-forwarded-groups").into_iter().flat_map(|groups| groups.split(','));
    Some(WireIdentity {
        actor: one(headers, "x-forwarded-user")?.to_owned(),
        email: one(headers, "x-forwarded-email").map(Into::into),
        groups: groups.map(Into::into).collect(),
        arvados_user_uuid: one(headers, "x-arvados-user-uuid").map(Into::into),
    })
}

/// A header that comes once, as text.
pub(crate) fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => std::str::from_utf8(line.as_bytes()).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use taskgate_core::key::{KeyId, KeyRing, Secret};
    use taskgate_core::visitor::vouch;

    use super::*;
    use crate::clock::{Clock as _, SystemClock};
    use crate::data::desk::shared_keys;
    use crate::discovery::own::data_key;

    /// Knows nobody.
    #[derive(Debug)]
    struct Nobody;

    #[async_trait]
    impl Callers for Nobody {
        async fn caller(&self, _headers: &HeaderMap) -> Result<Caller, DataError> {
            Err(DataError::Unavailable("was asked".into()))
        }
    }

    fn keys() -> Vec<(KeyId, Secret)> {
        vec![(KeyId::parse("k1").expect("an id"), Secret::new([7; 32]))]
    }

    async fn asked(lines: &[(&'static str, &str)]) -> Result<(String, Vec<String>), DataError> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"));
        }
        let callers = GateCallers::new(&data_key(), shared_keys(keys()), Arc::new(SystemClock), Arc::new(Nobody));
        callers.caller(&headers).await.map(|caller| (caller.user, caller.groups))
    }

    fn vouch_for(actor: &str, groups: &[&str]) -> String {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        let visitor =
            Identity::try_from(WireIdentity { actor: actor.into(), groups, ..WireIdentity::default() }).expect("valid");
        let ring = KeyRing::new(keys());
        vouch(&ring, &own_id(&data_key()), &visitor, SystemClock.now()).expect("a key")
    }

    #[tokio::test]
    async fn whom_the_gate_vouches_for_is_believed() {
        let vouch = vouch_for("ann", &["ml", "ops"]);
        let lines = [("x-taskgate-visitor", &*vouch), ("x-forwarded-user", "ann"), ("x-forwarded-groups", "ml,ops")];
        let known = asked(&lines).await.expect("is known");
        assert_eq!(known, ("ann".to_owned(), vec!["ml".to_owned(), "ops".to_owned()]));
    }

    #[tokio::test]
    async fn nobody_else_is() {
        let vouch = vouch_for("ann", &[]);
        let header = ("x-taskgate-visitor", vouch.as_str());
        let ann = ("x-forwarded-user", "ann");
        for lines in [
            &[header][..],
            &[header, ("x-forwarded-user", "root")],
            &[header, ann, ("x-forwarded-groups", "admins")],
            &[header, ann, ("x-forwarded-email", "ann@example.test")],
            &[header, ann, ann],
            &[header, header, ann],
            &[("x-taskgate-visitor", "9999999999.k1.AAAA"), ann],
        ] {
            let refused = asked(lines).await;
            assert!(matches!(refused, Err(DataError::Unauthenticated)), "{lines:?}: {refused:?}");
        }
        // Who comes with a name alone has not come through the gate.
        assert!(matches!(asked(&[ann]).await, Err(DataError::Unavailable(_))));
    }
}
