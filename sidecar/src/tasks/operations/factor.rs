//! `factor`: the prime factors of integers.
//!
//! Of each element of the source come its factors in ascending order: -1 first if it is negative, as often as they
//! divide, none of 0 and 1. The destination holds integers of any number per element. A single source element may
//! also go into a dataset of integers with one dimension that can grow: it gets as many elements as there are
//! factors.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::array::dtype::Dtype;
use crate::array::element::Values;
use crate::array::factor::{factor, factor_signed};
use crate::array::slab::Slab;
use crate::hsds::client::Session;
use crate::hsds::dataspace::Dataspace;
use crate::hsds::datatype::Class;
use crate::hsds::selection::Selection;
use crate::hsds::vlen::Writer;
use crate::tasks::operation::{Description, Operation, Preview, Rejection, WorkError, Writes};
use crate::tasks::operations::durable::Durable;
use crate::tasks::operations::element_wise::{ElementWise, Kernel, Pace, Recipe, Sources};
use crate::tasks::operations::fault::Fault;
use crate::tasks::operations::numbers::{Numbers, known};
use crate::tasks::operations::place::{Part, Place, wide};
use crate::tasks::request::Request;
use crate::tasks::work::Work;

/// What an element of the destination is taken to have at most, in bytes: 64 factors of 8 bytes. It is more by
/// far than most have, for a piece should have few numbers: factoring them takes time.
const ITEM: u64 = 4 << 10;

/// The prime factors of integers.
#[derive(Debug)]
pub struct Factor {
    each: ElementWise<Factors>,
}

/// The factors of each element.
#[derive(Debug)]
struct Factors {
    description: Description,
}

struct FactorKernel {
    base: Numbers,
}

impl Factor {
    /// The operation.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        let description = Description {
            name: "factor".to_owned(),
            summary: "The prime factors of each integer of the source, in ascending order: 42 becomes 2, 3, 7."
                .to_owned(),
            arguments: json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object", "additionalProperties": false, "properties": {},
            }),
            sources: 1..=1,
            destinations: 1..=1,
            writes: Writes::Updates,
        };
        Self { each: ElementWise::new(Factors { description }, pace) }
    }
}

#[async_trait]
impl Operation for Factor {
    fn description(&self) -> &Description {
        self.each.description()
    }

    async fn check(&self, preview: &Preview<'_>) -> Result<(), Rejection> {
        let session = preview.session.ok_or(Fault::NoServer)?;
        match List::find(session, preview.request).await? {
            Some(_) => Ok(()),
            None => self.each.check(preview).await,
        }
    }

    async fn run(&self, work: &mut Work) -> Result<Value, WorkError> {
        let list = List::find(work.server()?, work.request());
        match work.unless_stopped(list).await?? {
            Some(list) => {
                let durable = Durable::begin(work).await?;
                let result = work.unless_stopped(list.write(work.server()?)).await??;
                durable.confirm().await?;
                Ok(result)
            }
            None => self.each.run(work).await,
        }
    }
}

// === impl Factors ===

impl Recipe for Factors {
    fn description(&self) -> &Description {
        &self.description
    }

    fn kernel(&self, request: &Request, sources: &Sources, des: &[Place]) -> Result<Arc<dyn Kernel>, Fault> {
        known(&request.args, &[])?;
        for (place, numbers) in sources.places() {
            check_integers(place, *numbers)?;
        }
        let place = des.first().ok_or_else(|| Fault::malformed("there is no destination"))?;
        let Class::Variable(base) = place.dataset().datatype.class() else {
            return Err(Fault::malformed(format!(
                "{} must hold lists of integers (a variable-length type), or have one dimension that can grow \
                 where the source is one number",
                place.name()
            )));
        };
        let integers = Numbers::written(base).filter(|numbers| numbers.dtype.is_integer());
        let no_integers = || Fault::malformed(format!("{} must hold lists of integers", place.name()));
        Ok(Arc::new(FactorKernel { base: integers.ok_or_else(no_integers)? }))
    }
}

fn check_integers(place: &Place, numbers: Numbers) -> Result<(), Fault> {
    if numbers.dtype.is_integer() {
        return Ok(());
    }
    Err(Fault::malformed(format!("{} must hold integers to be factored, not {}", place.name(), numbers.dtype)))
}

impl Kernel for FactorKernel {
    fn item_size(&self) -> u64 {
        ITEM
    }

    fn weight(&self) -> u64 {
        wide(self.base.item_size())
    }

    fn compute(&self, sources: &[Slab], shape: &[usize], stop: &CancellationToken) -> Result<Vec<Bytes>, WorkError> {
        let failed = |error: String| WorkError::permanent("not-computable", error);
        let source = sources.first().ok_or_else(|| failed("there is no source".to_owned()))?;
        let source = source.broadcast_to(shape).map_err(|error| failed(error.to_string()))?;
        let mut writer = Writer::default();
        for index in 0..source.values().len() {
            if stop.is_cancelled() {
                return Err(WorkError::Stopped);
            }
            let bytes = factors(source.values(), index, self.base)?;
            writer.push(&bytes).map_err(|error| failed(error.to_string()))?;
        }
        Ok(vec![Bytes::from(writer.finish())])
    }
}

