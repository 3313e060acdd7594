//! numpy's element-wise functions, each an operation under its own name.

use std::sync::Arc;

use serde_json::{Map, json};

use crate::array::dtype::Casting;
use crate::array::ufunc::{ALL, Operand, Ufunc};
use crate::tasks::operation::{Description, Operation, Writes};
use crate::tasks::operations::element_wise::{ElementWise, Kernel, NumericKernel, Pace, Recipe, Sources};
use crate::tasks::operations::fault::Fault;
use crate::tasks::operations::numbers::{casting, casting_schema, known, number, number_schema};
use crate::tasks::operations::place::Place;
use crate::tasks::request::Request;

/// The operands' names, as numpy's documentation has them.
const OPERANDS: [&str; 2] = ["x1", "x2"];

/// An element-wise function.
#[derive(Debug)]
struct Function {
    ufunc: &'static Ufunc,
    description: Description,
}

/// All of them, under their aliases too.
pub fn operations(pace: Pace) -> impl Iterator<Item = Arc<dyn Operation>> {
    let named = ALL.iter().flat_map(|ufunc| {
        let aliases = ufunc.aliases().iter().map(move |alias| Function::new(ufunc, alias));
        std::iter::once(Function::new(ufunc, ufunc.name())).chain(aliases)
    });
    named.map(move |function| Arc::new(ElementWise::new(function, pace)) as Arc<dyn Operation>)
}

impl Function {
    fn new(ufunc: &'static Ufunc, name: &str) -> Self {
        let mut properties = Map::new();
        properties.insert("casting".to_owned(), casting_schema("same_kind"));
        let operands = if ufunc.inputs() == 2 { OPERANDS.as_slice() } else { &[] };
        for operand in operands {
            let text = format!("The operand `{operand}`, where it is one number; the sources are the others in order.");
            properties.insert((*operand).to_owned(), number_schema(&text));
        }
        let own = if name == ufunc.name() { String::new() } else { format!(" (another name of `{}`)", ufunc.name()) };
        let description = Description {
            name: name.to_owned(),
            summary: format!("numpy's `{name}`{own}, element by element, with its types and broadcasting."),
            arguments: json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object", "additionalProperties": false, "properties": properties,
            }),
            sources: 1..=ufunc.inputs(),
            destinations: ufunc.outputs()..=ufunc.outputs(),
            writes: Writes::Updates,
        };
        Self { ufunc, description }
    }

    /// The operands in order: numbers where the arguments have one, sources elsewhere.
    fn operands(&self, request: &Request, sources: &Sources) -> Result<Vec<Operand>, Fault> {
        let mut dtypes = sources.dtypes();
        if self.ufunc.inputs() == 1 {
            known(&request.args, &["casting"])?;
            return Ok(dtypes.map(Operand::Array).collect());
        }
        known(&request.args, &["casting", "x1", "x2"])?;
        let mut operands = Vec::with_capacity(OPERANDS.len());
        for name in OPERANDS {
            let number = number(&request.args, name)?.map(Operand::Number);
            let operand = number.or_else(|| dtypes.next().map(Operand::Array)).ok_or_else(|| {
                let own = &self.description.name;
                Fault::malformed(format!("`{own}` has no operand `{name}`: give two sources, or `args.{name}`"))
            })?;
            operands.push(operand);
        }
        if dtypes.next().is_some() {
            return Err(Fault::malformed(format!("there are more operands than `{}` has", self.description.name)));
        }
        Ok(operands)
    }
}

impl Recipe for Function {
    fn description(&self) -> &Description {
        &self.description
    }

    fn kernel(&self, request: &Request, sources: &Sources, des: &[Place]) -> Result<Arc<dyn Kernel>, Fault> {
        let operands = self.operands(request, sources)?;
        let casting = casting(&request.args, Casting::SameKind)?;
        let found = self.ufunc.resolve(&operands).map_err(|error| Fault::malformed(error.to_string()))?;
        let results = found.outputs().to_vec();
        Ok(Arc::new(NumericKernel::new(&results, des, casting, move |slabs| found.apply(slabs))?))
    }
}

#[cfg(test)]
mod tests {
    use crate::tasks::operations::Operations;
    use crate::tasks::schema::Schema;

    use super::*;

    #[test]
    fn every_operation_has_arguments_that_can_be_checked() {
        let operations = Operations::of_datasets(Pace::default());
        assert!(operations.iter().count() > 100);
        let schema = |name: &str| {
            let operation = operations.named(name).expect("an operation");
            Schema::read(&operation.description().arguments, "arguments").expect("a schema")
        };
        for operation in operations.iter() {
            schema(&operation.description().name);
        }
        let takes = |name: &str, arguments: serde_json::Value| schema(name).check(&arguments, "args").is_ok();
        assert!(takes("add", json!({"x2": 3})) && takes("add", json!({"x1": {"r": 1, "i": 2.5}, "casting": "unsafe"})));
        assert!(takes("add", json!({"x2": "nan"})) && takes("add", json!({"x2": true})));
        assert!(
            !takes("add", json!({"x2": "3"})) && !takes("add", json!({"x3": 3})) && !takes("abs", json!({"x1": 3}))
        );
        assert!(
            takes("clip", json!({"min": null, "max": 2})) && takes("sum", json!({"axis": [0, 1], "keepdims": true}))
        );
        assert!(takes("std", json!({"ddof": 1, "axis": null})) && !takes("sum", json!({"ddof": 1})));
        assert!(takes("factor", json!({})) && !takes("fill", json!({})) && takes("rescan", json!({})));
    }
}
