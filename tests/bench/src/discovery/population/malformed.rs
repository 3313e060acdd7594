//! What is wrong with some operations and jobs. Each costs itself, and nothing else.

/// Annotations that make no sense, or part of which makes none. In YSON; the last three have a service all
/// the same.
pub(crate) const ANNOTATIONS: [&str; 10] = [
    r#"{task_proxy="on"}"#,
    r#"{task_proxy={enabled="true"}}"#,
    r"{task_proxy={enabled=%true;tasks_info=[web;ui]}}",
    r"{task_proxy={enabled=%true;tasks_info={web={ui={protocol=ftp;port_index=0}}}}}",
    r"{task_proxy={enabled=%true;tasks_info={web={ui={protocol=http;port_index=-1}}}}}",
    r#"{task_proxy={enabled=%true;tasks_info={"\xff\xfe"={ui={port_index=0}}}}}"#,
    r#"{task_proxy=%true;description="\xff\xfe\x00\x80"}"#,
    r"{task_proxy={enabled=%true;tasks_info={web={ui={port_index=17}}}}}",
    r"{task_proxy={enabled=%true;share=%nan};description={loss=%nan;best=%-inf;worst=%inf}}",
    r#"{task_proxy=<note=x>{enabled=<by=alice>%true};description=<"\xff"=1>{text="\xff\xfe"}}"#,
];

/// Ports that are none.
pub(crate) const PORTS: &str = r#"[70000;0;-1;"http";%nan]"#;

/// What is wrong with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// Its node is gone.
    Node,
    /// Its ports are none.
    Ports,
    /// It has not run for long.
    Stale,
    /// Its node does not know it.
    Unknown,
}

impl Defect {
    /// That of the nth malformed job.
    pub(crate) fn of(number: usize) -> Self {
        match number % 4 {
            0 => Self::Node,
            1 => Self::Ports,
            2 => Self::Stale,
            _ => Self::Unknown,
        }
    }
}
