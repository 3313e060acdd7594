//! A dataset that a request names, and the part of it that is meant.

use bytes::Bytes;

use crate::array::slab::Slab as Numeric;
use crate::hsds::calls::objects::{Dataset, Follow, Object};
use crate::hsds::client::Session;
use crate::hsds::client::error::HsdsError;
use crate::hsds::dataspace::Dataspace;
use crate::hsds::domain::DomainName;
use crate::hsds::id::ObjectId;
use crate::hsds::selection::{Range, Selection};
use crate::hsds::slabs::{Slab, Slabs};
use crate::tasks::operations::fault::Fault;
use crate::tasks::operations::numbers::Numbers;
use crate::tasks::request::{Location, ObjectName};

/// The most characters of a location in a text.
const MAX_SHOWN: usize = 200;

/// A dataset, and the part of it that is meant.
#[derive(Clone, Debug)]
pub struct Place {
    name: String,
    domain: DomainName,
    id: ObjectId,
    dataset: Dataset,
    selection: Selection,
    /// Which of the dataset's dimensions are axes: as in numpy, one that is selected by a number alone is none.
    axes: Vec<usize>,
    shape: Vec<usize>,
}

/// A part of a place, in its own axes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it begins.
    pub origin: Vec<usize>,
    /// How many elements it has along each axis.
    pub shape: Vec<usize>,
}

/// What a location names, of whatever kind it is, with the domain that it is in.
///
/// # Errors
/// [`Fault::Server`].
pub async fn object(
    session: &Session,
    name: &str,
    location: &Location,
    is_source: bool,
) -> Result<(DomainName, Object), Fault> {
    let domain = DomainName::from(location);
    let found = match &location.object {
        // What is written through an external link would not be flushed with the destination's domain.
        ObjectName::Path(path) => {
            session.resolve(&domain, None, path, Follow { soft: true, external: is_source }).await
        }
        ObjectName::Id(id) => match ObjectId::parse(id) {
            Ok(id) => session.object(&domain, id).await,
            Err(_) => Err(HsdsError::NotFound),
        },
    };
    let object = found.map_err(|error| Fault::Server { place: shown(name, location), error })?;
    let domain = match object.domain.as_deref().and_then(|named| named.split_once('/')) {
        Some(("", path)) => DomainName::new(format!("/{path}")).in_bucket(domain.bucket),
        Some((bucket, path)) => DomainName::new(format!("/{path}")).in_bucket(Some(bucket.to_owned())),
        None => domain,
    };
    Ok((domain, object))
}

fn shown(name: &str, location: &Location) -> String {
    format!("`{name}` ({})", location.to_string().chars().take(MAX_SHOWN).collect::<String>())
}

impl Place {
    /// Finds what a location names. `name` is what texts call it, such as `src[0]`.
    ///
    /// # Errors
    /// [`Fault`]: also if it is no dataset, or the selection is none of it.
    pub async fn find(session: &Session, name: &str, location: &Location, is_source: bool) -> Result<Self, Fault> {
        let (domain, object) = object(session, name, location, is_source).await?;
        let name = shown(name, location);
        let Some(dataset) = object.dataset().cloned() else {
            return Err(Fault::malformed(format!("{name} is no dataset")));
        };
        let dims = dataset.dataspace.dims();
        let (selection, axes) = match &location.select {
            None => (Selection::whole(dims), (0..dims.len()).collect()),
            Some(text) => {
                let selection = Selection::parse(text, dims)
                    .map_err(|error| Fault::malformed(format!("the selection of {name}: {error}")))?;
                (selection, axes(text))
            }
        };
        let counts = selection.dims();
        let extent = |axis: &usize| counts.get(*axis).and_then(|count| usize::try_from(*count).ok());
        let shape: Option<Vec<usize>> = axes.iter().map(extent).collect();
        let too_large = || Fault::malformed(format!("{name} has more elements than can be counted"));
        let shape = shape.ok_or_else(too_large)?;
        crate::array::shape::count(&shape).map_err(|_| too_large())?;
        Ok(Self { name, domain, id: object.id, dataset, selection, axes, shape })
    }

    /// What texts call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The domain it is in.
    #[must_use]
    pub const fn domain(&self) -> &DomainName {
        &self.domain
    }

    /// The dataset's id.
    #[must_use]
    pub const fn id(&self) -> ObjectId {
        self.id
    }

    /// The dataset.
    #[must_use]
    pub const fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// The part of it that is meant, in the dataset's own dimensions.
    #[must_use]
    pub const fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Its extent along each axis.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many elements there are.
    #[must_use]
    pub fn count(&self) -> usize {
        // It was counted when it was found.
        crate::array::shape::count(&self.shape).unwrap_or_default()
    }

