//! Reading a visitor out of someone else's JSON: a token's claims, a service's answer.

use serde_json::{Map, Value};
use taskgate_core::identity::WireIdentity;

/// Where login name, mail address and groups are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    /// The login name's field.
    pub actor: String,
    /// The mail address's.
    pub email: String,
    /// The groups'.
    pub groups: String,
    /// Whether a login name that is a mail address counts only where the issuer says that it verified it.
    pub is_address_verified: bool,
}

/// Why there is no visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoVisitor {
    /// The login name is there and says nobody.
    Anonymous,
    /// There is no login name where it should be.
    Missing,
    /// The login name is a mail address that nobody verified.
    Unverified,
}

impl Fields {
    /// Reads a visitor.
    ///
    /// # Errors
    /// [`NoVisitor`].
    pub fn read(&self, object: &Map<String, Value>) -> Result<WireIdentity, NoVisitor> {
        let actor = match find(object, &self.actor) {
            Some(Value::String(actor)) if !actor.is_empty() => actor.clone(),
            Some(Value::Null | Value::String(_)) => return Err(NoVisitor::Anonymous),
            // Some platforms have numbers for people.
            Some(Value::Number(number)) if number.is_u64() => number.to_string(),
            _ => return Err(NoVisitor::Missing),
        };
        let email = find(object, &self.email).and_then(Value::as_str).filter(|email| !email.is_empty());
        let verified = object.get("email_verified");
        // Some issuers write it as text.
        let says = |is: bool, text: &str| verified.is_some_and(|says| *says == is || *says == text);
        let is_address = [self.email.as_str(), "email"].contains(&self.actor.as_str());
        let is_written_so = email.is_some_and(|email| email.eq_ignore_ascii_case(&actor));
        let is_doubtful = is_address && !says(true, "true") || is_written_so && says(false, "false");
        if self.is_address_verified && is_doubtful {
            return Err(NoVisitor::Unverified);
        }
        // An address that the issuer itself does not vouch for is not passed on.
        let email = email.filter(|_| !says(false, "false"));
        let groups = match find(object, &self.groups) {
            Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect(),
            Some(Value::String(text)) => {
                text.split([' ', ',']).filter(|group| !group.is_empty()).map(ToOwned::to_owned).collect()
            }
            _ => Vec::new(),
        };
        Ok(WireIdentity { actor, email: email.map(ToOwned::to_owned), groups, ..WireIdentity::default() })
    }
}

/// A field by its name, or by a path with dots where no field has that name.
fn find<'a>(object: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = object.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    find(object.get(first)?.as_object()?, rest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(actor: &str, groups: &str, value: &Value) -> Result<WireIdentity, NoVisitor> {
        let fields =
            Fields { actor: actor.into(), email: "email".into(), groups: groups.into(), is_address_verified: true };
        fields.read(value.as_object().expect("an object"))
    }

    #[test]
    fn reads_names_and_paths() {
        let value = json!({"sub": "alice", "email": "a@b.test", "realm": {"roles": ["ml", 7, "ops"]},
            "https://x.test/groups": "a b,c"});
        let visitor = read("sub", "realm.roles", &value).expect("a visitor");
        assert_eq!((visitor.actor.as_str(), visitor.email.as_deref()), ("alice", Some("a@b.test")));
        assert_eq!(visitor.groups, ["ml", "ops"]);
        assert_eq!(read("sub", "https://x.test/groups", &value).expect("a visitor").groups, ["a", "b", "c"]);
        assert_eq!(read("id", "g", &json!({"id": 12})).map(|visitor| visitor.actor), Ok("12".into()));
    }

    #[test]
    fn nobody_is_not_somebody() {
        assert_eq!(read("sub", "g", &json!({"sub": null})), Err(NoVisitor::Anonymous));
        assert_eq!(read("sub", "g", &json!({"sub": ""})), Err(NoVisitor::Anonymous));
        for value in [json!({}), json!({"sub": []}), json!({"sub": true}), json!({"sub": -1})] {
            assert_eq!(read("sub", "g", &value), Err(NoVisitor::Missing), "{value}");
        }
    }

    #[test]
    fn an_unverified_address_is_dropped() {
        let value = json!({"sub": "alice", "email": "boss@b.test", "email_verified": false});
        assert_eq!(read("sub", "g", &value).map(|visitor| visitor.email), Ok(None));
    }

    #[test]
    fn an_address_is_somebodys_name_only_where_it_is_verified() {
        let address = "a@b.test";
        for value in [
            json!({"email": address}),
            json!({"email": address, "email_verified": false}),
            json!({"email": address, "email_verified": null}),
            json!({"email": address, "email_verified": 1}),
            json!({"email": address, "email_verified": "false"}),
        ] {
            assert_eq!(read("email", "g", &value), Err(NoVisitor::Unverified), "{value}");
        }
        for verified in [json!(true), json!("true")] {
            let value = json!({"email": address, "email_verified": verified});
            assert_eq!(read("email", "g", &value).map(|visitor| visitor.actor), Ok(address.into()));
        }
        // Under another name it is the issuer's login name, unless the issuer says otherwise.
        let value = json!({"upn": "A@b.test", "email": address, "email_verified": false});
        assert_eq!(read("upn", "g", &value), Err(NoVisitor::Unverified));
        assert!(read("upn", "g", &json!({"upn": address, "email": address})).is_ok());
        // A platform that is asked itself knows what it says.
        let platform = Fields {
            actor: "email".into(),
            email: "email".into(),
            groups: "groups".into(),
            is_address_verified: false,
        };
        assert!(platform.read(json!({"email": address}).as_object().expect("an object")).is_ok());
    }
}
