//! What an account may do, as a Role says it.

use super::refusal::Refusal;
use super::resource::Resource;

/// One rule of a Role.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The group; that of Services and pods is empty.
    pub group: String,
    /// What it is about, in the plural.
    pub resource: String,
    /// What may be done with it.
    pub verbs: Vec<String>,
}

/// Whether a Role with these rules lets somebody do that. No rules at all: everything.
pub(super) fn check(rules: Option<&[Rule]>, resource: &Resource, verb: &str, namespace: &str) -> Result<(), Refusal> {
    let Some(rules) = rules else { return Ok(()) };
    let lets = |rule: &Rule| {
        rule.group == resource.group
            && rule.resource == resource.plural
            && rule.verbs.iter().any(|allowed| allowed == verb)
    };
    if rules.iter().any(lets) {
        return Ok(());
    }
    let text = format!(
        "{} is forbidden: User \"system:serviceaccount:taskgate:taskgate\" cannot {verb} resource \"{}\" in API group \
         \"{}\" in the namespace \"{namespace}\"",
        resource.full_name(),
        resource.plural,
        resource.group,
    );
    Err(Refusal::new(403, "Forbidden", text))
}
