//! What SPYT operations offer.
//!
//! They are found without the annotation of others, in this order: a driver by its title (or by what
//! else only drivers have), a cluster by `is_spark`. Programs of SPYT read the rows of a cluster's
//! operation and take three names alone, so nothing else is ever published for one.

use serde_json::{Map, Value};
use taskgate_core::service::Protocol;

use crate::ytsaurus::discovery::address::HostPort;
use crate::ytsaurus::discovery::annotation::{self, NamedService, Wanted, shown};
use crate::ytsaurus::path;
use crate::ytsaurus::text;

/// How titles of drivers start.
const DRIVER_TITLES: [&str; 2] = ["Spark driver for", "Spark connect driver for"];

/// What a SPYT operation offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spark {
    /// A cluster.
    Cluster(Cluster),
    /// A driver, with the address of its interface once it has one.
    Driver(Option<HostPort>),
}

/// A SPYT cluster. Its workers and drivers may be operations of their own, with the same marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// The directory in which its parts write where they are.
    pub directory: Option<String>,
    /// Its services by the ports of its jobs, where it says so.
    pub annotated: Vec<NamedService>,
}

/// One service of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClusterService {
    /// Task name.
    pub task: &'static str,
    /// Service name.
    pub service: &'static str,
    /// The directory of its addresses, in the cluster's.
    pub directory: &'static str,
}

/// All that a cluster may have published.
pub const CLUSTER_SERVICES: [ClusterService; 3] = [
    ClusterService { task: "history", service: "ui", directory: "shs" },
    ClusterService { task: "master", service: "rest", directory: "rest" },
    ClusterService { task: "master", service: "ui", directory: "webui" },
];
/// The names of the one service of a driver.
pub const DRIVER_SERVICE: (&str, &str) = ("driver", "ui");

/// What a SPYT operation offers; none where it is no such operation.
///
/// # Errors
/// Why what it offers can't be read.
#[must_use]
pub fn read(title: &str, annotations: &Map<String, Value>) -> Option<Result<Spark, String>> {
    let description = annotations.get("description").and_then(Value::as_object);
    let web_ui = description.and_then(|description| description.get("Web UI"));
    let is_spark = annotations.get("is_spark");
    let is_driver = DRIVER_TITLES.iter().any(|start| title.starts_with(start))
        || web_ui.is_some()
            && (is_spark.and_then(Value::as_str) == Some("True")
                || description.is_some_and(|description| description.contains_key("spark_connect_endpoint")));
    if is_driver {
        return Some(driver(web_ui));
    }
    (is_spark == Some(&Value::Bool(true))).then(|| cluster(description, annotations))
}

fn driver(web_ui: Option<&Value>) -> Result<Spark, String> {
    let address = match web_ui {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.is_empty() => None,
        Some(Value::String(url)) => {
            let url = text::decode(url).unwrap_or_default();
            Some(HostPort::of_url(&url).ok_or_else(|| {
                format!("`description/Web UI` is no address as in `http://host:port`: `{}`", shown(&url))
            })?)
        }
        Some(_) => return Err("`description/Web UI` is no string".into()),
    };
    Ok(Spark::Driver(address))
}

fn cluster(description: Option<&Map<String, Value>>, annotations: &Map<String, Value>) -> Result<Spark, String> {
    let annotated = match annotation::read(annotations).annotation.map(|annotation| annotation.services) {
        Some(Wanted::Named(services)) => services.into_iter().filter(is_of_cluster).collect(),
        Some(Wanted::EveryPort) | None => Vec::new(),
    };
    let spark = description.and_then(|description| description.get("Spark over YT")).and_then(Value::as_object);
    let directory = match spark.and_then(|spark| spark.get("discovery_path")) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => {
            let directory = text::decode(text).map(|text| text.trim_end_matches('/').to_owned()).unwrap_or_default();
            if !path::is_plain(&directory) {
                return Err(format!("`discovery_path` is no path of a directory: `{}`", shown(&directory)));
            }
            Some(directory)
        }
        Some(_) => return Err("`discovery_path` is no string".into()),
    };
    if directory.is_none()
        && annotated.is_empty()
        && spark.is_some_and(|spark| spark.contains_key("discovery_group_id"))
    {
        return Err("the cluster uses a discovery server, which is not asked; start it with `enable_task_proxy`".into());
    }
    Ok(Spark::Cluster(Cluster { directory, annotated }))
}

