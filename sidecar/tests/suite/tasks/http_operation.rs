//! Operations that services do: some that behave, and some that don't.

mod ends;
mod hostile;
mod service;
mod talks;
