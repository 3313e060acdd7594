//! Operations and jobs: what they offer, and all else that a listing has of them.

use std::fmt::Write as _;

use anyhow::Context as _;
use taskgate_emulators::yson::Yson;
use taskgate_emulators::ytsaurus::Operation;

use crate::catalogue::ACTOR;
use crate::discovery::population::malformed::ANNOTATIONS;
use crate::discovery::population::nodes::Place;

/// One operation of so many is a SPYT cluster.
const CLUSTER: usize = 200;
/// One of so many is a SPYT driver.
const DRIVER: usize = 200;
/// One of so many is malformed.
const MALFORMED: usize = 100;
/// One of so many has an alias.
const ALIASED: usize = 4;
/// How many users there are beside the one who visits.
const USERS: usize = 40;
/// Types of operations that are not vanilla.
const OTHER_KINDS: [&str; 4] = ["map", "sort", "merge", "map_reduce"];

/// What an operation offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A SPYT cluster, whose parts wrote where they are, or that names services by its jobs' ports.
    Cluster {
        /// Whether its parts wrote that.
        is_written: bool,
    },
    /// A SPYT driver.
    Driver,
    /// Every port of every task.
    EveryPort,
    /// Nothing that makes sense as a whole.
    Malformed(&'static str),
    /// The services of a task, by name, protocol and port.
    Named(&'static str, &'static [(&'static str, &'static str, u16)]),
}

impl Shape {
    /// That of the nth vanilla operation.
    pub(crate) fn of(number: usize) -> Self {
        if number.is_multiple_of(CLUSTER) {
            return Self::Cluster { is_written: number.is_multiple_of(CLUSTER * 2) };
        }
        if number % DRIVER == DRIVER / 2 + 13 {
            return Self::Driver;
        }
        if number % MALFORMED == MALFORMED / 2 {
            let place = number / MALFORMED % ANNOTATIONS.len();
            return Self::Malformed(ANNOTATIONS.get(place).copied().unwrap_or("{}"));
        }
        match number % 10 {
            6 | 7 => Self::Named("web", &[("ui", "http", 0), ("metrics", "http", 1)]),
            8 => Self::Named("server", &[("api", "grpc", 0), ("ui", "http", 1)]),
            9 => Self::Named("notebook", &[("ui", "http", 0), ("kernel", "websocket", 0)]),
            _ => Self::EveryPort,
        }
    }

