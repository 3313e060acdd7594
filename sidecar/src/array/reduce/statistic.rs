//! Which reductions there are.

use crate::array::dtype::{Dtype, Kind};

/// What a dataset comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Statistic {
    /// Whether all elements are true.
    All,
    /// Whether an element is true.
    Any,
    /// The first place of the largest element.
    Argmax,
    /// The first place of the smallest element.
    Argmin,
    /// How many elements are not zero.
    Count,
    /// The largest element.
    Max,
    /// The mean.
    Mean,
    /// The smallest element.
    Min,
    /// The product.
    Prod,
    /// The standard deviation.
    Std,
    /// The sum.
    Sum,
    /// The variance.
    Var,
}

impl Statistic {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::All,
        Self::Any,
        Self::Argmax,
        Self::Argmin,
        Self::Count,
        Self::Max,
        Self::Mean,
        Self::Min,
        Self::Prod,
        Self::Std,
        Self::Sum,
        Self::Var,
    ];

    /// The reduction of that name; numpy's `count_nonzero`, `amin` and `amax` are known too.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "count_nonzero" => Some(Self::Count),
            "amin" => Some(Self::Min),
            "amax" => Some(Self::Max),
            _ => Self::ALL.into_iter().find(|statistic| statistic.name() == name),
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Any => "any",
            Self::Argmax => "argmax",
            Self::Argmin => "argmin",
            Self::Count => "count",
            Self::Max => "max",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Prod => "prod",
            Self::Std => "std",
            Self::Sum => "sum",
            Self::Var => "var",
        }
    }

    /// The type of the result from elements of that type.
    #[must_use]
    pub const fn output(self, dtype: Dtype) -> Dtype {
        match (self, dtype.kind()) {
            (Self::All | Self::Any, _) => Dtype::Bool,
            (Self::Argmax | Self::Argmin | Self::Count, _) => Dtype::I64,
            (Self::Max | Self::Min, _) => dtype,
            (Self::Sum | Self::Prod, Kind::Bool | Kind::Signed) => Dtype::I64,
            (Self::Sum | Self::Prod, Kind::Unsigned) => Dtype::U64,
            (Self::Mean | Self::Std | Self::Var, Kind::Bool | Kind::Signed | Kind::Unsigned) => Dtype::F64,
            (Self::Std | Self::Var, _) => dtype.real(),
            (Self::Sum | Self::Prod | Self::Mean, _) => dtype,
        }
    }

    /// Whether it is the place of an element.
    pub(super) const fn is_place(self) -> bool {
        matches!(self, Self::Argmax | Self::Argmin)
    }

    /// Whether there is none of no elements.
    pub(super) const fn needs_elements(self) -> bool {
        matches!(self, Self::Argmax | Self::Argmin | Self::Max | Self::Min)
    }
}
