//! numpy's reductions, each an operation under its own name.
//!
//! The result is made in blocks that memory has room for; for each block the part of the source that comes to it is
//! read once, piece by piece. A block that is written is never made again; one that was interrupted is made from its
//! beginning.

mod run;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::array::dtype::Casting;
use crate::array::reduce::{Over, Reduction, Statistic};
use crate::hsds::client::Session;
use crate::tasks::operation::{Description, Operation, Preview, Rejection, WorkError, Writes};
use crate::tasks::operations::element_wise::Pace;
use crate::tasks::operations::fault::Fault;
use crate::tasks::operations::numbers::{Numbers, casting, casting_schema, check_cast, known};
use crate::tasks::operations::place::Place;
use crate::tasks::request::Request;
use crate::tasks::work::Work;

/// A reduction.
#[derive(Debug)]
struct Reduce {
    statistic: Statistic,
    description: Description,
    pace: Pace,
}

/// What has to be done.
#[derive(Debug)]
struct Plan {
    statistic: Statistic,
    source: (Place, Numbers),
    destination: Option<(Place, Numbers)>,
    axes: Vec<i64>,
    keep_dims: bool,
    ddof: f64,
    /// Which of the source's axes go away.
    is_reduced: Vec<bool>,
}

/// All of them, under numpy's other names too.
pub fn operations(pace: Pace) -> impl Iterator<Item = Arc<dyn Operation>> {
    let own = Statistic::ALL.into_iter().map(|statistic| (statistic, statistic.name()));
    let others = ["amax", "amin", "count_nonzero"].into_iter();
    let others = others.filter_map(|name| Statistic::named(name).map(|statistic| (statistic, name)));
    own.chain(others).map(move |(statistic, name)| Arc::new(Reduce::new(statistic, name, pace)) as Arc<dyn Operation>)
}

impl Reduce {
    fn new(statistic: Statistic, name: &str, pace: Pace) -> Self {
        let mut properties = Map::new();
        let mut add = |name: &str, schema: Value| properties.insert(name.to_owned(), schema);
        add("casting", casting_schema("same_kind"));
        add(
            "axis",
            json!({
                "description": "The axes that go away: one, some, or all where it is null.",
                "oneOf": [
                    {"type": "null"}, {"type": "integer"},
                    {"type": "array", "items": {"type": "integer"}, "maxItems": 32}
                ],
                "default": null
            }),
        );
        add(
            "keepdims",
            json!({
                "description": "Whether axes that go away stay with one element.",
                "type": "boolean", "default": false
            }),
        );
        if has_ddof(statistic) {
            add(
                "ddof",
                json!({
                    "description": "What is taken off the number of elements that is divided by.",
                    "type": "number", "default": 0
                }),
            );
        }
        let of = match statistic {
            Statistic::Count => "How many elements are not zero".to_owned(),
            other => format!("numpy's `{}`", other.name()),
        };
        let description = Description {
            name: name.to_owned(),
            summary: format!("{of}, over some axes or all; one number is in the task's result too."),
            arguments: json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object", "additionalProperties": false, "properties": properties,
            }),
            sources: 1..=1,
            destinations: 0..=1,
            writes: Writes::Updates,
        };
        Self { statistic, description, pace }
    }

    async fn plan(&self, session: &Session, request: &Request) -> Result<Plan, Fault> {
        let names: &[&str] = if has_ddof(self.statistic) {
            &["axis", "casting", "ddof", "keepdims"]
        } else {
            &["axis", "casting", "keepdims"]
        };
        known(&request.args, names)?;
        let casting = casting(&request.args, Casting::SameKind)?;
        let keep_dims = match request.args.get("keepdims") {
            None => false,
            Some(Value::Bool(keeps)) => *keeps,
            Some(_) => return Err(Fault::malformed("`args.keepdims` must be true or false")),
        };
        let ddof = request.args.get("ddof").map_or(Some(0.0), Value::as_f64);
        let ddof = ddof.ok_or_else(|| Fault::malformed("`args.ddof` must be a number"))?;
        let [src] = request.src.as_slice() else {
            return Err(Fault::malformed(format!("`src` must have 1 location, not {}", request.src.len())));
        };
        let source = Place::find(session, "src[0]", src, true).await?;
        let numbers = source.numbers_read()?;
        let rank = source.shape().len();
        let axes = axes(request.args.get("axis"), rank)?;
        let over = Over { axes: Some(&axes), keep_dims, ddof };
        // The same as of all elements, without room for all of the result.
        let small: Vec<usize> = source.shape().iter().map(|extent| (*extent).min(1)).collect();
        let small = Reduction::new(self.statistic, numbers.dtype, &small, &over);
        let output = small.map_err(|error| Fault::malformed(error.to_string()))?.output();
        let is_reduced = (0_i64..).take(rank).map(|axis| axes.contains(&axis)).collect();
        let destination = match request.des.as_slice() {
            [] => None,
            [des] => {
                let place = Place::find(session, "des[0]", des, false).await?;
                let written = place.numbers_written()?;
                check_cast(output, written.dtype, casting, place.name())?;
                if place.overlaps(&source) {
                    return Err(Fault::malformed(format!("{} and {} overlap", place.name(), source.name())));
                }
                Some((place, written))
            }
            more => return Err(Fault::malformed(format!("`des` must have 0 or 1 locations, not {}", more.len()))),
        };
        let statistic = self.statistic;
        let plan = Plan { statistic, source: (source, numbers), destination, axes, keep_dims, ddof, is_reduced };
        plan.check_shape()?;
        Ok(plan)
    }
}