    /// The task of the operation's nth job.
    pub(crate) fn task(self, job: usize) -> &'static str {
        match (self, job) {
            (Self::Cluster { .. }, 0) => "master",
            (Self::Cluster { .. }, 1) => "history",
            (Self::Cluster { .. }, _) => "worker",
            (Self::Driver, _) => "driver",
            (Self::EveryPort, 0) => "server",
            (Self::EveryPort, _) => "worker",
            (Self::Malformed(_), _) => "web",
            (Self::Named(task, _), _) => task,
        }
    }

    /// How many ports its jobs have: one to three.
    pub(crate) fn ports(self, number: usize) -> u16 {
        match self {
            Self::Cluster { .. } => 3,
            Self::Driver | Self::Malformed(_) => 1,
            Self::EveryPort => u16::try_from(number % 3).unwrap_or_default() + 1,
            Self::Named(..) => 2,
        }
    }

    /// Its annotations, in YSON.
    fn annotations(self, number: usize, place: Option<&Place>) -> String {
        let about = format!(
            r#"team="team-{}";revision="{number:040x}";dashboard="https://monitoring.example.test/d/{number}";stage=production"#,
            number % 23
        );
        match self {
            Self::Malformed(annotations) => annotations.to_owned(),
            Self::EveryPort => format!("{{task_proxy={{enabled=%true}};description={{{about}}}}}"),
            Self::Named(task, services) => {
                let mut info = String::new();
                for (service, protocol, port) in services {
                    // Writing to a String can't fail.
                    let _ = write!(info, "{service}={{protocol={protocol};port_index={port}}};");
                }
                format!("{{task_proxy={{enabled=%true;tasks_info={{{task}={{{info}}}}}}};description={{{about}}}}}")
            }
            Self::Driver => {
                let ui = place.map(|place| format!("http://{}:{}", place.host, place.free_port)).unwrap_or_default();
                format!(r#"{{is_spark="True";description={{"Web UI"="{ui}";{about}}}}}"#)
            }
            Self::Cluster { is_written: true } => {
                let directory = directory(number);
                let spark = format!(r#""Spark over YT"={{discovery_path="{directory}";cluster_version="2.6.0"}}"#);
                format!("{{is_spark=%true;description={{{spark};{about}}}}}")
            }
            Self::Cluster { is_written: false } => {
                let info = "master={ui={protocol=http;port_index=1};rest={protocol=http;port_index=2}};\
                            history={ui={protocol=http;port_index=0}}";
                format!("{{is_spark=%true;task_proxy={{enabled=%true;tasks_info={{{info}}}}};description={{{about}}}}}")
            }
        }
    }
}

/// A vanilla operation, whose first job is at `place`.
pub(crate) fn vanilla(number: usize, shape: Shape, place: Option<&Place>) -> anyhow::Result<Operation> {
    let user = user(number);
    let title = match shape {
        Shape::Cluster { .. } => format!("spark-cluster-{number}"),
        Shape::Driver => format!("Spark driver for application-{number}"),
        _ => format!("Serving of model {number} for {user}, revision {}", number % 17),
    };
    let alias = if number.is_multiple_of(ALIASED) { format!(r#"alias="*app-{number}";"#) } else { String::new() };
    let task = shape.task(0);
    let brief = format!(
        r#"{{title="{title}";{alias}pool="{}";tasks={{{task}={{job_count=2;command="./run.sh --port $YT_PORT_0 --model //home/{user}/models/model-{number}/current --workers 8"}}}}}}"#,
        pool(number),
    );
    let brief = Yson::parse(&brief).with_context(|| brief.clone())?;
    let operation = Operation::new(&user).title(&title).pool(&pool(number)).field("brief_spec", brief);
    Ok(operation.field("runtime_parameters", parameters(number, &shape.annotations(number, place))?))
}

/// An operation of another type.
pub(crate) fn other(number: usize) -> anyhow::Result<Operation> {
    let user = user(number);
    let kind = OTHER_KINDS.get(number % OTHER_KINDS.len()).copied().unwrap_or("map");
    let brief = format!(
        r#"{{title="Daily {kind} {number}";pool="{}";mapper={{command="./process --part {number}"}};input_table_paths=["//home/{user}/logs/2026-01-{:02}"];output_table_paths=["//home/{user}/out/{number}"]}}"#,
        pool(number),
        number % 28 + 1,
    );
    let operation = Operation::new(&user).kind(kind).pool(&pool(number)).field("brief_spec", Yson::parse(brief)?);
    Ok(operation.field("runtime_parameters", parameters(number, "{description={workflow=daily}}")?))
}

/// What the parts of a SPYT cluster wrote: directories, and the names in them.
pub(crate) fn written(number: usize, operation: &str, place: &Place) -> [(String, String); 4] {
    let directory = directory(number);
    let host = place.host.replace('[', r"\[").replace(']', r"\]");
    let at = |index: usize| format!("{host}:{}", place.ports.get(index).copied().unwrap_or(place.free_port));
    [("webui", at(1)), ("rest", at(2)), ("shs", at(0)), ("operation", operation.to_owned())]
        .map(|(name, value)| (format!("{directory}/discovery/{name}"), value))
}

/// What listings have of a job beside what the emulator makes up.
pub(crate) fn job_fields(number: usize) -> anyhow::Result<Yson> {
    let mut events = String::new();
    for (index, phase) in
        ["created", "preparing_sandbox_directory", "downloading_artifacts", "running"].iter().enumerate()
    {
        let _ = write!(events, r#"{{phase={phase};time="2026-01-01T00:00:{index:02}.{:06}Z"}};"#, number % 1_000_000);
    }
    let fields = format!(
        r#"{{archive_state=running;progress=0.{};stderr_size={};pool="{}";job_competition_id="{number:x}-1-384-1";has_competitors=%false;monitoring_descriptor="{}/{number}";operation_incarnation="{number:x}-2-3-4";brief_statistics={{processed_input_row_count=0;processed_input_uncompressed_data_size=0;processed_output_row_count=0;processed_output_uncompressed_data_size=0}};exec_attributes={{slot_index={};medium_name=ssd_slots;ip_addresses=["10.16.0.1"];job_proxy_socket_path="/slots/{number}/pipes/job-proxy";sandbox_path="/slots/{number}/sandbox"}};events=[{events}]}}"#,
        number % 97 + 1,
        number * 37 % 1_000_003,
        pool(number),
        user(number),
        number % 41,
    );
    Ok(Yson::parse(&fields)?)
}

/// What can be changed while an operation runs, with these annotations.
fn parameters(number: usize, annotations: &str) -> anyhow::Result<Yson> {
    let (user, pool) = (user(number), pool(number));
    let tree = |name: &str| {
        format!(
            "{name}={{pool=\"{pool}\";weight=1.;resource_limits={{user_slots=200;cpu=400.;memory=1099511627776;network=100}};\
             tentative=%false;probing=%false;offloading=%false;schedule_in_single_data_center=%false}};"
        )
    };
    let trees = [tree("default"), tree("cloud"), tree("gpu_a100")].concat();
    let text = format!(
        "{{acl=[{{action=allow;subjects=[{user}];permissions=[read;manage]}};\
         {{action=allow;subjects=[{ACTOR};\"team-{}\"];permissions=[read]}};\
         {{action=allow;subjects=[\"idm-group:{}\";admins];permissions=[read;manage;administer]}}];\
         scheduling_options_per_pool_tree={{{trees}}};options_per_job_shell={{}};controller_agent_tag=default;\
         erase_trees_with_pool_limit_violations=%false;annotations={annotations}}}",
        number % 23,
        number % 211 + 10_000,
    );
    Yson::parse(&text).with_context(|| text.clone())
}

fn directory(number: usize) -> String {
    format!("//home/{}/spark-{number}", user(number))
}

fn pool(number: usize) -> String {
    format!("research-{}", number % 50)
}

fn user(number: usize) -> String {
    format!("user-{:02}", number * 7 % USERS)
}

#[cfg(test)]
mod tests {
    use taskgate_emulators::yson::JsonOptions;

    use super::*;

    fn length(value: &Yson) -> usize {
        let options = JsonOptions { stringify_nan_and_infinity: true, ..JsonOptions::default() };
        value.to_json(&options).unwrap().len()
    }

    #[test]
    fn operations_and_jobs_are_as_large_as_real_ones() {
        for number in 0..1_000 {
            let shape = Shape::of(number);
            let parameters = length(&parameters(number, &shape.annotations(number, None)).unwrap());
            assert!((1_000..3_000).contains(&parameters), "{shape:?}: {parameters}");
            assert!(vanilla(number, shape, None).is_ok() && other(number).is_ok());
            assert!((600..1_200).contains(&length(&job_fields(number).unwrap())));
        }
    }

    #[test]
    fn there_is_some_of_everything() {
        let count = |is: fn(Shape) -> bool| (0..9_000).filter(|number| is(Shape::of(*number))).count();
        assert_eq!(count(|shape| matches!(shape, Shape::Cluster { .. })), 45);
        assert_eq!(count(|shape| shape == Shape::Driver), 45);
        assert_eq!(count(|shape| matches!(shape, Shape::Malformed(_))), 90);
        assert!(count(|shape| matches!(shape, Shape::Named(..))) > 3_000);
        assert!(count(|shape| shape == Shape::EveryPort) > 5_000);
    }
}
