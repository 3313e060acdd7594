//! What comes of one piece.

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::array::dtype::{Casting, Dtype};
use crate::array::slab::Slab;
use crate::array::ufunc::ComputeError;
use crate::tasks::operation::WorkError;
use crate::tasks::operations::fault::Fault;
use crate::tasks::operations::numbers::{Numbers, check_cast};
use crate::tasks::operations::place::Place;

/// Makes a piece of each destination of the pieces of the sources.
pub trait Kernel: Send + Sync {
    /// How many bytes an element of a destination has at most, of the largest.
    fn item_size(&self) -> u64;

    /// How many bytes of progress an element is.
    fn weight(&self) -> u64 {
        self.item_size()
    }

    /// The elements of each destination for a piece of that shape, which the sources' pieces broadcast to.
    ///
    /// # Errors
    /// [`WorkError::Permanent`] for elements of which nothing can be made; [`WorkError::Stopped`] if `stop` is
    /// cancelled while it computes.
    fn compute(&self, sources: &[Slab], shape: &[usize], stop: &CancellationToken) -> Result<Vec<Bytes>, WorkError>;
}

/// Numbers of numbers.
pub struct NumericKernel<F> {
    compute: F,
    destinations: Vec<Numbers>,
}

impl<F: Fn(&[Slab]) -> Result<Vec<Slab>, ComputeError> + Send + Sync> NumericKernel<F> {
    /// Results of these types, cast into the destinations.
    ///
    /// # Errors
    /// A destination holds no numbers, or the cast to its type is not allowed.
    pub fn new(results: &[Dtype], destinations: &[Place], casting: Casting, compute: F) -> Result<Self, Fault> {
        let into = |(result, place): (&Dtype, &Place)| {
            let numbers = place.numbers_written()?;
            check_cast(*result, numbers.dtype, casting, place.name())?;
            Ok(numbers)
        };
        let destinations = results.iter().zip(destinations).map(into).collect::<Result<Vec<Numbers>, Fault>>()?;
        Ok(Self { compute, destinations })
    }
}

impl<F: Fn(&[Slab]) -> Result<Vec<Slab>, ComputeError> + Send + Sync> Kernel for NumericKernel<F> {
    fn item_size(&self) -> u64 {
        let sizes = self.destinations.iter().map(|numbers| numbers.item_size());
        sizes.max().and_then(|size| u64::try_from(size).ok()).unwrap_or(1)
    }

    fn compute(&self, sources: &[Slab], shape: &[usize], _: &CancellationToken) -> Result<Vec<Bytes>, WorkError> {
        let failed = |error: ComputeError| WorkError::permanent("not-computable", error.to_string());
        let results = (self.compute)(sources).map_err(failed)?;
        let into = |(result, numbers): (Slab, &Numbers)| {
            let result = result.astype(numbers.dtype);
            let result = result.broadcast_to(shape).map_err(|error| failed(error.into()))?;
            Ok(Bytes::from(result.to_bytes(numbers.order)))
        };
        results.into_iter().zip(&self.destinations).map(into).collect()
    }
}
