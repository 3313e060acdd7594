//! `fill` and `astype`.

use std::sync::Arc;

use serde_json::json;

use crate::array::dtype::{Casting, Dtype};
use crate::array::scalar::Scalar;
use crate::array::slab::Slab;
use crate::tasks::operation::{Description, Writes};
use crate::tasks::operations::element_wise::{Kernel, NumericKernel, Recipe, Sources};
use crate::tasks::operations::fault::Fault;
use crate::tasks::operations::numbers::{casting, casting_schema, known, number, number_schema};
use crate::tasks::operations::place::Place;
use crate::tasks::request::Request;

/// One number everywhere.
#[derive(Debug)]
pub struct Fill {
    description: Description,
}

/// The same numbers as another type.
#[derive(Debug)]
pub struct Astype {
    description: Description,
}

impl Default for Fill {
    fn default() -> Self {
        let arguments = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object", "additionalProperties": false, "required": ["value"],
            "properties": {"casting": casting_schema("same_kind"), "value": number_schema("The number.")},
        });
        let description = Description {
            name: "fill".to_owned(),
            summary: "Writes one number to every element of the destination.".to_owned(),
            arguments,
            sources: 0..=0,
            destinations: 1..=1,
            writes: Writes::Updates,
        };
        Self { description }
    }
}

impl Default for Astype {
    fn default() -> Self {
        let arguments = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object", "additionalProperties": false,
            "properties": {"casting": casting_schema("unsafe")},
        });
        let description = Description {
            name: "astype".to_owned(),
            summary: "numpy's `astype`: the source's elements, cast to the destination's type.".to_owned(),
            arguments,
            sources: 1..=1,
            destinations: 1..=1,
            writes: Writes::Updates,
        };
        Self { description }
    }
}

impl Recipe for Fill {
    fn description(&self) -> &Description {
        &self.description
    }

    fn kernel(&self, request: &Request, _: &Sources, des: &[Place]) -> Result<Arc<dyn Kernel>, Fault> {
        known(&request.args, &["casting", "value"])?;
        let casting = casting(&request.args, Casting::SameKind)?;
        let missing = || Fault::malformed("`args.value` is missing: the number to fill with");
        let value = number(&request.args, "value")?.ok_or_else(missing)?;
        let place = des.first().ok_or_else(|| Fault::malformed("there is no destination"))?;
        let dtype = place.numbers_written()?.dtype;
        let slab = filling(value, dtype, casting)
            .map_err(|error| Fault::malformed(format!("{error}, which is the type of {}", place.name())))?;
        let compute = move |_: &[Slab]| Ok(vec![slab.clone()]);
        Ok(Arc::new(NumericKernel::new(&[dtype], des, casting, compute)?))
    }
}

/// The number as an element of that type. It has no type of its own, so that an integer must fit, and a number of
/// a wider kind needs a cast that allows all.
fn filling(value: Scalar, dtype: Dtype, casting: Casting) -> Result<Slab, String> {
    if value.meet(dtype) == dtype && (casting != Casting::Unsafe || value.to_slab(dtype).is_ok()) {
        return value.to_slab(dtype).map_err(|error| error.to_string());
    }
    if casting != Casting::Unsafe {
        return Err(format!("the number is {} and is not cast to {dtype}", value.default_dtype()));
    }
    // What does not fit wraps, a fraction is cut off.
    value.to_slab(value.default_dtype()).map(|slab| slab.astype(dtype)).map_err(|error| error.to_string())
}

impl Recipe for Astype {
    fn description(&self) -> &Description {
        &self.description
    }

    fn kernel(&self, request: &Request, sources: &Sources, des: &[Place]) -> Result<Arc<dyn Kernel>, Fault> {
        known(&request.args, &["casting"])?;
        let casting = casting(&request.args, Casting::Unsafe)?;
        let results: Vec<Dtype> = sources.dtypes().collect();
        Ok(Arc::new(NumericKernel::new(&results, des, casting, |slabs: &[Slab]| Ok(slabs.to_vec()))?))
    }
}
