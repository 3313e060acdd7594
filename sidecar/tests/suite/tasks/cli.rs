//! `taskgate tasks`, against a sidecar and a real HSDS server, and against servers that mean no good.

mod hostile;
mod life;
mod program;
mod rights;
