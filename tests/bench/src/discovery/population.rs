//! What is in the cluster: operations, jobs and nodes as on a real one of that size, always the same.
//!
//! Nine of ten operations are vanilla, and each of those offers something: services of every port, named
//! ones, SPYT clusters and drivers. One of a hundred is malformed in one way or another, and so is one of a
//! hundred jobs.

mod malformed;
mod nodes;
mod operation;

use anyhow::Context as _;
use taskgate_core::naming::ServiceDigest;
use taskgate_emulators::yson::Yson;
use taskgate_emulators::ytsaurus::{Guid, Job, Operation, Ytsaurus};

use crate::catalogue::{ACTOR, token};
use crate::discovery::population::malformed::Defect;
use crate::discovery::population::nodes::{Nodes, Place};
use crate::discovery::population::operation::Shape;

pub(crate) use crate::discovery::population::nodes::NODE_PORT;

/// The robot's token.
pub(crate) const ROBOT_TOKEN: &str = "ytct-bench-robot-000000000000000000000000";
/// The task of the job that moves.
pub(crate) const MOVED_TASK: &str = "web";
/// The operation of the job that moves, and its service.
const MOVED_OPERATION: &str = "b0a7c0de-5ca1ab1e-5103e8-c0ffee01";
const MOVED_SERVICE: &str = "ui";
/// One operation of so many has many jobs more than others.
const LARGE: usize = 100;
/// How many more.
const MORE_JOBS: usize = 40;
/// One job of so many is malformed.
const MALFORMED_JOB: usize = 100;

/// How large the cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// Running vanilla operations, that of the job that moves among them.
    pub(crate) vanilla: usize,
    /// Running operations of other types.
    pub(crate) others: usize,
    /// Running jobs of the vanilla ones.
    pub(crate) jobs: usize,
    /// Nodes that they are on.
    pub(crate) nodes: usize,
}

impl Size {
    /// The whole cluster.
    pub(crate) fn whole() -> Self {
        Self { vanilla: 9_000, others: 1_000, jobs: 20_000, nodes: 500 }
    }

    /// A part of it.
    pub(crate) fn part(self, divisor: usize) -> Self {
        let part = |count: usize| count.checked_div(divisor).unwrap_or(count);
        Self { vanilla: part(self.vanilla), others: part(self.others), jobs: part(self.jobs), nodes: part(self.nodes) }
    }

    /// How many jobs an operation has. Those of all together are as many as there should be.
    fn jobs_of(self, number: usize) -> usize {
        // The operation of the job that moves has that one alone.
        let operations = self.vanilla.saturating_sub(1);
        let is_large = number.is_multiple_of(LARGE);
        let large = operations.div_ceil(LARGE);
        let others = self.jobs.saturating_sub(1).saturating_sub(large.saturating_mul(MORE_JOBS));
        let each = others.checked_div(operations).unwrap_or_default();
        let rest = others.checked_rem(operations).unwrap_or_default();
        each + usize::from(number < rest) + if is_large { MORE_JOBS } else { 0 }
    }
}

/// The id of the operation of the job that moves.
pub(crate) fn moved_operation() -> anyhow::Result<Guid> {
    MOVED_OPERATION.parse().context("the operation of the job that moves")
}

/// The id of the service of the job that moves.
pub(crate) fn moved_service() -> anyhow::Result<String> {
    let digest = ServiceDigest::of(MOVED_OPERATION, MOVED_TASK, MOVED_SERVICE);
    Ok(digest.suffix(8).context("a digest has eight digits")?.to_string())
}

/// Fills a cluster.
pub(crate) fn fill(cluster: &Ytsaurus, size: Size) -> anyhow::Result<()> {
    cluster.add_user("robot-taskgate", ROBOT_TOKEN);
    cluster.add_user(ACTOR, &token(0));
    let mut filling = Filling { cluster, nodes: Nodes::new(cluster, size.nodes), jobs: 0 };
    let between = size.vanilla.checked_div(size.others.max(1)).unwrap_or(1).max(1);
    for number in 0..size.vanilla.saturating_sub(1) {
        filling.vanilla(number, size.jobs_of(number))?;
        if number.is_multiple_of(between) {
            cluster.add_operation(operation::other(number)?);
        }
    }
    let services = format!("{{{MOVED_TASK}={{{MOVED_SERVICE}={{protocol=http;port_index=0}}}}}}");
    let annotations = format!("{{task_proxy={{enabled=%true;tasks_info={services}}}}}");
    let moved = Operation::new(ACTOR).id(moved_operation()?).annotations(Yson::parse(annotations)?);
    cluster.add_operation(moved);
    Ok(())
}

struct Filling<'a> {
    cluster: &'a Ytsaurus,
    nodes: Nodes,
    /// How many there are.
    jobs: usize,
}

impl Filling<'_> {
    /// Adds an operation with its jobs.
    fn vanilla(&mut self, number: usize, jobs: usize) -> anyhow::Result<()> {
        let shape = Shape::of(number);
        let places = (0..jobs).map(|_| self.nodes.place(shape.ports(number)));
        let places: Vec<Place> = places.collect::<anyhow::Result<_>>()?;
        let operation = self.cluster.add_operation(operation::vanilla(number, shape, places.first())?);
        if let (Shape::Cluster { is_written: true }, Some(place)) = (shape, places.first()) {
            for (directory, name) in operation::written(number, &operation.to_string(), place) {
                let set = self.cluster.set(&format!("{directory}/{name}"), Yson::map::<&str, Yson>([]));
                set.map_err(|error| anyhow::anyhow!("a node of Cypress: {}", error.message))?;
            }
        }
        for (index, place) in places.iter().enumerate() {
            self.job(operation, shape.task(index), place)?;
        }
        Ok(())
    }

    fn job(&mut self, operation: Guid, task: &str, place: &Place) -> anyhow::Result<()> {
        let number = self.jobs;
        self.jobs += 1;
        let mut job = Job::new(task).address(&place.node).ports(place.ports.iter().copied());
        for (name, value) in operation::job_fields(number)?.as_map().into_iter().flatten() {
            job = job.field(std::str::from_utf8(name)?, value.clone());
        }
        let defect = (number % MALFORMED_JOB == MALFORMED_JOB / 2).then(|| Defect::of(number / MALFORMED_JOB));
        let job = match defect {
            Some(Defect::Ports) => job.ports_as(Yson::parse(malformed::PORTS)?),
            Some(Defect::Node) => job.address(self.nodes.gone(number)),
            _ => job,
        };
        let id = self.cluster.add_job(operation, job);
        match defect {
            Some(Defect::Stale) => self.cluster.mark_stale(id),
            Some(Defect::Unknown) => self.cluster.set_job_active(id, false),
            Some(Defect::Node | Defect::Ports) | None => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_jobs_as_there_should_be() {
        for divisor in [1, 10, 90] {
            let size = Size::whole().part(divisor);
            let jobs: usize = (0..size.vanilla - 1).map(|number| size.jobs_of(number)).sum();
            assert_eq!(jobs + 1, size.jobs, "{size:?}");
            assert!((0..size.vanilla - 1).all(|number| size.jobs_of(number) > 0), "{size:?}");
        }
    }

    #[tokio::test]
    async fn a_part_of_the_cluster_is_filled() {
        let cluster = Ytsaurus::start().await.unwrap();
        fill(&cluster, Size::whole().part(20)).unwrap();
        assert!(moved_service().is_ok());
    }
}
