//! What a port's listener and cluster are called: by the service's id, and the port.

use std::sync::Arc;

use taskgate_core::label::Label;

use crate::xds::ports::PREFIX;

/// The name of the port of a service.
#[must_use]
pub fn of(service: &Label, port: u16) -> Arc<str> {
    format!("{PREFIX}{}/{port}", service.as_str()).into()
}

/// The port and the service of a name. None where it is not one of ours.
#[must_use]
pub fn read(name: &str) -> Option<(u16, Label)> {
    let (service, port) = name.strip_prefix(PREFIX)?.split_once('/')?;
    let (service, number) = (Label::parse(service.as_bytes()).ok()?, port.parse().ok()?);
    (*of(&service, number) == *name).then_some((number, service))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_and_nothing_else_does() {
        let service = Label::parse(b"0123abcd").expect("a label");
        let name = of(&service, 20_001);
        assert_eq!(&*name, "taskgate-tcp/0123abcd/20001");
        assert_eq!(read(&name), Some((20_001, service)));
        for other in ["taskgate", "taskgate-tcp/", "taskgate-tcp/a/b", "taskgate-tcp/a/70000", "taskgate-tcp/a/020001"]
        {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
