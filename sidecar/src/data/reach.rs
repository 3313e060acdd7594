//! Which objects the addresses of an action may lead to.
//!
//! Who starts a run can say where its data are, and a catalog repeats that. The places of uploads and inputs are
//! divided among projects, so an address there counts only where it is of the action's own project and domain;
//! otherwise one project would read another's through a run of its own.

use crate::data::catalog::ActionName;
use crate::data::inputs::INPUTS_FOLDER;
use crate::data::path::Key;
use crate::data::placement::NamedStore;
use crate::data::service::DataService;
use crate::data::settings::base_dir::BaseDir;

impl DataService {
    /// The object at an address that a catalog gave for an action; none where it is none of ours, or another
    /// project's.
    pub(super) fn object_of(&self, action: &ActionName, uri: &str) -> Option<(NamedStore, Key)> {
        let (store, key) = self.placement.find(uri)?;
        let settings = &self.settings.upload;
        let shared = match &settings.storage_prefix {
            Some(prefix) => key.under(prefix),
            None => Some(key.as_str()),
        };
        let is_anothers = |rest: &str| !is_of(action, rest);
        if shared.is_some_and(is_anothers) {
            return None;
        }
        let place = BaseDir::parse(uri).ok()?;
        let mut bases = settings.base_dirs.iter().filter_map(|base| place.under(base));
        if bases.any(is_anothers) { None } else { Some((store, key)) }
    }
}

/// Whether what follows a shared prefix is of the action's project and domain. Inputs may have the organization before
/// them, which a caller can choose freely, so nothing else counts there.
fn is_of(action: &ActionName, rest: &str) -> bool {
    let ActionName { organization, project, domain, .. } = action;
    let own = format!("{project}/{domain}/");
    rest.starts_with(&own)
        || !organization.is_empty() && rest.starts_with(&format!("{organization}/{own}{INPUTS_FOLDER}/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::path::{DomainName, ProjectName};

    fn action(organization: &str) -> ActionName {
        ActionName {
            organization: organization.into(),
            project: ProjectName::parse("p").expect("a name"),
            domain: DomainName::parse("d").expect("a name"),
            run: "r".into(),
            name: "a".into(),
        }
    }

    #[test]
    fn what_is_in_a_shared_place_is_of_one_project_and_domain() {
        for (rest, expected) in [
            ("p/d/x", true),
            ("p/d/offloaded-inputs/h/inputs.pb", true),
            ("o/p/d/offloaded-inputs/h/inputs.pb", true),
            ("o/p/d/x", false),
            ("q/d/x", false),
            ("p/e/x", false),
            ("pp/d/x", false),
            ("p/dd/x", false),
            ("p/d", false),
        ] {
            assert_eq!(is_of(&action("o"), rest), expected, "{rest}");
        }
        assert!(!is_of(&action(""), "/p/d/offloaded-inputs/h/inputs.pb"));
    }
}