/// The factors of an element, as they lie in memory.
fn factors(values: &Values, index: usize, base: Numbers) -> Result<Vec<u8>, WorkError> {
    if let Values::U64(values) = values {
        let number = values.get(index).copied().unwrap_or_default();
        return written(factor(number).into_iter().map(i128::from), base);
    }
    // Every other integer fits.
    let number = match values {
        Values::I8(values) => values.get(index).map(|value| i64::from(*value)),
        Values::I16(values) => values.get(index).map(|value| i64::from(*value)),
        Values::I32(values) => values.get(index).map(|value| i64::from(*value)),
        Values::I64(values) => values.get(index).copied(),
        Values::U8(values) => values.get(index).map(|value| i64::from(*value)),
        Values::U16(values) => values.get(index).map(|value| i64::from(*value)),
        Values::U32(values) => values.get(index).map(|value| i64::from(*value)),
        _ => None,
    };
    written(factor_signed(number.unwrap_or_default()).into_iter().map(i128::from), base)
}

fn written(factors: impl Iterator<Item = i128>, base: Numbers) -> Result<Vec<u8>, WorkError> {
    let (low, high) = base.dtype.bounds().unwrap_or_default();
    let factors: Vec<i128> = factors.collect();
    if let Some(factor) = factors.iter().find(|factor| **factor < low || **factor > high) {
        let detail = format!("the factor {factor} does not fit into the destination's {}", base.dtype);
        return Err(WorkError::permanent("does-not-fit", detail));
    }
    // All are within bounds, so that the lowest bits are all of them.
    let slab = if base.dtype == Dtype::U64 {
        Slab::of(factors.iter().map(|factor| *factor as u64).collect())
    } else {
        Slab::of(factors.iter().map(|factor| *factor as i64).collect())
    };
    Ok(slab.astype(base.dtype).to_bytes(base.order))
}

// === List ===

/// One number, whose factors become the elements of a dataset that can grow.
struct List {
    source: (Place, Numbers),
    destination: (Place, Numbers),
}

impl List {
    /// Such a request; none for one of another form.
    async fn find(session: &Session, request: &Request) -> Result<Option<Self>, Fault> {
        let (Some(src), Some(des)) = (request.src.first(), request.des.first()) else { return Ok(None) };
        let destination = Place::find(session, "des[0]", des, false).await?;
        let can_grow = match &destination.dataset().dataspace {
            Dataspace::Simple { max: Some(max), .. } => max.len() == 1,
            _ => false,
        };
        let integers = Numbers::written(&destination.dataset().datatype).filter(|numbers| numbers.dtype.is_integer());
        let (true, Some(numbers), None) = (can_grow, integers, &des.select) else { return Ok(None) };
        let source = Place::find(session, "src[0]", src, true).await?;
        let read = source.numbers_read()?;
        check_integers(&source, read)?;
        if source.count() != 1 || source.overlaps(&destination) {
            let detail = "one number, of another dataset, can be factored into a dataset that grows";
            return Err(Fault::malformed(format!("{} has {} elements; {detail}", source.name(), source.count())));
        }
        Ok(Some(Self { source: (source, read), destination: (destination, numbers) }))
    }

    async fn write(&self, session: &Session) -> Result<Value, WorkError> {
        let ((source, read), (destination, numbers)) = (&self.source, &self.destination);
        let all = Part { origin: vec![0; source.shape().len()], shape: source.shape().to_vec() };
        let number = source.read(session, *read, &all).await?;
        let bytes = factors(number.values(), 0, *numbers)?;
        let count = wide(bytes.len() / numbers.item_size().max(1));
        if destination.dataset().dataspace.dims() != [count] {
            let resized = session.resize(destination.domain(), destination.id(), &[count]).await;
            resized.map_err(|error| destination.fault(error))?;
        }
        if count > 0 {
            destination.write_bytes(session, &Selection::whole(&[count]), bytes.into()).await?;
        }
        Ok(json!({"elements": count}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::dtype::ByteOrder;

    fn kernel(dtype: Dtype) -> FactorKernel {
        FactorKernel { base: Numbers { dtype, order: ByteOrder::Big } }
    }

    #[test]
    fn lists_of_any_length() {
        let stop = CancellationToken::new();
        let made = kernel(Dtype::I16).compute(&[Slab::of(vec![42_u8, 1])], &[2], &stop);
        assert_eq!(made, Ok(vec![Bytes::from_static(&[6, 0, 0, 0, 0, 2, 0, 3, 0, 7, 0, 0, 0, 0])]));
        let signed = kernel(Dtype::I8).compute(&[Slab::single(-6_i64)], &[1], &stop);
        assert_eq!(signed, Ok(vec![Bytes::from_static(&[3, 0, 0, 0, 0xff, 2, 3])]));
    }

    #[test]
    fn what_does_not_fit_is_not_cut() {
        let stop = CancellationToken::new();
        for (dtype, number) in [(Dtype::I8, 257), (Dtype::U8, -2)] {
            let made = kernel(dtype).compute(&[Slab::single(number)], &[], &stop);
            assert!(matches!(made, Err(WorkError::Permanent { code: "does-not-fit", .. })), "{made:?}");
        }
        stop.cancel();
        assert_eq!(kernel(Dtype::I8).compute(&[Slab::single(2_i8)], &[], &stop), Err(WorkError::Stopped));
    }
}
