//! `where` and `clip`.

use std::sync::Arc;

use serde_json::json;

use crate::array::choose::{Clip, choose, where_dtype};
use crate::array::dtype::{Casting, Dtype};
use crate::array::scalar::Scalar;
use crate::array::slab::Slab;
use crate::array::ufunc::{ComputeError, Operand};
use crate::tasks::operation::{Description, Writes};
use crate::tasks::operations::element_wise::{Kernel, NumericKernel, Recipe, Sources};
use crate::tasks::operations::fault::Fault;
use crate::tasks::operations::numbers::{casting, casting_schema, known, number, number_schema};
use crate::tasks::operations::place::Place;
use crate::tasks::request::Request;

/// From one of two sides, as a condition says.
#[derive(Debug)]
pub struct Where {
    description: Description,
}

/// Elements kept between two bounds.
#[derive(Debug)]
pub struct ClipTo {
    description: Description,
}

impl Default for Where {
    fn default() -> Self {
        let text = "This side, where it is one number; the sources after the condition are the others in order.";
        let arguments = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object", "additionalProperties": false,
            "properties": {
                "casting": casting_schema("same_kind"), "x": number_schema(text), "y": number_schema(text)
            },
        });
        let summary = "numpy's `where`: elements of `x` where the first source is true, of `y` where it is not.";
        Self { description: description("where", summary, arguments) }
    }
}

impl Default for ClipTo {
    fn default() -> Self {
        let text = "This bound, where it is one number, or null for none; the sources after the first are the \
                    others, the lower one first.";
        let bound = || {
            let mut schema = number_schema(text);
            if let Some(choices) = schema.get_mut("oneOf").and_then(serde_json::Value::as_array_mut) {
                choices.push(json!({"type": "null"}));
            }
            schema
        };
        let arguments = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object", "additionalProperties": false,
            "properties": {"casting": casting_schema("same_kind"), "min": bound(), "max": bound()},
        });
        let summary = "numpy's `clip`: elements of the first source, kept between two bounds.";
        Self { description: description("clip", summary, arguments) }
    }
}

fn description(name: &str, summary: &str, arguments: serde_json::Value) -> Description {
    Description {
        name: name.to_owned(),
        summary: summary.to_owned(),
        arguments,
        sources: 1..=3,
        destinations: 1..=1,
        writes: Writes::Updates,
    }
}

impl Recipe for Where {
    fn description(&self) -> &Description {
        &self.description
    }

    fn kernel(&self, request: &Request, sources: &Sources, des: &[Place]) -> Result<Arc<dyn Kernel>, Fault> {
        known(&request.args, &["casting", "x", "y"])?;
        let casting = casting(&request.args, Casting::SameKind)?;
        let mut dtypes = sources.dtypes().skip(1);
        let mut side = |name: &str| -> Result<Operand, Fault> {
            let number = number(&request.args, name)?.map(Operand::Number);
            number.or_else(|| dtypes.next().map(Operand::Array)).ok_or_else(|| {
                Fault::malformed(format!("`where` has no `{name}`: give another source, or `args.{name}`"))
            })
        };
        let (yes, no) = (side("x")?, side("y")?);
        if dtypes.next().is_some() {
            return Err(Fault::malformed("there are more sources than `where` has operands"));
        }
        let dtype = where_dtype(yes, no);
        let (yes, no) = (constant(yes, dtype)?, constant(no, dtype)?);
        let compute = move |slabs: &[Slab]| {
            let mut slabs = slabs.iter();
            let condition = slabs.next().ok_or(ComputeError::Mismatch)?;
            let yes = yes.as_ref().or_else(|| slabs.next()).ok_or(ComputeError::Mismatch)?;
            let no = no.as_ref().or_else(|| slabs.next()).ok_or(ComputeError::Mismatch)?;
            Ok(vec![choose(condition, yes, no, dtype)?])
        };
        Ok(Arc::new(NumericKernel::new(&[dtype], des, casting, compute)?))
    }
}

/// The number as a slab of that type; none for what is a source.
fn constant(operand: Operand, dtype: Dtype) -> Result<Option<Slab>, Fault> {
    let number: Scalar = match operand {
        Operand::Array(_) => return Ok(None),
        Operand::Number(number) => number,
    };
    number.to_slab(dtype).map(Some).map_err(|error| Fault::malformed(error.to_string()))
}

impl Recipe for ClipTo {
    fn description(&self) -> &Description {
        &self.description
    }

    fn kernel(&self, request: &Request, sources: &Sources, des: &[Place]) -> Result<Arc<dyn Kernel>, Fault> {
        known(&request.args, &["casting", "min", "max"])?;
        let casting = casting(&request.args, Casting::SameKind)?;
        let mut dtypes = sources.dtypes();
        let nothing = || Fault::malformed("`clip` has no source");
        let value = dtypes.next().map(Operand::Array).ok_or_else(nothing)?;
        let mut bound = |name: &str| -> Result<Option<Operand>, Fault> {
            if let Some(number) = number(&request.args, name)? {
                return Ok(Some(Operand::Number(number)));
            }
            // Null says that there is no such bound.
            let is_none = request.args.contains_key(name);
            Ok(if is_none { None } else { dtypes.next().map(Operand::Array) })
        };
        let (low, high) = (bound("min")?, bound("max")?);
        if dtypes.next().is_some() {
            return Err(Fault::malformed("there are more sources than `clip` has operands"));
        }
        let no_bound = || Fault::malformed("`clip` needs a bound: another source, `args.min` or `args.max`");
        low.or(high).ok_or_else(no_bound)?;
        let clip = Clip::resolve(value, low, high).map_err(|error| Fault::malformed(error.to_string()))?;
        let dtype = clip.output();
        let compute = move |slabs: &[Slab]| {
            let (value, bounds) = slabs.split_first().ok_or(ComputeError::Mismatch)?;
            Ok(vec![clip.apply(value, bounds)?])
        };
        Ok(Arc::new(NumericKernel::new(&[dtype], des, casting, compute)?))
    }
}
