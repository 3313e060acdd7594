use super::*;
use crate::array::element::Values;

fn over(axes: Option<&[i64]>) -> Over<'_> {
    Over { axes, ..Over::default() }
}

fn reduce(statistic: Statistic, slab: &Slab, axes: Option<&[i64]>) -> Result<Slab, ReduceError> {
    let mut reduction = Reduction::new(statistic, slab.dtype(), slab.shape(), &over(axes))?;
    reduction.push(&vec![0; slab.shape().len()], slab)?;
    reduction.finish()
}

#[test]
fn sums_do_not_lose_small_elements() {
    let mut elements = vec![1.0_f64, 1e100, 1.0, -1e100];
    elements.extend(vec![0.125; 1000]);
    assert_eq!(reduce(Statistic::Sum, &Slab::of(elements), None).unwrap(), Slab::single(127.0_f64));
    let infinite = Slab::of(vec![f64::INFINITY, 1.0]);
    assert_eq!(reduce(Statistic::Sum, &infinite, None).unwrap(), Slab::single(f64::INFINITY));
    assert_eq!(reduce(Statistic::Sum, &Slab::of(vec![100_i8; 3]), None).unwrap(), Slab::single(300_i64));
    assert_eq!(reduce(Statistic::Sum, &Slab::of(vec![u64::MAX; 2]), None).unwrap(), Slab::single(u64::MAX - 1));
}

#[test]
fn slabs_may_come_in_any_order() {
    let whole: Vec<i32> = (0..24).map(|number| (number * 7) % 11).collect();
    let whole = Slab::of(whole).reshape(vec![4, 6]).unwrap();
    let Values::I32(elements) = whole.values().clone() else { unreachable!() };
    for statistic in Statistic::ALL {
        for axes in [None, Some([0_i64].as_slice()), Some(&[1])] {
            let expected = reduce(statistic, &whole, axes).unwrap();
            let mut reduction = Reduction::new(statistic, whole.dtype(), whole.shape(), &over(axes)).unwrap();
            for row in [2, 0] {
                for column in [3, 0] {
                    let piece = |at: usize| elements[(row + at / 3) * 6 + column + at % 3];
                    let piece = Slab::of((0..6).map(piece).collect()).reshape(vec![2, 3]).unwrap();
                    reduction.push(&[row, column], &piece).unwrap();
                }
            }
            let found = reduction.finish().unwrap();
            assert_eq!(found.shape(), expected.shape());
            let difference = |slab: &Slab| slab.clone().astype(Dtype::F64);
            let (Values::F64(found), Values::F64(expected)) =
                (difference(&found).into_values(), difference(&expected).into_values())
            else {
                unreachable!()
            };
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() <= 1e-14 * expected.abs(), "{statistic:?} {axes:?}");
            }
        }
    }
}

#[test]
fn what_is_not_a_number_is_the_extreme() {
    let slab = Slab::of(vec![1.0_f32, f32::NAN, 3.0, f32::NAN]);
    assert_eq!(reduce(Statistic::Argmax, &slab, None).unwrap(), Slab::single(1_i64));
    let Values::F32(found) = reduce(Statistic::Min, &slab, None).unwrap().into_values() else { unreachable!() };
    assert!(found[0].is_nan());
}

#[test]
fn the_ways_to_ask_wrongly_are_told_apart() {
    let new = |statistic, shape: &[usize], axes| {
        Reduction::new(statistic, Dtype::F64, shape, &over(axes)).map(|_| ()).unwrap_err()
    };
    assert_eq!(new(Statistic::Sum, &[2], Some(&[1])), ReduceError::Axis { axis: 1, rank: 1 });
    assert_eq!(new(Statistic::Sum, &[2], Some(&[-2])), ReduceError::Axis { axis: -2, rank: 1 });
    assert_eq!(new(Statistic::Sum, &[2], Some(&[0, -1])), ReduceError::AxisTwice { axis: 0 });
    assert_eq!(new(Statistic::Argmin, &[2, 2, 2], Some(&[0, 1])), ReduceError::OneAxis("argmin"));
    assert_eq!(new(Statistic::Min, &[0], None), ReduceError::Empty("min"));
    let mut reduction = Reduction::new(Statistic::Sum, Dtype::F64, &[3], &over(None)).unwrap();
    assert_eq!(reduction.push(&[2], &Slab::of(vec![1.0_f64; 2])), Err(ReduceError::Slab));
    assert_eq!(reduction.push(&[0], &Slab::of(vec![1.0_f32; 3])), Err(ReduceError::Slab));
    reduction.push(&[0], &Slab::of(vec![1.0_f64; 2])).unwrap();
    assert_eq!(reduction.finish().unwrap_err(), ReduceError::Incomplete);
}

#[test]
fn memory_is_that_of_the_result() {
    let memory = |axes, shape: &[usize]| Reduction::memory(Statistic::Sum, Dtype::F64, shape, &over(axes)).unwrap();
    assert_eq!(memory(None, &[1 << 20, 1 << 20]), 16);
    assert_eq!(memory(Some(&[0]), &[1 << 20, 1000]), 16_000);
    assert_eq!(memory(Some(&[1]), &[1 << 40, 2]), 16 << 40);
}

#[test]
fn of_no_elements_there_is_a_sum_but_no_mean() {
    let none = Slab::of(Vec::<f64>::new());
    assert_eq!(reduce(Statistic::Sum, &none, None).unwrap(), Slab::single(0.0_f64));
    assert_eq!(reduce(Statistic::Prod, &none, None).unwrap(), Slab::single(1.0_f64));
    let Values::F64(mean) = reduce(Statistic::Mean, &none, None).unwrap().into_values() else { unreachable!() };
    assert!(mean[0].is_nan());
}
