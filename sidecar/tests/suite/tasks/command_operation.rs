//! Operations that programs do: some that behave, and some that don't.

mod ends;
mod hostile;
mod program;
mod talks;
