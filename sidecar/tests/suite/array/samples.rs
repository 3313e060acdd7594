//! Values of every type on which implementations differ, and random ones.

use half::f16;
use num_complex::Complex;
use taskgate::array::dtype::{ByteOrder, Dtype};
use taskgate::array::element::{Complex128, Values};
use taskgate::array::slab::Slab;

/// Numbers that look random and are the same in every run.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1.
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Of either sign and of moderate sizes.
    pub(super) fn moderate(&mut self) -> f64 {
        let sign = if self.bits() & 1 == 0 { 1.0 } else { -1.0 };
        sign * self.unit() * 10_f64.powf(self.unit() * 6.0 - 3.0)
    }
}

/// Edge cases of a type, and `random` others.
pub(super) fn samples(dtype: Dtype, random: usize) -> Slab {
    let mut generator = Random(dtype.item_size() as u64);
    match dtype {
        Dtype::Bool => Slab::of(vec![false, true, true]),
        Dtype::F16 => {
            let edges = floats(f16::MAX.to_f64(), f16::MIN_POSITIVE.to_f64(), f16::from_bits(1).to_f64());
            let values = edges.into_iter().chain((0..random).map(|_| generator.moderate()));
            Slab::of(values.map(f16::from_f64).collect())
        }
        Dtype::F32 => {
            let edges = floats(f32::MAX.into(), f32::MIN_POSITIVE.into(), f32::from_bits(1).into());
            let values = edges.into_iter().chain((0..random).map(|_| generator.moderate()));
            Slab::of(values.map(|value| value as f32).collect())
        }
        Dtype::F64 => {
            let edges = floats(f64::MAX, f64::MIN_POSITIVE, f64::from_bits(1));
            Slab::of(edges.into_iter().chain((0..random).map(|_| generator.moderate())).collect())
        }
        Dtype::C64 => Slab::from(complexes(random, &mut generator)).astype(Dtype::C64),
        Dtype::C128 => Slab::from(complexes(random, &mut generator)),
        _ => integers(dtype, random, &mut generator),
    }
}

struct Numbers(Vec<Complex128>);

impl From<Numbers> for Slab {
    fn from(numbers: Numbers) -> Self {
        Self::of(numbers.0)
    }
}

fn floats(max: f64, least: f64, subnormal: f64) -> Vec<f64> {
    let sizes = [0.0, 1.0, 0.5, 2.0, 2.5, 3.0, 7.25, 100.0, max, least, subnormal, 1e-3, f64::INFINITY];
    sizes.into_iter().flat_map(|size| [size, -size]).chain([f64::NAN, 3.999, 700.5]).collect()
}

fn complexes(random: usize, generator: &mut Random) -> Numbers {
    let parts = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 30.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    let grid = parts.iter().flat_map(|re| parts.iter().map(|im| Complex::new(*re, *im)));
    // A third of them near the unit circle, where logarithms are small.
    let random = (0..random).map(|index| {
        if index % 3 == 0 {
            let angle = generator.unit() * 6.0;
            let size = 1.0 + generator.moderate() * 1e-6;
            return Complex::new(angle.cos() * size, angle.sin() * size);
        }
        Complex::new(generator.moderate(), generator.moderate())
    });
    Numbers(grid.chain(random).collect())
}

fn integers(dtype: Dtype, random: usize, generator: &mut Random) -> Slab {
    let (low, high) = dtype.bounds().expect("an integer");
    let small = [0, 1, 2, 3, 7, 8, 9, 31, 32, 63, 64, 65, 100];
    let edges = small.into_iter().flat_map(|number| [number, -number]).chain([low, low + 1, high, high - 1]);
    let edges: Vec<i128> = edges.filter(|number| (low..=high).contains(number)).collect();
    let random = (0..random).map(|_| {
        let shift = generator.bits() % 64;
        i128::from(generator.bits() >> shift)
    });
    let bytes: Vec<u8> = edges
        .into_iter()
        .chain(random)
        .flat_map(|number| number.to_le_bytes().into_iter().take(dtype.item_size()))
        .collect();
    let count = bytes.len() / dtype.item_size();
    Slab::from_bytes(dtype, ByteOrder::Little, vec![count], &bytes).expect("as many bytes")
}

/// All pairs of two lists, as a column and a row.
pub(super) fn pairs(left: Slab, right: Slab) -> [Slab; 2] {
    let (rows, columns) = (left.values().len(), right.values().len());
    [left.reshape(vec![rows, 1]).expect("as many"), right.reshape(vec![1, columns]).expect("as many")]
}

/// Numbers that sum up well, of that type and shape.
pub(super) fn moderate(dtype: Dtype, shape: Vec<usize>) -> Slab {
    let mut generator = Random(7);
    let count: usize = shape.iter().product();
    let numbers = (0..count).map(|_| Complex::new(generator.unit() * 12.0 - 4.0, generator.unit() * 3.0)).collect();
    let numbers = Values::C128(numbers);
    Slab::new(shape, numbers.astype(dtype)).expect("as many")
}