fn is_of_cluster(service: &NamedService) -> bool {
    service.protocol == Protocol::Http
        && CLUSTER_SERVICES.iter().any(|known| known.task == service.task && known.service == service.service)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_json(title: &str, annotations: &Value) -> Option<Result<Spark, String>> {
        read(title, annotations.as_object().expect("a map"))
    }

    #[test]
    fn drivers_by_title_or_by_what_only_they_have() {
        let annotations = json!({"description": {"Web UI": "http://node-1.example.test:27001"}});
        let address = HostPort::parse("node-1.example.test:27001");
        for title in ["Spark driver for app1", "Spark connect driver for alice"] {
            assert_eq!(read_json(title, &annotations), Some(Ok(Spark::Driver(address.clone()))), "{title}");
        }
        // Someone's own page in a description is no driver.
        assert_eq!(read_json("my operation", &annotations), None);
        for more in [json!({"is_spark": "True"}), json!({})] {
            let mut annotations =
                json!({"description": {"Web UI": "http://node-1.example.test:27001", "spark_connect_endpoint": "x"}});
            annotations.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
            assert_eq!(read_json("renamed", &annotations), Some(Ok(Spark::Driver(address.clone()))));
        }
        assert_eq!(read_json("Spark driver for x", &json!({})), Some(Ok(Spark::Driver(None))));
        assert_eq!(read_json("Spark executor for x", &json!({"is_spark": "True"})), None);
    }

    #[test]
    fn addresses_that_are_none_are_reported() {
        for wrong in [json!("https://a:1"), json!("http://a"), json!("http://a:0"), json!("http://a:b@c:1"), json!(7)] {
            let read = read_json("Spark driver for x", &json!({"description": {"Web UI": wrong}}));
            assert!(matches!(read, Some(Err(_))), "{wrong}: {read:?}");
        }
    }

    #[test]
    fn clusters_come_before_the_annotation_and_have_three_names_alone() {
        let service = |port: usize| json!({"protocol": "http", "port_index": port});
        let annotations = json!({
            "is_spark": true,
            "task_proxy": {"enabled": true, "tasks_info": {
                "master": {"rest": service(2), "ui": service(1), "more": service(0)},
                "history": {"ui": service(0)},
                "worker": {"ui": service(0)},
            }},
            "description": {"Spark over YT": {"discovery_path": "//home/user/spark/"}},
        });
        let Some(Ok(Spark::Cluster(cluster))) = read_json("t", &annotations) else { panic!("no cluster") };
        assert_eq!(cluster.directory.as_deref(), Some("//home/user/spark"));
        let names: Vec<_> = cluster.annotated.iter().map(|one| (one.task.as_str(), one.service.as_str())).collect();
        assert_eq!(names, [("history", "ui"), ("master", "rest"), ("master", "ui")]);
    }

    #[test]
    fn directories_that_are_none_are_reported() {
        for wrong in [json!("home/x"), json!("//home/x/@acl"), json!("//home/[x]"), json!(7), json!("")] {
            let annotations = json!({"is_spark": true, "description": {"Spark over YT": {"discovery_path": wrong}}});
            assert!(matches!(read_json("t", &annotations), Some(Err(_))), "{wrong}");
        }
        let group = json!({"is_spark": true, "description": {"Spark over YT": {"discovery_group_id": "g"}}});
        assert!(matches!(read_json("t", &group), Some(Err(_))));
        // A worker of a cluster: nothing of its own.
        let none = Cluster { directory: None, annotated: Vec::new() };
        assert_eq!(read_json("t", &json!({"is_spark": true})), Some(Ok(Spark::Cluster(none))));
    }
}
