//! What has to be done, with everything checked that can be without the elements.

use std::sync::Arc;

use futures_util::future::try_join_all;

use super::{Kernel, Recipe};
use crate::array::dtype::Dtype;
use crate::array::shape::broadcast;
use crate::hsds::client::Session;
use crate::hsds::slabs::Slabs;
use crate::tasks::operations::fault::Fault;
use crate::tasks::operations::numbers::Numbers;
use crate::tasks::operations::place::{Place, wide};
use crate::tasks::request::{Location, Request};

/// The sources, which all hold numbers.
#[derive(Debug)]
pub struct Sources {
    places: Vec<(Place, Numbers)>,
}

/// What has to be done.
pub(super) struct Plan {
    pub(super) sources: Sources,
    pub(super) destinations: Vec<Place>,
    pub(super) kernel: Arc<dyn Kernel>,
    /// Whether a destination is a source too.
    pub(super) is_in_place: bool,
}

impl Sources {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The types of their elements.
    pub fn dtypes(&self) -> impl Iterator<Item = Dtype> {
        self.places.iter().map(|(_, numbers)| numbers.dtype)
    }

    /// Where they are.
    pub fn places(&self) -> impl Iterator<Item = &(Place, Numbers)> {
        self.places.iter()
    }
}

impl Plan {
    pub(super) async fn make(recipe: &impl Recipe, session: &Session, request: &Request) -> Result<Self, Fault> {
        let description = recipe.description();
        for (key, locations, allowed) in
            [("src", &request.src, &description.sources), ("des", &request.des, &description.destinations)]
        {
            if !allowed.contains(&locations.len()) {
                let (least, most) = (allowed.start(), allowed.end());
                let wanted = if least == most { least.to_string() } else { format!("{least} to {most}") };
                return Err(Fault::malformed(format!("`{key}` must have {wanted} locations, not {}", locations.len())));
            }
        }
        let places = places(session, "src", &request.src, true);
        let (places, destinations) =
            futures_util::try_join!(places, self::places(session, "des", &request.des, false))?;
        let places = places.into_iter().map(|place| place.numbers_read().map(|numbers| (place, numbers)));
        let sources = Sources { places: places.collect::<Result<_, Fault>>()? };
        check_shapes(&sources, &destinations)?;
        let is_in_place = check_overlaps(&sources, &destinations)?;
        let kernel = recipe.kernel(request, &sources, &destinations)?;
        Ok(Self { sources, destinations, kernel, is_in_place })
    }

    /// How many bytes an element has, of the largest dataset.
    pub(super) fn item_size(&self) -> u64 {
        let sources = self.sources.places().map(|(_, numbers)| wide(numbers.item_size()));
        sources.fold(self.kernel.item_size(), u64::max)
    }

    /// The pieces: where they are in the first destination. In each other they are at the same numbers.
    pub(super) fn slabs(&self, max_bytes: u64) -> Option<Slabs> {
        self.destinations.first().map(|first| first.slabs(self.item_size(), max_bytes))
    }

    /// How many bytes it takes to make a piece of so many elements: of each dataset as it is read or written,
    /// as values, and as values of the type that is computed with, which may be twice as wide.
    pub(super) fn footprint(&self, elements: usize) -> usize {
        let sources: usize = self.sources.places().map(|(_, numbers)| numbers.item_size()).sum();
        let item = usize::try_from(self.kernel.item_size()).unwrap_or(usize::MAX);
        let results = item.saturating_mul(self.destinations.len());
        sources.saturating_add(results).saturating_mul(3).saturating_mul(elements)
    }
}

/// Finds all locations of a list.
async fn places(
    session: &Session,
    list: &'static str,
    locations: &[Location],
    is_source: bool,
) -> Result<Vec<Place>, Fault> {
    let named = locations.iter().enumerate().map(|(index, location)| (format!("{list}[{index}]"), location));
    let found = named.map(async |(name, location)| Place::find(session, &name, location, is_source).await);
    try_join_all(found).await
}

/// As with numpy's `out`: the sources together must broadcast to each destination's shape.
fn check_shapes(sources: &Sources, destinations: &[Place]) -> Result<(), Fault> {
    let Some(first) = destinations.first() else { return Ok(()) };
    for place in destinations {
        if place.is_null() {
            return Err(Fault::malformed(format!("{} has a null dataspace, which has no elements", place.name())));
        }
        if place.shape() != first.shape() {
            let detail = format!("{} has shape {:?}, not {:?}", place.name(), place.shape(), first.shape());
            return Err(Fault::malformed(detail));
        }
    }
    for (place, _) in sources.places() {
        let does = place.shape().len() <= first.shape().len()
            && broadcast(&[place.shape(), first.shape()]).is_ok_and(|shape| shape == first.shape());
        if !does {
            return Err(Fault::malformed(format!(
                "{} has shape {:?}, which does not broadcast to the {:?} of {}",
                place.name(),
                place.shape(),
                first.shape(),
                first.name()
            )));
        }
    }
    Ok(())
}

/// Whether a destination is a source too.
fn check_overlaps(sources: &Sources, destinations: &[Place]) -> Result<bool, Fault> {
    let mut is_in_place = false;
    for (index, place) in destinations.iter().enumerate() {
        if let Some(other) = destinations.iter().skip(index + 1).find(|other| place.overlaps(other)) {
            return Err(Fault::malformed(format!("{} and {} overlap", place.name(), other.name())));
        }
        for (source, _) in sources.places().filter(|(source, _)| source.overlaps(place)) {
            if !source.is_same(place) {
                return Err(Fault::malformed(format!(
                    "{} and {} overlap, but are not the same elements: what is read would depend on what was \
                     written already",
                    source.name(),
                    place.name()
                )));
            }
            is_in_place = true;
        }
    }
    Ok(is_in_place)
}
