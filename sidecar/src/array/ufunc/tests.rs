use super::*;
use crate::array::dtype::Dtype;

fn run(name: &str, operands: &[Slab]) -> Result<Vec<Slab>, ComputeError> {
    let types: Vec<_> = operands.iter().map(|slab| Operand::Array(slab.dtype())).collect();
    Ufunc::named(name).unwrap().resolve(&types).unwrap().apply(operands)
}

fn outputs(name: &str, operands: &[Operand]) -> Option<Vec<Dtype>> {
    Ufunc::named(name).unwrap().resolve(operands).ok().map(|found| found.outputs().to_vec())
}

#[test]
fn names_are_unique_and_aliases_lead_to_them() {
    let mut names: Vec<_> = ALL.iter().flat_map(|ufunc| [&[ufunc.name], ufunc.aliases].concat()).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert_eq!(Ufunc::named("abs"), Ufunc::named("absolute"));
    assert_eq!(Ufunc::named("mod").unwrap().name(), "remainder");
    assert_eq!(Ufunc::named("matmul"), None);
}

#[test]
fn types_follow_the_function() {
    use Operand::{Array, Number};
    assert_eq!(outputs("sqrt", &[Array(Dtype::I8)]), Some(vec![Dtype::F16]));
    assert_eq!(outputs("sqrt", &[Array(Dtype::I32)]), Some(vec![Dtype::F64]));
    assert_eq!(outputs("bitwise_and", &[Array(Dtype::F32), Array(Dtype::I8)]), None);
    assert_eq!(outputs("subtract", &[Array(Dtype::Bool), Array(Dtype::Bool)]), None);
    assert_eq!(outputs("divide", &[Array(Dtype::I8), Array(Dtype::I8)]), Some(vec![Dtype::F64]));
    assert_eq!(outputs("frexp", &[Array(Dtype::F32)]), Some(vec![Dtype::F32, Dtype::I32]));
    assert_eq!(outputs("absolute", &[Array(Dtype::C64)]), Some(vec![Dtype::F32]));
    assert_eq!(outputs("add", &[Array(Dtype::U8), Number(Scalar::Int(1))]), Some(vec![Dtype::U8]));
    assert_eq!(outputs("add", &[Array(Dtype::U8), Number(Scalar::Int(300))]), None);
    assert_eq!(outputs("add", &[Array(Dtype::U8), Number(Scalar::Float(1.0))]), Some(vec![Dtype::F64]));
    assert_eq!(outputs("add", &[Array(Dtype::U8)]), None);
}

#[test]
fn comparisons_are_exact() {
    let (left, right) = (Slab::of(vec![u64::MAX, 1 << 63]), Slab::of(vec![-1_i64, i64::MIN]));
    assert_eq!(run("equal", &[left.clone(), right.clone()]).unwrap(), [Slab::of(vec![false, false])]);
    assert_eq!(run("greater", &[left, right]).unwrap(), [Slab::of(vec![true, true])]);
    let beyond = [Operand::Array(Dtype::U8), Operand::Number(Scalar::Int(300))];
    let loops = Ufunc::named("less").unwrap().resolve(&beyond).unwrap();
    assert_eq!(loops.apply(&[Slab::of(vec![1_u8, 2])]).unwrap(), [Slab::of(vec![true, true])]);
}

#[test]
fn operands_broadcast() {
    let column = Slab::of(vec![1_i16, 2]).reshape(vec![2, 1]).unwrap();
    let result = run("add", &[column.clone(), Slab::of(vec![10_i8, 20, 30])]).unwrap();
    assert_eq!(result, [Slab::of(vec![11_i16, 21, 31, 12, 22, 32]).reshape(vec![2, 3]).unwrap()]);
    assert!(matches!(run("add", &[Slab::of(vec![1_i8, 2]), Slab::of(vec![1_i8; 3])]), Err(ComputeError::Shape(_))));
    assert_eq!(run("add", &[Slab::single(1_i8), Slab::of(Vec::<i8>::new())]).unwrap(), [Slab::of(Vec::<i8>::new())]);
}

#[test]
fn integers_have_no_negative_powers() {
    assert_eq!(run("power", &[Slab::of(vec![2_i8]), Slab::of(vec![-1_i8])]), Err(ComputeError::NegativePower));
    assert_eq!(
        run("power", &[Slab::of(vec![2_i8, 3]), Slab::of(vec![7_i8])]).unwrap(),
        [Slab::of(vec![-128_i8, -117])]
    );
}