impl Plan {
    /// The shape of the result.
    fn shape(&self) -> Vec<usize> {
        let axes = self.source.0.shape().iter().zip(&self.is_reduced);
        let extent = |(extent, is_reduced): (&usize, &bool)| match (is_reduced, self.keep_dims) {
            (false, _) => Some(*extent),
            (true, true) => Some(1),
            (true, false) => None,
        };
        axes.filter_map(extent).collect()
    }

    fn check_shape(&self) -> Result<(), Fault> {
        let shape = self.shape();
        let count = shape.iter().product::<usize>();
        match &self.destination {
            // One number is one number in any shape.
            Some((place, _)) if place.shape() == shape || (count == 1 && place.count() == 1) => Ok(()),
            Some((place, _)) => {
                let detail = format!("{} has shape {:?}, the result {shape:?}", place.name(), place.shape());
                Err(Fault::malformed(detail))
            }
            None if count == 1 => Ok(()),
            None => Err(Fault::malformed(format!("the result has shape {shape:?}: it needs a destination"))),
        }
    }
}

#[async_trait]
impl Operation for Reduce {
    fn description(&self) -> &Description {
        &self.description
    }

    async fn check(&self, preview: &Preview<'_>) -> Result<(), Rejection> {
        let session = preview.session.ok_or(Fault::NoServer)?;
        self.plan(session, preview.request).await?;
        Ok(())
    }

    async fn run(&self, work: &mut Work) -> Result<Value, WorkError> {
        let work = &*work;
        let plan = work.unless_stopped(self.plan(work.server()?, work.request())).await??;
        run::run(&plan, self.pace, work).await
    }
}

const fn has_ddof(statistic: Statistic) -> bool {
    matches!(statistic, Statistic::Std | Statistic::Var)
}

/// The axes that go away, from 0.
fn axes(value: Option<&Value>, rank: usize) -> Result<Vec<i64>, Fault> {
    let malformed = || Fault::malformed("`args.axis` must be an axis, a list of axes, or null for all");
    let ranks = i64::try_from(rank).map_err(|_| malformed())?;
    let named = match value {
        None | Some(Value::Null) => return Ok((0..ranks).collect()),
        Some(Value::Array(axes)) => axes.iter().map(Value::as_i64).collect::<Option<Vec<i64>>>(),
        Some(axis) => axis.as_i64().map(|axis| vec![axis]),
    };
    let absolute = |axis: i64| if (-ranks..0).contains(&axis) { axis + ranks } else { axis };
    Ok(named.ok_or_else(malformed)?.into_iter().map(absolute).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_counted_from_both_ends() {
        assert_eq!(axes(None, 3), Ok(vec![0, 1, 2]));
        assert_eq!(axes(Some(&json!(-1)), 3), Ok(vec![2]));
        assert_eq!(axes(Some(&json!([0, -2])), 3), Ok(vec![0, 1]));
        assert_eq!(axes(Some(&json!(-4)), 3), Ok(vec![-4]), "which is refused where there is a reduction");
        assert!(axes(Some(&json!("x")), 3).is_err() && axes(Some(&json!([1.5])), 3).is_err());
    }
}