    /// Whether it has a null dataspace, which has no elements and no shape either.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.dataset.dataspace == Dataspace::Null
    }

    /// The numbers that are read here.
    ///
    /// # Errors
    /// They are no numbers, or the dataspace is null.
    pub fn numbers_read(&self) -> Result<Numbers, Fault> {
        self.numbers(Numbers::read(&self.dataset.datatype))
    }

    /// The numbers that may be written here.
    ///
    /// # Errors
    /// They are no numbers, or the dataspace is null.
    pub fn numbers_written(&self) -> Result<Numbers, Fault> {
        self.numbers(Numbers::written(&self.dataset.datatype))
    }

    fn numbers(&self, numbers: Option<Numbers>) -> Result<Numbers, Fault> {
        if self.is_null() {
            return Err(Fault::malformed(format!("{} has a null dataspace, which has no elements", self.name)));
        }
        numbers.ok_or_else(|| {
            let detail = "must hold numbers: integers, floats, numpy's bool or complex numbers";
            Fault::malformed(format!("{} {detail}", self.name))
        })
    }

    /// The place cut into pieces along its chunks.
    #[must_use]
    pub fn slabs(&self, item_size: u64, max_bytes: u64) -> Slabs {
        Slabs::new(self.selection.clone(), self.dataset.chunk_dims().as_deref(), item_size, max_bytes)
    }

    /// A piece, in the axes of the place.
    #[must_use]
    pub fn part_of(&self, slab: &Slab) -> Part {
        let dims = slab.dims();
        let along = |values: &[u64]| -> Vec<usize> {
            let value = |axis: &usize| values.get(*axis).and_then(|value| usize::try_from(*value).ok());
            self.axes.iter().filter_map(value).collect()
        };
        Part { origin: along(&slab.origin), shape: along(&dims) }
    }

    /// What of this place meets a part of another one that it broadcasts to.
    #[must_use]
    pub fn meeting(&self, part: &Part) -> Part {
        let skipped = part.shape.len().saturating_sub(self.shape.len());
        let others = part.origin.iter().zip(&part.shape).skip(skipped);
        // With one element it stretches, or has but that one there.
        let meeting = |(own, (origin, extent)): (&usize, (&usize, &usize))| {
            if *own == 1 { (0, 1) } else { (*origin, *extent) }
        };
        let (origin, shape) = self.shape.iter().zip(others).map(meeting).unzip();
        Part { origin, shape }
    }

    /// A part in the dataset's own dimensions.
    #[must_use]
    pub fn select(&self, part: &Part) -> Selection {
        let mut ranges: Vec<Range> = self.selection.ranges().to_vec();
        for (axis, (origin, extent)) in self.axes.iter().zip(part.origin.iter().zip(&part.shape)) {
            if let Some(range) = ranges.get_mut(*axis) {
                *range = range.part(wide(*origin), wide(*extent));
            }
        }
        Selection::new(ranges)
    }

    /// The same dataset, of whose part only a part is meant.
    #[must_use]
    pub fn narrowed(&self, part: &Part) -> Self {
        Self { selection: self.select(part), shape: part.shape.clone(), ..self.clone() }
    }

    /// Reads a part of numbers.
    ///
    /// # Errors
    /// [`Fault::Server`].
    pub async fn read(&self, session: &Session, numbers: Numbers, part: &Part) -> Result<Numeric, Fault> {
        let selection = self.select(part);
        let count = selection.count().unwrap_or(u64::MAX);
        let bytes = self.read_bytes(session, &selection, count.checked_mul(wide(numbers.item_size()))).await?;
        Numeric::from_bytes(numbers.dtype, numbers.order, part.shape.clone(), &bytes)
            .map_err(|error| self.fault(HsdsError::malformed(error)))
    }

    /// Reads elements as they lie in memory.
    ///
    /// # Errors
    /// [`Fault::Server`].
    pub async fn read_bytes(
        &self,
        session: &Session,
        selection: &Selection,
        expected: Option<u64>,
    ) -> Result<Bytes, Fault> {
        let selection = Some(selection).filter(|selection| !selection.ranges().is_empty());
        let read = session.read_values(&self.domain, self.id, selection, expected).await;
        read.map_err(|error| self.fault(error))
    }

    /// Writes elements as they lie in memory.
    ///
    /// # Errors
    /// [`Fault::Server`].
    pub async fn write_bytes(&self, session: &Session, selection: &Selection, values: Bytes) -> Result<(), Fault> {
        let selection = Some(selection).filter(|selection| !selection.ranges().is_empty());
        let written = session.write_values(&self.domain, self.id, selection, values).await;
        written.map_err(|error| self.fault(error))
    }

    /// What the server said of it.
    #[must_use]
    pub fn fault(&self, error: HsdsError) -> Fault {
        Fault::Server { place: self.name.clone(), error }
    }

    /// Whether both are the same elements in the same order.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.id == other.id && self.selection == other.selection && self.shape == other.shape
    }

    /// Whether an element may be in both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let both = self.selection.ranges().iter().zip(other.selection.ranges());
        self.id == other.id && both.clone().all(|(one, other)| meet(*one, *other))
    }
}

/// Whether an index may be in both ranges. Of ranges with different steps it is said of more than are.
const fn meet(one: Range, other: Range) -> bool {
    let is_beside = one.stop() <= other.start() || other.stop() <= one.start();
    let is_between = one.step() == other.step() && !one.start().abs_diff(other.start()).is_multiple_of(one.step());
    let is_empty = one.count() == 0 || other.count() == 0;
    !(is_beside || is_between || is_empty)
}

/// The dimensions that are selected by ranges, not by a number alone.
fn axes(text: &str) -> Vec<usize> {
    let inner = text.trim().trim_start_matches('[').trim_end_matches(']');
    inner.split(',').enumerate().filter(|(_, part)| part.contains(':')).map(|(axis, _)| axis).collect()
}

/// A `usize` is never wider.
pub(super) fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_alone_is_no_axis() {
        assert_eq!(axes("[1,2:3,:]"), [1, 2]);
        assert_eq!(axes("4"), Vec::<usize>::new());
    }

    #[test]
    fn ranges_meet_or_not() {
        let range = |start, stop, step| Range::new(start, stop, step).expect("a range");
        assert!(meet(range(0, 10, 1), range(9, 12, 1)));
        assert!(!meet(range(0, 10, 1), range(10, 12, 1)));
        assert!(!meet(range(0, 10, 2), range(1, 10, 2)));
        assert!(meet(range(0, 10, 2), range(4, 10, 2)));
        assert!(!meet(range(0, 10, 1), range(5, 5, 1)));
    }
}
