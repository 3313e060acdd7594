//! Reductions over every choice of axes.

use serde_json::json;
use taskgate::array::dtype::{Dtype, Kind};
use taskgate::array::element::Values;
use taskgate::array::reduce::{Over, ReduceError, Reduction, Statistic};
use taskgate::array::slab::Slab;

use super::judge::{Nearness, difference, largest, unit};
use super::oracle::{Questions, question, slabs};
use super::samples::{moderate, samples};

const AXES: &[Option<&[i64]>] = &[None, Some(&[0]), Some(&[1]), Some(&[-1]), Some(&[0, 2]), Some(&[2, 1]), Some(&[])];

struct Case {
    statistic: Statistic,
    slab: Slab,
    axes: Option<&'static [i64]>,
    keep_dims: bool,
    ddof: f64,
}

impl Case {
    /// The reduction, given in pieces of `rows` rows.
    fn found(&self, rows: usize) -> Option<Slab> {
        let (shape, row) = (self.slab.shape(), self.slab.shape().iter().skip(1).product::<usize>());
        let over = Over { axes: self.axes, keep_dims: self.keep_dims, ddof: self.ddof };
        let mut reduction = Reduction::new(self.statistic, self.slab.dtype(), shape, &over).ok()?;
        let order = taskgate::array::dtype::ByteOrder::Big;
        let bytes = self.slab.to_bytes(order);
        let size = (rows * row * self.slab.dtype().item_size()).max(1);
        for (index, piece) in bytes.chunks(size).enumerate() {
            let mut extent = shape.to_vec();
            extent[0] = piece.len() / (row * self.slab.dtype().item_size());
            let mut start = vec![0; shape.len()];
            start[0] = index * rows;
            let piece = Slab::from_bytes(self.slab.dtype(), order, extent, piece).expect("a slab");
            reduction.push(&start, &piece).expect("fits");
        }
        Some(reduction.finish().expect("complete"))
    }
}

fn compare(slab: &dyn Fn(Dtype) -> Slab, axes: &[Option<&'static [i64]>]) {
    let mut questions = Questions::new();
    for statistic in Statistic::ALL {
        for dtype in Dtype::ALL {
            let slab = slab(dtype);
            for axes in axes {
                if matches!(statistic, Statistic::Argmax | Statistic::Argmin)
                    && axes.is_some_and(|axes| axes.len() != 1)
                {
                    let over = Over { axes: *axes, ..Over::default() };
                    let several = Reduction::new(statistic, dtype, slab.shape(), &over).map(|_| ());
                    assert_eq!(several, Err(ReduceError::OneAxis(statistic.name())));
                    continue;
                }
                for (keep_dims, ddof) in [(false, 0.0), (true, 1.0)] {
                    let question = json!({
                        "ask": "reduction", "name": statistic.name(), "value": question(&slab), "axes": axes,
                        "keepdims": keep_dims, "ddof": ddof,
                    });
                    questions.ask(Case { statistic, slab: slab.clone(), axes: *axes, keep_dims, ddof }, question);
                }
            }
        }
    }
    let mut wrong = Vec::new();
    for (case, answer) in questions.answers() {
        let about = format!("{} of {} {:?}", case.statistic.name(), case.slab.dtype(), case.axes);
        for rows in [1, 2, case.slab.shape()[0].max(1)] {
            match (case.found(rows), &answer) {
                (Some(found), Ok(answer)) => {
                    let answers = slabs(answer);
                    if let Some(difference) = judged(&found, &answers) {
                        wrong.push(format!("{about}: {difference}"));
                    }
                }
                (None, Err(_)) => {}
                (found, answer) => wrong.push(format!("{about}: {found:?} instead of {answer:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}

/// Nothing if the result is numpy's, or at least as near to the exact one.
fn judged(found: &Slab, answers: &[Slab]) -> Option<String> {
    let [expected, exact] = answers else { return difference(found, &answers[0], Nearness::Equal) };
    if found.dtype() != expected.dtype() || found.shape() != expected.shape() {
        return difference(found, expected, Nearness::Equal);
    }
    let parts = |slab: &Slab| -> Vec<f64> {
        let Values::C128(numbers) = slab.values().astype(Dtype::C128) else { return Vec::new() };
        numbers.iter().flat_map(|number| [number.re, number.im]).collect()
    };
    let dtype = expected.dtype().real();
    for ((found, expected), exact) in parts(found).into_iter().zip(parts(expected)).zip(parts(exact)) {
        let is_same = found == expected || (found.is_nan() && expected.is_nan());
        let is_nearer = (found - exact).abs() <= (expected - exact).abs().max(unit(exact, dtype));
        // A complex product that overflows is no number in numpy.
        let is_overflow = found.is_infinite() && exact.abs() > largest(dtype);
        if !is_same && !is_nearer && !is_overflow {
            return Some(format!("{found:?} instead of {expected:?}, exactly {exact:?}"));
        }
    }
    None
}

#[test]
fn moderate_numbers_over_all_axes() {
    compare(&|dtype| moderate(dtype, vec![5, 7, 11]), AXES);
}

#[test]
fn long_rows() {
    compare(&|dtype| moderate(dtype, vec![3, 1031]), &[None, Some(&[0]), Some(&[1])]);
}

#[test]
fn edge_cases() {
    // Products of complex infinities differ by the order of multiplication.
    let edges = |dtype: Dtype| {
        let slab = if dtype.kind() == Kind::Complex { moderate(dtype, vec![20]) } else { samples(dtype, 5) };
        let count = slab.values().len();
        slab.reshape(vec![count, 1]).expect("as many")
    };
    compare(&edges, &[Some(&[1])]);
}

#[test]
fn nothing() {
    compare(&|dtype| moderate(dtype, vec![0, 3]), &[None, Some(&[0]), Some(&[1])]);
    compare(&|dtype| moderate(dtype, vec![2, 0]), &[None, Some(&[0]), Some(&[1])]);
}
